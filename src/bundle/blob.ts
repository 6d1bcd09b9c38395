/*
 * How an image travels: its file system as one zstd frame, without the hash tree, which cannot be compressed and which the
 * receiver computes in any case to check what it got.
 * Owns: both directions, with memory that does not grow with the image. The frame is the same for the same image under
 * one version of Bun, which package.json pins; what it yields is judged by the root hash alone.
 */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, createWriteStream, openSync, renameSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import { Refusal, messageOf } from "../errors.ts";
import { withUnfinished } from "../host/unfinished.ts";
import type {
  BlobRecord,
  BootRecord,
  ImageRecord,
  PackageRecord,
} from "../model/bundle-manifest.ts";
import { KIB } from "../model/size.ts";
import { readSuperblock } from "./erofs-read.ts";
import { checkFrame, WINDOW_LOG } from "./frame.ts";
import { hashTreeOf, open } from "./image.ts";
import { sealImage } from "./pack.ts";
import { filePieces, makeReader, type Pieces } from "./pieces.ts";

/** README.md has the figures. */
export const LEVEL = 19;
/** The level's own are 24 and 22, which is 80 MiB; these are 20, so that a device can make a whole bundle again. */
const CHAIN_LOG = 22;
const HASH_LOG = 20;
/** Small: what was read or written waits for the collector. */
const PIECE_BYTES = 128 * KIB;
/** After so many pieces it is called: left to itself it lets them pile up. */
const COLLECT_PIECES = 256;

/** The image must be whole: it is not checked here. */
export async function compressBlob(image: string, out: string, level = LEVEL): Promise<BlobRecord> {
  return compressFile(image, dataBytesOf(image), out, level);
}

/** The first `sizeBytes` of a file as one frame: an image's file system, or all of a boot file. */
export function compressFile(
  path: string,
  sizeBytes: number,
  out: string,
  level = LEVEL,
): Promise<BlobRecord> {
  return compressPieces(filePieces(path, { position: 0, sizeBytes }), sizeBytes, out, level);
}

/** The frame does not depend on how the bytes come. It is not flushed. */
export async function compressPieces(
  pieces: Pieces,
  sizeBytes: number,
  out: string,
  level = LEVEL,
): Promise<BlobRecord> {
  const making = `${out}.part`;
  const hash = createHash("sha256");
  let blobBytes = 0;
  await withUnfinished(making, async () => {
    await pipeline(
      exactPieces(pieces),
      createZstdCompress({
        pledgedSrcSize: sizeBytes,
        chunkSize: PIECE_BYTES,
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_windowLog]: WINDOW_LOG,
          [constants.ZSTD_c_chainLog]: CHAIN_LOG,
          [constants.ZSTD_c_hashLog]: HASH_LOG,
          [constants.ZSTD_c_contentSizeFlag]: 1,
          [constants.ZSTD_c_checksumFlag]: 0,
        },
      }),
      async function* (pieces: AsyncIterable<Buffer>) {
        for await (const piece of pieces) {
          hash.update(piece);
          blobBytes += piece.length;
          yield piece;
        }
      },
      createWriteStream(making),
    );
    renameSync(making, out);
  });
  return { sha256: hash.digest("hex"), sizeBytes: blobBytes };
}

/** zstd ends blocks where its input does, and a read may be short: all but the last have one size. */
async function* exactPieces(pieces: Pieces): AsyncGenerator<Buffer> {
  const reader = makeReader(pieces);
  try {
    for (let count = 1; !(await reader.isAtEnd()); count += 1) {
      yield await reader.take(PIECE_BYTES);
      if (count % COLLECT_PIECES === 0) Bun.gc(true);
    }
  } finally {
    await reader.close();
  }
}

/** What the manifest says of a package or a boot file. */
export type Wanted =
  Pick<PackageRecord, "image" | "blob"> | Pick<BootRecord, "sha256" | "sizeBytes" | "blob">;

/** Where a blob lies: all of a file, or from `position` on as many bytes as it should have. */
export interface BlobPlace {
  /** For what is said. */
  readonly name: string;
  readonly path: string;
  readonly position?: number;
}

/** Makes again what was packed; it is not flushed. @throws Refusal if blob or content are not the wanted ones; then there is no file. */
export async function expandBlob(place: BlobPlace, out: string, wanted: Wanted): Promise<void> {
  const making = `${out}.part`;
  await withUnfinished(making, async () => {
    const sha256 = await unpack(place, making, wanted.blob, blobContentBytes(wanted));
    if ("image" in wanted) await sealWanted(making, place.name, wanted.image);
    else if (sha256 !== wanted.sha256) throw strange(place.name, "file");
    renameSync(making, out);
  });
}

/** Of what is in the frame: an image has its hash tree behind that. */
export function blobContentBytes(wanted: Wanted): number {
  return "image" in wanted ? wanted.image.verity.hashOffsetBytes : wanted.sizeBytes;
}

/** Returns the digest of what was in the frame. */
async function unpack(
  { name, path, position }: BlobPlace,
  out: string,
  blob: BlobRecord,
  contentBytes: number,
): Promise<string> {
  const range =
    position === undefined ? {} : { start: position, end: position + blob.sizeBytes - 1 };
  const [blobHash, hash] = [createHash("sha256"), createHash("sha256")];
  const frame = checkFrame(contentBytes);
  await pipeline(
    createReadStream(path, { ...range, highWaterMark: PIECE_BYTES }),
    async function* (pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        blobHash.update(piece);
        await frame.write(piece);
        yield piece;
      }
      await frame.end();
    },
    // It gives no byte more than the frame's head says, and no less.
    createZstdDecompress({ chunkSize: PIECE_BYTES }),
    async function* (pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        hash.update(piece);
        yield piece;
      }
    },
    createWriteStream(out),
  ).catch((error: unknown) => {
    const refusal = new Refusal(`${name} cannot be unpacked: ${messageOf(error)}`);
    // So that a full disk can be told from a damaged blob.
    refusal.cause = error;
    throw refusal;
  });
  if (blobHash.digest("hex") !== blob.sha256) {
    throw new Refusal(`${name} is not the blob that was wanted`);
  }
  return hash.digest("hex");
}

async function sealWanted(path: string, name: string, wanted: ImageRecord): Promise<void> {
  const handle = openSync(path, "r+");
  try {
    checkPlan(handle, name, wanted);
    const found = await sealImage(handle, wanted.verity.dataBlocks);
    const { rootHash } = found.verity;
    if (found.sha256 !== wanted.sha256 || rootHash !== wanted.verity.rootHash) {
      throw strange(name, "image");
    }
  } finally {
    closeSync(handle);
  }
}

function strange(name: string, what: string): Refusal {
  return new Refusal(`${name} does not hold the ${what} that was wanted`);
}

/** @throws Refusal if the numbers are not those that the superblock gives. */
function checkPlan(handle: number, name: string, { verity }: ImageRecord): void {
  const tree = hashTreeOf(readSuperblock(handle));
  for (const key of ["salt", "dataBlocks", "hashOffsetBytes", "blockBytes"] as const) {
    if (tree[key] !== verity[key]) {
      throw new Refusal(`${name} holds an image with the ${key} ${tree[key]}, not ${verity[key]}`);
    }
  }
}

function dataBytesOf(image: string): number {
  const handle = open(image);
  try {
    return hashTreeOf(readSuperblock(handle)).hashOffsetBytes;
  } finally {
    closeSync(handle);
  }
}
