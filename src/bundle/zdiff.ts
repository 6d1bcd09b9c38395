/*
 * zdiff1: the fewest bytes between two versions of a package's image, and applying them. Owns: applying; zdiff/make.ts makes.
 * Neither trusts the other: every number has a limit, and the caller compares the digest of what came out.
 * zdiff/README.md is the format: what is in a difference and what becomes of it, for whoever reads one without this program.
 */
import { closeSync, fstatSync, openSync, rmSync } from "node:fs";
import { createHash } from "node:crypto";
import { BLOCK_BYTES, hashTreeBytes } from "../model/hash-tree.ts";
import { HashTree } from "./hash-tree.ts";
import { BitDecoder } from "./zdiff/coder.ts";
import { readWhole, writeAll } from "./zdiff/files.ts";
import {
  AGAIN,
  Frame,
  LITERAL,
  MAGIC,
  type Operation,
  PATCH,
  PRESSED,
  STORED,
} from "./zdiff/format.ts";
import { codeHeader } from "./zdiff/header.ts";
import { Pressed } from "./zdiff/pressed.ts";
import { NEAR, PIECE, Transfer } from "./zdiff/transfer.ts";

/** A difference that lies in a file, perhaps among other things. */
export interface DifferenceSource {
  readonly path: string;
  readonly startByte?: number;
  readonly sizeBytes?: number;
}

export interface Applied {
  readonly sizeBytes: number;
  /** Of the whole new image. */
  readonly sha256: string;
}

const INPUT = 65536;
const OUTPUT = 1 << 20;
const WINDOW = 1 << 18;
/** The collector is called when the process has grown by so much: left to itself it lets views of buffers pile up. */
const COLLECT_BYTES = 2 << 20;
/** After so many, and after each turn of the others, that is looked at. */
const COLLECT_OPERATIONS = 256;
/** So long nobody else in this process gets a turn. */
const TURN_MS = 40;

/**
 * Writes the new image to `newPath`, which must not be there. It has to become `newBytes` large; its digest is for the
 * caller to compare.
 * @throws Error when the difference is no good for this old image; `newPath` is gone then.
 */
export async function applyDifference(
  oldPath: string,
  source: DifferenceSource,
  newPath: string,
  newBytes: number,
  tell: (doneBytes: number) => void = () => undefined,
): Promise<Applied> {
  const files: number[] = [];
  const opened = (name: string, flags: string): number => {
    const file = openSync(name, flags);
    files.push(file);
    return file;
  };
  try {
    const old = opened(oldPath, "r");
    const difference = opened(source.path, "r");
    const target = opened(newPath, "wx+");
    try {
      return await build(old, inputOf(difference, source), target, newBytes, tell);
    } catch (error) {
      rmSync(newPath, { force: true });
      throw error;
    }
  } finally {
    for (const file of files) closeSync(file);
  }
}

async function build(
  old: number,
  read: () => Uint8Array,
  target: number,
  newBytes: number,
  tell: (doneBytes: number) => void,
): Promise<Applied> {
  const oldBytes = fstatSync(old).size;
  const coder = new BitDecoder(read);
  const frame = new Frame(coder);
  const header = codeHeader(frame);
  if (header.oldBytes !== oldBytes) {
    throw new Error(`it is for an old image of ${header.oldBytes} bytes, not ${oldBytes}`);
  }
  const { bodyBytes } = header;
  const shape = header.tree && { ...header.tree, startByte: bodyBytes };
  const wholeBytes = bodyBytes + (shape === undefined ? 0 : hashTreeBytes(shape.dataBlocks));
  if (wholeBytes !== newBytes) {
    throw new Error(`it makes an image of ${wholeBytes} bytes, not ${newBytes}`);
  }
  const output = new Output(
    target,
    shape && new HashTree(shape, (bytes, at) => writeAll(target, bytes, at)),
    shape === undefined ? 0 : shape.dataBlocks * BLOCK_BYTES,
  );
  const readOld = windowed(old, oldBytes);
  const transfer = new Transfer(coder, header.tableBits, readOld);
  const jobs = new Pressed(bodyBytes);
  let performed = 0;
  let turned = performance.now();
  let collected = process.memoryUsage.rss();
  const collect = (): void => {
    if (process.memoryUsage.rss() < collected + COLLECT_BYTES) return;
    Bun.gc(true);
    collected = process.memoryUsage.rss();
  };
  const turn = async (): Promise<void> => {
    if (performance.now() - turned < TURN_MS) return;
    collect();
    tell(output.sizeBytes);
    await new Promise((resolve) => void setImmediate(resolve));
    turned = performance.now();
  };
  while (output.sizeBytes < bodyBytes) {
    const start = output.sizeBytes;
    const segment = frame.segment(undefined, oldBytes, start, bodyBytes - start);
    if (segment.operations.length === 0) throw new Error("a segment is empty");
    for (let job = 0; job < segment.jobs; job += 1) {
      jobs.perform(frame, transfer, readOld, oldBytes);
      await turn();
    }
    transfer.begin(segment, start);
    for (const operation of segment.operations) {
      performed += 1;
      if (performed % COLLECT_OPERATIONS === 0) collect();
      for (const _ of steps(operation, transfer, readOld, output, jobs)) {
        await turn();
      }
    }
  }
  coder.finish();
  return { sizeBytes: newBytes, sha256: output.finish(newBytes) };
}

/** Performs an operation, stopping after each piece. */
function* steps(
  operation: Operation,
  transfer: Transfer,
  readOld: (into: Uint8Array, at: number) => void,
  output: Output,
  jobs: Pressed,
): Generator<void> {
  const { kind, from, sizeBytes } = operation;
  if (kind === PATCH) {
    for (const piece of transfer.patched(operation, output.sizeBytes)) {
      output.add(piece);
      yield;
    }
    return;
  }
  if (kind === LITERAL || kind === STORED) {
    const piece = new Uint8Array(Math.min(PIECE, sizeBytes));
    for (let done = 0; done < sizeBytes; done += PIECE) {
      const part = piece.subarray(0, Math.min(PIECE, sizeBytes - done));
      if (kind === LITERAL) transfer.literal(part);
      else transfer.stored(part);
      output.add(part);
      yield;
    }
    return;
  }
  if (kind === PRESSED) {
    const bytes = jobs.take(from, sizeBytes);
    output.add(bytes);
    transfer.passed(bytes);
    return;
  }
  const read = kind === AGAIN ? output.read : readOld;
  for (let done = 0; done < sizeBytes;) {
    const room = output.room(sizeBytes - done);
    read(room, from + done);
    output.took(room.length);
    done += room.length;
    yield;
  }
  const last = new Uint8Array(Math.min(NEAR, sizeBytes));
  read(last, from + sizeBytes - last.length);
  transfer.passed(last);
}

/** The new image, written from its beginning to its end; only the hash tree goes to its own places. */
class Output {
  sizeBytes = 0;
  private readonly buffer = new Uint8Array(OUTPUT);
  private readonly target: number;
  private readonly tree: HashTree | undefined;
  private readonly treeBytes: number;
  private readonly hash = createHash("sha256");
  private written = 0;

  constructor(target: number, tree: HashTree | undefined, treeBytes: number) {
    this.target = target;
    this.tree = tree;
    this.treeBytes = treeBytes;
  }

  /** Where the next bytes go, at most `most`; `took` says how many came. */
  room(most: number): Uint8Array {
    const used = this.sizeBytes - this.written;
    return this.buffer.subarray(used, Math.min(OUTPUT, used + most));
  }

  took(count: number): void {
    this.sizeBytes += count;
    if (this.sizeBytes - this.written === OUTPUT) this.flush();
  }

  add(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const room = this.room(bytes.length - done);
      room.set(bytes.subarray(done, done + room.length));
      done += room.length;
      this.took(room.length);
    }
  }

  /** What was written before; all of it lies before the end. */
  readonly read = (into: Uint8Array, at: number): void => {
    const inFile = Math.max(0, Math.min(into.length, this.written - at));
    if (inFile > 0) readWhole(this.target, into.subarray(0, inFile), at);
    const from = at + inFile - this.written;
    into.set(this.buffer.subarray(from, from + into.length - inFile), inFile);
  };

  /** Digest of the whole file. */
  finish(wholeBytes: number): string {
    const bodyBytes = this.sizeBytes;
    this.flush();
    this.tree?.finish();
    for (let at = bodyBytes; at < wholeBytes; at += OUTPUT) {
      const part = this.buffer.subarray(0, Math.min(OUTPUT, wholeBytes - at));
      readWhole(this.target, part, at);
      this.hash.update(part);
    }
    return this.hash.digest("hex");
  }

  private flush(): void {
    const bytes = this.buffer.subarray(0, this.sizeBytes - this.written);
    writeAll(this.target, bytes, this.written);
    this.hash.update(bytes);
    this.tree?.add(
      bytes.subarray(0, Math.max(0, Math.min(bytes.length, this.treeBytes - this.written))),
    );
    this.written = this.sizeBytes;
  }
}

/** Reads with a window behind it: patches jump about in one file, a few hundred bytes at a time. */
function windowed(file: number, sizeBytes: number): (into: Uint8Array, at: number) => void {
  const window = new Uint8Array(WINDOW);
  let start = 0;
  let end = 0;
  return (into, at) => {
    if (into.length > WINDOW / 4) return readWhole(file, into, at);
    if (at < start || at + into.length > end) {
      start = Math.max(0, at - WINDOW / 4);
      end = Math.min(sizeBytes, start + WINDOW);
      readWhole(file, window.subarray(0, end - start), start);
    }
    into.set(window.subarray(at - start, at - start + into.length));
  };
}

function inputOf(
  file: number,
  { startByte = 0, sizeBytes = fstatSync(file).size - startByte }: DifferenceSource,
): () => Uint8Array {
  const magic = new Uint8Array(MAGIC.length);
  if (sizeBytes < MAGIC.length) throw new Error("it is too short");
  readWhole(file, magic, startByte);
  if (Buffer.from(magic).toString("latin1") !== MAGIC) throw new Error("it is no zdiff1");
  const buffer = new Uint8Array(INPUT);
  const end = startByte + sizeBytes;
  let at = startByte + MAGIC.length;
  return () => {
    const part = buffer.subarray(0, Math.min(INPUT, end - at));
    readWhole(file, part, at);
    at += part.length;
    return part;
  };
}
