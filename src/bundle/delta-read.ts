/*
 * Reads a difference between two bundles: the signed part of the newer one first, then what is carried, every byte of it. Nothing
 * is applied before all of it was read and found right.
 * Owns: when a difference counts, and where in the file its parts lie.
 */
import { Refusal } from "../errors.ts";
import {
  checkDelta,
  DELTA_FILE,
  newContents,
  parseDelta,
  type Delta,
  type DeltaPart,
} from "../model/bundle-delta.ts";
import { listContents, type Content } from "../model/bundle-manifest.ts";
import { decodeText } from "../model/document.ts";
import { printPublicKey } from "../model/minisign.ts";
import { readBlob, readEnd, readEntry } from "./entries.ts";
import type { FrontEntry } from "./oci.ts";
import { makeReader, type ByteReader, type Pieces } from "./pieces.ts";
import { openSigned, type KnownKeys, type SignedBundle } from "./signed.ts";
import { BLOCK_BYTES } from "./tar.ts";

const FIRST = [DELTA_FILE];
/** Of delta.json, which is not signed: more of it would only cost memory. */
const MOST_HEAD_BYTES = 200;
const MOST_PART_BYTES = 300;

export interface DeltaOptions {
  /** Of the file, for what is said. */
  readonly name: string;
  /** What it is to be applied to. */
  readonly older: SignedBundle;
  /** Undefined: as a device that has taken the older bundle, which knows that one's last key. */
  readonly keys: readonly string[] | undefined;
}

export interface DeltaFront {
  readonly delta: Delta;
  /** The newer one. */
  readonly bundle: SignedBundle;
}

export interface PlacedPart {
  readonly part: DeltaPart;
  readonly content: Content;
  /** Where its bytes begin in the file. */
  readonly position: number;
}

export interface OpenDelta extends DeltaFront {
  readonly parts: readonly PlacedPart[];
}

/** The whole of it, up to the stream's end. @throws Refusal */
export async function readDelta(source: Pieces, options: DeltaOptions): Promise<OpenDelta> {
  const reader = makeReader(source);
  try {
    const front = await readDeltaFront(reader, options);
    return { ...front, parts: await readParts(reader, front, options) };
  } finally {
    await reader.close();
  }
}

/** Two functions, so that a test can damage each part alone. @throws Refusal */
export async function readDeltaFront(
  reader: ByteReader,
  { name, older, keys }: DeltaOptions,
): Promise<DeltaFront> {
  const found: FrontEntry[] = [];
  const next = async (): Promise<Uint8Array> => {
    const entry = await readEntry(reader, { name, kind: "difference", first: FIRST }, found);
    found.push(entry);
    return entry.bytes;
  };
  const text = await next();
  const [signature, chain, manifest] = [await next(), await next(), await next()];
  const bundle = openSigned(name, { signature, chain, manifest }, keys ?? keysAfter(older));
  const what = `${DELTA_FILE} in ${name}`;
  const contents = listContents(bundle.manifest).length;
  if (text.length > MOST_HEAD_BYTES + contents * MOST_PART_BYTES) {
    throw new Refusal(`${what} is longer than what it can have to say`);
  }
  const delta = parseDelta(decodeText(text, what), what);
  if (delta.old !== older.identity) {
    throw new Refusal(
      `${name} is for another bundle: for the one with the identity ${delta.old}, not ${older.identity}`,
      "zshield bundle inspect shows a bundle's identity",
    );
  }
  checkDelta(name, delta, older.manifest, bundle.manifest);
  return { delta, bundle };
}

/** @throws Refusal */
export async function readParts(
  reader: ByteReader,
  { delta, bundle }: DeltaFront,
  { name, older }: DeltaOptions,
): Promise<PlacedPart[]> {
  const parts: PlacedPart[] = [];
  for (const [index, { content }] of newContents(older.manifest, bundle.manifest).entries()) {
    const part = delta.parts[index];
    if (!part) throw new Error("the parts were checked before");
    const position = reader.position() + BLOCK_BYTES;
    const what = `part ${index + 1}, of ${content.item.name},`;
    await readBlob(reader, name, part, { what, by: DELTA_FILE });
    parts.push({ part, content, position });
  }
  await readEnd(reader, name, "part");
  return parts;
}

/** Whom a device trusts that has taken this bundle. */
export function keysAfter({ signer }: SignedBundle): KnownKeys {
  return [printPublicKey(signer)];
}
