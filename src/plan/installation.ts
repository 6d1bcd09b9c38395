/*
 * The installation of ours that this machine runs from, in whatever phase it is, or why there is none.
 * Owns: finding it, and the state of its backups. Pure.
 */
import { Refusal } from "../errors.ts";
import { OUR_TAG, parseBackupTags, type BackupTags } from "../model/backup.ts";
import {
  whyNotSameDisk,
  type Disk,
  type Machine,
  type Partition,
  type Volume,
  type VolumeGroup,
} from "../model/machine.ts";
import type { StateRecord } from "../model/state.ts";
import { BACKUP, ROOT } from "./volumes.ts";

export interface Installation {
  readonly disk: Disk;
  readonly record: StateRecord;
  readonly group: VolumeGroup;
}

export interface Backup {
  readonly volume: Volume;
  readonly tags: BackupTags;
  /** Why it cannot be put back; absent: it can. */
  readonly why?: string;
}

/** The installation, or the reasons in words why there is none; never an empty list. */
export function findInstallation(machine: Machine): Installation | readonly string[] {
  for (const disk of machine.disks) {
    const record = disk.state;
    if (!record || whyNotSameDisk(disk, record.document.disk) !== undefined) continue;
    const group = groupOf(disk, record, machine);
    if (group) return { disk, record, group };
  }
  const { groupsTrouble } = machine;
  return [
    "no installation of zshield was found",
    // Why a disk that looks like ours does not count is what its administrator has to know.
    ...machine.disks.flatMap((disk) => whyNotOurs(disk, machine)),
    ...(groupsTrouble === undefined ? [] : [groupsTrouble]),
  ];
}

export function isInstallation(found: Installation | readonly string[]): found is Installation {
  return "group" in found;
}

/** @throws Refusal with every reason. */
export function neededInstallation(machine: Machine): Installation {
  const found = findInstallation(machine);
  if (isInstallation(found)) return found;
  throw new Refusal(found.join("; "), "`zshield probe` shows what lies on the disks");
}

/** Something of ours is on a disk, whole or not. */
export function hasMarks(machine: Machine): boolean {
  return machine.disks.some(
    ({ state, stateTrouble }) => state !== undefined || stateTrouble !== undefined,
  );
}

/** @throws Refusal if the table of the disk is not as a recovery writes it. */
export function partitionOf({ disk }: Installation, number: 2 | 3): Partition {
  const partition = disk.partitions.find((candidate) => candidate.number === number);
  if (partition && partition.uuid !== "") return partition;
  throw new Refusal(
    `the partition table of ${disk.path} is not as zshield wrote it: partition ${number} is missing`,
    "recover to factory default",
  );
}

export function volumeOf(group: VolumeGroup, name: string): Volume | undefined {
  return group.volumes.find((volume) => volume.name === name);
}

export function backupOf(group: VolumeGroup, name: string = BACKUP): Backup | undefined {
  const volume = volumeOf(group, name);
  if (!volume) return undefined;
  const why = whyNotWhole(volume);
  return { volume, tags: parseBackupTags(volume.tags), ...(why === undefined ? {} : { why }) };
}

function whyNotWhole({ name, origin, invalid }: Volume): string | undefined {
  if (origin !== ROOT) return `${name} is no snapshot of ${ROOT}`;
  return invalid ? "it overflowed or its store is damaged" : undefined;
}

/** The group of the record, whole and ours, with nothing of it on another disk. */
function groupOf(disk: Disk, record: StateRecord, machine: Machine): VolumeGroup | undefined {
  const { groupUuid } = record.document;
  const own = new Set([disk.path, ...disk.partitions.map(({ path }) => path)]);
  return machine.groups.find(
    (group) =>
      groupUuid !== "" &&
      group.uuid === groupUuid &&
      !group.partial &&
      group.tags.includes(OUR_TAG) &&
      group.physicalVolumes.every((path) => own.has(path)),
  );
}

function whyNotOurs(disk: Disk, machine: Machine): string[] {
  if (disk.stateTrouble !== undefined) return [`${disk.path}: its state: ${disk.stateTrouble}`];
  if (!disk.state) return [];
  const why = whyNotSameDisk(disk, disk.state.document.disk);
  if (why !== undefined) return [`${disk.path}: its state was written for another disk: ${why}`];
  if (disk.state.phase === "recovering") {
    return [
      `${disk.path}: a recovery was interrupted; it goes on when the machine is started again`,
    ];
  }
  const { groupUuid } = disk.state.document;
  const group = machine.groups.find(({ uuid }) => uuid === groupUuid);
  return [`${disk.path}: its volume group ${group ? "is not whole or not ours" : "was not found"}`];
}
