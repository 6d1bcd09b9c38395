/*
 * The block-hash tree of dm-verity, format 1 with SHA-256 and no superblock: what `veritysetup format` makes, in this
 * process, so that packing and checking need no program, and the tree need not travel.
 * Owns: making and checking it, with memory that does not grow with the image. Source: device-mapper/verity.rst.
 */
import { createHash } from "node:crypto";
import { readSync, writeSync } from "node:fs";
import { Refusal } from "../errors.ts";
import { BLOCK_BYTES, DIGEST_BYTES, DIGESTS_PER_BLOCK, levelSizes } from "../model/hash-tree.ts";
import { MIB } from "../model/size.ts";

const PIECE_BYTES = MIB;
/** After so much work everyone else in this process gets a turn. */
const TURN_PIECES = 16;

/**
 * Writes the tree behind `dataBlocks` blocks of the file and returns the root hash. `onData` gets the blocks
 * as they are read.
 */
export async function addHashTree(
  handle: number,
  dataBlocks: number,
  salt: string,
  onData?: (piece: Uint8Array) => void,
): Promise<string> {
  return hashBlocks(handle, dataBlocks, salt, {
    onData,
    onBlock: (block, position) => void writeSync(handle, block, 0, BLOCK_BYTES, position),
  });
}

/**
 * Reads everything and returns the root hash. @throws Refusal naming the first block that does not match.
 */
export async function checkHashTree(
  handle: number,
  dataBlocks: number,
  salt: string,
): Promise<string> {
  const stored = Buffer.alloc(BLOCK_BYTES);
  return hashBlocks(handle, dataBlocks, salt, {
    onBlock(block, position, firstHashed) {
      readExactly(handle, stored, BLOCK_BYTES, position);
      if (stored.equals(block)) return;
      const wrong = block.findIndex((byte, index) => byte !== stored[index]);
      throw new Refusal(
        `block ${firstHashed + Math.floor(wrong / DIGEST_BYTES)} of the image does not match its hash tree`,
        "the file is damaged: take it from its origin again",
      );
    },
  });
}

/** The root hash by the tree's top block alone. */
export function topHash(handle: number, dataBlocks: number, salt: string): string {
  const salted = Buffer.alloc(DIGEST_BYTES + BLOCK_BYTES);
  salted.write(salt, "hex");
  readExactly(handle, salted.subarray(DIGEST_BYTES), BLOCK_BYTES, dataBlocks * BLOCK_BYTES);
  return createHash("sha256").update(salted).digest("hex");
}

interface Visitor {
  /** A finished block of the tree, its place in the file, and the first block whose digest it holds. */
  onBlock(block: Buffer, position: number, firstHashed: number): void;
  readonly onData?: ((piece: Uint8Array) => void) | undefined;
}

/** One block of each level is in memory; a full one goes to its place, and its digest to the level above. */
async function hashBlocks(
  handle: number,
  dataBlocks: number,
  saltText: string,
  { onBlock, onData }: Visitor,
): Promise<string> {
  if (dataBlocks < 2) throw new Error("a hash tree over less than two blocks has no block itself");
  const salted = Buffer.alloc(DIGEST_BYTES + BLOCK_BYTES);
  if (salted.write(saltText, "hex") !== DIGEST_BYTES) throw new Error("a salt has 32 bytes");
  const sizes = levelSizes(dataBlocks);
  const levels = sizes.map((_, level) => {
    const above = sizes.slice(level + 1).reduce((sum, size) => sum + size, 0);
    return {
      block: Buffer.alloc(BLOCK_BYTES),
      /** Digests in `block`. */
      filled: 0,
      /** Blocks that are finished. */
      done: 0,
      /** The top comes first in the file. */
      firstBlock: dataBlocks + above,
    };
  });
  const digest = Buffer.alloc(DIGEST_BYTES);
  // No object for each block: with millions of them they would be most of the memory.
  const hash = (bytes: Buffer, offset = 0): Buffer => {
    bytes.copy(salted, DIGEST_BYTES, offset, offset + BLOCK_BYTES);
    Bun.CryptoHasher.hash("sha256", salted, digest);
    return digest;
  };
  const add = (index: number, value: Uint8Array): void => {
    const level = levels[index];
    if (!level) return;
    level.block.set(value, level.filled * DIGEST_BYTES);
    level.filled += 1;
    if (level.filled === DIGESTS_PER_BLOCK) finish(index);
  };
  const finish = (index: number): void => {
    const level = levels[index];
    if (!level) return;
    const below = levels[index - 1]?.firstBlock ?? 0;
    const position = (level.firstBlock + level.done) * BLOCK_BYTES;
    onBlock(level.block, position, below + level.done * DIGESTS_PER_BLOCK);
    const value = hash(level.block);
    level.block.fill(0);
    level.filled = 0;
    level.done += 1;
    add(index + 1, value);
  };
  // Images of sparse files are zeros for a great part.
  const zeros = Buffer.alloc(BLOCK_BYTES);
  const zeroDigest = Buffer.from(hash(zeros));
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  const wholeBytes = dataBlocks * BLOCK_BYTES;
  let pieces = 0;
  for (let position = 0; position < wholeBytes; position += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, wholeBytes - position);
    readExactly(handle, piece, length, position);
    onData?.(piece.subarray(0, length));
    for (let offset = 0; offset < length; offset += BLOCK_BYTES) {
      const isZero = zeros.compare(piece, offset, offset + BLOCK_BYTES) === 0;
      add(0, isZero ? zeroDigest : hash(piece, offset));
    }
    if ((pieces += 1) % TURN_PIECES === 0) await turn();
  }
  for (const [index, level] of levels.entries()) if (level.filled > 0) finish(index);
  // What was hashed last is the top block.
  return digest.toString("hex");
}

/** @throws Refusal if the file ends before. */
export function readExactly(
  handle: number,
  into: Uint8Array,
  length: number,
  position: number,
): void {
  for (let done = 0; done < length;) {
    const count = readSync(handle, into, done, length - done, position + done);
    if (count === 0) {
      throw new Refusal(
        `the image ends at byte ${position + done}`,
        "the file is cut off: take it from its origin again",
      );
    }
    done += count;
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
