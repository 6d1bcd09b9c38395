/*
 * Paths of a root as they really lie: symbolic links in their directories followed inside the root. A package that
 * held /bin/sh as a directory /bin would hide the link /bin of a merged /usr. Owns: that, and patterns. Pure.
 */
import type { TreeView } from "../../model/harvest.ts";
import { makeMatcher, nameOf, normalise, parentOf } from "../../model/tree-path.ts";

const MOST_LINKS = 40;

export interface Paths {
  /** Where a path lies; its last part is not followed. */
  real(path: string): string;
  /** The path, and the links after it, up to what is no link. What is there, only. */
  chain(path: string): string[];
  /** What patterns mean, with everything below; sorted, each once. */
  expand(patterns: readonly string[]): { readonly found: string[]; readonly none: string[] };
}

export function makePaths(view: Pick<TreeView, "node" | "names">): Paths {
  const known = new Map<string, string>([["/", "/"]]);
  const below = (directory: string, name: string) =>
    directory === "/" ? `/${name}` : `${directory}/${name}`;

  const realDirectory = (directory: string, depth: number): string => {
    const cached = known.get(directory);
    if (cached !== undefined) return cached;
    const parent = realDirectory(parentOf(directory), depth);
    const path = below(parent, nameOf(directory));
    const { target } = view.node(path) ?? {};
    const real =
      target === undefined || depth >= MOST_LINKS
        ? path
        : realDirectory(
            normalise(target.startsWith("/") ? target : `${parent}/${target}`),
            depth + 1,
          );
    known.set(directory, real);
    return real;
  };
  const real = (path: string) => {
    const plain = normalise(path);
    return plain === "/" ? "/" : below(realDirectory(parentOf(plain), 0), nameOf(plain));
  };

  const chain = (path: string): string[] => {
    const found: string[] = [];
    let next: string | undefined = real(path);
    while (next !== undefined && found.length < MOST_LINKS && !found.includes(next)) {
      const node = view.node(next);
      if (!node) break;
      found.push(next);
      const { target }: { target?: string | undefined } = node;
      next =
        target === undefined
          ? undefined
          : real(target.startsWith("/") ? target : `${parentOf(next)}/${target}`);
    }
    return found;
  };

  const everything = function* (path: string): Generator<string> {
    yield path;
    if (view.node(path)?.type !== "directory") return;
    for (const name of view.names(path)) yield* everything(below(path, name));
  };
  const matching = function* (pattern: string): Generator<string> {
    const wild = pattern.search(/[*?]/);
    if (wild < 0) {
      const path = real(pattern);
      if (view.node(path)) yield* everything(path);
      return;
    }
    const start = real(pattern.slice(0, pattern.lastIndexOf("/", wild)) || "/");
    const matches = makeMatcher([
      `${start === "/" ? "" : start}${pattern.slice(pattern.lastIndexOf("/", wild))}`,
    ]);
    for (const path of everything(start)) if (matches(path) !== undefined) yield path;
  };

  return {
    real,
    chain,
    expand(patterns) {
      const found = new Set<string>();
      const none: string[] = [];
      for (const pattern of patterns) {
        const before = found.size;
        let any = false;
        for (const path of matching(pattern)) {
          any = true;
          found.add(path);
        }
        if (!any && found.size === before) none.push(pattern);
      }
      return { found: [...found].sort(), none };
    },
  };
}
