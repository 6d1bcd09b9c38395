/*
 * A bundle in a file, of which single blobs are wanted. Owns: finding them. What stands there is believed only by its digest.
 */
import type { Content } from "../model/bundle-manifest.ts";
import { expandBlob } from "./blob.ts";
import { blobPositions } from "./oci.ts";
import { filePieces } from "./pieces.ts";
import { readSigned } from "./read.ts";
import type { KnownKeys, SignedBundle } from "./signed.ts";

/** A bundle's file, and where in it what lies. */
export interface OpenBundle {
  readonly path: string;
  readonly signed: SignedBundle;
  readonly positions: ReadonlyMap<string, number>;
}

/** No more than its signed part is read. @throws Refusal */
export async function openBundle(path: string, keys: KnownKeys): Promise<OpenBundle> {
  const signed = await readSigned(filePieces(path), { name: path, keys });
  return { path, signed, positions: blobPositions(signed.layout) };
}

/** Writes an image or a boot file of a bundle to `out`. @throws Refusal */
export async function expandContent(
  { path, positions }: OpenBundle,
  { item }: Pick<Content, "item">,
  out: string,
): Promise<void> {
  const position = positions.get(item.blob.sha256);
  if (position === undefined) throw new Error(`${path} has no place for ${item.name}`);
  const name = `the blob of ${item.name} in ${path}`;
  await expandBlob({ name, path, position }, out, item);
}
