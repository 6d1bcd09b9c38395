/*
 * A zstd frame, as RFC 8878 has it, 3.1.1: its head says how much memory whoever expands it needs, the heads of its blocks say
 * where it ends. Owns: what a blob may ask for, and that it is one frame and nothing else. No I/O.
 */
import { KIB, MIB } from "../model/size.ts";
import type { BlobSink } from "./entries.ts";

/** 8 MiB: what a receiver needs beside its buffers. */
export const WINDOW_LOG = 23;
const MOST_WINDOW_BYTES = 2 ** WINDOW_LOG;
const MAGIC = 0xfd2fb528;
/** Magic number and flags, which say how long the head is. */
const BEGIN_BYTES = 5;
const BLOCK_HEAD_BYTES = 3;
const MOST_BLOCK_BYTES = 128 * KIB;

/**
 * Takes a blob as it comes, and @throws Error saying what is wrong with it: with its head as soon as that is there. What is
 * in the blocks is not looked at.
 */
export function checkFrame(contentBytes: number): BlobSink {
  let head = Buffer.alloc(0);
  let isBegun = false;
  /** What is there of a block's head. */
  const block = Buffer.alloc(BLOCK_HEAD_BYTES);
  let blockHeadBytes = 0;
  /** Of the block. */
  let left = 0;
  let isLast = false;
  /** Returns how many bytes of the piece it took. */
  const takeHead = (piece: Uint8Array): number => {
    const wanted = head.length < BEGIN_BYTES ? BEGIN_BYTES : fieldsOf(head).headBytes;
    const part = piece.subarray(0, wanted - head.length);
    head = Buffer.concat([head, part]);
    if (head.length > BEGIN_BYTES && head.length === wanted) {
      const fault = faultOfFrame(head, contentBytes);
      if (fault !== undefined) throw new Error(fault);
      isBegun = true;
    }
    return part.length;
  };
  const takeBlockHead = (piece: Uint8Array): number => {
    if (isLast) throw new Error("something lies behind its frame");
    const part = piece.subarray(0, BLOCK_HEAD_BYTES - blockHeadBytes);
    block.set(part, blockHeadBytes);
    blockHeadBytes += part.length;
    if (blockHeadBytes === BLOCK_HEAD_BYTES) {
      blockHeadBytes = 0;
      const bits = block.readUIntLE(0, BLOCK_HEAD_BYTES);
      const [type, size] = [(bits >> 1) & 3, bits >> 3];
      if (type === 3 || size > MOST_BLOCK_BYTES) throw new Error("a block of its frame is damaged");
      isLast = (bits & 1) === 1;
      // One byte many times.
      left = type === 1 ? 1 : size;
    }
    return part.length;
  };
  return {
    write(piece) {
      for (let at = 0; at < piece.length;) {
        const rest = piece.subarray(at);
        const passed = Math.min(left, rest.length);
        left -= passed;
        if (passed > 0) at += passed;
        else at += isBegun ? takeBlockHead(rest) : takeHead(rest);
      }
    },
    end() {
      if (!isLast || left > 0) throw new Error("its frame is cut off");
    },
  };
}

interface Fields {
  readonly isWhole: boolean;
  readonly sizeAt: number;
  readonly sizeFieldBytes: number;
  readonly headBytes: number;
}

/** Where what lies in a head, by its first five bytes. */
function fieldsOf(head: Buffer): Fields {
  const flags = head.readUInt8(4);
  const isWhole = (flags & 0x20) !== 0;
  const sizeFieldBytes = [isWhole ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  const sizeAt = isWhole ? 5 : 6;
  return { isWhole, sizeAt, sizeFieldBytes, headBytes: sizeAt + sizeFieldBytes };
}

/** `head`: all of it, and more or not. */
export function faultOfFrame(head: Buffer, contentBytes: number): string | undefined {
  if (head.length < 6 || head.readUInt32LE(0) !== MAGIC) return "it is no zstd frame";
  if ((head.readUInt8(4) & 0x0f) !== 0) return "its frame has a checksum or a dictionary";
  const { isWhole, sizeAt, sizeFieldBytes, headBytes } = fieldsOf(head);
  if (sizeFieldBytes === 0 || head.length < headBytes) return "its frame does not tell its size";
  const content = readSize(head.subarray(sizeAt, headBytes));
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
