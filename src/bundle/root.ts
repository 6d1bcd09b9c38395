/*
 * A root made of a bundle's packages, as a device's overlay of them would be, and settled as a device does it at each start.
 * Owns: the order of the work, and that the directory is there whole or not at all.
 */
import { lstatSync, readdirSync, writeFileSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Refusal } from "../errors.ts";
import { run } from "../host/command.ts";
import { withUnfinished } from "../host/unfinished.ts";
import type { BootRecord, PackageRecord } from "../model/bundle-manifest.ts";
import { checkEntries } from "./package-tree.ts";
import type { ReadTree } from "./erofs-read.ts";
import { openImage } from "./image.ts";
import { layTree, setTimes } from "./lay.ts";
import { ensureDirectory, stackLayers, type Conflict } from "./layers.ts";
import { expandContent, type OpenBundle } from "./open.ts";
import { BUNDLE_FILE, faultOfPlaces, MODULES_DIRECTORY } from "./reserved.ts";
import { settle } from "./settle.ts";

/** A package that was expanded and checked, every byte of it. */
export interface ReadyPackage {
  readonly record: PackageRecord;
  readonly tree: ReadTree;
  readonly epoch: number;
  close(): void;
}

/** Where the root is made before it gets its name. */
export interface RootWork {
  readonly root: string;
  readonly images: string;
}

/** Calls `work`, and gives the root its name. Nothing of it is left if that fails. @throws Refusal */
export async function withRoot<T>(
  directory: string,
  work: (place: RootWork) => Promise<T>,
): Promise<T> {
  const target = resolve(directory);
  checkTarget(directory, target);
  const scratch = join(dirname(target), `.${basename(target)}.zshield-part`);
  const place = { root: join(scratch, "root"), images: join(scratch, "images") };
  // What a power cut left there goes first.
  return withUnfinished(scratch, async () => {
    for (const path of [scratch, place.root, place.images]) await mkdir(path, { mode: 0o700 });
    const result = await work(place);
    await rename(place.root, target);
    return result;
  });
}

/** @throws Refusal */
function checkTarget(directory: string, target: string): void {
  if (process.getuid?.() !== 0) {
    throw new Refusal("only root can give files their owners", "use sudo");
  }
  const parent = lstatSync(dirname(target), { throwIfNoEntry: false });
  if (!parent) throw new Refusal(`there is no ${dirname(target)}`, `the root is made beside it`);
  const stats = lstatSync(target, { throwIfNoEntry: false });
  if (!stats) return;
  if (!stats.isDirectory() || readdirSync(target).length > 0) {
    throw new Refusal(`${directory} is no empty directory`, "name one that is empty or not there");
  }
  if (stats.dev !== parent.dev) {
    throw new Refusal(`something is mounted at ${directory}`, "name a directory below it");
  }
}

/**
 * Expands one into a file and checks it. `boot`: what its platform starts. Returns why it cannot be used, if so.
 */
export async function readyPackage(
  bundle: OpenBundle,
  record: PackageRecord,
  boot: readonly BootRecord[],
  { images }: RootWork,
): Promise<ReadyPackage | string> {
  const path = join(images, record.name);
  try {
    await expandContent(bundle, { item: record }, path);
    const image = await openImage(path, record.image.verity.rootHash);
    try {
      const tree = await image.files.readTree();
      checkEntries(tree.entries);
      const fault = faultOfPlaces(tree.entries, boot);
      if (fault !== undefined) throw new Refusal(fault);
      return { record, tree, epoch: image.files.superblock.epoch, close: image.close };
    } catch (error) {
      image.close();
      throw error;
    }
  } catch (error) {
    // No room is no fault of the package.
    if (error instanceof Refusal && !isOfSystem(error.cause)) return error.message;
    throw error;
  }
}

function isOfSystem(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
}

export interface RootContents {
  /** The lowest layer first. */
  readonly packages: readonly ReadyPackage[];
  readonly boot: readonly BootRecord[];
  /** Boot file → path in the root, of the versions of kernels that the packages have modules of. */
  readonly placeBoot: (versions: readonly string[]) => ReadonlyMap<string, string>;
  /** What the root says that it was made of. */
  readonly about: Readonly<Record<string, unknown>>;
}

export interface MadeRoot {
  readonly entries: number;
  readonly conflicts: readonly Conflict[];
  /** What was done for the packages. */
  readonly done: readonly string[];
}

/** @throws Refusal */
export async function makeRoot(
  bundle: OpenBundle,
  { root, images }: RootWork,
  { packages, boot, placeBoot, about }: RootContents,
): Promise<MadeRoot> {
  const layers = packages.map(({ record: { name }, tree: { entries } }) => ({ name, entries }));
  const { places: seen, conflicts } = stackLayers(layers);
  const places = new Map(seen);
  const versions = [...places.values()].flatMap(({ path, entry }) =>
    entry.type === "directory" && dirname(path) === MODULES_DIRECTORY ? [basename(path)] : [],
  );
  const bootPlaces = placeBoot(versions);
  for (const path of ["/boot", "/etc"]) ensureDirectory(places, path);
  // The platform's own files are those of its boot loader; a package's copy of them would be another kernel.
  for (const path of bootPlaces.values()) places.delete(path);
  places.delete(BUNDLE_FILE);
  const stack = { places, conflicts };
  const epoch = packages.reduce((newest, { epoch: one }) => Math.max(newest, one), 0);
  await layTree(root, stack, packages);
  const done = await settle(root, places, epoch);
  for (const file of boot) {
    const path = bootPlaces.get(file.name);
    if (path === undefined) throw new Error(`there is no place for ${file.name}`);
    await expandContent(bundle, { item: file }, join(images, "boot"));
    await rename(join(images, "boot"), root + path);
    await run(["chmod", "0644", root + path]);
  }
  writeFileSync(root + BUNDLE_FILE, `${JSON.stringify(about)}\n`, { mode: 0o644, flag: "wx" });
  await run(["chmod", "0644", root + BUNDLE_FILE]);
  setTimes(root, stack, packages, epoch);
  return { entries: places.size + bootPlaces.size + 1, conflicts, done };
}
