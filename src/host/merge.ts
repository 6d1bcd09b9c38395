/*
 * The merge of a snapshot into its origin. The kernel does it; what is done here is to start it or to find
 * it going on after a power cut, to tell how far it is, and to believe in its end only when the origin is
 * an ordinary volume again. Owns: merging and `parseMergePercent` (pure).
 */
import { Fault } from "../errors.ts";
import { say } from "../model/messages.ts";
import { query, run } from "./command.ts";
import { parseVolumeStates, type VolumeState } from "./lvm.ts";
import { readSnapshotStatus } from "./snapshot.ts";

export interface Merge {
  readonly group: string;
  readonly name: string;
  readonly origin: string;
  readonly start: readonly string[];
  readonly goOn: readonly string[];
  /** Removes what LVM leaves when the power fails between the end of the merge and the end of its volume. */
  readonly remove: readonly string[];
  readonly begunBefore: boolean;
}

/** A merge that does not get a sector further for so long has stopped. */
const PATIENCE_MS = 10 * 60_000;
const LOOK_EVERY_MS = 500;

/** `  vgroup/lv-root: Merged: 39.46%` → 39.46 */
export function parseMergePercent(line: string): number | undefined {
  const match = /Merged: (\d+(?:\.\d+)?)%/.exec(line);
  return match ? Number(match[1]) : undefined;
}

/** @throws Error when the merge failed or stopped: root is then half old and half new. */
export async function merge(
  action: Merge,
  log: (line: string) => void,
  onProgress: (bytes: number, total: number) => void,
): Promise<void> {
  const { group, name, origin } = action;
  const before = await readStates(group);
  const snapshot = before.find((volume) => volume.name === name && volume.origin === origin);
  if (!snapshot && !action.begunBefore) {
    throw new Error(`${group}/${name} is no snapshot of ${origin} any more; nothing was merged`);
  }
  if (snapshot && !snapshot.merging) {
    const status = await readSnapshotStatus(group, name);
    const total = status.kind === "valid" ? status.usedBytes : 0;
    try {
      await run(action.start, {
        log,
        onLine(line) {
          const percent = parseMergePercent(line);
          if (percent !== undefined) onProgress(Math.round((total * percent) / 100), total);
        },
      });
    } catch (error) {
      // LVM only ends with an exit code; whether root is half merged now the kernel knows.
      const now = await readSnapshotStatus(group, origin).catch(() => undefined);
      throw now?.kind === "bad" ? halfMerged(name, now.why, error) : error;
    }
  }
  if (isMerging(await readStates(group), name)) {
    log("a merge is going on that was interrupted; it is waited for");
    await run(action.goOn, { log });
    await waitForEnd(action, onProgress);
  }
  if (action.begunBefore && isLeftBehind(await readStates(group), name)) {
    log("the merge was over, but for the volume that had kept the backup");
    await run(action.remove, { log });
  }
  const after = await readStates(group);
  const root = after.find((volume) => volume.name === origin);
  if (!root) throw new Error(`the volume ${group}/${origin} is not there any more`);
  if (isMerging(after, name) || after.some((volume) => volume.name === name)) {
    throw new Error(`${group}/${name} is still there: the merge has not been done`);
  }
}

async function waitForEnd(
  { group, name, origin }: Merge,
  onProgress: (bytes: number, total: number) => void,
): Promise<void> {
  let most = 0;
  let least = Number.POSITIVE_INFINITY;
  let giveUp = Date.now() + PATIENCE_MS;
  for (;;) {
    const status = await readSnapshotStatus(group, origin);
    if (status.kind === "bad") throw halfMerged(name, status.why);
    if (status.kind === "valid") {
      most = Math.max(most, status.usedBytes);
      if (status.usedBytes < least) giveUp = Date.now() + PATIENCE_MS;
      least = Math.min(least, status.usedBytes);
      onProgress(most - status.usedBytes, most);
    }
    if (!isMerging(await readStates(group), name)) return;
    if (Date.now() > giveUp) {
      throw new Fault(say("merge-stands-still", name, PATIENCE_MS / 60_000));
    }
    await Bun.sleep(LOOK_EVERY_MS);
  }
}

function halfMerged(name: string, why: string, cause?: unknown): Error {
  return new Fault(say("half-merged", name, why), cause);
}

/**
 * LVM ends a merge in two commits: the snapshot becomes an ordinary volume, and the volume goes. Whether the
 * power failed between them. Pure.
 */
export function isLeftBehind(volumes: readonly VolumeState[], name: string): boolean {
  return volumes.some((one) => one.name === name && !one.merging && one.origin === "");
}

function isMerging(volumes: readonly VolumeState[], name: string): boolean {
  return volumes.some((volume) => volume.name === name && volume.merging);
}

async function readStates(group: string): Promise<VolumeState[]> {
  const how = ["--all", "--reportformat", "json", "--binary"];
  const argv = ["lvm", "lvs", ...how, "--options", "lv_name,origin,lv_merging", group];
  return parseVolumeStates(await query(argv));
}
