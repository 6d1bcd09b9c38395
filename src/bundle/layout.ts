/*
 * An OCI image layout as other programs write it: a directory, or a tar of one in whatever order and with whatever
 * headers. Only the names that a layout has are looked at, and nothing is unpacked.
 * Owns: finding the contents. Believes nothing: whoever reads compares digests.
 */
import { fstatSync, lstatSync, openSync, closeSync, readSync } from "node:fs";
import { join } from "node:path";
import { Refusal, messageOf } from "../errors.ts";
import { MOST_FRONT_BYTES } from "../model/bundle-manifest.ts";
import { decodeText } from "../model/document.ts";
import { quoted } from "../model/text.ts";
import { blobName, INDEX_FILE, parseImage, parseIndex, type SignedParts } from "./oci.ts";
import { filePieces, makeReader, type Pieces } from "./pieces.ts";
import { BLOCK_BYTES, decodeSize, entryBytes, isZeros } from "./tar.ts";

export interface Layout {
  /** Undefined where there is no such file. */
  sizeOf(name: string): number | undefined;
  pieces(name: string): Pieces;
}

const NAME = /^(?:oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64})$/;
/** A bundle's has a few hundred bytes for each of 64 platforms at most. */
const MOST_INDEX_BYTES = 262_144;
/** No more fit into a manifest: each has two digests of 64 digits there. */
const MOST_FILES = MOST_FRONT_BYTES / 128;
/** Of what a tar says in front of an entry that its header has no room for. */
const MOST_EXTRA_BYTES = 65_536;

/** Of a directory or a tar. @throws Refusal */
export function openLayout(path: string): Layout {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats) throw new Refusal(`${path} is not there`);
  return stats.isDirectory() ? openDirectory(path) : openTar(path);
}

function openDirectory(path: string): Layout {
  return {
    sizeOf(name) {
      if (!NAME.test(name)) return undefined;
      const stats = lstatSync(join(path, name), { throwIfNoEntry: false });
      return stats?.isFile() === true ? stats.size : undefined;
    },
    pieces: (name) => filePieces(join(path, name)),
  };
}

function openTar(path: string): Layout {
  const places = new Map<string, { position: number; sizeBytes: number }>();
  let handle: number;
  try {
    handle = openSync(path, "r");
  } catch (error) {
    throw new Refusal(`${path} cannot be read: ${messageOf(error)}`);
  }
  try {
    for (const { name, position, sizeBytes } of tarFiles(handle, path)) {
      if (!NAME.test(name)) continue;
      if (places.has(name)) throw new Refusal(`${path} has ${name} twice`);
      if (places.size === MOST_FILES) {
        throw new Refusal(`${path} has more than ${MOST_FILES} files of a layout`);
      }
      places.set(name, { position, sizeBytes });
    }
  } finally {
    closeSync(handle);
  }
  return {
    sizeOf: (name) => places.get(name)?.sizeBytes,
    pieces: (name) => filePieces(path, places.get(name) ?? { position: 0, sizeBytes: 0 }),
  };
}

/** The plain files of a tar, wherever their contents lie. @throws Refusal */
function* tarFiles(
  handle: number,
  path: string,
): Generator<{ name: string; position: number; sizeBytes: number }> {
  const wholeBytes = fstatSync(handle).size;
  const read = (length: number, position: number): Buffer => {
    const bytes = Buffer.alloc(length);
    const count = readSync(handle, bytes, 0, length, position);
    if (count < length) throw new Refusal(`${path} is cut off after ${position + count} bytes`);
    return bytes;
  };
  let extra: Readonly<Record<string, string>> = {};
  for (let position = 0; position < wholeBytes;) {
    const block = read(BLOCK_BYTES, position);
    if (isZeros(block)) return;
    if (block.toString("latin1", 257, 262) !== "ustar" || !hasChecksum(block)) {
      throw new Refusal(`${path} is no tar of an OCI layout: no header at byte ${position}`);
    }
    const type = block.toString("latin1", 156, 157);
    const written = decodeSize(block.subarray(124, 136));
    const sizeBytes = extra["size"] === undefined ? written : Number(extra["size"]);
    if (sizeBytes === undefined || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
      throw new Refusal(`${path} has an entry without a size at byte ${position}`);
    }
    const content = position + BLOCK_BYTES;
    if (content + sizeBytes > wholeBytes) {
      throw new Refusal(`${path} is cut off: an entry at byte ${position} goes on behind its end`);
    }
    if (type === "x") {
      if (sizeBytes > MOST_EXTRA_BYTES) throw new Refusal(`${path} has a header that is too long`);
      extra = parseExtra(read(sizeBytes, content), path);
    } else {
      const name = extra["path"] ?? cString(block.subarray(0, 100));
      if (type === "0" || type === "\0") yield { name, position: content, sizeBytes };
      extra = {};
    }
    position += entryBytes(sizeBytes);
  }
}

/** pax: `LENGTH KEY=VALUE\n`, the length being that of all of it. */
function parseExtra(bytes: Buffer, path: string): Record<string, string> {
  const values: [string, string][] = [];
  for (let at = 0; at < bytes.length;) {
    const line = /^(\d{1,6}) ([^=\n]+)=/.exec(bytes.toString("latin1", at, at + 100));
    const length = Number(line?.[1]);
    if (!line || length <= line[0].length || bytes[at + length - 1] !== 0x0a) {
      throw new Refusal(`${path} has a pax header that is none`);
    }
    const value = bytes.toString("utf8", at + line[0].length, at + length - 1);
    values.push([line[2] ?? "", value]);
    at += length;
  }
  return Object.fromEntries(values);
}

function hasChecksum(block: Buffer): boolean {
  const written = decodeSize(block.subarray(148, 156));
  const sum = block.reduce(
    (total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte),
    0,
  );
  return written === sum;
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
}

/** The signed parts of the only bundle in a layout, not checked yet. @throws Refusal */
export async function readParts(layout: Layout, path: string): Promise<SignedParts> {
  const [top = "", ...others] = await readIndex(layout, INDEX_FILE, path);
  if (others.length > 0) {
    throw new Refusal(
      `${path} holds ${others.length + 1} images where one bundle has to be`,
      "copy one bundle into a layout of its own: skopeo copy --all … oci:NEW-DIRECTORY",
    );
  }
  const [image = ""] = await readIndex(layout, blobName(top), path);
  const where = `${path}: ${blobName(image)}`;
  const text = decodeText(await readSmall(layout, blobName(image), path), where);
  const digests = parseImage(text, where);
  return {
    manifest: await readSmall(layout, blobName(digests.manifest), path),
    signature: await readSmall(layout, blobName(digests.signature), path),
    chain: await readSmall(layout, blobName(digests.chain), path),
  };
}

async function readIndex(layout: Layout, name: string, path: string): Promise<string[]> {
  const where = `${path}: ${name}`;
  if ((layout.sizeOf(name) ?? 0) > MOST_INDEX_BYTES) throw new Refusal(`${where} is too large`);
  return parseIndex(decodeText(await readSmall(layout, name, path), where), where);
}

async function readSmall(layout: Layout, name: string, path: string): Promise<Buffer> {
  const sizeBytes = layout.sizeOf(name);
  if (sizeBytes === undefined) {
    throw new Refusal(
      `${path} has no ${quoted(name)}`,
      "skopeo copies all platforms of a bundle with --all",
    );
  }
  if (sizeBytes > MOST_FRONT_BYTES) throw new Refusal(`${path}: ${name} is too large`);
  const reader = makeReader(layout.pieces(name));
  try {
    return await reader.take(sizeBytes);
  } finally {
    await reader.close();
  }
}
