/*
 * A bundle as an OCI image layout: what is neither signed nor a blob, computed from what is. The writer writes these
 * bytes, a reader compares; so nothing in a bundle is taken on its own word. Specification: opencontainers/image-spec,
 * image-layout.md, image-index.md, manifest.md.
 * Owns: the entries and their bytes, and finding the signed parts in what a registry gives back. No I/O.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import {
  listBlobs,
  MOST_FRONT_BYTES,
  type BlobRecord,
  type BundleManifest,
  type PlatformRecord,
} from "../model/bundle-manifest.ts";
import { parseForeign } from "../model/document.ts";
import { BLOCK_BYTES, END_BYTES, entryBytes } from "./tar.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const IMAGE = "application/vnd.oci.image.manifest.v1+json";
/** Ours: a registry keeps what it does not know as it is. */
export const MEDIA = {
  manifest: "application/vnd.zshield.bundle.v1+json",
  signature: "application/vnd.zshield.signature.v1",
  chain: "application/vnd.zshield.keys.v1+json",
  boot: "application/vnd.zshield.boot.v1+zstd",
  package: "application/vnd.zshield.package.v1.erofs+zstd",
} as const;

export const LAYOUT_FILE = "oci-layout";
export const INDEX_FILE = "index.json";
const LAYOUT_VERSION = "1.0.0";
/** OCI's words for processors are Go's. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/** The bytes as they are signed. */
export interface SignedParts {
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
  readonly chain: Uint8Array;
}

export interface FrontEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** `what`: the package or file that it is of, for people. */
export type NamedBlob = BlobRecord & { readonly what: string };

export interface BundleLayout {
  /** In front of the blobs, in order; the last three are signature, chain and manifest. */
  readonly front: readonly FrontEntry[];
  readonly blobs: readonly NamedBlob[];
}

export function blobName(sha256: string): string {
  return `blobs/sha256/${sha256}`;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** `manifest` is what `parts.manifest` says. @throws Refusal if no bundle can be made of it. */
export function planLayout(manifest: BundleManifest, parts: SignedParts): BundleLayout {
  const config = describe(MEDIA.manifest, parts.manifest);
  const fixed = [describe(MEDIA.signature, parts.signature), describe(MEDIA.chain, parts.chain)];
  const images = manifest.platforms.map((platform) => {
    const bytes = encode({
      schemaVersion: 2,
      mediaType: IMAGE,
      config,
      layers: [...fixed, ...layersOf(platform)],
      // Else platforms with the same packages would have one image.
      annotations: { "dev.zshield.platform": platform.name },
    });
    return { platform, bytes };
  });
  const index = encode({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: images.map(({ platform: { name }, bytes }) => ({
      ...describe(IMAGE, bytes),
      platform: { architecture: ARCHITECTURES[name] ?? name, os: "linux" },
    })),
    annotations: {
      "org.opencontainers.image.title": manifest.product,
      "org.opencontainers.image.version": manifest.label,
      "dev.zshield.release": String(manifest.release),
    },
  });
  const top = encode({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: [
      {
        ...describe(INDEX, index),
        annotations: { "org.opencontainers.image.ref.name": manifest.label },
      },
    ],
  });
  const blobs = [index, ...images.map(({ bytes }) => bytes)];
  const front = [
    { name: LAYOUT_FILE, bytes: encode({ imageLayoutVersion: LAYOUT_VERSION }) },
    { name: INDEX_FILE, bytes: top },
    ...[...blobs, parts.signature, parts.chain, parts.manifest].map((bytes) => ({
      name: blobName(sha256Of(bytes)),
      bytes,
    })),
  ];
  const layout: BundleLayout = { front, blobs: listBlobs(manifest) };
  checkLayout(layout);
  return layout;
}

function checkLayout({ front, blobs }: BundleLayout): void {
  const bytes = front.reduce((sum, entry) => sum + entryBytes(entry.bytes.length), 0);
  if (bytes > MOST_FRONT_BYTES) {
    throw new Refusal(
      `manifest and index need ${bytes} bytes, more than the ${MOST_FRONT_BYTES} that may stand in front of the blobs`,
    );
  }
  const seen = new Set<string>();
  for (const name of [
    ...front.map(({ name }) => name),
    ...blobs.map(({ sha256 }) => blobName(sha256)),
  ]) {
    if (seen.has(name)) throw new Refusal(`${name} would be there twice`);
    seen.add(name);
  }
}

/** Of the whole file. */
export function layoutBytes({ front, blobs }: BundleLayout): number {
  const sizes = [
    ...front.map(({ bytes }) => bytes.length),
    ...blobs.map(({ sizeBytes }) => sizeBytes),
  ];
  return sizes.reduce((sum, size) => sum + entryBytes(size), END_BYTES);
}

/** Where each blob begins in the file, by its digest. */
export function blobPositions({ front, blobs }: BundleLayout): Map<string, number> {
  const positions = new Map<string, number>();
  let position = front.reduce((sum, { bytes }) => sum + entryBytes(bytes.length), 0);
  for (const { sha256, sizeBytes } of blobs) {
    positions.set(sha256, position + BLOCK_BYTES);
    position += entryBytes(sizeBytes);
  }
  return positions;
}

function layersOf({ boot, packages }: PlatformRecord) {
  const all = [
    ...boot.map(({ name, blob }) => ({ name, blob, mediaType: MEDIA.boot })),
    ...packages.map(({ name, blob }) => ({ name, blob, mediaType: MEDIA.package })),
  ];
  const seen = new Set<string>();
  return all.flatMap(({ name, blob, mediaType }) => {
    if (seen.has(blob.sha256)) return [];
    seen.add(blob.sha256);
    return [
      {
        mediaType,
        digest: `sha256:${blob.sha256}`,
        size: blob.sizeBytes,
        annotations: { "org.opencontainers.image.title": name },
      },
    ];
  });
}

function describe(mediaType: string, bytes: Uint8Array) {
  return { mediaType, digest: `sha256:${sha256Of(bytes)}`, size: bytes.length };
}

function encode(document: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}

// --- what a registry gives back -----------------------------------------------------------------

const Descriptor = v.object({
  digest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, "must be a sha256 digest")),
});
const IndexSchema = v.object({
  manifests: v.pipe(v.array(Descriptor), v.minLength(1, "is empty")),
});
const ImageSchema = v.object({
  config: v.object({
    ...Descriptor.entries,
    mediaType: v.literal(MEDIA.manifest, "is not that of a bundle"),
  }),
  layers: v.pipe(v.array(Descriptor), v.minLength(2, "has no signature and no chain")),
});

/** Digests, nothing of which is to be trusted: whoever reads them compares. @throws Refusal */
export function parseIndex(text: string, name: string): string[] {
  const { manifests } = parseForeign(IndexSchema, parseJson(text, name), name);
  return manifests.map(({ digest }) => digest.slice("sha256:".length));
}

/** The digests of the signed parts, to be trusted no more. @throws Refusal */
export function parseImage(
  text: string,
  name: string,
): { readonly [part in keyof SignedParts]: string } {
  const { config, layers } = parseForeign(ImageSchema, parseJson(text, name), name);
  const [signature = "", chain = ""] = layers.map(({ digest }) => digest.slice("sha256:".length));
  return { manifest: config.digest.slice("sha256:".length), signature, chain };
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(`${name} is not JSON, or is cut off`);
  }
}
