/*
 * Makes a difference of kind zdiff1. Owns: the order of writing, and what of the new image a reader can compute again.
 */
import { closeSync, fstatSync, openSync, rmSync } from "node:fs";
import { BLOCK_BYTES, hashTreeBytes } from "../../model/hash-tree.ts";
import { HashTree, type TreeShape } from "../hash-tree.ts";
import { BitEncoder } from "./coder.ts";
import { TABLE_BITS_LEAST } from "./content.ts";
import { AGAIN, COPY, Frame, LITERAL, MAGIC, PATCH, PRESSED, STORED } from "./format.ts";
import { readerOf, writeAll } from "./files.ts";
import { codeHeader, type Header } from "./header.ts";
import { type Planned, planSegments } from "./plan.ts";
import { Pressed } from "./pressed.ts";
import { NEAR, PIECE, Transfer } from "./transfer.ts";

export interface Figures {
  readonly sizeBytes: number;
  readonly operations: number;
  readonly literalBytes: number;
  /** Size of what each kind of thing takes, for those who want to make it smaller. */
  readonly spent: Readonly<Record<string, number>>;
}

/**
 * Writes `path`. `tree` says what lies behind the new image's data; without it, or when it is not what a computer of hash
 * trees would make of the data, the tree is carried like everything else.
 */
export async function makeDifference(
  oldPath: string,
  newPath: string,
  path: string,
  { tree, tell = () => undefined }: { tree?: TreeShape; tell?: (doneBytes: number) => void } = {},
): Promise<Figures> {
  const files: number[] = [];
  const opened = (name: string, flags: string): number => {
    const file = openSync(name, flags);
    files.push(file);
    return file;
  };
  try {
    const old = opened(oldPath, "r");
    const fresh = opened(newPath, "r");
    const target = opened(path, "wx");
    try {
      return await write(old, fresh, target, tree, tell);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
  } finally {
    for (const file of files) closeSync(file);
  }
}

async function write(
  old: number,
  fresh: number,
  target: number,
  tree: TreeShape | undefined,
  tell: (doneBytes: number) => void,
): Promise<Figures> {
  const oldBytes = fstatSync(old).size;
  const newBytes = fstatSync(fresh).size;
  const isDerived = tree !== undefined && isTreeOf(fresh, newBytes, tree);
  const bodyBytes = isDerived ? tree.startByte : newBytes;
  const readOld = readerOf(old);
  const readNew = readerOf(fresh);
  const images = { readOld, oldBytes, readNew, newBytes: bodyBytes };
  const plan: Planned[] = [];
  for await (const part of planSegments(images, tell)) plan.push(part);

  let sizeBytes = 0;
  const put = (bytes: Uint8Array): void => {
    writeAll(target, bytes);
    sizeBytes += bytes.length;
  };
  put(Buffer.from(MAGIC, "latin1"));
  const coder = new BitEncoder(put);
  const frame = new Frame(coder);
  const header: Header = {
    oldBytes,
    bodyBytes,
    tableBits: tableBitsFor(plan),
    tree: isDerived ? { dataBlocks: tree.dataBlocks, salt: tree.salt } : undefined,
  };
  codeHeader(frame, header);
  const readInto = (into: Uint8Array, at: number): void => into.set(readOld(at, into.length));
  const transfer = new Transfer(coder, header.tableBits, readInto);
  const jobs = new Pressed(bodyBytes);
  const spent: Record<string, number> = { frame: 0, patch: 0, program: 0, literal: 0, stored: 0 };
  let mark = 0;
  const spend = (what: string): void => {
    const now = coder.size();
    spent[what] = (spent[what] ?? 0) + now - mark;
    mark = now;
  };
  let at = 0;
  let operations = 0;
  let literalBytes = 0;
  for (const { segment, works } of plan) {
    frame.segment(segment, oldBytes, at, bodyBytes - at);
    spend("frame");
    for (const { job, load } of works) {
      jobs.perform(frame, transfer, readInto, oldBytes, { job, ...load() });
      operations += job.operations.length;
    }
    spend("pressed");
    transfer.begin(segment, at);
    for (const operation of segment.operations) {
      operations += 1;
      const { kind, sizeBytes: size } = operation;
      if (kind === COPY || kind === AGAIN || kind === PRESSED) {
        const last = Math.min(NEAR, size);
        transfer.passed(readNew(at + size - last, last));
      } else {
        const bytes = readNew(at, size);
        if (kind === PATCH) transfer.patch(operation, at, bytes);
        else {
          for (let done = 0; done < size; done += PIECE) {
            const part = bytes.subarray(done, done + PIECE);
            if (kind === LITERAL) transfer.literal(part);
            else transfer.stored(part);
          }
        }
        if (kind !== PATCH) literalBytes += size;
        spend(
          kind === PATCH
            ? segment.program
              ? "program"
              : "patch"
            : kind === STORED
              ? "stored"
              : "literal",
        );
      }
      at += size;
    }
    await new Promise((resolve) => void setImmediate(resolve));
  }
  coder.finish();
  return { sizeBytes, operations, literalBytes, spent };
}

/** Tables as large as what they have to remember. */
function tableBitsFor(plan: readonly Planned[]): number {
  let size = 0;
  for (const { segment, works } of plan) {
    const inWorks = works.flatMap(({ job }) => job.operations);
    for (const { kind, sizeBytes } of [...segment.operations, ...inWorks]) {
      if (kind === LITERAL) size += sizeBytes;
      else if (kind === PATCH) size += sizeBytes / 16;
    }
  }
  return Math.max(TABLE_BITS_LEAST, Math.min(20, Math.ceil(Math.log2(size * 4 + 1))));
}

function isTreeOf(file: number, newBytes: number, tree: TreeShape): boolean {
  const { dataBlocks, startByte } = tree;
  if (dataBlocks < 1 || startByte % BLOCK_BYTES !== 0) return false;
  if (dataBlocks * BLOCK_BYTES > startByte) return false;
  if (startByte + hashTreeBytes(dataBlocks) !== newBytes) return false;
  const read = readerOf(file);
  let isSame = true;
  const hashes = new HashTree(tree, (block, at) => {
    if (isSame && !read(at, BLOCK_BYTES).equals(block)) isSame = false;
  });
  const whole = dataBlocks * BLOCK_BYTES;
  for (let at = 0; at < whole && isSame; at += 1 << 20) {
    hashes.add(read(at, Math.min(1 << 20, whole - at)));
  }
  hashes.finish();
  return isSame;
}
