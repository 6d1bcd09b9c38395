/*
 * The installation of ours that this machine runs from, or why there is none.
 * Owns: finding it, and the state of its backups. Pure.
 */
import { Refusal } from "../errors.ts";
import { isFinished, parseBackupTags, type BackupTags } from "../model/backup.ts";
import type { Disk, Machine, Partition, Volume, VolumeGroup } from "../model/machine.ts";
import type { StateRecord } from "../model/state.ts";
import { contentOf, whyNotOurs } from "./target.ts";
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
  const reasons: string[] = [];
  for (const disk of machine.disks) {
    const content = contentOf(disk, machine);
    if (content.kind === "ours") return { disk, record: content.record, group: content.group };
    if (content.kind === "interrupted") {
      reasons.push("a recovery was interrupted; it goes on when the machine is started again");
    } else if (disk.state !== undefined || disk.stateTrouble !== undefined) {
      // Why a disk that looks like ours does not count is what its administrator has to know.
      reasons.push(`${disk.path}: ${whyNotOurs(disk, machine)}`);
    }
  }
  const { groupsTrouble } = machine;
  return [
    "no installation of zshield was found",
    ...reasons,
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

function whyNotWhole({ name, origin, invalid, tags }: Volume): string | undefined {
  if (origin !== ROOT) return `${name} is no snapshot of ${ROOT}`;
  if (!isFinished(tags)) return "it was never finished";
  return invalid ? "it overflowed or its store is damaged" : undefined;
}
