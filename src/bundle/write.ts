/*
 * Writes a bundle: the entries of its layout, each blob from wherever it lies, checked as it is copied.
 * Owns: that the file is there whole, on the disk, or not at all.
 */
import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { Refusal } from "../errors.ts";
import { renameDurably } from "../host/durable.ts";
import { withUnfinishedOf } from "../host/unfinished.ts";
import { blobName, type BundleLayout, type NamedBlob } from "./oci.ts";
import type { Pieces } from "./pieces.ts";
import { encodeHeader, END_BYTES, paddingBytes } from "./tar.ts";

/**
 * `openBlob` gives the bytes of a blob; `check` looks at the file before it gets its name.
 * @throws Refusal if a blob's bytes are not those of its digest
 */
export async function writeBundle(
  path: string,
  layout: BundleLayout,
  openBlob: (blob: NamedBlob) => Pieces,
  check?: (file: string) => Promise<void>,
): Promise<void> {
  await writePieces(path, bundlePieces(layout, openBlob), check);
}

/** A file that is there whole, on the disk, or not at all. */
export async function writePieces(
  path: string,
  pieces: Pieces,
  check?: (file: string) => Promise<void>,
): Promise<void> {
  await withUnfinishedOf(path, async (making) => {
    const file = await open(making, "wx", 0o644);
    try {
      // Whatever the umask of the person.
      await file.chmod(0o644);
      for await (const piece of pieces) await writeAll(file, piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await check?.(making);
    await renameDurably(making, path);
  });
}

/** The bytes of a bundle, for a file or for a network. A piece is good only until the next one. */
export async function* bundlePieces(
  { front, blobs }: BundleLayout,
  openBlob: (blob: NamedBlob) => Pieces,
): AsyncGenerator<Uint8Array> {
  for (const { name, bytes } of front) {
    yield encodeHeader({ name, sizeBytes: bytes.length });
    yield bytes;
    yield Buffer.alloc(paddingBytes(bytes.length));
  }
  for (const blob of blobs) {
    yield encodeHeader({ name: blobName(blob.sha256), sizeBytes: blob.sizeBytes });
    const hash = createHash("sha256");
    let length = 0;
    for await (const piece of openBlob(blob)) {
      hash.update(piece);
      length += piece.length;
      if (length > blob.sizeBytes) break;
      yield piece;
    }
    if (length !== blob.sizeBytes || hash.digest("hex") !== blob.sha256) {
      throw new Refusal(
        `the blob of ${blob.what} has not the digest ${blob.sha256} any more`,
        "where it was copied from it is damaged; of a project: remove its cache/, and build again",
      );
    }
    yield Buffer.alloc(paddingBytes(blob.sizeBytes));
  }
  yield Buffer.alloc(END_BYTES);
}

async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.length;) {
    const { bytesWritten } = await file.write(piece, done, piece.length - done);
    done += bytesWritten;
  }
}
