/*
 * The plan for a new backup in the running system: what a killed run left is put in order first, then the
 * new one is taken, before the old one goes wherever the group has room for both. A pure function from what
 * was found to steps and to what has to be said beforehand, or a Refusal.
 */
import { Failure, Refusal } from "../errors.ts";
import { OUR_TAG, printBackupTags } from "../model/backup.ts";
import { EXTENT_BYTES, type Config } from "../model/config.ts";
import { identityOf, type Machine, type Volume, type VolumeGroup } from "../model/machine.ts";
import { MIB, printSize, sizeOn } from "../model/size.ts";
import { isRestoreRequested } from "../model/state.ts";
import type { Plan, Step } from "../model/step.ts";
import { printTime } from "../model/text.ts";
import { byPartition } from "./steps.ts";
import {
  backupOf,
  backupsOf,
  neededInstallation,
  newestBackup,
  partitionOf,
  volumeOf,
  type Backup,
  type Installation,
} from "./installation.ts";
import { coveringBytes, LEAST_BACKUP_BYTES } from "./layout.ts";
import { holdStep } from "./keep.ts";
import { AUDIT, BACKUP, NEW_BACKUP, ROOT } from "./volumes.ts";

/** Enough for the moment until the old backup is gone and the new one can be made larger. */
const MOMENT_BYTES = 64 * MIB;

export interface BackupWish {
  readonly nowSeconds: number;
  readonly reason: string;
  /** The kernel's boot id. */
  readonly boot: string;
  /** Held so when all else is done: a run that failed leaves no hold that nobody ends. */
  readonly hold?: string;
}

export interface BackupPlan {
  readonly plan: Plan;
  /** To be said before anything is done. */
  readonly remarks: readonly string[];
}

/** @throws Refusal; then nothing has been changed. */
export function planBackup(machine: Machine, config: Config, wish: BackupWish): BackupPlan {
  const installation = neededInstallation(machine);
  checkPhase(installation);
  const { group } = installation;
  const root = volumeOf(group, ROOT);
  if (!root) throw new Refusal(`there is no volume ${ROOT}`, "restart the machine");
  if (root.merging) {
    throw new Refusal("a backup is being put back just now", "wait until that is done");
  }
  const tidied = tidy(installation);
  const taken = take({ installation, config, wish, root, ...tidied });
  return {
    plan: runningPlan(installation, [...tidied.steps, ...taken.steps]),
    remarks: [...tidied.remarks, ...taken.remarks],
  };
}

/**
 * What a run has to say that did not end as it should: which backup is there now. `failed`: what its changes
 * failed with. Undefined: there is a new backup, and nothing failed.
 */
export function outcomeOf(
  before: VolumeGroup,
  now: VolumeGroup,
  failed: Failure | undefined,
): Failure | undefined {
  const found = newestBackup(now);
  const because = failed === undefined ? "" : `: ${failed.message}`;
  const tell = (message: string) =>
    new Failure(message, "correct the cause and run `zshield backup`", failed?.cause ?? failed);
  if (!found || found.why !== undefined) {
    return tell(`THERE IS NO VALID BACKUP${found ? ` (${found.why})` : ""}${because}`);
  }
  const time = printTime(found.tags.timeSeconds);
  const isNew = !backupsOf(before).some(({ volume }) => volume.uuid === found.volume.uuid);
  if (!isNew) {
    return tell(`the backup could not be taken${because}; the one of ${time} is there and valid`);
  }
  if (failed === undefined) return undefined;
  return tell(`the backup of ${time} was taken and is valid, but not all was done${because}`);
}

/** Plain steps of the running system as a plan; should the power fail meanwhile, `repair` follows. */
export function runningPlan(installation: Installation, steps: readonly Step[]): Plan {
  const { disk, record, group } = installation;
  return {
    operation: "repair",
    version: record.document.version,
    disk: identityOf(disk),
    loses: steps.flatMap(({ destroys: text }) =>
      text === undefined ? [] : [{ kind: "words", text }],
    ),
    keeps: [],
    asks: false,
    group: group.name,
    physicalVolume: byPartition(partitionOf(installation, 3).uuid),
    reportVolume: AUDIT,
    steps: [...steps],
  };
}

/** @throws Refusal if the next start is to do something with root and its backup. */
export function checkPhase({ record }: Installation): void {
  if (isRestoreRequested(record)) {
    throw new Refusal(
      "the backup is to be put back at the next start",
      "restart the machine, or take that back with `zshield restore cancel`",
    );
  }
}

interface Tidied {
  readonly steps: readonly Step[];
  readonly remarks: readonly string[];
  readonly freeBytes: number;
  /** The valid backup that is there afterwards. */
  readonly old: Volume | undefined;
}

/** What a run that was killed, or a snapshot that overflowed, left behind. */
function tidy({ group }: Installation): Tidied {
  const steps: Step[] = [];
  const remarks: string[] = [];
  let { freeBytes } = group;
  const drop = ({ volume }: Backup, title: string) => {
    checkOurs(volume);
    steps.push(removeVolume(group.name, volume.name, title));
    freeBytes += volume.sizeBytes;
  };
  const named = backupOf(group, BACKUP);
  let old = named?.why === undefined ? named?.volume : undefined;
  if (named?.why !== undefined) {
    drop(named, `remove ${BACKUP}: ${named.why}`);
    remarks.push(`the backup that was there is not valid (${named.why}) and is removed`);
  }
  const left = backupOf(group, NEW_BACKUP);
  if (!left) return { steps, remarks, freeBytes, old };
  if (left.why !== undefined) {
    drop(left, `remove ${NEW_BACKUP}, which was never finished`);
    remarks.push("a backup that was never finished is removed");
    return { steps, remarks, freeBytes, old };
  }
  // It was taken later than the other one, and it is whole.
  remarks.push("a backup whose run was ended before it had its name gets it now");
  if (old && named) {
    steps.push(checkSnapshot(group.name));
    drop(named, `remove ${BACKUP}; ${NEW_BACKUP} is newer and whole`);
  }
  steps.push(giveName(group.name));
  old = { ...left.volume, name: BACKUP };
  return { steps, remarks, freeBytes, old };
}

/** A volume that somebody else made, and gave our name to. */
function checkOurs({ name, origin, tags }: Volume): void {
  if (tags.includes(OUR_TAG) || origin === ROOT) return;
  throw new Refusal(
    `there is a volume ${name} that is neither a snapshot of ${ROOT} nor made by zshield`,
    "rename or remove it",
  );
}

interface Take extends Omit<Tidied, "steps" | "remarks"> {
  readonly installation: Installation;
  readonly config: Config;
  readonly wish: BackupWish;
  readonly root: Volume;
}

function take({ installation, config, wish, root, freeBytes, old }: Take): {
  steps: Step[];
  remarks: string[];
} {
  const { group, record } = installation;
  const { chunk, share } = config.backup;
  const covering = coveringBytes(root.sizeBytes, chunk);
  const shared = Math.max(LEAST_BACKUP_BYTES, sizeOn(share, root.sizeBytes, EXTENT_BYTES));
  const fitting = (bytes: number) => (bytes >= covering ? covering : Math.min(shared, bytes));
  const finalBytes = fitting(freeBytes + (old?.sizeBytes ?? 0));
  if (finalBytes < LEAST_BACKUP_BYTES) {
    throw new Refusal(
      `the volume group has no room for a backup: ${printSize(freeBytes)} are free` +
        (old ? `, ${printSize(old.sizeBytes)} with the old backup gone` : ""),
      `remove or shrink a volume of ${group.name}; at least ${printSize(LEAST_BACKUP_BYTES)} are needed`,
    );
  }
  const takeAs = (name: string, sizeBytes: number): Step => ({
    kind: "take-backup",
    title: `take the backup (${printSize(sizeBytes)})`,
    repeats: false,
    group: group.name,
    origin: ROOT,
    name,
    sizeBytes,
    chunkBytes: chunk,
    tags: printBackupTags({
      timeSeconds: wish.nowSeconds,
      reason: wish.reason,
      version: record.document.version,
      boot: wish.boot,
    }),
  });
  const watch: Step[] = finalBytes < covering ? [watchBackup(group.name)] : [];
  const remarks =
    finalBytes < covering
      ? [`it begins with ${printSize(finalBytes)} and is made larger while it fills`]
      : [];
  const hold = wish.hold === undefined ? [] : [holdStep(group.name, BACKUP, wish.hold)];
  if (!old) return { steps: [takeAs(BACKUP, finalBytes), ...watch, ...hold], remarks };
  const firstBytes = fitting(freeBytes);
  if (firstBytes < Math.min(MOMENT_BYTES, shared)) {
    return {
      steps: [
        {
          ...removeVolume(group.name, BACKUP, "remove the old backup"),
          destroys: "the last backup, before the new one is taken (there is no room for both)",
        },
        takeAs(BACKUP, finalBytes),
        ...watch,
        ...hold,
      ],
      remarks: ["there is no room for two backups: for a moment there will be none", ...remarks],
    };
  }
  const grow: Step[] =
    finalBytes > firstBytes
      ? [
          {
            kind: "grow-volume",
            title: `make it as large as there is room now (${printSize(finalBytes)})`,
            repeats: false,
            group: group.name,
            name: BACKUP,
            sizeBytes: finalBytes,
          },
        ]
      : [];
  return {
    steps: [
      takeAs(NEW_BACKUP, firstBytes),
      checkSnapshot(group.name),
      { ...removeVolume(group.name, BACKUP, "remove the old backup"), destroys: "the last backup" },
      giveName(group.name),
      ...grow,
      ...watch,
      ...hold,
    ],
    remarks,
  };
}

/** The old backup goes only if the new one, which root fills already, is still one. */
function checkSnapshot(group: string): Step {
  return {
    kind: "check-snapshot",
    title: `check that ${NEW_BACKUP} is valid`,
    repeats: false,
    group,
    name: NEW_BACKUP,
  };
}

function giveName(group: string): Step {
  return {
    kind: "rename-volumes",
    title: `give the new backup its name, ${BACKUP}`,
    repeats: false,
    group,
    renames: [{ from: NEW_BACKUP, to: BACKUP }],
  };
}

function watchBackup(group: string): Step {
  return {
    kind: "watch-backup",
    title: "let dmeventd watch it",
    repeats: false,
    group,
    name: BACKUP,
  };
}

export function removeVolume(group: string, name: string, title: string): Step {
  return { kind: "remove-volume", title, repeats: false, group, name };
}
