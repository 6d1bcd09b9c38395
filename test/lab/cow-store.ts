/*
 * What a backup holds, read from a disk image without a guest: dm-snapshot's persistent store, and the
 * view of the root that it gives. While a snapshot is being merged, the root is the origin with the
 * exceptions laid over it that are still in the store, so the effective root can be told at any instant.
 * Source: drivers/md/dm-snap-persistent.c of Linux 6.1. Owns: parsing and reading. Changes nothing.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import type { VolumePlace } from "./inspect.ts";

const SECTOR = 512;
const MAGIC = 0x70416e53;
const ENTRY_BYTES = 16;

export interface CowStore {
  readonly chunkBytes: number;
  /** Chunk of the origin → chunk of the store. */
  readonly exceptions: ReadonlyMap<number, number>;
}

type Read = (offsetBytes: number, sizeBytes: number) => Buffer;

/** The store, or why it is none. `read` counts from the start of the store. */
export function parseCowStore(read: Read): CowStore | string {
  const header = read(0, 16);
  if (header.readUInt32LE(0) !== MAGIC) return "it does not begin with SnAp";
  if (header.readUInt32LE(4) !== 1) return "it is marked as not valid";
  const chunkBytes = header.readUInt32LE(12) * SECTOR;
  const perArea = chunkBytes / ENTRY_BYTES;
  const exceptions = new Map<number, number>();
  for (let area = 0; ; area++) {
    // One chunk of header, and before each area the chunks that the areas before it describe.
    const metadata = read((1 + area * (perArea + 1)) * chunkBytes, chunkBytes);
    for (let entry = 0; entry < perArea; entry++) {
      const old = Number(metadata.readBigUInt64LE(entry * ENTRY_BYTES));
      const kept = Number(metadata.readBigUInt64LE(entry * ENTRY_BYTES + 8));
      if (kept === 0) return { chunkBytes, exceptions };
      exceptions.set(old, kept);
    }
  }
}

/** Reads the store of the volume at `place` in a raw image. */
export function readCowStore(rawFile: string, place: VolumePlace): CowStore | string {
  return withFile(rawFile, (file) =>
    parseCowStore((offset, size) => readAt(file, place.startBytes + offset, size)),
  );
}

const BLOCK_BYTES = 1024 * 1024;

/**
 * SHA-256 of the root as the snapshot has it: the origin with the exceptions over it. For a snapshot that
 * is not merging that is the backup; for one that is merging it is what the root counts as.
 */
export function digestOfView(
  rawFile: string,
  origin: VolumePlace,
  snapshot: { readonly place: VolumePlace; readonly store: CowStore } | undefined,
): string {
  const byBlock = new Map<number, [old: number, kept: number][]>();
  const chunkBytes = snapshot?.store.chunkBytes ?? BLOCK_BYTES;
  for (const [old, kept] of snapshot?.store.exceptions ?? []) {
    const block = Math.floor((old * chunkBytes) / BLOCK_BYTES);
    byBlock.set(block, [...(byBlock.get(block) ?? []), [old, kept]]);
  }
  return withFile(rawFile, (file) => {
    const hash = createHash("sha256");
    for (let at = 0; at < origin.sizeBytes; at += BLOCK_BYTES) {
      const block = readAt(
        file,
        origin.startBytes + at,
        Math.min(BLOCK_BYTES, origin.sizeBytes - at),
      );
      for (const [old, kept] of byBlock.get(at / BLOCK_BYTES) ?? []) {
        const from = (snapshot?.place.startBytes ?? 0) + kept * chunkBytes;
        readAt(file, from, chunkBytes).copy(block, old * chunkBytes - at);
      }
      hash.update(block);
    }
    return hash.digest("hex");
  });
}

function withFile<T>(path: string, use: (file: number) => T): T {
  const file = openSync(path, "r");
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, offsetBytes: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let done = 0;
  while (done < sizeBytes) {
    const count = readSync(file, bytes, done, sizeBytes - done, offsetBytes + done);
    // The end of a sparse file: zeros.
    if (count === 0) break;
    done += count;
  }
  return bytes;
}
