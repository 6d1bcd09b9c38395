/*
 * The manifest of a bundle: what the vendor signs, and all that a device goes by. JSON in one form; src/bundle/README.md
 * describes it. Owns: schema, printing, parsing, and the rules between its parts. Whether it is signed is the caller's to
 * check, over these same bytes. No I/O.
 */
import * as v from "valibot";
import { Refusal, messageOf } from "../errors.ts";
import { parseDocument, parseExact } from "./document.ts";
import { BLOCK_BYTES, hashTreeBytes } from "./hash-tree.ts";
import { MaskNameSchema } from "./mask-file.ts";
import {
  comparePackages,
  NAME,
  NAME_EXPECTED,
  parsePackageName,
  parseVersionLabel,
  type PackageName,
} from "./package-name.ts";
import { Command, Needs, ProgramVersion, Seconds } from "./package-toml.ts";
import { Major, ProductName, Release, SecurityFloor } from "./product-toml.ts";
import { MIB } from "./size.ts";
import { quoted } from "./text.ts";

/**
 * All that stands in front of a bundle's blobs, with the manifest in it: 2200 packages, counted on each platform.
 * JSON takes up to fifty times its size in memory.
 */
export const MOST_FRONT_BYTES = 2 * MIB;
export const MOST_PLATFORMS = 64;

export const PLATFORM = /^[a-z0-9][a-z0-9_-]{0,63}$/;
export const PLATFORM_EXPECTED =
  "1 to 64 of the letters a-z, digits, _ and -, a letter or digit first";

const WHAT = "manifest";
const MOST_FAULTS = 20;

export const Digest = v.pipe(
  v.string("must be a text"),
  v.regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits, small letters"),
);
export const Count = v.pipe(
  v.number("must be a number"),
  v.safeInteger("must be a whole number below 2^53"),
  v.minValue(1, "must be 1 or more"),
);
const Blob = v.strictObject({ sha256: Digest, sizeBytes: Count });

const BootFile = v.strictObject({
  name: v.pipe(v.string("must be a text"), v.regex(NAME, `must be ${NAME_EXPECTED}`)),
  sha256: Digest,
  sizeBytes: Count,
  blob: Blob,
});

const Image = v.strictObject({
  sha256: Digest,
  sizeBytes: Count,
  fileSystem: v.literal("erofs", "must be erofs: made by a newer zshield?"),
  verity: v.strictObject({
    rootHash: Digest,
    salt: Digest,
    hashOffsetBytes: Count,
    blockBytes: v.literal(BLOCK_BYTES, `must be ${BLOCK_BYTES}`),
    dataBlocks: Count,
  }),
});

const Package = v.strictObject({
  name: v.string("must be a text"),
  kind: v.picklist(["base", "extra"], "must be base or extra"),
  version: ProgramVersion,
  image: Image,
  blob: Blob,
  needs: Needs,
  start: Command,
  stop: Command,
  health: Command,
  seconds: v.strictObject({ start: Seconds, stop: Seconds, health: Seconds }),
});

const Platform = v.strictObject({
  name: v.pipe(v.string("must be a text"), v.regex(PLATFORM, `must be ${PLATFORM_EXPECTED}`)),
  masks: v.array(MaskNameSchema, "must be a list"),
  boot: v.array(BootFile, "must be a list"),
  packages: v.array(Package, "must be a list"),
});

const ManifestSchema = v.strictObject({
  format: v.literal(1, "must be 1: made by a newer zshield?"),
  vendor: Digest,
  product: ProductName,
  major: Major,
  label: v.string("must be a text"),
  release: Release,
  securityFloor: SecurityFloor,
  platforms: v.pipe(
    v.array(Platform, "must be a list"),
    v.minLength(1, "must have at least one platform"),
    v.maxLength(MOST_PLATFORMS, `must have at most ${MOST_PLATFORMS} platforms`),
  ),
});

export type BundleManifest = v.InferOutput<typeof ManifestSchema>;
export type PlatformRecord = v.InferOutput<typeof Platform>;
export type PackageRecord = v.InferOutput<typeof Package>;
export type BootRecord = v.InferOutput<typeof BootFile>;
export type ImageRecord = v.InferOutput<typeof Image>;
export type BlobRecord = v.InferOutput<typeof Blob>;

/** The bytes that are signed, as text. @throws Refusal with what is against the rules. */
export function printBundleManifest(manifest: BundleManifest): string {
  // The schema puts the keys into their order, whatever order they came in.
  const ordered = parseDocument(ManifestSchema, manifest, WHAT);
  checkRules(ordered);
  return JSON.stringify(ordered);
}

/** @throws Refusal for every text but the one that `printBundleManifest` makes. */
export function parseBundleManifest(text: string): BundleManifest {
  const manifest = parseExact(ManifestSchema, text, WHAT);
  checkRules(manifest);
  return manifest;
}

/** Each blob once, in the order in which the manifest names them, with what it is for people. */
export function listBlobs({
  platforms,
}: Pick<BundleManifest, "platforms">): (BlobRecord & { what: string })[] {
  const blobs = new Map<string, BlobRecord & { what: string }>();
  for (const { boot, packages } of platforms) {
    for (const { name, blob } of [...boot, ...packages]) {
      if (!blobs.has(blob.sha256)) blobs.set(blob.sha256, { ...blob, what: name });
    }
  }
  return [...blobs.values()];
}

/** An image or a boot file: what a blob holds. */
export interface Content {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The first that has it. */
  readonly platform: string;
  readonly item: PackageRecord | BootRecord;
}

/** Each content once, in the order in which the manifest names them. */
export function listContents({ platforms }: Pick<BundleManifest, "platforms">): Content[] {
  const contents = new Map<string, Content>();
  for (const { name: platform, boot, packages } of platforms) {
    for (const item of [...boot, ...packages]) {
      const { sha256, sizeBytes } = "image" in item ? item.image : item;
      if (!contents.has(sha256)) contents.set(sha256, { sha256, sizeBytes, platform, item });
    }
  }
  return [...contents.values()];
}

/** What is known of a package before it is packed. */
export interface Needing extends Pick<PackageRecord, "kind" | "needs"> {
  readonly name: PackageName;
}

/** What the manifest of these platforms, in their order, would be refused for. @throws Refusal with the same words. */
export function checkNeeds(platforms: readonly (readonly Needing[])[]): void {
  refuseFaults(
    platforms.flatMap((packages, platform) => {
      const kinds = new Map(packages.map(({ name, kind }) => [name.name, kind]));
      return packages.flatMap((one, index) => [
        ...faultsOfNeeds(`platforms.${platform}.packages.${index}`, one, one.name, kinds),
      ]);
    }),
  );
}

function checkRules(manifest: BundleManifest): void {
  refuseFaults(faultsOf(manifest));
}

function refuseFaults(found: Iterable<string>): void {
  const faults: string[] = [];
  for (const fault of found) {
    if (faults.push(`${WHAT}: ${fault}`) === MOST_FAULTS) break;
  }
  if (faults.length > 0) throw new Refusal(faults.join("\n"));
}

function* faultsOf(manifest: BundleManifest): Generator<string> {
  const { platforms, release, securityFloor } = manifest;
  if (securityFloor > release) {
    yield `securityFloor: is ${securityFloor}, above this release itself, ${release}`;
  }
  yield* faultsOfLabel(manifest);
  yield* faultsOfOrder(
    "platforms",
    platforms.map(({ name }) => name),
    byBytes,
  );
  for (const [index, platform] of platforms.entries()) {
    yield* faultsOfPlatform(`platforms.${index}`, platform);
  }
  yield* faultsOfBlobs(platforms);
}

function* faultsOfLabel({ product, major, label, platforms }: BundleManifest): Generator<string> {
  const read = attempt(() => parseVersionLabel(label));
  if ("fault" in read) return yield `label: ${read.fault}`;
  const found = read.value;
  if (found.product !== product) yield `label: is of ${found.product}, not of ${product}`;
  if (found.major !== major) yield `label: has the major number ${found.major}, not ${major}`;
  const names = platforms.flatMap(({ packages }) => packages.map(({ name }) => name));
  const read2 = attempt(() => sumOfRevisions(names));
  // A name that is none is told of where it stands.
  if ("fault" in read2 || read2.value === found.sum) return;
  yield `label: has the sum ${found.sum}, but the revisions give ${read2.value}`;
}

/** Of whole names, each counted once, however many platforms have it. @throws Refusal */
export function sumOfRevisions(names: readonly string[]): number {
  return [...new Set(names)]
    .map((name) => parsePackageName(name).revision)
    .reduce((sum, revision) => sum + revision, 0);
}

function* faultsOfPlatform(at: string, platform: PlatformRecord): Generator<string> {
  const { masks, boot, packages } = platform;
  yield* faultsOfOrder(
    `${at}.masks`,
    masks.map(({ bit }) => bit),
    (a, b) => a - b,
  );
  yield* faultsOfTwice(
    `${at}.masks`,
    masks.map(({ name }) => name),
  );
  yield* faultsOfOrder(
    `${at}.boot`,
    boot.map(({ name }) => name),
    byBytes,
  );
  const names: PackageName[] = [];
  for (const [index, { name, image }] of packages.entries()) {
    const where = `${at}.packages.${index}`;
    const read = attempt(() => parsePackageName(name));
    if ("fault" in read) yield `${where}.name: ${read.fault}`;
    else names.push(read.value);
    yield* faultsOfImage(`${where}.image`, image);
  }
  if (names.length < packages.length) return;
  yield* faultsOfPackages(`${at}.packages`, packages, names);
}

function* faultsOfPackages(
  at: string,
  packages: readonly PackageRecord[],
  names: readonly PackageName[],
): Generator<string> {
  const kinds = new Map(packages.map(({ kind }, index) => [names[index]?.name ?? "", kind]));
  yield* faultsOfTwice(
    at,
    names.map(({ name }) => name),
  );
  for (const [index, { kind, needs }] of packages.entries()) {
    const [before, name, former] = [packages[index - 1], names[index], names[index - 1]];
    if (!name) continue;
    if (kind === "base" && before?.kind === "extra") {
      yield `${at}.${index}: ${name.text} is base, but stands behind an extra one`;
    }
    if (before?.kind === kind && former && comparePackages(former, name) > 0) {
      yield `${at}.${index}: ${name.text} stands behind ${former.text}, but comes before it`;
    }
    yield* faultsOfNeeds(`${at}.${index}`, { kind, needs }, name, kinds);
  }
}

function* faultsOfNeeds(
  at: string,
  { kind, needs }: Pick<PackageRecord, "kind" | "needs">,
  name: PackageName,
  kinds: ReadonlyMap<string, PackageRecord["kind"]>,
): Generator<string> {
  for (const need of needs) {
    const needed = kinds.get(need);
    const fault =
      need === name.name
        ? "itself"
        : needed === undefined
          ? `${quoted(need)}, which is not there`
          : kind === "base" && needed === "extra"
            ? `${need}, which is extra, but is base itself`
            : undefined;
    if (fault !== undefined) yield `${at}.needs: ${name.text} needs ${fault}`;
  }
}

function* faultsOfImage(at: string, { sizeBytes, verity }: ImageRecord): Generator<string> {
  const { dataBlocks, hashOffsetBytes } = verity;
  if (dataBlocks < 2 || hashOffsetBytes !== dataBlocks * BLOCK_BYTES) {
    return yield `${at}.verity: ${dataBlocks} blocks and the hash tree at ${hashOffsetBytes} do not fit together`;
  }
  const whole = hashOffsetBytes + hashTreeBytes(dataBlocks);
  if (sizeBytes !== whole) yield `${at}.sizeBytes: is ${sizeBytes}, but its blocks give ${whole}`;
}

/**
 * A blob has one size and one content wherever it stands, and a content one blob: whoever goes by either digest finds what
 * the other one's way leads to.
 */
function* faultsOfBlobs(platforms: readonly PlatformRecord[]): Generator<string> {
  const contents = new Map<string, string>();
  const blobs = new Map<string, string>();
  for (const { boot, packages } of platforms) {
    const all = [
      ...boot.map(({ name, blob, sha256, sizeBytes }) => ({
        name,
        blob,
        is: { sha256, sizeBytes },
      })),
      ...packages.map(({ name, blob, image }) => ({ name, blob, is: image })),
    ];
    for (const { name, blob, is } of all) {
      const found = `${blob.sizeBytes} ${JSON.stringify(is)}`;
      const known = contents.get(blob.sha256);
      contents.set(blob.sha256, found);
      if (known !== undefined && known !== found) {
        yield `the blob of ${name}, ${blob.sha256}, is another one elsewhere`;
      }
      const knownBlob = blobs.get(is.sha256);
      blobs.set(is.sha256, blob.sha256);
      if (knownBlob !== undefined && knownBlob !== blob.sha256) {
        yield `what is in the blob of ${name}, ${is.sha256}, is in another one elsewhere`;
      }
    }
  }
}

/** Each one behind the one before, so that none is there twice. */
function* faultsOfOrder<T extends string | number>(
  at: string,
  list: readonly T[],
  compare: (a: T, b: T) => number,
): Generator<string> {
  for (const [index, item] of list.entries()) {
    const before = list[index - 1];
    if (before === undefined || compare(before, item) < 0) continue;
    yield before === item
      ? `${at}.${index}: ${item} is there twice`
      : `${at}.${index}: ${item} stands behind ${before}, but comes before it`;
  }
}

function* faultsOfTwice(at: string, names: readonly string[]): Generator<string> {
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (seen.has(name)) yield `${at}.${index}: ${name} is there twice`;
    seen.add(name);
  }
}

/** All names are ASCII. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function attempt<T>(act: () => T): { readonly value: T } | { readonly fault: string } {
  try {
    return { value: act() };
  } catch (error) {
    if (error instanceof Refusal) return { fault: messageOf(error) };
    throw error;
  }
}
