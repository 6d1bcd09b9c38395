/*
 * Compressed files that are made again from what is in them. Owns: a job in both directions, and the results until their
 * parts are written.
 */
import { crc32, gunzipSync } from "node:zlib";
import { deflate, MANNERS } from "./deflate.ts";
import {
  COPY,
  type Extent,
  type Frame,
  type Job,
  JOB_ROOM,
  JOBS_MOST,
  LITERAL,
  PATCH,
} from "./format.ts";
import { PIECE, type ReadOld, type Transfer } from "./transfer.ts";

/** Results that wait for their place. */
export const WAITING_MOST = 4 * JOB_ROOM;

/** Bytes inflated and compressed, at most, for each byte of the new image, and before. */
const BUDGET_PER_BYTE = 16;
const BUDGET_FREE = 64 * JOB_ROOM;
const COLLECT_BYTES = 2 * JOB_ROOM;
/** What a job costs beside the bytes of its files, in bytes of the budget: a difference has next to none for each. */
const JOB_BYTES = 4096;
/** Results that wait, whatever their size: as many as a segment makes, and as many again in two parts each. */
const RESULTS_MOST = 2 * JOBS_MOST;

export class Pressed {
  private readonly results = new Map<number, { bytes: Buffer; left: number }>();
  private waiting = 0;
  private count = 0;
  private budget: number;
  private uncollected = 0;

  /** `newBytes`: of the new image, which limits what compressing may cost. */
  constructor(newBytes: number) {
    this.budget = BUDGET_FREE + newBytes * BUDGET_PER_BYTE;
  }

  /** `wanted` is what the job is to make, where it is being encoded: the job, its head and its raw bytes. */
  perform(
    frame: Frame,
    transfer: Transfer,
    readOld: ReadOld,
    oldBytes: number,
    wanted?: { readonly job: Job; readonly head: Buffer; readonly raw: Buffer },
  ): void {
    let old: Buffer = Buffer.alloc(0);
    let costBytes = 0;
    const spend = (sizeBytes: number): void => {
      costBytes += sizeBytes;
      this.budget -= sizeBytes;
      if (this.budget < 0) throw new Error("compressed files are larger than their image allows");
    };
    const job = frame.job(wanted?.job, oldBytes, (sources) => {
      // A file that takes long to inflate may have nothing in it.
      spend(sources.reduce((sum, source) => sum + source.sizeBytes, JOB_BYTES));
      old = inflated(sources, readOld);
      return old.length;
    });
    spend(old.length + job.rawBytes);
    const head = Buffer.from(wanted?.head ?? Buffer.alloc(job.headBytes));
    transfer.literal(head);
    const raw = Buffer.from(wanted?.raw ?? Buffer.alloc(job.rawBytes));
    const before = transfer.readFrom((into, at) => {
      into.set(old.subarray(at, at + into.length));
    });
    let at = 0;
    for (const operation of job.operations) {
      const { kind, from, sizeBytes } = operation;
      const part = raw.subarray(at, at + sizeBytes);
      if (kind === COPY) {
        part.set(old.subarray(from, from + sizeBytes));
        transfer.passed(part);
      } else if (kind === PATCH) {
        if (wanted === undefined) {
          let done = at;
          for (const piece of transfer.patched(operation, at)) {
            raw.set(piece, done);
            done += piece.length;
          }
        } else transfer.patch(operation, at, part);
      } else if (kind === LITERAL) {
        for (let done = 0; done < sizeBytes; done += PIECE) {
          transfer.literal(part.subarray(done, done + PIECE));
        }
      } else throw new Error("a job has an operation of another kind");
      at += sizeBytes;
    }
    transfer.readFrom(before);
    this.collect(costBytes);
    if (wanted === undefined) this.keep(pressed(head, raw, job.manner));
    else this.count += 1;
  }

  /** Buffers are outside of what the collector counts, and would pile up. */
  private collect(sizeBytes: number): void {
    this.uncollected += sizeBytes;
    if (this.uncollected < COLLECT_BYTES) return;
    Bun.gc(true);
    this.uncollected = 0;
  }

  private keep(bytes: Buffer): void {
    this.waiting += bytes.length;
    const isTooMuch = this.waiting > WAITING_MOST || this.results.size === RESULTS_MOST;
    if (bytes.length > JOB_ROOM || isTooMuch) {
      throw new Error("compressed files wait for their place and are too large");
    }
    this.results.set(this.count, { bytes, left: bytes.length });
    this.count += 1;
  }

  /** Part of a result; each byte is asked for once. */
  take(from: number, sizeBytes: number): Buffer {
    const number = Math.floor(from / JOB_ROOM);
    const offset = from - number * JOB_ROOM;
    const result = this.results.get(number);
    if (
      result === undefined ||
      offset + sizeBytes > result.bytes.length ||
      sizeBytes > result.left
    ) {
      throw new Error("a part of a compressed file is not there");
    }
    result.left -= sizeBytes;
    if (result.left === 0) {
      this.results.delete(number);
      this.waiting -= result.bytes.length;
    }
    return result.bytes.subarray(offset, offset + sizeBytes);
  }
}

export function inflated(sources: readonly Extent[], readOld: ReadOld): Buffer {
  if (sources.length === 0) return Buffer.alloc(0);
  const parts = sources.map(({ at, sizeBytes }) => {
    const part = Buffer.alloc(sizeBytes);
    readOld(part, at);
    return part;
  });
  return gunzipSync(Buffer.concat(parts), { maxOutputLength: JOB_ROOM });
}

/** A gzip file with one member. */
export function pressed(head: Buffer, raw: Buffer, manner: number): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(raw));
  tail.writeUInt32LE(raw.length, 4);
  return Buffer.concat([head, deflate(raw, MANNERS[manner]!), tail]);
}

/** How to make `bytes` again, or undefined when it cannot be done. */
export function unpressed(
  bytes: Buffer,
): { readonly head: Buffer; readonly raw: Buffer; readonly manner: number } | undefined {
  const headBytes = headOf(bytes);
  if (headBytes === undefined) return undefined;
  const head = bytes.subarray(0, headBytes);
  let raw: Buffer;
  try {
    raw = gunzipSync(bytes, { maxOutputLength: JOB_ROOM - 1 });
  } catch {
    return undefined;
  }
  try {
    const manner = MANNERS.findIndex((_, index) => pressed(head, raw, index).equals(bytes));
    return manner < 0 ? undefined : { head, raw, manner };
  } catch {
    return undefined;
  }
}

const NAMED = 8;

/** Size of a gzip header with or without a name. */
function headOf(bytes: Buffer): number | undefined {
  if (bytes.length < 18 || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8)
    return undefined;
  if (bytes[3] === 0) return 10;
  const end = bytes.indexOf(0, 10);
  return bytes[3] === NAMED && end >= 0 && end < 1000 ? end + 1 : undefined;
}
