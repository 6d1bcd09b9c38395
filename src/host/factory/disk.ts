/*
 * The disk: what it is, its own verdict, and how fast it reads and writes.
 * Owns: the measuring, with direct I/O, so that no cache of the kernel's is measured. Judging is pure.
 */
import { constants } from "node:fs";
import { open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { ptr } from "bun:ffi";
import { GROUP_START_BYTES } from "../../model/config.ts";
import type { DiskIdentity } from "../../model/machine.ts";
import { because } from "../../model/reasons.ts";
import { MIB, printSize } from "../../model/size.ts";
import type { DiskHealth } from "../../model/status.ts";
import { failed, nothing, passed, type Finding } from "./box.ts";

export function judgeDisk(
  { model, sizeBytes }: Pick<DiskIdentity, "model" | "sizeBytes">,
  wanted: { readonly model?: string | undefined; readonly leastBytes?: number | undefined },
): Finding {
  const name = model === "" ? "a disk without a model name" : model;
  const told = `${name}, ${printSize(sizeBytes)}`;
  if (wanted.model !== undefined && wanted.model !== model) {
    return failed(because("disk.model", told, wanted.model));
  }
  if (wanted.leastBytes !== undefined && sizeBytes < wanted.leastBytes) {
    return failed(because("disk.size", told, printSize(wanted.leastBytes)));
  }
  return passed(told);
}

export function judgeHealth(
  verdict: DiskHealth["verdict"],
  { hasTool, required }: { readonly hasTool: boolean; readonly required: boolean },
): Finding {
  if (!hasTool) return nothing(because("smart.no-tool"), required);
  if (verdict === "not told") return nothing(because("smart.untold"), required);
  return verdict === "good"
    ? passed("the disk says that it is well (SMART)")
    : failed(because("smart.failing"));
}

export interface Rate {
  readonly bytes: number;
  readonly seconds: number;
}

export function judgeRate(
  { bytes, seconds }: Rate,
  done: "read" | "written",
  leastRate: number | undefined,
): Finding {
  const rate = Math.round(bytes / Math.max(seconds, 0.001));
  if (leastRate === undefined || rate >= leastRate) {
    return passed(`${printSize(bytes)} ${done} at ${printSize(rate)} a second`);
  }
  const key = done === "read" ? "rate.slow-read" : "rate.slow-write";
  return failed(because(key, printSize(bytes), printSize(rate), printSize(leastRate)));
}

const MOST_BYTES = 256 * MIB;
const MOST_MS = 10_000;
/** Opening and flushing included. The kernel tries a dead disk for minutes; nobody at the line waits for that. */
const LIMIT_MS = 180_000;
const PIECE_BYTES = MIB;
/** The largest sector of a disk; direct I/O wants memory, place and length in such steps. */
const ALIGNMENT = 4096;
/** Room that a test leaves on the volume. */
const SPARE_BYTES = 64 * MIB;

/**
 * Where the volumes begin and something was written: of blocks that were never written, a solid-state disk gives
 * zeros without looking.
 */
export function startOfReading(diskBytes: number): number {
  return diskBytes >= GROUP_START_BYTES + MOST_BYTES ? GROUP_START_BYTES : 0;
}

/** @throws Error where it cannot be read. */
export async function measureReading(
  path: string,
  diskBytes: number,
  mostBytes = MOST_BYTES,
  limitMs = LIMIT_MS,
): Promise<Rate> {
  return inTime(limitMs, readRate(path, diskBytes, mostBytes));
}

async function readRate(path: string, diskBytes: number, mostBytes: number): Promise<Rate> {
  const file = await open(path, constants.O_RDONLY | constants.O_DIRECT);
  try {
    const buffer = alignedBuffer(PIECE_BYTES);
    const from = startOfReading(diskBytes);
    return await measure(mostBytes, async (done) => {
      return (await file.read(buffer, 0, buffer.length, from + done)).bytesRead;
    });
  } finally {
    await file.close();
  }
}

/** Undefined where there is no room. @throws Error where it cannot be written. */
export async function measureWriting(
  directory: string,
  mostBytes = MOST_BYTES,
  limitMs = LIMIT_MS,
): Promise<Rate | undefined> {
  return inTime(limitMs, writeRate(directory, mostBytes));
}

async function writeRate(directory: string, mostBytes: number): Promise<Rate | undefined> {
  const path = join(directory, ".zshield-write-rate");
  await rm(path, { force: true });
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < mostBytes + SPARE_BYTES) return undefined;
  const { O_CREAT, O_EXCL, O_WRONLY, O_DIRECT } = constants;
  const file = await open(path, O_CREAT | O_EXCL | O_WRONLY | O_DIRECT, 0o600);
  try {
    // Zeros some disks do not write at all.
    const buffer = alignedBuffer(PIECE_BYTES);
    fillWithNoise(buffer);
    const begin = performance.now();
    const { bytes } = await measure(mostBytes, async (done) => {
      return (await file.write(buffer, 0, buffer.length, done)).bytesWritten;
    });
    await file.sync();
    return { bytes, seconds: (performance.now() - begin) / 1000 };
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

/** What does not end is left to the kernel; the end of the machine does not wait for it (ending.ts). */
async function inTime<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const why = because("rate.silent", String(limitMs / 1000));
    timer = setTimeout(() => reject(new Error(why)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** `step` does one piece and returns its bytes; 0 is the end. */
async function measure(mostBytes: number, step: (done: number) => Promise<number>): Promise<Rate> {
  const begin = performance.now();
  let bytes = 0;
  while (bytes < mostBytes && performance.now() - begin < MOST_MS) {
    const done = await step(bytes);
    if (done === 0) break;
    bytes += done;
  }
  if (bytes === 0) throw new Error(because("rate.nothing"));
  return { bytes, seconds: (performance.now() - begin) / 1000 };
}

/** At an address that direct I/O takes. */
function alignedBuffer(bytes: number): Uint8Array {
  const room = new Uint8Array(bytes + ALIGNMENT);
  const over = ptr(room) % ALIGNMENT;
  return room.subarray(over === 0 ? 0 : ALIGNMENT - over).subarray(0, bytes);
}

function fillWithNoise(buffer: Uint8Array): void {
  const most = 65_536;
  for (let at = 0; at < buffer.length; at += most) {
    crypto.getRandomValues(buffer.subarray(at, at + most));
  }
}
