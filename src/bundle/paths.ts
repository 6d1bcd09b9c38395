/*
 * Paths inside a tree, absolute and with the root as `/`. Owns: who lies in which directory. Pure.
 */
import type { Entry } from "../model/manifest.ts";
import { nameOf, parentOf } from "../model/tree-path.ts";

export { nameOf, parentOf };

/** Path of a directory → what lies directly in it. */
export function childrenOf(entries: readonly Entry[]): Map<string, Entry[]> {
  const children = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (entry.path === "/") continue;
    const parent = parentOf(entry.path);
    const known = children.get(parent);
    if (known) known.push(entry);
    else children.set(parent, [entry]);
  }
  return children;
}

/** So that a message stays readable. */
export function shorten(path: string): string {
  return path.length <= 80 ? path : `${path.slice(0, 40)}…${path.slice(-39)}`;
}
