/*
 * A backup before it is merged: valid, and readable to its last block. dm-snapshot tells an overflow only
 * while the volume is active, and a block that cannot be read only when it is read: both must be known
 * before the root is touched. Writes nothing.
 */
import { Refusal } from "../errors.ts";
import { say } from "../model/messages.ts";
import { query, tellFailure } from "./command.ts";
import { readThrough } from "./device.ts";

const HINT = say("choose-default");
const SECTOR_BYTES = 512;

export interface SnapshotName {
  readonly group: string;
  readonly name: string;
  readonly origin: string;
}

/** What `dmsetup status` tells of a snapshot, or of the origin that one is being merged into. */
export type SnapshotStatus =
  | { readonly kind: "valid"; readonly usedBytes: number }
  /** In the kernel's words: `Invalid`, `Overflow`, `Merge failed`. */
  | { readonly kind: "bad"; readonly why: string }
  /** The volume is neither of the two. */
  | { readonly kind: "none" };

/** Pure. Source: Documentation/admin-guide/device-mapper/snapshot.rst, "How to determine when …". */
export function parseSnapshotStatus(text: string): SnapshotStatus {
  const [, , target, ...rest] = text.trim().split(/\s+/);
  if (target !== "snapshot" && target !== "snapshot-merge") return { kind: "none" };
  const used = /^(\d+)\/\d+ \d+$/.exec(rest.join(" "))?.[1];
  if (used === undefined) return { kind: "bad", why: rest.join(" ") };
  return { kind: "valid", usedBytes: Number(used) * SECTOR_BYTES };
}

/** The name that device-mapper gives a volume: a dash inside a part is doubled. */
export function mapperName(group: string, volume: string): string {
  return [group, volume].map((part) => part.replaceAll("-", "--")).join("-");
}

export async function readSnapshotStatus(group: string, volume: string): Promise<SnapshotStatus> {
  return parseSnapshotStatus(await query(["dmsetup", "status", mapperName(group, volume)]));
}

/** @throws Error unless the kernel calls it valid. */
export async function checkValid(group: string, volume: string): Promise<void> {
  const status = await readSnapshotStatus(group, volume);
  if (status.kind === "valid") return;
  throw new Error(
    `${group}/${volume} ${status.kind === "bad" ? `is not valid any more (${status.why})` : "is no snapshot"}`,
  );
}

/** @throws Refusal with the one sentence that says what to do instead. */
export async function checkSnapshot(
  { group, name }: SnapshotName,
  onProgress: (bytes: number, total: number) => void,
): Promise<void> {
  const status = await readSnapshotStatus(group, name);
  if (status.kind === "bad") {
    throw new Refusal(say("bad-backup", name, status.why), HINT);
  }
  if (status.kind === "none") throw new Refusal(say("no-snapshot", `${group}/${name}`), HINT);
  const store = `/dev/mapper/${mapperName(group, name)}-cow`;
  await readStore(store, status.usedBytes, name, onProgress);
}

/** @throws Refusal where a block cannot be read; what `onProgress` throws, as it is. */
export async function readStore(
  store: string,
  total: number,
  name: string,
  onProgress: (bytes: number, total: number) => void,
): Promise<void> {
  try {
    await readThrough(store, total, (done) => onProgress(done, total));
  } catch (error) {
    // It was cancelled while it was read: that says nothing of the backup.
    if (error instanceof Refusal) throw error;
    throw new Refusal(say("unreadable-backup", name, tellFailure(error)), HINT);
  }
}
