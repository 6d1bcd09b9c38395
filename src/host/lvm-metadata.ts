/*
 * A copy of the first MiB of the physical volume, which holds LVM's label and its metadata area, in two
 * files, each with its digest in front. LVM keeps one copy there and writes it without flushing the disk, so a power
 * cut can leave a text that does not match its checksum; LVM then knows no group at all, and neither
 * vgck nor vgcfgrestore writes to such an area (tried with 2.03.16).
 */
import { createHash } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MIB } from "../model/size.ts";
import { forgetCache, readAt, writeAt } from "./device.ts";
import { flushDirectory } from "./durable.ts";

/** Extents begin behind it (pe_start, LVM's default data alignment). */
const AREA_BYTES = MIB;
const DIGEST_BYTES = 32;
const SEQUENCE_BYTES = 8;

/** Two files, written in place in turns: what is being written is never the newest whole copy. */
const COPIES = ["a", "b"] as const;

interface Copy {
  readonly file: string;
  /** 0 where there is no whole copy. */
  readonly sequence: number;
  readonly area: Uint8Array;
}

/** What the disk has, not what is cached. `base`: path of the two files without their ending. */
export async function saveMetadata(device: string, base: string): Promise<void> {
  await forgetCache([device]);
  const area = await readAt(device, 0, AREA_BYTES);
  const [older, newer] = await readCopies(base);
  const sequence = Buffer.alloc(SEQUENCE_BYTES);
  sequence.writeBigUInt64LE(BigInt(newer.sequence + 1));
  const body = Buffer.concat([sequence, area]);
  await overwrite(older.file, Buffer.concat([digestOf(body), body]));
}

/** @throws Error if there is no whole copy. */
export async function restoreMetadata(device: string, base: string): Promise<void> {
  const [, newest] = await readCopies(base);
  if (newest.sequence === 0) {
    throw new Error("the volume group cannot be read, and there is no whole copy of its metadata");
  }
  await writeAt(device, 0, newest.area);
  await forgetCache([device]);
}

/** Both copies, the newest last. */
async function readCopies(base: string): Promise<[Copy, Copy]> {
  const [a, b] = await Promise.all(COPIES.map((name) => readCopy(`${base}.${name}`)));
  if (!a || !b) throw new Error("there are two copies");
  return a.sequence > b.sequence ? [b, a] : [a, b];
}

async function readCopy(file: string): Promise<Copy> {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0));
  const body = bytes.subarray(DIGEST_BYTES);
  const isWhole =
    body.length === SEQUENCE_BYTES + AREA_BYTES &&
    digestOf(body).equals(bytes.subarray(0, DIGEST_BYTES));
  if (!isWhole) return { file, sequence: 0, area: new Uint8Array() };
  return { file, sequence: Number(body.readBigUInt64LE()), area: body.subarray(SEQUENCE_BYTES) };
}

/** In place: neither FAT nor directory changes, once the file is there. */
async function overwrite(file: string, bytes: Uint8Array): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  const handle = await open(file, found?.size === bytes.length ? "r+" : "w");
  try {
    for (let done = 0; done < bytes.length;) {
      done += (await handle.write(bytes, done, bytes.length - done, done)).bytesWritten;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (!found) await flushDirectory(dirname(file));
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
