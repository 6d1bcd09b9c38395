/*
 * The entries of a bundle or a difference, one after another: headers in the one form, names that have to be there, contents
 * with the digest that they are called by, zeros between them, nothing behind the end.
 * Owns: what is said of a file that is not so.
 */
import { createHash } from "node:crypto";
import { Refusal } from "../errors.ts";
import { MOST_FRONT_BYTES, type BlobRecord } from "../model/bundle-manifest.ts";
import { MIB } from "../model/size.ts";
import { quoted } from "../model/text.ts";
import { blobName, sha256Of, type FrontEntry } from "./oci.ts";
import type { ByteReader } from "./pieces.ts";
import {
  BLOCK_BYTES,
  decodeHeader,
  encodeHeader,
  END_BYTES,
  entryBytes,
  isZeros,
  paddingBytes,
} from "./tar.ts";

const NOTHING = "nothing of it counts: take it from its origin again";

/** What is read, for what is said. */
export interface ReadFile {
  /** Of the file. */
  readonly name: string;
  /** What it should be: a bundle. */
  readonly kind: string;
  /** What the first entries are called; the others are blobs. */
  readonly first: readonly string[];
}

export interface BlobSink {
  /** A piece is good only until this is done. */
  write(piece: Uint8Array): void | Promise<void>;
  /** Every byte was there, and the digest is right. Not called otherwise. */
  end(): void | Promise<void>;
}

/** One that is small, of those in front. `before`: those that were read already. @throws Refusal */
export async function readEntry(
  reader: ByteReader,
  { name, kind, first }: ReadFile,
  before: readonly FrontEntry[],
): Promise<FrontEntry> {
  const number = before.length;
  const wanted = first[number];
  const what = wanted ?? `entry ${number + 1}`;
  const position = reader.position();
  const block = await reader.take(BLOCK_BYTES);
  if (block.length === 0 && number === 0) refuse(`${name} is empty`);
  if (block.length < BLOCK_BYTES) refuseCut(reader, name, what);
  const header = decodeHeader(block);
  if (isZeros(block)) refuse(`${name} ends before its signed manifest`);
  if ("fault" in header) {
    if (number === 0 && header.name !== wanted) refuse(`${name} is not a ${kind}`);
    refuse(
      `${name}: the header of ${quoted(header.name)} has a ${header.fault} that is not in the one permitted form`,
    );
  }
  const isBlob = /^blobs\/sha256\/[0-9a-f]{64}$/.test(header.name);
  if (wanted === undefined ? !isBlob : header.name !== wanted) {
    if (number === 0) refuse(`${name} is not a ${kind}: it begins with ${quoted(header.name)}`);
    refuse(`${name} has ${quoted(header.name)} where ${wanted ?? "a blob"} has to be`);
  }
  if (before.some((entry) => entry.name === header.name)) {
    refuse(`${name} has ${header.name} twice`);
  }
  if (position + entryBytes(header.sizeBytes) > MOST_FRONT_BYTES) {
    refuse(`${name} has more than ${MOST_FRONT_BYTES / MIB} MiB in front of its blobs`);
  }
  const bytes = await reader.take(header.sizeBytes);
  if (bytes.length < header.sizeBytes) refuseCut(reader, name, header.name);
  await readPadding(reader, name, header.name, header.sizeBytes);
  if (isBlob && blobName(sha256Of(bytes)) !== header.name) {
    refuse(`${name}: ${header.name} was changed, it has another digest`);
  }
  return { name: header.name, bytes };
}

async function readPadding(
  reader: ByteReader,
  name: string,
  what: string,
  sizeBytes: number,
): Promise<void> {
  const length = paddingBytes(sizeBytes);
  if (length === 0) return;
  const padding = await reader.take(length);
  if (!isZeros(padding)) refuse(`${name}: there is something other than zeros behind ${what}`);
}

/**
 * The blob that has to come next. `by`: what says so, for what is said.
 * @throws Refusal
 */
export async function readBlob(
  reader: ByteReader,
  name: string,
  blob: BlobRecord,
  { what, by }: { readonly what: string; readonly by: string },
  sink?: BlobSink,
): Promise<void> {
  const header = await reader.take(BLOCK_BYTES);
  const expected = encodeHeader({ name: blobName(blob.sha256), sizeBytes: blob.sizeBytes });
  if (!header.equals(expected)) refuseHeader(name, { what, by }, header, expected);
  const hash = createHash("sha256");
  const length = await reader.pass(blob.sizeBytes, (piece) => {
    hash.update(piece);
    return sink?.write(piece);
  });
  if (length < blob.sizeBytes) refuseCut(reader, name, what);
  const digest = hash.digest("hex");
  if (digest !== blob.sha256) {
    refuse(`${what} in ${name} was changed: its digest is ${digest}, not ${blob.sha256}`);
  }
  await readPadding(reader, name, what, blob.sizeBytes);
  await sink?.end();
}

/** `last`: what stands in front of it. @throws Refusal */
export async function readEnd(reader: ByteReader, name: string, last: string): Promise<void> {
  const end = await reader.take(END_BYTES);
  if (!isZeros(end)) {
    refuse(`${name} has ${entryIn(end)} behind its last ${last}`);
  }
  if (end.length < END_BYTES) refuseCut(reader, name, "the end");
  if (!(await reader.isAtEnd())) {
    refuse(`${name} goes on behind its end, at byte ${reader.position()}`);
  }
}

function refuseHeader(
  name: string,
  { what, by }: { readonly what: string; readonly by: string },
  found: Buffer,
  expected: Buffer,
): never {
  if (found.length < BLOCK_BYTES) {
    throw new Refusal(`${name} is cut off before ${what}`, NOTHING);
  }
  if (isZeros(found)) return refuse(`${name} ends before ${what}`);
  const [there, wanted] = [decodeHeader(found), decodeHeader(expected)];
  if (there.name === wanted.name) {
    return refuse(`${name}: the header of ${what} is not the one that ${by} gives`);
  }
  return refuse(`${name} has ${entryIn(found)} where ${what} has to be`);
}

function entryIn(bytes: Buffer): string {
  const header =
    bytes.length < BLOCK_BYTES ? undefined : decodeHeader(bytes.subarray(0, BLOCK_BYTES));
  return header === undefined || "fault" in header ? "something" : quoted(header.name);
}

function refuseCut(reader: ByteReader, name: string, what: string): never {
  return refuse(`${name} is cut off after ${reader.position()} bytes, in ${what}`);
}

export function refuse(message: string): never {
  throw new Refusal(message, NOTHING);
}
