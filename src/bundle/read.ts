/*
 * Reads a bundle from a stream and believes nothing: signature and manifest come first, then every byte is either
 * hashed or compared with what the signed part gives. Who wants the blobs gets them as they pass, and is told of each
 * one whether it was right.
 * Owns: the only way by which a bundle counts. Stores nothing; memory does not grow with the bundle.
 */
import { createHash } from "node:crypto";
import { Refusal } from "../errors.ts";
import { MOST_FRONT_BYTES, MOST_PLATFORMS, type BlobRecord } from "../model/bundle-manifest.ts";
import { MIB } from "../model/size.ts";
import { quoted } from "../model/text.ts";
import { blobName, INDEX_FILE, LAYOUT_FILE, sha256Of, type FrontEntry } from "./oci.ts";
import { makeReader, type ByteReader, type Pieces } from "./pieces.ts";
import { openSigned, type KnownKeys, type SignedBundle } from "./signed.ts";
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
/** How a signature begins, and nothing else in front of it. */
const SIGNATURE_START = "untrusted comment: ";
/** oci-layout, index.json, the image index, an image for each platform. */
const MOST_COMPUTED = 3 + MOST_PLATFORMS;

export interface BlobSink {
  /** A piece is good only until this is done. */
  write(piece: Uint8Array): void | Promise<void>;
  /** Every byte was there, and the digest is right. Not called otherwise. */
  end(): void | Promise<void>;
}

export interface ReadOptions {
  /** Of the file, for what is said. */
  readonly name: string;
  readonly keys: KnownKeys;
  /** Everything in front of the blobs is as it has to be. */
  readonly onManifest?: (bundle: SignedBundle) => void | Promise<void>;
  /** Undefined: the blob is checked, and not wanted. */
  readonly onBlob?: (blob: BlobRecord) => BlobSink | undefined;
}

/** The whole of it, up to the stream's end. @throws Refusal */
export async function readBundle(source: Pieces, options: ReadOptions): Promise<SignedBundle> {
  const reader = makeReader(source);
  try {
    const bundle = await readFront(reader, options);
    await options.onManifest?.(bundle);
    await readBlobs(reader, bundle, options);
    return bundle;
  } finally {
    await reader.close();
  }
}

/** No further than the manifest. @throws Refusal */
export async function readSigned(
  source: Pieces,
  options: Pick<ReadOptions, "name" | "keys">,
): Promise<SignedBundle> {
  const reader = makeReader(source);
  try {
    return await readFront(reader, options);
  } finally {
    await reader.close();
  }
}

/** What stands in front of the blobs. Two functions, so that a test can damage each part alone. @throws Refusal */
export async function readFront(
  reader: ByteReader,
  { name, keys }: Pick<ReadOptions, "name" | "keys">,
): Promise<SignedBundle> {
  const found: FrontEntry[] = [];
  const next = async (): Promise<FrontEntry> => {
    const entry = await readEntry(reader, name, found);
    found.push(entry);
    return entry;
  };
  let signature = await next();
  while (!startsAsSignature(signature)) {
    if (found.length > MOST_COMPUTED) refuse(`${name} has no signature where one has to be`);
    signature = await next();
  }
  const chain = await next();
  const manifest = await next();
  const bundle = openSigned(
    name,
    { signature: signature.bytes, chain: chain.bytes, manifest: manifest.bytes },
    keys,
  );
  compareFront(name, found, bundle.layout.front);
  return bundle;
}

/** The blobs and the end. @throws Refusal */
export async function readBlobs(
  reader: ByteReader,
  bundle: SignedBundle,
  { name, onBlob }: Pick<ReadOptions, "name" | "onBlob">,
): Promise<void> {
  for (const blob of bundle.layout.blobs) {
    const what = `the blob of ${blob.what}`;
    const header = await reader.take(BLOCK_BYTES);
    const expected = encodeHeader({ name: blobName(blob.sha256), sizeBytes: blob.sizeBytes });
    if (!header.equals(expected)) refuseHeader(name, what, header, expected);
    const sink = onBlob?.(blob);
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
  const end = await reader.take(END_BYTES);
  if (!isZeros(end)) {
    refuse(`${name} has ${entryIn(end)} behind its last blob`);
  }
  if (end.length < END_BYTES) refuseCut(reader, name, "the end");
  if (!(await reader.isAtEnd())) {
    refuse(`${name} goes on behind its end, at byte ${reader.position()}`);
  }
}

async function readEntry(
  reader: ByteReader,
  name: string,
  before: readonly FrontEntry[],
): Promise<FrontEntry> {
  const number = before.length;
  const wanted = [LAYOUT_FILE, INDEX_FILE][number];
  const what = wanted ?? `entry ${number + 1}`;
  const position = reader.position();
  const block = await reader.take(BLOCK_BYTES);
  if (block.length === 0 && number === 0) refuse(`${name} is empty`);
  if (block.length < BLOCK_BYTES) refuseCut(reader, name, what);
  const header = decodeHeader(block);
  if (isZeros(block)) refuse(`${name} ends before its signed manifest`);
  if ("fault" in header) {
    if (number === 0 && header.name !== LAYOUT_FILE) refuse(`${name} is not a bundle`);
    refuse(
      `${name}: the header of ${quoted(header.name)} has a ${header.fault} that is not in the one permitted form`,
    );
  }
  const isBlob = /^blobs\/sha256\/[0-9a-f]{64}$/.test(header.name);
  if (wanted === undefined ? !isBlob : header.name !== wanted) {
    if (number === 0) refuse(`${name} is not a bundle: it begins with ${quoted(header.name)}`);
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
  if (padding.length < length) refuseCut(reader, name, what);
}

function startsAsSignature({ name, bytes }: FrontEntry): boolean {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return (
    name !== LAYOUT_FILE &&
    name !== INDEX_FILE &&
    start.toString("latin1", 0, SIGNATURE_START.length) === SIGNATURE_START
  );
}

/** @throws Refusal for the first entry that is not as the signed part gives it. */
function compareFront(
  name: string,
  found: readonly FrontEntry[],
  expected: readonly FrontEntry[],
): void {
  const words = [LAYOUT_FILE, INDEX_FILE, "the image index"];
  for (const [index, entry] of expected.entries()) {
    const isSigned = index >= expected.length - 3;
    const what =
      words[index] ??
      (isSigned
        ? (["the signature", "the key chain", "the manifest"][index - expected.length + 3] ?? "")
        : `image ${index - 2}`);
    const there = found[index];
    if (there === undefined) return refuse(`${name}: ${entry.name} is missing`);
    if (there.name !== entry.name || !Buffer.from(there.bytes).equals(entry.bytes)) {
      refuse(`${name}: ${what} is not the one that the signed manifest gives`);
    }
  }
  const extra = found[expected.length];
  if (extra !== undefined) refuse(`${name} has ${extra.name}, which does not belong to it`);
}

function refuseHeader(name: string, what: string, found: Buffer, expected: Buffer): never {
  if (found.length < BLOCK_BYTES) {
    throw new Refusal(`${name} is cut off before ${what}`, NOTHING);
  }
  if (isZeros(found)) return refuse(`${name} ends before ${what}`);
  const [there, wanted] = [decodeHeader(found), decodeHeader(expected)];
  if (there.name === wanted.name) {
    return refuse(`${name}: the header of ${what} is not the one that the signed manifest gives`);
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

function refuse(message: string): never {
  throw new Refusal(message, NOTHING);
}
