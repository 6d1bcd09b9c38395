/*
 * What a backup says of itself: LVM tags on the snapshot, so that they go where the snapshot goes and
 * cannot be rolled back with the root. Owns: printing and parsing. Pure.
 */

export interface BackupTags {
  /** Seconds since 1970; 0 where the tag is missing. */
  readonly timeSeconds: number;
  /** `nightly`, `factory`, `manual`, `apt`, …; what a person gave, with unusual characters replaced. */
  readonly reason: string;
  /** Version of the golden that the root came from. */
  readonly version: string;
  /** The kernel's boot id of the system that took it; "" from the rescue system. */
  readonly boot: string;
  /** Why the nightly backup must not replace this one; absent: it may. */
  readonly hold?: string;
}

/** The mark on everything of ours in LVM. */
export const OUR_TAG = "zshield";
const LONGEST = 200;

/** With `OUR_TAG` first, each fit for `--addtag`. */
export function printBackupTags({
  timeSeconds,
  reason,
  version,
  boot,
  hold,
}: BackupTags): string[] {
  const values = { time: String(timeSeconds), reason, version, boot, hold: hold ?? "" };
  const named = Object.entries(values).filter(([, value]) => value !== "");
  return [OUR_TAG, ...named.map(([name, value]) => `${OUR_TAG}.${name}=${tagText(value)}`)];
}

/** The tags are put on a snapshot when its store has been flushed; before that it may hold anything. */
export function isFinished(tags: readonly string[]): boolean {
  return tags.includes(OUR_TAG);
}

export function parseBackupTags(tags: readonly string[]): BackupTags {
  const value = (name: string) => {
    const start = `${OUR_TAG}.${name}=`;
    return tags.find((tag) => tag.startsWith(start))?.slice(start.length) ?? "";
  };
  const hold = value("hold");
  return {
    timeSeconds: /^\d{1,12}$/.test(value("time")) ? Number(value("time")) : 0,
    reason: value("reason"),
    version: value("version"),
    boot: value("boot"),
    ...(hold === "" ? {} : { hold }),
  };
}

/** LVM allows letters, digits and `_ + . - / = ! : & #`; the rest becomes `_`. */
function tagText(text: string): string {
  return text.slice(0, LONGEST).replace(/[^A-Za-z0-9_+.\-/=!:&#]/g, "_");
}
