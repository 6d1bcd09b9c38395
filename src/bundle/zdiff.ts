/*
 * zdiff1: the fewest bytes between two versions of a package's image, and applying them. Owns: applying; zdiff/make.ts makes.
 * Neither trusts the other: every number has a limit, and the caller compares the digest of what came out.
 *
 * A difference is the 8 bytes "zdiff1\n\0" and one stream of binary arithmetic coding, without anything behind it.
 * All that follows is in the order in which it stands there.
 *
 * BITS (coder.ts). `range` begins as 2^31 - 1, `code` as bytes 1 to 4 of the stream, byte 0 is 0. A bit with P(1) = p / 65536:
 * bound = floor(range * p / 65536), with (range >> 16) * p + (((range & 65535) * p) >> 16); code < bound is a 1 and range
 * becomes bound, else both lose bound; while range < 2^23 both are shifted by a byte. At the end code is 0.
 * A bit with a memory has two probabilities, which begin at 32768; p is their mean, made odd; they move to 65535 or 0 by
 * 1/16 and 1/128 of the way. A number n has k = floor(log2(n + 1)) by a tree of 6 such bits, then the k bits below the
 * highest one of n + 1: the first three by all bits before, the others by their place (8 + 0 to 7, the last for all further).
 * Each kind of number has memories of its own: the first argument of `number` in format.ts. Signed ones are 0, -1, 1, -2 …
 *
 * HEADER (header.ts): bytes of the old image, of the new one's body, bits of the tables, blocks under the hash tree or 0;
 * if not 0: bytes of the salt, each byte. The hash tree (dm-verity's format 1, SHA-256, blocks of 4096 bytes, the top level
 * first) lies behind the body and is computed, never carried.
 *
 * SEGMENTS (format.ts) until the body is whole: number of jobs, operations, whether there is a program, the program; then the
 * jobs; then the content of the operations. An operation has a kind, its bytes less 1, and
 *   COPY, PATCH   where it begins in the old image, from the end of the last such operation
 *   AGAIN         how far back in the new image
 *   PRESSED       job * 2^22 + offset in its result, from where the last such operation ended
 *   LITERAL, STORED   nothing
 *
 * CONTENT. COPY, AGAIN and PRESSED have none. STORED: each byte as 8 bits with p = 32768. LITERAL: each byte by the model
 * below, in pieces of 65536. PATCH: how many bytes are as foretold, then the difference (modulo 256) of the next one by
 * the model, and so on; the last run reaches the end. Foretold is the old byte, but where a program says that a field
 * lies here (references.ts, looked for in pieces of 65536 bytes of the operation, with the 4 bytes before in sight):
 * there the field's meaning is computed, translated and written back:
 *   - the old address that the field means: from the parts that are loaded, as ELF has them in its program headers
 *   - the new one: what the same old address became the last time in this segment (a table with one entry a slot), else where
 *     the segment's copies took it: the last that begins before it, of those with 32 bytes or more and not inside another
 *   - kinds: relative to the end of the field in x86-64 code, 8 or 4 bytes absolute, relative to a base or to the field itself,
 *     and 4 bytes without meaning that move by what the last one did, or become what the same value became before
 * After each field its real value is learned. So a function that moved costs nothing, nor do the calls that lead to it, nor the
 * tables that hold its address; bsdiff pays for each of these.
 *
 * JOBS (pressed.ts, deflate.ts): a gzip file is carried as what is inside: the old file's place, the manner of compressing, the
 * bytes of the head, and of the content, operations from the inflated old file; content of the head, of the operations. It
 * is compressed again by the very algorithm of gzip and zlib, and waits in memory until PRESSED operations have
 * taken all of it.
 *
 * MODEL OF BYTES (bytes.ts, contexts in content.ts): six contexts give a guess for each bit, a match with earlier literals another;
 * they are mixed in the logarithm of odds with weights that learn. Whole numbers only.
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
