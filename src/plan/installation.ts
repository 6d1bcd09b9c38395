/*
 * The installation of ours that this machine runs from, or why there is none.
 * Owns: finding it, and the state of its backups. Pure.
 */
import { Refusal } from "../errors.ts";
import { isFinished, parseBackupTags, type BackupTags } from "../model/backup.ts";
import type {
  Disk,
  Machine,
  Partition,
  RunningRoot,
  Volume,
  VolumeGroup,
} from "../model/machine.ts";
import type { StateRecord } from "../model/state.ts";
import { checkNames } from "./preconditions.ts";
import { contentOf, whyNotOurs } from "./target.ts";
import { BACKUP, NEW_BACKUP, ROOT } from "./volumes.ts";

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

/**
 * The installation that this system runs from; where it runs from no volume (rescue system, golden on a
 * card), the first one. Otherwise the reasons in words why there is none; never an empty list.
 */
export function findInstallation(machine: Machine): Installation | readonly string[] {
  const reasons: string[] = [];
  for (const disk of machine.disks) {
    const content = contentOf(disk, machine);
    if (content.kind === "ours") {
      const { record, group } = content;
      if (machine.runsFrom === undefined || isRunning(group, machine.runsFrom)) {
        return { disk, record, group };
      }
      reasons.push(`this system does not run from ${group.name}/${ROOT} on ${disk.path}`);
    } else if (content.kind === "interrupted") {
      reasons.push("a recovery was interrupted; it goes on when the machine is started again");
    } else if (disk.state !== undefined || disk.stateTrouble !== undefined) {
      // Why a disk that looks like ours does not count is what its administrator has to know.
      reasons.push(`${disk.path}: ${whyNotOurs(disk, machine).english}`);
    }
  }
  const { groupsTrouble } = machine;
  return [
    "no installation of zshield was found",
    ...reasons,
    ...(groupsTrouble === undefined ? [] : [groupsTrouble]),
  ];
}

function isRunning(
  { uuid, volumes }: VolumeGroup,
  { groupUuid, volumeUuid }: RunningRoot,
): boolean {
  const bare = (text: string) => text.replaceAll("-", "");
  const root = volumes.find(({ name }) => name === ROOT);
  return bare(uuid) === groupUuid && root !== undefined && bare(root.uuid) === volumeUuid;
}

export function isInstallation(found: Installation | readonly string[]): found is Installation {
  return "group" in found;
}

/** @throws Refusal with every reason, or where another group has the same name. */
export function neededInstallation(machine: Machine): Installation {
  const found = findInstallation(machine);
  if (isInstallation(found)) {
    checkNames(machine, found.disk, found.group.name);
    return found;
  }
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

/** The volume of that name as a backup. For what counts as *the* backup: newestBackup. */
export function backupOf(group: VolumeGroup, name: string): Backup | undefined {
  const volume = volumeOf(group, name);
  if (!volume) return undefined;
  const why = whyNotWhole(volume);
  return { volume, tags: parseBackupTags(volume.tags), ...(why === undefined ? {} : { why }) };
}

/** Those that can be put back, newest first; while one replaces the other there are two for a moment. */
export function validBackups(group: VolumeGroup): Backup[] {
  return backupsOf(group).filter(({ why }) => why === undefined);
}

/** Both names, the newer one first, whole or not. */
export function backupsOf(group: VolumeGroup): Backup[] {
  return [NEW_BACKUP, BACKUP].flatMap((name) => backupOf(group, name) ?? []);
}

/** The newest one that can be put back; where none can, the one that has the backup's name. */
export function newestBackup(group: VolumeGroup): Backup | undefined {
  return validBackups(group)[0] ?? backupOf(group, BACKUP);
}

/** Snapshots of root under other names: somebody else took them. */
export function otherSnapshots({ volumes }: VolumeGroup, roots = [ROOT]): Volume[] {
  return volumes.filter(
    ({ name, origin }) => roots.includes(origin) && ![BACKUP, NEW_BACKUP].includes(name),
  );
}

/** Those that nobody was told of who asked for the backup at the next start. */
export function untoldSnapshots(group: VolumeGroup, { document }: StateRecord): Volume[] {
  const told = document.toldSnapshots ?? [];
  return otherSnapshots(group).filter(({ uuid }) => !told.includes(uuid));
}

function whyNotWhole({ name, origin, invalid, tags }: Volume): string | undefined {
  if (origin !== ROOT) return `${name} is no snapshot of ${ROOT}`;
  if (!isFinished(tags)) return "it was never finished";
  return invalid ? "it overflowed or its store is damaged" : undefined;
}
