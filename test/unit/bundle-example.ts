/*
 * A small bundle in memory: two platforms, three packages and a boot file, the contents of which are random bytes.
 */
import { randomBytes } from "node:crypto";
import { openSigned, signBundle, type SignedBundle } from "../../src/bundle/signed.ts";
import { sha256Of } from "../../src/bundle/oci.ts";
import type { Pieces } from "../../src/bundle/pieces.ts";
import { bundlePieces } from "../../src/bundle/write.ts";
import type { BundleManifest, PackageRecord } from "../../src/model/bundle-manifest.ts";
import { chainOf, type Chain } from "../../src/model/chain.ts";
import { printPublicKey, vendorOf, type SecretKey } from "../../src/model/minisign.ts";
import { keyOf } from "./key-example.ts";

export const KEY = keyOf(7);

export interface Example {
  readonly manifest: BundleManifest;
  readonly signed: SignedBundle;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  readonly bytes: Buffer;
}

export function packageOf(
  name: string,
  content: Uint8Array,
  other: Partial<PackageRecord> = {},
): PackageRecord {
  return {
    name,
    kind: "base",
    version: "2.1.11-1",
    image: {
      sha256: sha256Of(Buffer.from(`image of ${sha256Of(content)}`)),
      sizeBytes: 3 * 4096,
      fileSystem: "erofs",
      verity: {
        rootHash: "a".repeat(64),
        salt: "b".repeat(64),
        hashOffsetBytes: 2 * 4096,
        blockBytes: 4096,
        dataBlocks: 2,
      },
    },
    blob: { sha256: sha256Of(content), sizeBytes: content.length },
    needs: [],
    start: [],
    stop: [],
    health: [],
    seconds: { start: 60, stop: 60, health: 60 },
    ...other,
  };
}

/** `sizes`: of the contents of zfs, nvr, tools-oem and vmlinuz. */
export function exampleManifest(
  contents: readonly Uint8Array[],
  key: SecretKey = KEY,
): BundleManifest {
  const [zfs, nvr, tools, kernel] = contents;
  if (!zfs || !nvr || !tools || !kernel) throw new Error("four contents are needed");
  return {
    format: 1,
    vendor: vendorOf(key),
    product: "video",
    major: 4,
    label: "video-4.6.1122",
    release: 17,
    securityFloor: 12,
    platforms: [
      {
        name: "aarch64",
        masks: [],
        boot: [],
        packages: [packageOf("zfs-1.0.8.1-7.2-000000", zfs)],
      },
      {
        name: "x86_64",
        masks: [{ bit: 0, name: "video", description: "records video" }],
        boot: [
          {
            name: "vmlinuz",
            sha256: "c".repeat(64),
            sizeBytes: 9000,
            blob: { sha256: sha256Of(kernel), sizeBytes: kernel.length },
          },
        ],
        packages: [
          packageOf("zfs-1.0.8.1-7.2-000000", zfs),
          packageOf("nvr-1.0.8.1-7.3-000001", nvr, {
            needs: ["zfs"],
            start: ["/usr/bin/nvr", "--daemon"],
          }),
          packageOf("tools-oem-1.0.8.1-9.1-400001", tools, { kind: "extra", needs: ["nvr"] }),
        ],
      },
    ],
  };
}

/** `change`: what is different from the example, before it is signed. */
export async function exampleBundle(
  options: {
    readonly sizes?: readonly [number, number, number, number];
    readonly contents?: readonly Uint8Array[];
    readonly key?: SecretKey;
    readonly chain?: Chain;
    readonly change?: (manifest: BundleManifest) => BundleManifest;
  } = {},
): Promise<Example> {
  const { sizes = [300, 512, 1025, 4000], key = KEY } = options;
  const contents = options.contents ?? sizes.map((size) => new Uint8Array(randomBytes(size)));
  const plain = exampleManifest(contents, key);
  const manifest = options.change?.(plain) ?? plain;
  const parts = signBundle(manifest, key, options.chain ?? chainOf(key));
  const signed = openSigned("the example", parts, [printPublicKey(key)]);
  const blobs = new Map(contents.map((content) => [sha256Of(content), content]));
  const pieces: Uint8Array[] = [];
  const all = bundlePieces(signed.layout, ({ sha256 }) => of(blobs.get(sha256)));
  for await (const piece of all) pieces.push(Uint8Array.from(piece));
  return { manifest, signed, blobs, bytes: Buffer.concat(pieces) };
}

/** A stream of one piece, or of pieces of so many bytes. */
export async function* of(bytes: Uint8Array | undefined, pieceBytes = Infinity): Pieces {
  if (!bytes) throw new Error("there is no such blob");
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    yield bytes.subarray(from, from + pieceBytes);
  }
}
