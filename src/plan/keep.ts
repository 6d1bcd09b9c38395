/*
 * When a backup that is there must not be replaced, and what holds and releases do. Pure.
 */
import { Refusal } from "../errors.ts";
import { OUR_TAG, printBackupTags } from "../model/backup.ts";
import type { Step } from "../model/step.ts";
import {
  backupsOf,
  newestBackup,
  validBackups,
  type Backup,
  type Installation,
} from "./installation.ts";

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
  if (validBackups(installation.group).length === 0) return undefined;
  if (!health.reachedTarget) return "this boot did not reach its target";
  if (health.halfInstalled !== "") return "dpkg reports packages that are not whole";
  return undefined;
}

/** A valid backup on hold, also under the name that it had when its run was killed. */
export function heldBackup({ group }: Installation): Backup | undefined {
  return validBackups(group).find(({ tags }) => tags.hold !== undefined);
}

const RECENT_SECONDS = 3600;

/**
 * The newest backup, if it is as good as a new one: unattended-upgrades calls dpkg for each package, and the
 * backup to go back to is the one before the first of them.
 */
export function recentBackup(
  { group }: Installation,
  { reason, boot, nowSeconds }: { reason: string; boot: string; nowSeconds: number },
): Backup | undefined {
  const [newest] = validBackups(group);
  if (newest?.tags.reason !== reason || newest.tags.boot !== boot) return undefined;
  const age = nowSeconds - newest.tags.timeSeconds;
  return age >= 0 && age < RECENT_SECONDS ? newest : undefined;
}

/** @throws Refusal where there is no valid backup. */
export function validBackup({ group }: Installation): Backup {
  const backup = newestBackup(group);
  if (backup && backup.why === undefined) return backup;
  throw new Refusal(
    backup ? `the backup is not valid: ${backup.why}` : "there is no backup",
    "`zshield backup` takes one",
  );
}

/** @throws Refusal without a reason, or without a valid backup. */
export function planHold(installation: Installation, reason: string): Step[] {
  const backup = validBackup(installation);
  if (reason === "") throw new Refusal("a hold needs a reason", "zshield backup hold REASON");
  const wanted = holdTag(reason);
  const remove = holdTags(backup).filter((tag) => tag !== wanted);
  if (backup.volume.tags.includes(wanted) && remove.length === 0) return [];
  return [holdStep(installation.group.name, backup.volume.name, reason, remove)];
}

/** No step where nothing is held. `only`: that hold and no other. */
export function planRelease({ group }: Installation, only?: string): Step[] {
  return backupsOf(group)
    .filter(({ tags }) => tags.hold !== undefined && (only === undefined || tags.hold === only))
    .map((backup) => tagStep(group.name, backup.volume.name, "end the hold", [], holdTags(backup)));
}

/** Puts a hold on the volume of that name. */
export function holdStep(
  group: string,
  name: string,
  reason: string,
  remove: readonly string[] = [],
): Step {
  return tagStep(group, name, `keep the backup (${reason})`, [holdTag(reason)], remove);
}

const HOLD = `${OUR_TAG}.hold=`;

function holdTag(hold: string): string {
  const tags = printBackupTags({ timeSeconds: 0, reason: "", version: "", boot: "", hold });
  return tags.find((tag) => tag.startsWith(HOLD)) ?? HOLD;
}

function holdTags({ volume }: Backup): string[] {
  return volume.tags.filter((tag) => tag.startsWith(HOLD));
}

function tagStep(
  group: string,
  name: string,
  title: string,
  add: readonly string[],
  remove: readonly string[],
): Step {
  return {
    kind: "tag-volume",
    title,
    repeats: false,
    group,
    name,
    add: [...add],
    remove: [...remove],
  };
}
