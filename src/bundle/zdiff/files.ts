/*
 * Whole reads and writes at a place in a file. Owns: nothing else.
 */
import { readSync, writeSync } from "node:fs";

/** Fills `into`. @throws Error when the file ends before. */
export function readWhole(file: number, into: Uint8Array, at: number): void {
  for (let done = 0; done < into.length;) {
    const count = readSync(file, into, done, into.length - done, at + done);
    if (count === 0) throw new Error("a file ends too early");
    done += count;
  }
}

export function readerOf(file: number): (at: number, sizeBytes: number) => Buffer {
  return (at, sizeBytes) => {
    const buffer = Buffer.allocUnsafe(sizeBytes);
    readWhole(file, buffer, at);
    return buffer;
  };
}

/** At `at`, or where the file stands. */
export function writeAll(file: number, bytes: Uint8Array, at?: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(file, bytes, done, bytes.length - done, at === undefined ? null : at + done);
  }
}
