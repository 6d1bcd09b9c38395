/*
 * The head of a zstd frame, as RFC 8878 has it, 3.1.1.1: it says how much memory whoever expands the frame needs.
 * Owns: what a blob may ask for. No I/O.
 */
import { MIB } from "../model/size.ts";
import type { BlobSink } from "./entries.ts";

/** 8 MiB: what a receiver needs beside its buffers. */
export const WINDOW_LOG = 23;
const MOST_WINDOW_BYTES = 2 ** WINDOW_LOG;
const MAGIC = 0xfd2fb528;
const MOST_HEAD_BYTES = 18;

/** Takes a blob as it comes, and @throws Error saying what is wrong with its head, which has to be told as soon as it is there. */
export function checkFrame(contentBytes: number): BlobSink {
  let head = Buffer.alloc(0);
  let isDone = false;
  const check = () => {
    isDone = true;
    const fault = faultOfFrame(head, contentBytes);
    if (fault !== undefined) throw new Error(fault);
  };
  return {
    write(piece) {
      if (isDone) return;
      head = Buffer.concat([head, piece.subarray(0, MOST_HEAD_BYTES - head.length)]);
      if (head.length === MOST_HEAD_BYTES) check();
    },
    end() {
      if (!isDone) check();
    },
  };
}

/** `head`: the first bytes, 18 or all. */
export function faultOfFrame(head: Buffer, contentBytes: number): string | undefined {
  if (head.length < 6 || head.readUInt32LE(0) !== MAGIC) return "it is no zstd frame";
  const flags = head.readUInt8(4);
  const isWhole = (flags & 0x20) !== 0;
  if ((flags & 0x0f) !== 0) return "its frame has a checksum or a dictionary";
  const sizeField = [isWhole ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  const at = isWhole ? 5 : 6;
  if (sizeField === 0 || head.length < at + sizeField) return "its frame does not tell its size";
  const content = readSize(head.subarray(at, at + sizeField));
  const window = isWhole ? content : windowOf(head.readUInt8(5));
  if (window > MOST_WINDOW_BYTES) {
    return `its frame asks for a window of ${Math.ceil(window / MIB)} MiB, and ${MOST_WINDOW_BYTES / MIB} are granted`;
  }
  if (content !== contentBytes) {
    return `its frame has ${content} bytes of content, not ${contentBytes}`;
  }
  return undefined;
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function readSize(field: Buffer): number {
  if (field.length === 8) return Number(field.readBigUInt64LE(0));
  return field.readUIntLE(0, field.length) + (field.length === 2 ? 256 : 0);
}
