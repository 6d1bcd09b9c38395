/*
 * Packs a directory as a package's image. Owns: the order of the work, and that the file appears whole or not at all.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join, resolve } from "node:path";
import { Refusal } from "../errors.ts";
import { publishFile } from "../host/durable.ts";
import { replaceable } from "../host/new-file.ts";
import { withUnfinishedOf } from "../host/unfinished.ts";
import type { ImageRecord } from "../model/bundle-manifest.ts";
import { hashTreeBytes } from "../model/hash-tree.ts";
import { parsePackageName, type PackageName } from "../model/package-name.ts";
import type { PackageDescription } from "../model/package-toml.ts";
import { MIB } from "../model/size.ts";
import { readSuperblock } from "./erofs-read.ts";
import { changed, openListed, writeErofs } from "./erofs-write.ts";
import { addHashTree, readExactly } from "./hash-tree.ts";
import { FILE_SYSTEM, hashTreeOf, MOST_PACKAGE_FILE_BYTES, parsePackage } from "./image.ts";
import { checkUnchanged, OWN_FILE, readPackageTree, type TreeRules } from "./package-tree.ts";

export interface PackedPackage {
  readonly name: PackageName;
  readonly description: PackageDescription;
  /** For the manifest. */
  readonly image: ImageRecord;
}

/**
 * Writes the image of the tree to `file`. Without `rules`: the owners of the tree, and the times of the tree
 * up to SOURCE_DATE_EPOCH. @throws Refusal naming what cannot be packed
 */
export async function packTree(
  directory: string,
  name: string,
  file: string,
  rules: TreeRules = { ownerRoot: false, epoch: sourceDateEpoch() },
): Promise<PackedPackage> {
  const parsed = parsePackageName(name);
  const out = replaceable(file);
  if (`${resolve(out)}/`.startsWith(`${resolve(directory)}/`)) {
    throw new Refusal(`${out} would lie in the tree itself`, "choose a place outside of it");
  }
  const tree = await readPackageTree(directory, rules);
  if (!tree.entries.some(({ path }) => path === OWN_FILE)) {
    throw new Refusal(
      `${directory} holds no ${OWN_FILE.slice(1)}`,
      "zshield package new makes one; src/bundle/README.md says what stands there",
    );
  }
  const description = readOwnFile(join(tree.root, OWN_FILE), join(directory, OWN_FILE));
  return withUnfinishedOf(out, async (making) => {
    const handle = openSync(making, "wx+", 0o644);
    try {
      const { blocks } = await writeErofs(handle, tree, (digest) => digest.slice(0, 32));
      await checkUnchanged(tree);
      const image = await sealImage(handle, blocks);
      await publishFile(making, out);
      return { name: parsed, description, image };
    } finally {
      closeSync(handle);
    }
  });
}

/** `name`: for what is said. What took its place since the tree was read is not opened. @throws Refusal */
export function readOwnFile(path: string, name: string): PackageDescription {
  const handle = openListed(path);
  try {
    const text = Buffer.alloc(MOST_PACKAGE_FILE_BYTES + 1);
    if (!fstatSync(handle).isFile()) throw changed(name);
    const length = readSync(handle, text, 0, text.length, 0);
    if (length > MOST_PACKAGE_FILE_BYTES) {
      throw new Refusal(
        `${name} has more than ${MOST_PACKAGE_FILE_BYTES} bytes`,
        "whoever reads a package takes no more",
      );
    }
    return parsePackage(text.subarray(0, length), name);
  } finally {
    closeSync(handle);
  }
}

/** Puts the hash tree behind the file system and tells the numbers of the whole. */
export async function sealImage(handle: number, blocks: number): Promise<ImageRecord> {
  const tree = hashTreeOf(readSuperblock(handle));
  const whole = createHash("sha256");
  const rootHash = await addHashTree(
    handle,
    blocks,
    tree.salt,
    (piece) => void whole.update(piece),
  );
  const sizeBytes = tree.hashOffsetBytes + hashTreeBytes(blocks);
  const piece = Buffer.alloc(MIB);
  for (let position = tree.hashOffsetBytes; position < sizeBytes; position += piece.length) {
    const length = Math.min(piece.length, sizeBytes - position);
    readExactly(handle, piece, length, position);
    whole.update(piece.subarray(0, length));
  }
  return {
    sha256: whole.digest("hex"),
    sizeBytes,
    fileSystem: FILE_SYSTEM,
    verity: { rootHash, ...tree },
  };
}

/** @throws Refusal if the variable is there and is no number of seconds. */
export function sourceDateEpoch(): number | undefined {
  const text = process.env["SOURCE_DATE_EPOCH"];
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,12}$/.test(text)) {
    throw new Refusal(`SOURCE_DATE_EPOCH is "${text}", not a number of seconds since 1970`);
  }
  return Number(text);
}
