/*
 * How large a hash tree of dm-verity is: SHA-256, blocks of 4 KiB, no superblock. Owns: the arithmetic. No I/O.
 */

export const BLOCK_BYTES = 4096;
export const DIGEST_BYTES = 32;
export const DIGESTS_PER_BLOCK = BLOCK_BYTES / DIGEST_BYTES;

/** Of each level its blocks, the leaves first. */
export function levelSizes(dataBlocks: number): number[] {
  const sizes: number[] = [];
  for (let count = dataBlocks; count > 1;) {
    count = Math.ceil(count / DIGESTS_PER_BLOCK);
    sizes.push(count);
  }
  return sizes;
}

export function hashTreeBytes(dataBlocks: number): number {
  return levelSizes(dataBlocks).reduce((sum, size) => sum + size, 0) * BLOCK_BYTES;
}
