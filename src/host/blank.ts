/*
 * Is there really nothing on a disk? Zeros in the first and last 16 MiB and in samples between, always
 * the same ones. Only reads. A read error is an answer too: "not blank, it could not be read".
 * Owns: where to look (`samplePositions`, pure) and looking.
 */
import { open } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import { CLAIM_BYTES, CLAIM_OFFSET_BYTES } from "../model/claim.ts";
import { KIB, MIB } from "../model/size.ts";

export interface Range {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

const END_BYTES = 16 * MIB;
const SAMPLES = 64;
const SAMPLE_BYTES = 64 * KIB;
const PIECE_BYTES = 1 * MIB;
const GRAIN_BYTES = 4 * KIB;

/** Both ends, and samples spread evenly between; a small disk as a whole. In rising order, disjoint. */
export function samplePositions(diskBytes: number): Range[] {
  const between = diskBytes - 2 * END_BYTES;
  if (between <= SAMPLES * SAMPLE_BYTES) return [{ offsetBytes: 0, sizeBytes: diskBytes }];
  const samples = Array.from({ length: SAMPLES }, (_, index) => {
    const middle = END_BYTES + (between * (index + 0.5)) / SAMPLES;
    const offset = Math.floor((middle - SAMPLE_BYTES / 2) / GRAIN_BYTES) * GRAIN_BYTES;
    return { offsetBytes: Math.max(offset, END_BYTES), sizeBytes: SAMPLE_BYTES };
  });
  return [
    { offsetBytes: 0, sizeBytes: END_BYTES },
    ...samples,
    { offsetBytes: diskBytes - END_BYTES, sizeBytes: END_BYTES },
  ];
}

/**
 * Why the disk is not blank, or undefined if zeros are all that was found. `hasClaim`: a valid claim of
 * ours lies there; its sector, and nothing else, may then hold something.
 */
export async function whyNotZeros(
  path: string,
  diskBytes: number,
  hasClaim: boolean,
  timeoutMs = 120_000,
): Promise<string | undefined> {
  const deadline = Date.now() + timeoutMs;
  const file = await open(path, "r");
  const piece = Buffer.alloc(PIECE_BYTES);
  const zeros = Buffer.alloc(PIECE_BYTES);
  try {
    for (const range of samplePositions(diskBytes)) {
      const end = range.offsetBytes + range.sizeBytes;
      // A read stops short in front of a bad sector; the next one, which begins there, names the error.
      for (let at = range.offsetBytes, size = 0; at < end; at += size) {
        const wanted = Math.min(PIECE_BYTES, end - at);
        const read = await within(file.read(piece, 0, wanted, at), deadline);
        if (read === undefined) return `could not be read at byte ${at}: no answer in time`;
        size = read.bytesRead;
        if (size === 0) return `could not be read at byte ${at}: it ends there`;
        if (hasClaim) hideClaim(piece, at, size);
        if (piece.compare(zeros, 0, size, 0, size) === 0) continue;
        return `there is data at byte ${at + firstNonZero(piece)}`;
      }
    }
    return undefined;
  } catch (error) {
    return `could not be read: ${messageOf(error)}`;
  } finally {
    // On a disk that does not answer, closing may not answer either.
    void file.close().catch(() => undefined);
  }
}

function hideClaim(piece: Buffer, at: number, size: number): void {
  const from = Math.max(CLAIM_OFFSET_BYTES - at, 0);
  const to = Math.min(CLAIM_OFFSET_BYTES + CLAIM_BYTES - at, size);
  if (from < to) piece.fill(0, from, to);
}

function firstNonZero(piece: Buffer): number {
  return piece.findIndex((byte) => byte !== 0);
}

async function within<T>(promise: Promise<T>, deadline: number): Promise<T | undefined> {
  if (Date.now() > deadline) return undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, deadline - Date.now()));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
