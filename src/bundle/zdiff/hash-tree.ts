/*
 * dm-verity's hash tree over the blocks that are written one after another. Owns: where each hash lies (the
 * top level first, as the kernel wants it), one block of memory for each level, and nothing else in memory.
 */
export const BLOCK = 4096;
const HASH = 32;
const PER_BLOCK = BLOCK / HASH;
export const SALT_MOST = 256;

export interface TreeShape {
  /** Blocks of data; at least 1. */
  readonly dataBlocks: number;
  /** Where the tree begins in the file. */
  readonly startByte: number;
  readonly salt: Uint8Array;
}

/** Offset of each level, the leaves first, and of the end. A single block of data has no level: its hash is the root. */
export function levelsOf({ dataBlocks, startByte }: Omit<TreeShape, "salt">): {
  readonly starts: readonly number[];
  readonly endByte: number;
} {
  const sizes: number[] = [];
  for (let blocks = dataBlocks; blocks > 1;) {
    blocks = Math.ceil(blocks / PER_BLOCK);
    sizes.push(blocks);
  }
  let at = startByte;
  const starts = sizes.map(() => 0);
  for (let level = sizes.length - 1; level >= 0; level -= 1) {
    starts[level] = at;
    at += (sizes[level] ?? 0) * BLOCK;
  }
  return { starts, endByte: at };
}

interface Level {
  readonly block: Uint8Array;
  used: number;
  at: number;
}

export class HashTree {
  private readonly levels: Level[];
  private readonly message: Uint8Array;
  private readonly saltBytes: number;
  private readonly write: (bytes: Uint8Array, at: number) => void;

  constructor(shape: TreeShape, write: (bytes: Uint8Array, at: number) => void) {
    this.levels = levelsOf(shape).starts.map((at) => ({
      block: new Uint8Array(BLOCK),
      used: 0,
      at,
    }));
    this.message = new Uint8Array(shape.salt.length + BLOCK);
    this.message.set(shape.salt);
    this.saltBytes = shape.salt.length;
    this.write = write;
  }

  /** `bytes` are whole blocks. */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += BLOCK) this.put(0, bytes.subarray(at, at + BLOCK));
  }

  /** After the last block. */
  finish(): void {
    for (const [index, level] of this.levels.entries())
      if (level.used > 0) this.flush(index, level);
  }

  private put(index: number, block: Uint8Array): void {
    const level = this.levels[index];
    if (level === undefined) return;
    this.message.set(block, this.saltBytes);
    Bun.SHA256.hash(this.message, level.block.subarray(level.used, level.used + HASH));
    level.used += HASH;
    if (level.used === BLOCK) this.flush(index, level);
  }

  private flush(index: number, level: Level): void {
    level.block.fill(0, level.used);
    this.write(level.block, level.at);
    level.at += BLOCK;
    level.used = 0;
    this.put(index + 1, level.block);
  }
}
