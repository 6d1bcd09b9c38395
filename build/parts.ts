/*
 * The parts of a card, each kept in dist/cache/<kind>/<name>-<digest of its inputs> and made again only
 * when an input has changed: GRUB, the rescue system (still without its configuration), golden's image
 * with its hash tree and manifest. Owns: what goes into each part's digest, and the order of making it.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { type GoldenDescription, GOLDEN_LABEL, parseGolden } from "../src/model/card.ts";
import type { Config } from "../src/model/config.ts";
import { readTree } from "../src/host/tree.ts";
import { cacheDirectory, digestOf, digestOfFile, keepTree } from "./cache.ts";
import { told } from "./command.ts";
import { makeRoot, rootDigest } from "./debian.ts";
import { describeFiles } from "./files.ts";
import { addHashTree, makeFileSystem } from "./filesystem.ts";
import { configurationTexts, type Grub, makeGrub, readGrub } from "./grub.ts";
import { passwordFragment } from "./grub-password.ts";
import { uuidOf } from "./image.ts";
import { checkSameTree, clampEntries, digestOfTree, treeBytes, writeManifest } from "./manifest.ts";
import type { Origin } from "./origin.ts";
import { makeRescue } from "./rescue.ts";
import { type Scratch, withScratch } from "./scratch.ts";

/** Where the manifest lies on the card's ESP. */
const MANIFEST_PATH = "zshield/golden.manifest.zst";

/** The folder of a part, filled by `fill` if it is not there. Of each name the newest is kept. */
async function part(
  kind: string,
  name: string,
  inputs: unknown,
  fill: (folder: string, scratch: Scratch) => Promise<void>,
): Promise<string> {
  const parent = cacheDirectory(kind);
  const folder = path.join(parent, `${name}-${digestOf(inputs)}`);
  if (existsSync(folder)) return folder;
  await mkdir(parent, { recursive: true });
  await withScratch(async (scratch) => {
    const work = path.join(scratch.directory, "part");
    await mkdir(work);
    await fill(work, scratch);
    for (const older of await readdir(parent)) {
      if (nameOfKey(older) === name)
        await rm(path.join(parent, older), { recursive: true, force: true });
    }
    await keepTree(work, folder);
  });
  return folder;
}

/** `small-lab` of `small-lab-0123456789abcdef`. */
function nameOfKey(key: string): string {
  return key.replace(/-[0-9a-f]{16}$/, "");
}

export async function grubOf(config: Config): Promise<Grub> {
  const password = passwordFragment(config);
  const inputs = [
    await rootDigest("rescue"),
    await configurationTexts(),
    password,
    await digestOfSources(["grub.ts", "files.ts"]),
  ];
  // Cards with a password and without are made in turns; each finds its own again.
  const name = config.rescue["grub-password-hash"] === "" ? "grub" : "grub-locked";
  const folder = await part("grub", name, inputs, (work, { directory }) =>
    told("GRUB", async () => {
      const root = path.join(directory, "root");
      await makeRoot("rescue", root);
      await makeGrub(root, work, password);
    }),
  );
  return readGrub(folder);
}

/** Folder with vmlinuz and initramfs.img, still without the configuration and golden.json. */
export async function rescueOf(
  origin: Origin,
  executable: string,
  systemd: boolean,
): Promise<string> {
  const inputs = [
    await rootDigest("rescue"),
    await digestOfFile(executable),
    origin.key,
    systemd,
    await digestOfSources(["rescue.ts", "rescue-gate.ts", "chroot.ts", "chroot.sh", "../dracut"]),
  ];
  const name = `${nameOfKey(origin.key)}${systemd ? "" : "-plain"}`;
  return part("rescue", name, inputs, (work, { directory }) =>
    told("rescue system", async () => {
      const rescueRoot = path.join(directory, "root");
      await makeRoot("rescue", rescueRoot);
      const kernelRoot = origin.tree;
      await makeRescue({ rescueRoot, kernelRoot, executable, directory: work, systemd });
    }),
  );
}

export interface Golden {
  readonly key: string;
  readonly epoch: number;
  readonly folder: string;
  readonly description: GoldenDescription;
}

export async function goldenOf(origin: Origin): Promise<Golden> {
  const recipe = await digestOfSources(["filesystem.ts", "manifest.ts", "../src/host/tree.ts"]);
  const inputs = [origin.key, origin.epoch, origin.kernels, origin.updateGrub, recipe];
  const folder = await part("image", nameOfKey(origin.key), inputs, (work, scratch) =>
    makeGoldenImage(origin, work, scratch),
  );
  const description = parseGolden(await readFile(path.join(folder, "golden.json"), "utf8"));
  const epoch = Number(await readFile(path.join(folder, "epoch"), "utf8"));
  return { key: path.basename(folder), epoch, folder, description };
}

async function makeGoldenImage(origin: Origin, folder: string, scratch: Scratch): Promise<void> {
  const read = await told("golden: read", () => readTree(origin.tree, { hash: true }));
  const epoch = origin.epoch ?? Math.max(0, ...read.map(({ mtime = 0 }) => mtime));
  const entries = clampEntries(read, epoch);
  const seed = digestOfTree(entries);
  const image = path.join(folder, "golden.img");
  const fileSystemBytes = await told("golden: file system", () =>
    makeFileSystem(
      {
        tree: origin.tree,
        entries,
        image,
        label: GOLDEN_LABEL,
        uuid: uuidOf(seed, "file-system"),
        hashSeed: uuidOf(seed, "hash-seed"),
        epoch,
      },
      scratch,
    ),
  );
  const tree = await told("golden: block hashes", () => addHashTree(image, fileSystemBytes, seed));
  const found = await told("golden: read back", () =>
    scratch.mounted(image, "ext4", (root) => readTree(root, { hash: true })),
  );
  checkSameTree(entries, found);
  const sha256 = await writeManifest(found, {
    plain: path.join(folder, "golden.manifest"),
    packed: path.join(folder, "golden.manifest.zst"),
  });
  const description: GoldenDescription = {
    partitionUuid: uuidOf(seed, "partition"),
    fileSystemBytes,
    verity: { ...tree, blockBytes: 4096 },
    treeBytes: treeBytes(found),
    entries: found.length,
    manifest: { path: MANIFEST_PATH, sha256 },
    kernels: [...origin.kernels],
    updateGrub: [...origin.updateGrub],
  };
  await writeFile(path.join(folder, "golden.json"), JSON.stringify(description));
  await writeFile(path.join(folder, "epoch"), String(epoch));
}

/** Our own sources that decide how a part looks, so that a change of them makes it anew. */
export async function digestOfSources(names: readonly string[]): Promise<string> {
  const digests = await Promise.all(
    names.map(async (name) => {
      const file = path.join(import.meta.dirname, name);
      const { mode } = await stat(file);
      const isDirectory = (mode & 0o170000) === 0o040000;
      return [name, isDirectory ? await describeFiles(file) : await digestOfFile(file)];
    }),
  );
  return digestOf(digests);
}
