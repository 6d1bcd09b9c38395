/*
 * What an overlay of packages shows, computed from their lists of entries: of each path the highest layer's, directories
 * of several layers as one with the attributes of the highest, and nothing below what is no directory there.
 * Owns: this rule, and where the root of a device has what packages say of themselves. Pure.
 */
import { Refusal } from "../errors.ts";
import type { Entry } from "../model/manifest.ts";
import { parentOf } from "./paths.ts";
import { OWN_DIRECTORY } from "./package-tree.ts";

/** Of a root: in it `NAME/package.toml` and what else lies in a package's `__zshield`. */
export const PACKAGES_DIRECTORY = "/usr/lib/zshield/packages";

export interface Layer {
  /** The package's whole name. */
  readonly name: string;
  /** Sorted by path, as a reader gives them. */
  readonly entries: readonly Entry[];
}

export interface Laid {
  /** In the root. */
  readonly path: string;
  /** With path and link of its own layer. */
  readonly entry: Entry;
  /** Undefined: a directory that no layer has. */
  readonly layer: number | undefined;
}

/** A directory that hides what is none, or the other way round: seldom meant. */
export interface Conflict {
  readonly path: string;
  readonly hiding: string;
  readonly hidden: string;
  readonly type: Entry["type"];
}

export interface Stack {
  readonly places: ReadonlyMap<string, Laid>;
  readonly conflicts: readonly Conflict[];
}

/** `layers`: the lowest first. @throws Refusal */
export function stackLayers(layers: readonly Layer[]): Stack {
  const places = new Map<string, Laid>();
  const conflicts: Conflict[] = [];
  /** What lies below one of these in a layer further down is not seen. */
  const ends = new Set<string>();
  for (const [layer, { name, entries }] of [...layers.entries()].toReversed()) {
    for (const entry of entries) {
      const { path, type } = entry;
      if (isOwn(path) || isBelow(ends, path)) continue;
      const there = places.get(path);
      if (!there) places.set(path, { path, entry, layer });
      else if ((there.entry.type === "directory") !== (type === "directory")) {
        const hiding = layers[there.layer ?? layer]?.name ?? "";
        conflicts.push({ path, hiding, hidden: name, type: there.entry.type });
      }
      if (type !== "directory") ends.add(path);
    }
  }
  for (const [layer, { name, entries }] of layers.entries()) {
    ensureDirectory(places, PACKAGES_DIRECTORY);
    for (const entry of entries.filter(({ path }) => isOwn(path))) {
      const path = `${PACKAGES_DIRECTORY}/${name}${entry.path.slice(OWN_DIRECTORY.length)}`;
      places.set(path, { path, entry, layer });
    }
  }
  return { places, conflicts };
}

/** Makes what is missing of it. @throws Refusal where something else lies in the way */
export function ensureDirectory(places: Map<string, Laid>, path: string): void {
  const there = places.get(path);
  if (there?.entry.type === "directory") return;
  if (there) {
    throw new Refusal(
      `${path} is a ${there.entry.type} in these packages, and has to be a directory`,
      "files of ours lie in it",
    );
  }
  if (path !== "/") ensureDirectory(places, parentOf(path));
  const entry: Entry = { path, type: "directory", mode: 0o755, uid: 0, gid: 0 };
  places.set(path, { path, entry, layer: undefined });
}

function isOwn(path: string): boolean {
  return path === OWN_DIRECTORY || path.startsWith(`${OWN_DIRECTORY}/`);
}

function isBelow(ends: ReadonlySet<string>, path: string): boolean {
  for (let parent = parentOf(path); parent !== "/"; parent = parentOf(parent)) {
    if (ends.has(parent)) return true;
  }
  return false;
}

/** Which names of a layer are one file: by the first of them, those that are seen. */
export function namesOfFiles(stack: Stack, layer: number): Map<string, Laid[]> {
  const names = new Map<string, Laid[]>();
  for (const laid of stack.places.values()) {
    if (laid.layer !== layer || laid.entry.type !== "file") continue;
    const first = laid.entry.link ?? laid.entry.path;
    names.set(first, [...(names.get(first) ?? []), laid]);
  }
  return names;
}
