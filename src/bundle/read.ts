/*
 * Reads a bundle from a stream and believes nothing: signature and manifest come first, then every byte is either
 * hashed or compared with what the signed part gives. Who wants the blobs gets them as they pass, and is told of each
 * one whether it was right.
 * Owns: the only way by which a bundle counts. Stores nothing; memory does not grow with the bundle.
 */
import { MOST_PLATFORMS, type BlobRecord } from "../model/bundle-manifest.ts";
import { readBlob, readEnd, readEntry, refuse, type BlobSink } from "./entries.ts";
import { INDEX_FILE, LAYOUT_FILE, type FrontEntry } from "./oci.ts";
import { makeReader, type ByteReader, type Pieces } from "./pieces.ts";
import { openSigned, type KnownKeys, type SignedBundle } from "./signed.ts";

const FIRST = [LAYOUT_FILE, INDEX_FILE];
/** How a signature begins, and nothing else in front of it. */
const SIGNATURE_START = "untrusted comment: ";
/** oci-layout, index.json, the image index, an image for each platform. */
const MOST_COMPUTED = 3 + MOST_PLATFORMS;

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
    const entry = await readEntry(reader, { name, kind: "bundle", first: FIRST }, found);
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
  const by = "the signed manifest";
  for (const blob of bundle.layout.blobs) {
    await readBlob(reader, name, blob, { what: `the blob of ${blob.what}`, by }, onBlob?.(blob));
  }
  await readEnd(reader, name, "blob");
}

function startsAsSignature({ bytes }: FrontEntry): boolean {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return start.toString("latin1", 0, SIGNATURE_START.length) === SIGNATURE_START;
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
}
