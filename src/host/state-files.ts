/*
 * The four files in `state/` on an ESP: two copies of the state record, each a block and its digest.
 * Written in place at their full size, never truncated (FAT's rename is not atomic, and a truncated file
 * is an empty one after a power cut), one after the other with a flush between.
 * Owns: reading, writing, creating, and the order of the writes (`planStateWrites`, pure).
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { messageOf } from "../errors.ts";
import {
  chooseState,
  parseState,
  printState,
  printStateSum,
  STATE_BYTES,
  STATE_COPIES,
  type StateCopy,
  type StateRecord,
} from "../model/state.ts";

export type StateReading = { readonly record: StateRecord } | { readonly trouble: string };

export interface StateWrite {
  /** `a.env`, `a.sum`, … */
  readonly file: string;
  readonly bytes: Uint8Array;
}

const SUM_BYTES = printStateSum("a", new Uint8Array()).length;

/** The newest valid record below `directory` (the `state` directory itself), or why there is none. */
export function readState(directory: string): StateReading {
  const [a, b] = [readCopy(directory, "a"), readCopy(directory, "b")];
  const chosen = chooseState(a, b);
  return typeof chosen === "string" ? { trouble: chosen } : { record: chosen };
}

/**
 * The writes that put a record in place, each to be flushed before the next. The copy that carries the
 * present state, as the reader sees it, is written last: a record that was cut off leaves one good copy, and
 * the next write must not begin with that one.
 */
export function planStateWrites(
  record: StateRecord,
  present: { a: StateRecord | string; b: StateRecord | string },
): StateWrite[] {
  const block = printState(record);
  const carrier: StateCopy = chooseState(present.a, present.b) === present.a ? "a" : "b";
  const bothCarry =
    typeof present.a !== "string" &&
    typeof present.b !== "string" &&
    present.a.sequence === present.b.sequence;
  const order: readonly StateCopy[] = bothCarry || carrier === "b" ? ["a", "b"] : ["b", "a"];
  return order.flatMap((copy) => [
    { file: `${copy}.env`, bytes: block },
    { file: `${copy}.sum`, bytes: new TextEncoder().encode(printStateSum(copy, block)) },
  ]);
}

/**
 * Puts a record into the files that `createStateFiles` made. Its sequence number is the caller's: one more
 * than the last. @throws Error where a file is missing or has another size.
 */
export function writeState(directory: string, record: StateRecord): void {
  const present = { a: readCopy(directory, "a"), b: readCopy(directory, "b") };
  for (const { file, bytes } of planStateWrites(record, present)) {
    writeInPlace(`${directory}/${file}`, bytes);
  }
}

/** Makes what is missing of the directory and its files, at full size and valid for no reader. */
export function createStateFiles(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const copy of STATE_COPIES) {
    createFile(`${directory}/${copy}.env`, new Uint8Array(STATE_BYTES).fill(0x23));
    const noDigest = `${"0".repeat(64)}  ${copy}.env\n`;
    createFile(`${directory}/${copy}.sum`, new TextEncoder().encode(noDigest));
  }
  flush(directory);
  flush(`${directory}/..`);
}

/** The record of one copy, or a sentence that says why it does not count. */
function readCopy(directory: string, copy: StateCopy): StateRecord | string {
  try {
    const block = readWhole(`${directory}/${copy}.env`, STATE_BYTES);
    const sum = readWhole(`${directory}/${copy}.sum`, SUM_BYTES);
    return parseState(copy, block, new TextDecoder().decode(sum));
  } catch (error) {
    return `copy ${copy} cannot be read: ${messageOf(error)}`;
  }
}

function readWhole(path: string, sizeBytes: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    checkSize(path, fstatSync(file).size, sizeBytes);
    const bytes = new Uint8Array(sizeBytes);
    let done = 0;
    while (done < sizeBytes) {
      const count = readSync(file, bytes, done, sizeBytes - done, done);
      if (count === 0) throw new Error(`${path} ends at byte ${done}`);
      done += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function writeInPlace(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "r+");
  try {
    checkSize(path, fstatSync(file).size, bytes.length);
    writeAll(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A file of the right size stays as it is: it may be the only good copy. */
function createFile(path: string, bytes: Uint8Array): void {
  if (statSync(path, { throwIfNoEntry: false })?.size === bytes.length) return;
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    ftruncateSync(file, bytes.length);
    writeAll(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(file, bytes, done, bytes.length - done, done);
}

function flush(directory: string): void {
  const file = openSync(directory, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function checkSize(path: string, foundBytes: number, wantedBytes: number): void {
  if (foundBytes === wantedBytes) return;
  throw new Error(`${path} has ${foundBytes} bytes, not ${wantedBytes}`);
}
