/*
 * The log that QEMU's blklogwrites keeps of a disk: every write with its data, every discard, every flush,
 * in the order in which the guest sent them. Format: Linux, Documentation/admin-guide/device-mapper/
 * log-writes.rst, without marks. Logs can have gigabytes: only the headers are read, the data stays there.
 * Owns: parsing. crash-states.ts says what a power cut makes of it, replay.ts makes it.
 */
import { fstatSync } from "node:fs";
import { readBytes, withOpen } from "./sparse.ts";

const MAGIC = 0x6a736677736872n;
const HEADER_BYTES = 32;
const FLAG = { flush: 1n, durable: 2n, discard: 4n, mark: 8n } as const;

export type LogEntry =
  | { readonly kind: "flush" }
  | {
      /** A discard is taken for a write of zeros: that is what QEMU's disks do. */
      readonly kind: "write" | "discard";
      readonly startBytes: number;
      readonly sizeBytes: number;
      /** Where the data lies in the log; of a discard nothing. */
      readonly dataAt: number;
      /** On the medium before it was acknowledged (force unit access); says nothing about other writes. */
      readonly durable: boolean;
    };
export type LoggedWrite = Exclude<LogEntry, { kind: "flush" }>;

export interface WriteLog {
  readonly file: string;
  readonly entries: readonly LogEntry[];
}

/**
 * Everything up to the last entry that QEMU counts; it counts at each flush, so that what a killed machine
 * wrote after its last flush is missing. @throws Error if the file is no such log, or ends too early.
 */
export function readWriteLog(file: string): WriteLog {
  return withOpen(file, "r", (log) => {
    const head = readBytes(log, 0, HEADER_BYTES);
    if (head.readBigUInt64LE(0) !== MAGIC) throw new Error(`${file} is no log of blklogwrites`);
    if (head.readBigUInt64LE(8) !== 1n) throw new Error(`${file} is not of version 1`);
    const count = toNumber(head.readBigUInt64LE(16));
    const sectorBytes = head.readUInt32LE(24);
    const sizeBytes = fstatSync(log).size;
    const entries: LogEntry[] = [];
    let at = sectorBytes;
    for (let index = 0; index < count; index++) {
      const header = readBytes(log, at, HEADER_BYTES);
      const [sector, sectors] = [header.readBigUInt64LE(0), header.readBigUInt64LE(8)];
      const [flags, dataBytes] = [header.readBigUInt64LE(16), header.readBigUInt64LE(24)];
      at += sectorBytes;
      if (flags & FLAG.mark) {
        at += Math.ceil(toNumber(dataBytes) / sectorBytes) * sectorBytes;
        continue;
      }
      // What flushes and writes flushes first.
      if (flags & FLAG.flush) entries.push({ kind: "flush" });
      if (sectors === 0n) continue;
      const place = {
        startBytes: toNumber(sector) * sectorBytes,
        sizeBytes: toNumber(sectors) * sectorBytes,
        dataAt: at,
        durable: (flags & FLAG.durable) !== 0n,
      };
      if (flags & FLAG.discard) {
        entries.push({ kind: "discard", ...place });
      } else {
        entries.push({ kind: "write", ...place });
        at += place.sizeBytes;
      }
      if (at > sizeBytes) throw new Error(`${file} ends in the middle of entry ${index}`);
    }
    return { file, entries };
  });
}

function toNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`${value} is too large`);
  return Number(value);
}
