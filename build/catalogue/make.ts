/*
 * Makes the packages and boot files of recipes, once: what was made stays until its recipe changes, or the base.
 * Owns: the notes that say what was made of what.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { harvestRecipe } from "../../src/commands/harvest.ts";
import { Refusal } from "../../src/errors.ts";
import { withInstalled } from "../../src/host/harvest/apt-root.ts";
import { viewDirectory } from "../../src/host/harvest/view.ts";
import { parsePackageName } from "../../src/model/package-name.ts";
import type { Recipe } from "../../src/model/recipe.ts";
import { makePaths } from "../../src/plan/harvest/paths.ts";
import { digestOf } from "../cache.ts";
import { insideRoot } from "../chroot.ts";
import { run, told } from "../command.ts";
import { NOTES } from "./base.ts";
import { othersOf } from "./order.ts";

export interface Place {
  readonly work: string;
  readonly base: string;
  /** apt.conf(5). */
  readonly configuration: string;
  /** File with the numbers of users and groups. */
  readonly users: string;
}

export interface Built {
  readonly recipe: Recipe;
  readonly name: string;
  readonly version: string;
  readonly directory: string;
  readonly needs: readonly string[];
  readonly treeBytes: number;
  /** When, so another one after each harvest. */
  readonly madeMs: number;
}

const noteOf = (work: string, name: string) => path.join(work, NOTES, `${name}.json`);

/** One that a power cut has torn counts as none. */
export function readNote<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}

export function writeNote(file: string, note: unknown): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, `${JSON.stringify(note, null, 2)}\n`);
  renameSync(`${file}.part`, file);
}

/** Without places, so that the directory may move. */
type Note = Omit<Built, "recipe" | "directory"> & { readonly digest: string };

export async function makePackage(
  recipe: Recipe,
  { work, base, configuration, users }: Place,
  built: ReadonlyMap<string, Built>,
): Promise<Built> {
  const others = othersOf(recipe, built);
  const out = path.join(work, "packages");
  const file = noteOf(work, recipe.name);
  // What another has is not taken, so that one made anew counts.
  const digest = digestOf([recipe, others.map(({ name, madeMs }) => [name, madeMs])]);
  const known = readNote<Note>(file);
  if (known) {
    const directory = path.join(out, known.name);
    if (known.digest === digest && existsSync(directory)) return { ...known, recipe, directory };
  }
  dropPackages(out, recipe.name);
  const empty = path.join(work, "empty");
  mkdirSync(empty, { recursive: true });
  const done = await told(recipe.name, () =>
    harvestRecipe(recipe, {
      root: base,
      out,
      base: recipe.wish.packages.includes("*") ? empty : base,
      others: others.map(({ directory }) => directory),
      apt: true,
      aptConfiguration: configuration,
      aptCache: path.join(work, "debs"),
      users,
    }),
  );
  const { name, version, directory, sizeBytes, harvest } = done;
  const { leave, missing, notices } = harvest;
  const found = {
    ...{ name, version, needs: harvest.needs },
    ...{ treeBytes: sizeBytes, madeMs: Date.now() },
  };
  writeNote(file, { ...found, digest, leave, missing, notices });
  return { ...found, recipe, directory };
}

/** Every version of one. */
function dropPackages(out: string, name: string): void {
  for (const entry of existsSync(out) ? readdirSync(out) : []) {
    const isTree = !entry.startsWith(".") && !entry.endsWith(".part");
    const isOne = isTree && parsePackageName(entry).name === name;
    if (isOne) rmSync(path.join(out, entry), { recursive: true });
  }
}

/** Files of boot/ instead of a package; returns their names. */
export async function makeBoot(
  recipe: Recipe,
  { work, base, configuration }: Place,
): Promise<string[]> {
  const directory = path.join(work, "boot");
  mkdirSync(directory, { recursive: true });
  const names = Object.keys(recipe.boot);
  const file = noteOf(work, recipe.name);
  const digest = digestOf(recipe);
  const isThere = names.every((name) => existsSync(path.join(directory, name)));
  if (isThere && readNote<{ digest: string }>(file)?.digest === digest) return names;
  const options = { scratch: work, cache: path.join(work, "debs"), configuration };
  await told(recipe.name, () =>
    withInstalled(base, recipe.wish.packages, options, async (root) => {
      for (const argv of recipe.make) await run([...insideRoot(root), ...argv]);
      const paths = makePaths(viewDirectory(root));
      for (const [name, pattern] of Object.entries(recipe.boot)) {
        const [found] = paths.expand([pattern]).found;
        if (found === undefined) throw new Refusal(`${recipe.name}: there is no ${pattern}`);
        await run(["cp", "--", root + found, path.join(directory, name)]);
      }
    }),
  );
  writeNote(file, { digest });
  return names;
}
