/*
 * Makes a difference between two bundles: for each image that the older one has not, zdiff1 where that is smaller, else its blob.
 * Owns: the decision, and that the file is there whole, on the disk, or not at all.
 */
import { statSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Refusal } from "../errors.ts";
import { sha256Of } from "../host/digest-files.ts";
import { publishNew } from "../host/durable.ts";
import { takenName } from "../host/new-file.ts";
import { withUnfinishedOf } from "../host/unfinished.ts";
import {
  DELTA_FILE,
  newContents,
  printDelta,
  type DeltaPart,
  type NewContent,
} from "../model/bundle-delta.ts";
import { listContents, MOST_FRONT_BYTES, type Content } from "../model/bundle-manifest.ts";
import { keysAfter, readDelta } from "./delta-read.ts";
import { blobName, sha256Of as digestOf, type FrontEntry } from "./oci.ts";
import { expandContent, openBundle, type OpenBundle } from "./open.ts";
import { filePieces, type Pieces } from "./pieces.ts";
import type { SignedBundle } from "./signed.ts";
import { encodeHeader, END_BYTES, entryBytes, paddingBytes } from "./tar.ts";
import { writePieces } from "./write.ts";
import { applyDifference } from "./zdiff.ts";
import { makeDifference } from "./zdiff/make.ts";

/** What becomes of an image or a boot file. */
export interface Decision {
  readonly name: string;
  /** What the difference begins with. */
  readonly before: string | undefined;
  readonly method: "unchanged" | DeltaPart["method"];
  readonly carriedBytes: number;
  /** Of the blob, which travels without a difference. */
  readonly wholeBytes: number;
}

export interface MadeDelta {
  readonly older: SignedBundle;
  readonly newer: SignedBundle;
  readonly decisions: readonly Decision[];
  readonly sizeBytes: number;
}

export interface MakeOptions {
  /** Public keys that lead to both bundles; undefined: the newer one follows the older one's last key. */
  readonly keys: readonly string[] | undefined;
  readonly onStart: (older: SignedBundle, newer: SignedBundle) => void;
  readonly onDecision: (decision: Decision) => void;
}

/** @throws Refusal; then there is no file */
export async function makeDelta(
  oldPath: string,
  newPath: string,
  out: string,
  { keys, onStart, onDecision }: MakeOptions,
): Promise<MadeDelta> {
  const older = await openBundle(oldPath, keys ?? "whoever-signed");
  const newer = await openBundle(newPath, keys ?? keysAfter(older.signed));
  onStart(older.signed, newer.signed);
  return withUnfinishedOf(out, async (scratch) => {
    await mkdir(scratch);
    const carried = new Map<string, Carried>();
    const decisions: Decision[] = [];
    const news = newContents(older.signed.manifest, newer.signed.manifest);
    for (const content of listContents(newer.signed.manifest)) {
      const one = news.find((candidate) => candidate.content.sha256 === content.sha256);
      const made = one && (await carry(older, newer, one, join(scratch, String(carried.size))));
      if (made) carried.set(content.sha256, made);
      const decision = describe(content, one, made);
      decisions.push(decision);
      onDecision(decision);
    }
    const file = join(scratch, "difference");
    await writeDelta(file, older.signed, newer, [...carried.values()]);
    const { size } = statSync(file);
    // What was just written has to be what is read where it is applied.
    await readDelta(filePieces(file), { name: out, older: older.signed, keys });
    if (!(await publishNew(file, out, () => undefined))) throw takenName(out);
    return { older: older.signed, newer: newer.signed, decisions, sizeBytes: size };
  });
}

interface Carried {
  readonly part: DeltaPart;
  /** Where the difference lies; undefined for a blob of the newer bundle. */
  readonly path: string | undefined;
}

async function carry(
  older: OpenBundle,
  newer: OpenBundle,
  { content, before }: NewContent,
  path: string,
): Promise<Carried> {
  const { blob } = content.item;
  const full: Carried = {
    part: { image: content.sha256, method: "full", sizeBytes: blob.sizeBytes, sha256: blob.sha256 },
    path: undefined,
  };
  if (!before) return full;
  const [old, fresh, again] = [`${path}.old`, `${path}.new`, `${path}.again`];
  try {
    await expandContent(older, before, old);
    await expandContent(newer, content, fresh);
    const { sizeBytes } = await makeDifference(old, fresh, path, treeOf(content));
    if (sizeBytes >= blob.sizeBytes) return full;
    const applied = await applyDifference(old, { path }, again, content.sizeBytes);
    if (applied.sha256 !== content.sha256) {
      throw new Error(`the difference for ${content.item.name} does not make it`);
    }
    const { sha256: image } = content;
    const sha256 = await sha256Of(path);
    return { part: { image, from: before.sha256, method: "zdiff1", sizeBytes, sha256 }, path };
  } finally {
    for (const file of [old, fresh, again]) await rm(file, { force: true });
  }
}

function treeOf({ item }: Content) {
  if (!("image" in item)) return {};
  const { hashOffsetBytes, dataBlocks, salt } = item.image.verity;
  return { tree: { startByte: hashOffsetBytes, dataBlocks, salt: Buffer.from(salt, "hex") } };
}

function describe(
  { item: { name, blob } }: Content,
  one: NewContent | undefined,
  made: Carried | undefined,
): Decision {
  const method = made?.part.method ?? "unchanged";
  return {
    name,
    before: method === "zdiff1" ? one?.before?.item.name : undefined,
    method,
    carriedBytes: made?.part.sizeBytes ?? 0,
    wholeBytes: blob.sizeBytes,
  };
}

async function writeDelta(
  path: string,
  older: SignedBundle,
  newer: OpenBundle,
  carried: readonly Carried[],
): Promise<void> {
  const parts = carried.map(({ part }) => part);
  const text = printDelta({ format: 1, old: older.identity, parts });
  const front = [
    { name: DELTA_FILE, bytes: new TextEncoder().encode(text) },
    ...[newer.signed.parts.signature, newer.signed.parts.chain, newer.signed.parts.manifest].map(
      (bytes) => ({ name: blobName(digestOf(bytes)), bytes }),
    ),
  ];
  const frontBytes = front.reduce((sum, { bytes }) => sum + entryBytes(bytes.length), 0);
  if (frontBytes > MOST_FRONT_BYTES) {
    throw new Refusal(
      `the manifest and ${DELTA_FILE} need ${frontBytes} bytes, more than ${MOST_FRONT_BYTES}`,
    );
  }
  await writePieces(path, deltaPieces(front, newer, carried));
}

async function* deltaPieces(
  front: readonly FrontEntry[],
  { path: newPath, positions }: OpenBundle,
  carried: readonly Carried[],
): Pieces {
  for (const { name, bytes } of front) {
    yield encodeHeader({ name, sizeBytes: bytes.length });
    yield bytes;
    yield Buffer.alloc(paddingBytes(bytes.length));
  }
  for (const { part, path } of carried) {
    const { sha256, sizeBytes } = part;
    yield encodeHeader({ name: blobName(sha256), sizeBytes });
    const position = path === undefined ? (positions.get(sha256) ?? 0) : 0;
    yield* filePieces(path ?? newPath, { position, sizeBytes });
    yield Buffer.alloc(paddingBytes(sizeBytes));
  }
  yield Buffer.alloc(END_BYTES);
}
