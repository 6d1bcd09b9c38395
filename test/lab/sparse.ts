/*
 * Sparse files of many gigabytes: where their data lies, copies that keep holes, holes made anew. Bun has no
 * lseek(SEEK_DATA) and no fallocate, so the C library is asked.
 * Owns: these calls. Must not know what the files hold.
 */
import { dlopen } from "bun:ffi";
import { closeSync, openSync, readSync, writeSync } from "node:fs";

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE. */
const PUNCH_HOLE = 3;
const STRETCH_BYTES = 4 * 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

const { symbols: libc } = dlopen("libc.so.6", {
  lseek: { args: ["i32", "i64", "i32"], returns: "i64" },
  fallocate: { args: ["i32", "i32", "i64", "i64"], returns: "i32" },
});

export interface Stretch {
  readonly startBytes: number;
  readonly sizeBytes: number;
}

/** The stretches between `startBytes` and `endBytes` that hold data, none longer than 4 MiB. */
export function* dataStretches(
  file: number,
  startBytes: number,
  endBytes: number,
): Generator<Stretch> {
  for (let at = startBytes; at < endBytes;) {
    const data = Number(libc.lseek(file, BigInt(at), SEEK_DATA));
    // Nothing but a hole up to the end of the file.
    if (data < 0 || data >= endBytes) return;
    const hole = Math.min(endBytes, Number(libc.lseek(file, BigInt(data), SEEK_HOLE)));
    for (let from = Math.max(at, data); from < hole; from += STRETCH_BYTES) {
      yield { startBytes: from, sizeBytes: Math.min(STRETCH_BYTES, hole - from) };
    }
    at = hole;
  }
}

/** Zeros that take no room. @throws Error where the file system cannot do that. */
export function makeHole(file: number, startBytes: number, sizeBytes: number): void {
  if (sizeBytes === 0 || dataStretches(file, startBytes, startBytes + sizeBytes).next().done)
    return;
  if (libc.fallocate(file, PUNCH_HOLE, BigInt(startBytes), BigInt(sizeBytes)) !== 0) {
    throw new Error(
      "this file system makes no holes in files; ZSHIELD_SCRATCH names another place",
    );
  }
}

/** The bytes there; past the end of the file zeros. */
export function readBytes(file: number, startBytes: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let done = 0; done < sizeBytes;) {
    const count = readSync(file, bytes, done, sizeBytes - done, startBytes + done);
    if (count === 0) break;
    done += count;
  }
  return bytes;
}

/** Writes; what is zero becomes a hole. */
export function writeBytes(file: number, startBytes: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    if (isZero(block)) makeHole(file, startBytes + at, block.length);
    else writeAll(file, startBytes + at, block);
  }
}

/** Copies between files, holes included. */
export function copyBytes(
  from: { readonly file: number; readonly startBytes: number },
  to: { readonly file: number; readonly startBytes: number },
  sizeBytes: number,
): void {
  const shift = to.startBytes - from.startBytes;
  let done = from.startBytes;
  for (const { startBytes, sizeBytes: size } of dataStretches(
    from.file,
    from.startBytes,
    from.startBytes + sizeBytes,
  )) {
    makeHole(to.file, done + shift, startBytes - done);
    writeBytes(to.file, startBytes + shift, readBytes(from.file, startBytes, size));
    done = startBytes + size;
  }
  makeHole(to.file, done + shift, from.startBytes + sizeBytes - done);
}

export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    if (Buffer.compare(block, ZEROS.subarray(0, block.length)) !== 0) return false;
  }
  return true;
}

export function withOpen<T>(path: string, flags: "r" | "r+" | "w+", use: (file: number) => T): T {
  const file = openSync(path, flags);
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, startBytes: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(file, bytes, done, bytes.length - done, startBytes + done);
  }
}
