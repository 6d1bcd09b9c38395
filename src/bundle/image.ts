/*
 * A packed package: EROFS, nothing compressed, with the hash tree of dm-verity behind it in the same file. README.md
 * beside this file has the figures behind that choice. The salt comes from the file system's UUID and the hash
 * tree's place from its size, so that a file can be checked against itself; whether it is the right one only
 * the root hash tells, which the signed manifest names.
 * Owns: opening with every block checked, and the numbers that the manifest has.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync } from "node:fs";
import { messageOf, Refusal } from "../errors.ts";
import { checkPackage, PACKAGE_FILE, type PackageDescription } from "../model/package-toml.ts";
import { BLOCK_BYTES, hashTreeBytes } from "../model/hash-tree.ts";
import { KIB } from "../model/size.ts";
import { type Erofs, openErofs, readSuperblock } from "./erofs-read.ts";
import type { Superblock } from "./erofs.ts";
import { checkHashTree, topHash } from "./hash-tree.ts";

export const FILE_SYSTEM = "erofs";
/** Of a file that holds one; in front of it the package's whole name. */
export const IMAGE_ENDING = ".img";
export const MOST_PACKAGE_FILE_BYTES = 64 * KIB;

export interface Verity {
  /** 64 hexadecimal digits each. */
  readonly rootHash: string;
  readonly salt: string;
  /** Where the tree begins, which is where the file system ends. */
  readonly hashOffsetBytes: number;
  readonly blockBytes: typeof BLOCK_BYTES;
  readonly dataBlocks: number;
}

export interface OpenImage {
  readonly sizeBytes: number;
  readonly verity: Verity;
  readonly description: PackageDescription;
  readonly files: Erofs;
  /** Through which all of it was checked; good until `close`. */
  readonly handle: number;
  close(): void;
}

/** What must be known to compute an image's hash tree. */
export function hashTreeOf(superblock: Superblock): Omit<Verity, "rootHash"> {
  return {
    salt: saltOf(superblock.uuid),
    hashOffsetBytes: superblock.blocks * BLOCK_BYTES,
    blockBytes: BLOCK_BYTES,
    dataBlocks: superblock.blocks,
  };
}

function saltOf(uuid: string): string {
  return createHash("sha256").update(`zshield package ${uuid}`).digest("hex");
}

/**
 * Opens an image after having checked every byte of it. `rootHash`: what the manifest says, if there is one.
 * @throws Refusal
 */
export async function openImage(file: string, rootHash?: string): Promise<OpenImage> {
  const handle = open(file);
  try {
    const superblock = checkedSuperblock(handle, file);
    const tree = hashTreeOf(superblock);
    const found = await checkHashTree(handle, superblock.blocks, tree.salt);
    checkRootHash(file, found, rootHash);
    const files = openErofs(handle, superblock);
    return {
      sizeBytes: fstatSync(handle).size,
      verity: { rootHash: found, ...tree },
      description: readDescription(files, file),
      files,
      handle,
      close: () => closeSync(handle),
    };
  } catch (error) {
    closeSync(handle);
    throw named(file, error);
  }
}

/** What an image says of itself, which nobody has checked yet. @throws Refusal */
export function describeImage(file: string): PackageDescription {
  const handle = open(file);
  try {
    return readDescription(openErofs(handle, checkedSuperblock(handle, file)), file);
  } catch (error) {
    throw named(file, error);
  } finally {
    closeSync(handle);
  }
}

function readDescription(files: Erofs, file: string): PackageDescription {
  const text = files.readFile(PACKAGE_FILE, MOST_PACKAGE_FILE_BYTES);
  if (!text) throw new Refusal(`${file} holds no ${PACKAGE_FILE}`, "it is not a package");
  return parsePackage(text, PACKAGE_FILE);
}

/** What is wrong in an image is told with the image's name. */
function named(file: string, error: unknown): unknown {
  if (!(error instanceof Refusal) || error.message.includes(file)) return error;
  return new Refusal(`${file}: ${error.message}`, error.hint);
}

/**
 * The numbers of an image of which nothing but its beginning and the top of its hash tree is looked at: for a
 * kernel that checks the rest as it is read. @throws Refusal
 */
export function identifyImage(file: string, wantedHash?: string): Verity {
  const handle = open(file);
  try {
    const tree = hashTreeOf(checkedSuperblock(handle, file));
    const rootHash = topHash(handle, tree.dataBlocks, tree.salt);
    checkRootHash(file, rootHash, wantedHash);
    return { rootHash, ...tree };
  } catch (error) {
    throw named(file, error);
  } finally {
    closeSync(handle);
  }
}

/** @throws Refusal if the file has not the size that its superblock asks for. */
function checkedSuperblock(handle: number, file: string): Superblock {
  const superblock = readSuperblock(handle);
  const sizeBytes = fstatSync(handle).size;
  const { blocks } = superblock;
  const expected = blocks < 2 ? NaN : blocks * BLOCK_BYTES + hashTreeBytes(blocks);
  if (sizeBytes !== expected) {
    throw new Refusal(
      `${file} has ${sizeBytes} bytes where its superblock asks for ${expected}`,
      "the file is cut off, or something was added to it",
    );
  }
  return superblock;
}

function checkRootHash(file: string, found: string, wanted: string | undefined): void {
  if (wanted === undefined || wanted === found) return;
  throw new Refusal(
    `${file} has the root hash ${found}, not ${wanted}`,
    "it is another package, or was changed",
  );
}

/** @throws Refusal with the faults of the text. */
export function parsePackage(text: Uint8Array, where: string): PackageDescription {
  let value: unknown;
  try {
    value = Bun.TOML.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch (error) {
    throw new Refusal(
      `${where} is not TOML: ${messageOf(error)}`,
      "the format page shows one: src/bundle/README.md",
    );
  }
  return checkPackage(value, where);
}

export function open(file: string): number {
  try {
    const handle = openSync(file, "r");
    if (fstatSync(handle).isFile()) return handle;
    closeSync(handle);
  } catch (error) {
    throw new Refusal(`${file} cannot be read: ${messageOf(error)}`);
  }
  throw new Refusal(`${file} is no file`);
}
