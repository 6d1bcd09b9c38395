/*
 * When a backup that is there must not be replaced, and what holds and releases do. Pure.
 */
import { Refusal } from "../errors.ts";
import { OUR_TAG, printBackupTags } from "../model/backup.ts";
import type { Step } from "../model/step.ts";
import { backupOf, type Backup, type Installation } from "./installation.ts";
import { BACKUP, NEW_BACKUP } from "./volumes.ts";

/** What the running system tells of itself. */
export interface Health {
  /** The present boot reached what it was to reach. */
  readonly reachedTarget: boolean;
  /** What `dpkg --audit` prints; "" where all is well, or where there is no dpkg. */
  readonly halfInstalled: string;
}

export const UPGRADE_HOLD = "upgrade:";

/** Why the nightly run keeps the old backup, or undefined. Where none is valid, any is better. */
export function whyKeep(installation: Installation, health: Health): string | undefined {
  const held = heldBackup(installation);
  if (held) return `the backup is on hold (${held.tags.hold})`;
  if (backupOf(installation.group)?.why !== undefined || !backupOf(installation.group)) {
    return undefined;
  }
  if (!health.reachedTarget) return "this boot did not reach its target";
  if (health.halfInstalled !== "") return "dpkg reports packages that are not whole";
  return undefined;
}

/** The valid backup on hold, also under the name that it had when its run was killed. */
export function heldBackup({ group }: Installation): Backup | undefined {
  return [NEW_BACKUP, BACKUP]
    .map((name) => backupOf(group, name))
    .find((backup) => backup?.why === undefined && backup?.tags.hold !== undefined);
}

/** @throws Refusal where there is no valid backup. */
export function validBackup({ group }: Installation): Backup {
  const backup = backupOf(group);
  if (backup && backup.why === undefined) return backup;
  throw new Refusal(
    backup ? `the backup is not valid: ${backup.why}` : "there is no backup",
    "`zshield backup` takes one",
  );
}

/** @throws Refusal without a reason, or without a valid backup. */
export function planHold(installation: Installation, reason: string): Step[] {
  const backup = validBackup(installation);
  const [, ...tags] = printBackupTags({
    timeSeconds: 0,
    reason: "",
    version: "",
    boot: "",
    hold: reason,
  });
  const add = tags.filter((tag) => tag.startsWith(`${OUR_TAG}.hold=`));
  const [wanted] = add;
  if (wanted === undefined)
    throw new Refusal("a hold needs a reason", "zshield backup hold REASON");
  const remove = holdTags(backup).filter((tag) => tag !== wanted);
  if (backup.volume.tags.includes(wanted) && remove.length === 0) return [];
  return [tagStep(installation, `keep the backup (${reason})`, add, remove)];
}

/** No step where nothing is held. `only`: that hold and no other. */
export function planRelease(installation: Installation, only?: string): Step[] {
  const backup = backupOf(installation.group);
  if (!backup) return [];
  if (only !== undefined && backup.tags.hold !== only) return [];
  const remove = holdTags(backup);
  return remove.length === 0 ? [] : [tagStep(installation, "end the hold", [], remove)];
}

function holdTags({ volume }: Backup): string[] {
  return volume.tags.filter((tag) => tag.startsWith(`${OUR_TAG}.hold=`));
}

function tagStep(
  { group }: Installation,
  title: string,
  add: readonly string[],
  remove: readonly string[],
): Step {
  return {
    kind: "tag-volume",
    title,
    repeats: false,
    group: group.name,
    name: BACKUP,
    add: [...add],
    remove: [...remove],
  };
}
