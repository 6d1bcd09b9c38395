/*
 * The block-hash tree of dm-verity, format 1 with SHA-256 and no superblock: what `veritysetup format` makes, in this
 * process, so that packing, checking and applying a difference need no program, and the tree need not travel.
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
  readonly onBlock: OnTreeBlock;
  readonly onData?: ((piece: Uint8Array) => void) | undefined;
}

async function hashBlocks(
  handle: number,
  dataBlocks: number,
  saltText: string,
  { onBlock, onData }: Visitor,
): Promise<string> {
  if (dataBlocks < 2) throw new Error("a hash tree over less than two blocks has no block itself");
  const salt = Buffer.from(saltText, "hex");
  if (salt.length !== DIGEST_BYTES) throw new Error("a salt has 32 bytes");
  const wholeBytes = dataBlocks * BLOCK_BYTES;
  const tree = new HashTree({ dataBlocks, startByte: wholeBytes, salt }, onBlock);
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let pieces = 0;
  for (let position = 0; position < wholeBytes; position += PIECE_BYTES) {
    const part = piece.subarray(0, Math.min(PIECE_BYTES, wholeBytes - position));
    readExactly(handle, part, part.length, position);
    onData?.(part);
    tree.add(part);
    if ((pieces += 1) % TURN_PIECES === 0) await turn();
  }
  return tree.finish();
}

export interface TreeShape {
  /** At least 1; a single block has no tree, its digest is the root hash. */
  readonly dataBlocks: number;
  /** Where the tree begins in the file. */
  readonly startByte: number;
  /** At most a block. */
  readonly salt: Uint8Array;
}

/** A finished block of the tree, its place in the file, and the first block whose digest it holds. */
type OnTreeBlock = (block: Buffer, position: number, firstHashed: number) => void;

interface Level {
  readonly block: Buffer;
  /** Digests in `block`. */
  filled: number;
  /** Blocks that are finished. */
  done: number;
  /** The top comes first in the file. */
  readonly startByte: number;
}

/** Over blocks as they come: one block of each level is in memory; a full one goes out, and its digest to the level above. */
export class HashTree {
  private readonly levels: readonly Level[];
  private readonly onBlock: OnTreeBlock;
  private readonly salted: Buffer;
  private readonly saltBytes: number;
  private readonly digest = Buffer.alloc(DIGEST_BYTES);
  // Images of sparse files are zeros for a great part.
  private readonly zeros = Buffer.alloc(BLOCK_BYTES);
  private readonly zeroDigest: Buffer;

  constructor({ dataBlocks, startByte, salt }: TreeShape, onBlock: OnTreeBlock) {
    const sizes = levelSizes(dataBlocks);
    this.levels = sizes.map((_, level) => {
      const above = sizes.slice(level + 1).reduce((sum, size) => sum + size, 0);
      return {
        block: Buffer.alloc(BLOCK_BYTES),
        filled: 0,
        done: 0,
        startByte: startByte + above * BLOCK_BYTES,
      };
    });
    this.onBlock = onBlock;
    this.saltBytes = salt.length;
    this.salted = Buffer.alloc(salt.length + BLOCK_BYTES);
    this.salted.set(salt);
    this.zeroDigest = Buffer.from(this.hash(this.zeros));
  }

  /** `bytes` are whole blocks. */
  add(bytes: Uint8Array): void {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let offset = 0; offset < view.length; offset += BLOCK_BYTES) {
      const isZero = this.zeros.compare(view, offset, offset + BLOCK_BYTES) === 0;
      this.put(0, isZero ? this.zeroDigest : this.hash(view, offset));
    }
  }

  /** After the last block; returns the root hash. */
  finish(): string {
    for (const [index, level] of this.levels.entries()) {
      if (level.filled > 0) this.flush(index, level);
    }
    // What was hashed last is the top block.
    return this.digest.toString("hex");
  }

  /** No object for each block: with millions of them they would be most of the memory. */
  private hash(bytes: Buffer, offset = 0): Buffer {
    bytes.copy(this.salted, this.saltBytes, offset, offset + BLOCK_BYTES);
    Bun.CryptoHasher.hash("sha256", this.salted, this.digest);
    return this.digest;
  }

  private put(index: number, value: Uint8Array): void {
    const level = this.levels[index];
    if (!level) return;
    level.block.set(value, level.filled * DIGEST_BYTES);
    level.filled += 1;
    if (level.filled === DIGESTS_PER_BLOCK) this.flush(index, level);
  }

  private flush(index: number, level: Level): void {
    const below = index === 0 ? 0 : (this.levels[index - 1]?.startByte ?? 0) / BLOCK_BYTES;
    const position = level.startByte + level.done * BLOCK_BYTES;
    this.onBlock(level.block, position, below + level.done * DIGESTS_PER_BLOCK);
    const value = this.hash(level.block);
    level.block.fill(0);
    level.filled = 0;
    level.done += 1;
    this.put(index + 1, value);
  }
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
