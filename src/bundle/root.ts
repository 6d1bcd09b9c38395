/*
 * A root made of a bundle's packages, as a device's overlay of them would be, and settled as a device does it at each start.
 * Owns: the order of the work.
 */
import { writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Refusal } from "../errors.ts";
import { run } from "../host/command.ts";
import type { BootRecord, PackageRecord } from "../model/bundle-manifest.ts";
import { checkEntries } from "./package-tree.ts";
import type { ReadTree } from "./erofs-read.ts";
import { openImage } from "./image.ts";
import { layTree, setTimes } from "./lay.ts";
import { ensureDirectory, stackLayers, type Conflict } from "./layers.ts";
import { expandContent, type OpenBundle } from "./open.ts";
import { BUNDLE_FILE, faultOfPlaces, MODULES_DIRECTORY } from "./reserved.ts";
import type { RootWork } from "./root-place.ts";
import { settle } from "./settle.ts";

/** A package that was expanded and checked, every byte of it. */
export interface ReadyPackage {
  readonly record: PackageRecord;
  readonly tree: ReadTree;
  readonly epoch: number;
  close(): void;
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
