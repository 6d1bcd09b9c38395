/*
 * The card image as a file: its bytes, unpacked where they are packed, and whether they are what they should be.
 */
import { createReadStream } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { createZstdDecompress } from "node:zlib";
import { Refusal, messageOf } from "../errors.ts";
import { digestFor, isPacked, whyNoImage } from "../model/card-image.ts";
import { MIB } from "../model/size.ts";

export interface CardImage {
  readonly path: string;
  readonly packed: boolean;
  /** Unpacked. */
  readonly sizeBytes: number;
  readonly sha256: string;
  /** The file that had this digest; absent where none lies beside the image. */
  readonly digestFile?: string;
}

/** Reads it through once. @throws Refusal where it is no whole image, or not the one of its digest file. */
export async function checkImage(
  path: string,
  onProgress: (bytes: number) => void,
): Promise<CardImage> {
  const packed = isPacked(await readHead(path));
  const hash = new Bun.CryptoHasher("sha256");
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  let sizeBytes = 0;
  try {
    for await (const piece of imageBytes({ path, packed })) {
      hash.update(piece);
      sizeBytes += piece.length;
      if (head.length < 1024) head = Buffer.concat([head, piece.subarray(0, 1024)]);
      tail = Buffer.concat([tail, piece.subarray(-512)]).subarray(-512);
      onProgress(sizeBytes);
    }
  } catch (error) {
    throw new Refusal(`${path} cannot be ${packed ? "unpacked" : "read"}: ${messageOf(error)}`);
  }
  const padded = Buffer.concat([head, Buffer.alloc(1024)]);
  const why = whyNoImage(padded, tail, sizeBytes);
  if (why !== undefined) throw new Refusal(`${path} is no whole image of a card: ${why}`);
  const sha256 = hash.digest("hex");
  const digestFile = await checkDigest(path, packed, sha256);
  return { path, packed, sizeBytes, sha256, ...(digestFile === undefined ? {} : { digestFile }) };
}

/** `card.img.sha256` beside `card.img`, and beside `card.img.zst` too: it names the unpacked image. */
async function checkDigest(
  path: string,
  packed: boolean,
  sha256: string,
): Promise<string | undefined> {
  const name = packed ? basename(path).replace(/\.zst$/, "") : basename(path);
  const file = join(dirname(path), `${name}.sha256`);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const wanted = digestFor(text, name);
  if (wanted === undefined) throw new Refusal(`${file} has no digest of ${name}`);
  if (wanted === sha256) return file;
  throw new Refusal(
    `${path} does not have the digest that ${file} names: it was changed or damaged`,
    "make the card image again (`npm run card`), or copy it again",
  );
}

/** Pieces of the unpacked image, from a byte on. */
export function imageBytes(
  { path, packed }: Pick<CardImage, "path" | "packed">,
  from = 0,
): AsyncIterable<Buffer> {
  if (!packed) return createReadStream(path, { start: from, highWaterMark: MIB });
  return skip(unpack(path), from);
}

function unpack(path: string): Readable {
  const file = createReadStream(path, { highWaterMark: MIB });
  const unpacked = createZstdDecompress({ chunkSize: MIB });
  file.on("error", (error) => unpacked.destroy(error));
  unpacked.on("close", () => file.destroy());
  return file.pipe(unpacked);
}

async function* skip(pieces: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const piece of pieces) {
    const rest = piece.subarray(left);
    left = Math.max(0, left - piece.length);
    if (rest.length > 0) yield rest;
  }
}

async function readHead(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(4), 0, 4, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new Refusal(
      `${path} cannot be read: ${messageOf(error)}`,
      "IMAGE is card.img or card.img.zst",
    );
  }
}
