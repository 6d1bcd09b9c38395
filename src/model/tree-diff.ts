/*
 * Two versions of a tree, compared entry by entry. Owns: what counts as a difference. No I/O.
 */
import type { Entry } from "./manifest.ts";

export type Aspect =
  "type" | "content" | "target" | "device" | "link" | "mode" | "owner" | "attributes" | "time";

export interface Change {
  readonly path: string;
  /** Undefined where it was added. */
  readonly before?: Entry | undefined;
  /** Undefined where it was removed. */
  readonly after?: Entry | undefined;
  /** What differs where both are there. */
  readonly aspects: readonly Aspect[];
}

/** Sorted by path; both sides read with digests. */
export function diffTrees(before: readonly Entry[], after: readonly Entry[]): Change[] {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const changes: Change[] = [];
  for (const entry of after) {
    const known = old.get(entry.path);
    old.delete(entry.path);
    if (!known) {
      changes.push({ path: entry.path, after: entry, aspects: [] });
      continue;
    }
    const aspects = aspectsOf(known, entry);
    if (aspects.length > 0) {
      changes.push({ path: entry.path, before: known, after: entry, aspects });
    }
  }
  for (const [path, entry] of old) changes.push({ path, before: entry, aspects: [] });
  return changes.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function aspectsOf(a: Entry, b: Entry): Aspect[] {
  const differ: Record<Aspect, boolean> = {
    type: a.type !== b.type,
    content: a.sizeBytes !== b.sizeBytes || a.sha256 !== b.sha256,
    target: a.target !== b.target,
    device: a.device !== b.device,
    link: a.link !== b.link,
    mode: a.mode !== b.mode,
    owner: a.uid !== b.uid || a.gid !== b.gid,
    attributes: JSON.stringify(a.xattrs ?? {}) !== JSON.stringify(b.xattrs ?? {}),
    time: a.mtime !== b.mtime,
  };
  return (Object.keys(differ) as Aspect[]).filter((aspect) => differ[aspect]);
}
