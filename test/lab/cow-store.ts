/*
 * What a backup holds, read from a disk image without a guest: dm-snapshot's persistent store, and the
 * view of the root that it gives. While a snapshot is being merged, the root is the origin with the
 * exceptions laid over it that are still in the store, so the effective root can be told at any instant.
 * Source: drivers/md/dm-snap-persistent.c of Linux 6.1. Owns: parsing and reading. Changes nothing.
 */
import { createHash } from "node:crypto";
import { ftruncateSync } from "node:fs";
import type { VolumePlace } from "./inspect.ts";
import { dataStretches, isZero, readBytes, withOpen, writeBytes } from "./sparse.ts";

const SECTOR = 512;
const MAGIC = 0x70416e53;
const ENTRY_BYTES = 16;

export interface CowStore {
  readonly chunkBytes: number;
  /** Chunk of the origin → chunk of the store. */
  readonly exceptions: ReadonlyMap<number, number>;
}

type Read = (offsetBytes: number, sizeBytes: number) => Buffer;

/** The store, or why it is none. `read` counts from the start of the store, which has `sizeBytes`. */
export function parseCowStore(read: Read, sizeBytes: number): CowStore | string {
  const header = read(0, 16);
  if (header.readUInt32LE(0) !== MAGIC) return "it does not begin with SnAp";
  if (header.readUInt32LE(4) !== 1) return "it is marked as not valid";
  const chunkBytes = header.readUInt32LE(12) * SECTOR;
  if (chunkBytes === 0 || !Number.isInteger(Math.log2(chunkBytes))) {
    return `its chunks have ${chunkBytes} bytes`;
  }
  const perArea = chunkBytes / ENTRY_BYTES;
  const chunks = Math.floor(sizeBytes / chunkBytes);
  // Chunk 0 is the header, and each area stands before the chunks that it describes.
  const isData = (chunk: number) => chunk > 1 && chunk < chunks && (chunk - 1) % (perArea + 1) > 0;
  const exceptions = new Map<number, number>();
  for (let area = 0; ; area++) {
    const place = 1 + area * (perArea + 1);
    if (place >= chunks) return { chunkBytes, exceptions };
    const metadata = read(place * chunkBytes, chunkBytes);
    for (let entry = 0; entry < perArea; entry++) {
      const old = Number(metadata.readBigUInt64LE(entry * ENTRY_BYTES));
      const kept = Number(metadata.readBigUInt64LE(entry * ENTRY_BYTES + 8));
      if (kept === 0) return { chunkBytes, exceptions };
      if (!isData(kept) || exceptions.has(old)) {
        return `entry ${entry} of area ${area} cannot be: chunk ${old} kept in chunk ${kept}`;
      }
      exceptions.set(old, kept);
    }
  }
}

/** Reads the store of the volume at `place` in a raw image. */
export function readCowStore(rawFile: string, place: VolumePlace): CowStore | string {
  return withOpen(rawFile, "r", (file) =>
    parseCowStore(
      (offset, size) => readBytes(file, place.startBytes + offset, size),
      place.sizeBytes,
    ),
  );
}

export interface Snapshot {
  readonly place: VolumePlace;
  readonly store: CowStore;
}

/**
 * What a volume counts as: itself, and while a snapshot is being merged into it, what the merge will give.
 * @throws Error if there is no such volume, or the store cannot be read.
 */
export function effectiveView(
  rawFile: string,
  volumes: readonly VolumePlace[],
  name: string,
): { readonly origin: VolumePlace; readonly snapshot: Snapshot | undefined } {
  const origin = volumes.find((volume) => volume.name === name);
  if (!origin) throw new Error(`the disk has no volume ${name}`);
  const place = volumes.find(
    ({ snapshot }) => snapshot?.origin === name && snapshot.isMerging === true,
  );
  return { origin, snapshot: place && { place, store: storeOf(rawFile, place) } };
}

/** @throws Error if the store cannot be read. */
export function storeOf(rawFile: string, place: VolumePlace): CowStore {
  const store = readCowStore(rawFile, place);
  if (typeof store === "string") throw new Error(`the store of ${place.name}: ${store}`);
  return store;
}

const BLOCK_BYTES = 1024 * 1024;

/**
 * SHA-256 over what is not zero, and where it stands: of the root as the snapshot has it, the origin with the
 * exceptions over it. For a snapshot that is not merging that is the backup; for one that is merging it is what
 * the root counts as.
 */
export function fingerprintOfView(
  rawFile: string,
  origin: VolumePlace,
  snapshot: Snapshot | undefined,
): string {
  const hash = createHash("sha256");
  forEachBlock(rawFile, origin, snapshot, (at, _sizeBytes, block) => {
    if (block) hash.update(`${at} `).update(block);
  });
  return hash.update(`${origin.sizeBytes}`).digest("hex");
}

/** Writes the view to a sparse file, for tools that want one. */
export function writeView(
  rawFile: string,
  origin: VolumePlace,
  snapshot: Snapshot | undefined,
  target: string,
): void {
  withOpen(target, "w+", (file) => {
    ftruncateSync(file, origin.sizeBytes);
    forEachBlock(rawFile, origin, snapshot, (at, _sizeBytes, block) => {
      if (block) writeBytes(file, at, block);
    });
  });
}

/** Each MiB of the view; no block where all is zero. */
function forEachBlock(
  rawFile: string,
  origin: VolumePlace,
  snapshot: Snapshot | undefined,
  use: (atBytes: number, sizeBytes: number, block: Buffer | undefined) => void,
): void {
  const chunkBytes = snapshot?.store.chunkBytes ?? BLOCK_BYTES;
  if (chunkBytes > BLOCK_BYTES) throw new Error(`chunks of ${chunkBytes} bytes`);
  const byBlock = new Map<number, [old: number, kept: number][]>();
  for (const [old, kept] of snapshot?.store.exceptions ?? []) {
    const block = Math.floor((old * chunkBytes) / BLOCK_BYTES);
    const known = byBlock.get(block);
    if (known) known.push([old, kept]);
    else byBlock.set(block, [[old, kept]]);
  }
  withOpen(rawFile, "r", (file) => {
    const end = origin.startBytes + origin.sizeBytes;
    const filled = new Set<number>();
    for (const { startBytes, sizeBytes } of dataStretches(file, origin.startBytes, end)) {
      const from = Math.floor((startBytes - origin.startBytes) / BLOCK_BYTES);
      const to = (startBytes + sizeBytes - origin.startBytes) / BLOCK_BYTES;
      for (let block = from; block < to; block++) filled.add(block);
    }
    for (let at = 0; at < origin.sizeBytes; at += BLOCK_BYTES) {
      const sizeBytes = Math.min(BLOCK_BYTES, origin.sizeBytes - at);
      const kept = byBlock.get(at / BLOCK_BYTES);
      if (!kept && !filled.has(at / BLOCK_BYTES)) {
        use(at, sizeBytes, undefined);
        continue;
      }
      const block = readBytes(file, origin.startBytes + at, sizeBytes);
      for (const [old, chunk] of kept ?? []) {
        const from = (snapshot?.place.startBytes ?? 0) + chunk * chunkBytes;
        readBytes(file, from, chunkBytes).copy(block, old * chunkBytes - at);
      }
      use(at, sizeBytes, isZero(block) ? undefined : block);
    }
  });
}
