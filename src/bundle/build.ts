/*
 * Makes a bundle of a vendor's project: packs the trees that changed, signs, writes, and reads again what was written.
 * What was packed stays in the project's cache, by the digest of the tree: packing anew is slow, reading is not.
 * Owns: the order of the work, and the cache.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Refusal } from "../errors.ts";
import { sha256Of } from "../host/digest-files.ts";
import { flushFile, makeDirectory } from "../host/durable.ts";
import { readTree } from "../host/tree.ts";
import { isUnfinished, withScratch } from "../host/unfinished.ts";
import {
  checkNeeds,
  sumOfRevisions,
  type BlobRecord,
  type BootRecord,
  type BundleManifest,
  type ImageRecord,
  type Needing,
  type PackageRecord,
  type PlatformRecord,
} from "../model/bundle-manifest.ts";
import { checkReleaseChain, lastKey, type Chain } from "../model/chain.ts";
import { isDevelopment, printPublicKey, vendorOf, type SecretKey } from "../model/minisign.ts";
import { bundleFileName, isBundleFileName, versionLabel } from "../model/package-name.ts";
import type { PackageDescription } from "../model/package-toml.ts";
import { isSameKey } from "../model/signature.ts";
import { isMoment, printTime } from "../model/text.ts";
import { compressBlob, compressFile, LEVEL } from "./blob.ts";
import { describeImage, FILE_SYSTEM, openImage } from "./image.ts";
import { packTree, readOwnFile, sourceDateEpoch } from "./pack.ts";
import { checkEntries, OWN_FILE } from "./package-tree.ts";
import { filePieces } from "./pieces.ts";
import {
  CACHE_DIRECTORY,
  OUT_DIRECTORY,
  projectRoot,
  readProject,
  type Project,
  type ProjectFile,
  type ProjectPackage,
  type ProjectPlatform,
} from "./project.ts";
import { readBundle, readSigned } from "./read.ts";
import { checkSigns, openSigned, signBundle, type SignedBundle } from "./signed.ts";
import { writeBundle } from "./write.ts";

/** Another number where the same tree gives other bytes than before. */
const CACHE_FORMAT = 3;

export interface BuildOptions {
  readonly key: SecretKey;
  /** Ends with the key. */
  readonly chain: Chain;
  readonly isRelease: boolean;
  /** Default: `out` in the project. */
  readonly out: string | undefined;
  /** Every file belongs to root, whoever has it here. */
  readonly ownerRoot: boolean;
  /** Of zstd; lower ones are quicker, and for bundles that do not travel. */
  readonly level?: number;
  readonly say: (line: string) => void;
}

export interface Built {
  readonly path: string;
  readonly bundle: SignedBundle;
}

/** @throws Refusal; then there is no bundle, or the one from before */
export async function buildBundle(directory: string, options: BuildOptions): Promise<Built> {
  const { key, chain, isRelease } = options;
  // Before anything is packed, which may take long.
  checkSigns(key, chain);
  if (isRelease) checkReleaseChain(chain);
  const project = await readProject(directory);
  const out = options.out ?? join(project.root, OUT_DIRECTORY);
  await checkChainIsWhole(out, chain);
  const cache = await openCache(project, options);
  const { manifest, blobs } = await packProject(project, cache, vendorOf(chain.keys[0]));
  const parts = signBundle(manifest, key, chain);
  const known = [printPublicKey(chain.keys[0])];
  const signed = openSigned("the new bundle", parts, known);
  await makeDirectory(out);
  if (isRelease) await checkReleaseIsNew(out, signed);
  const path = join(out, bundleFileName(manifest.label));
  await checkReplaces(path, signed);
  const openBlob = ({ sha256 }: BlobRecord) => filePieces(blobs.get(sha256) ?? "");
  await writeBundle(path, signed.layout, openBlob, async (file) => {
    // What was just signed has to be what is read on a device.
    await readBundle(filePieces(file), { name: path, keys: known });
  });
  return { path, bundle: signed };
}

/** A device that knows an older key only is lost by a chain without it. @throws Refusal if a longer one was used. */
async function checkChainIsWhole(out: string, chain: Chain): Promise<void> {
  const key = lastKey(chain);
  for (const { path, bundle } of await readOthers(out)) {
    const { keys } = bundle.chain;
    if (!isSameKey(bundle.signer, key) || keys.length <= chain.keys.length) continue;
    throw new Refusal(
      `${path} is signed by a chain of ${keys.length} keys that ends with ${key.id}`,
      `name it with --chain: ${chain.keys.length === 1 ? "the key alone" : "a shorter one"} is another vendor to devices`,
    );
  }
}

/** @throws Refusal if another bundle with this release or a higher one lies there. */
async function checkReleaseIsNew(
  out: string,
  { manifest, identity, chain }: SignedBundle,
): Promise<void> {
  for (const { path, bundle } of await readOthers(out)) {
    if (bundle.identity === identity) continue;
    const { product, release } = bundle.manifest;
    // Not by `vendor`, the chain's first key: whoever follows the chain takes both.
    const isShared = bundle.chain.keys.some((one) => chain.keys.some((key) => isSameKey(one, key)));
    if (!isShared || product !== manifest.product || release < manifest.release) continue;
    throw new Refusal(
      `${path} is release ${release} already, and another one`,
      "count release up in product.toml: devices go by that number alone",
    );
  }
}

/**
 * Devices may have what lies there, and differences are made from it: its file would be the only one.
 * @throws Refusal if another bundle lies there, and no development key signed it.
 */
async function checkReplaces(path: string, { identity }: SignedBundle): Promise<void> {
  const other = existsSync(path) ? await readOther(path) : undefined;
  if (!other || other.identity === identity || isDevelopment(other.signer)) return;
  throw new Refusal(
    `${path} is release ${other.manifest.release}, signed by ${other.signer.id}, and another bundle`,
    "build with another day (SOURCE_DATE_EPOCH), count a package's revision up, or move the file elsewhere",
  );
}

async function readOthers(out: string): Promise<{ path: string; bundle: SignedBundle }[]> {
  const others: { path: string; bundle: SignedBundle }[] = [];
  for (const file of existsSync(out) ? readdirSync(out).filter(isBundleFileName) : []) {
    const path = join(out, file);
    const bundle = await readOther(path);
    if (bundle) others.push({ path, bundle });
  }
  return others;
}

/** Undefined where the file is no bundle. */
function readOther(path: string): Promise<SignedBundle | undefined> {
  const options = { name: path, keys: "whoever-signed" } as const;
  return readSigned(filePieces(path), options).catch((error: unknown) => {
    if (error instanceof Refusal) return undefined;
    throw error;
  });
}

export interface Cleaned {
  readonly removed: readonly string[];
  readonly kept: readonly { readonly path: string; readonly why: string }[];
}

/**
 * Of everything that `build` has made, whatever state the rest of the project is in. But for `released` bundles stay
 * that no development key signed: devices may have them, and differences are made from them.
 */
export async function cleanProject(directory: string, released: boolean): Promise<Cleaned> {
  const root = projectRoot(directory);
  const out = join(root, OUT_DIRECTORY);
  // All is looked at before anything goes.
  const kept = released ? [] : await findReleased(out);
  const removed: string[] = [];
  const remove = (path: string): void => {
    if (kept.some((one) => one.path === path)) return;
    if (kept.some((one) => one.path.startsWith(`${path}/`))) {
      for (const name of readdirSync(path).toSorted()) remove(join(path, name));
      return;
    }
    rmSync(path, { recursive: true });
    removed.push(path);
  };
  for (const path of [join(root, CACHE_DIRECTORY), out]) if (existsSync(path)) remove(path);
  return { removed, kept };
}

/** Under whatever name and however deep. */
async function findReleased(out: string): Promise<{ path: string; why: string }[]> {
  const kept: { path: string; why: string }[] = [];
  // Behind a link lies somebody else's directory: the link goes, and nothing in it.
  if (!lstatSync(out, { throwIfNoEntry: false })?.isDirectory()) return kept;
  for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || isUnfinished(entry.name)) continue;
    const bundle = await readOther(path);
    if (bundle && !isDevelopment(bundle.signer)) {
      kept.push({ path, why: `release ${bundle.manifest.release}, signed by ${bundle.signer.id}` });
    }
    if (!bundle && isBundleFileName(entry.name)) {
      kept.push({ path, why: "which is called a bundle and cannot be read as one" });
    }
  }
  return kept.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Where each blob lies, by its digest. */
type BlobPlaces = Map<string, string>;

async function packProject(
  project: Project,
  cache: Cache,
  vendor: string,
): Promise<{ manifest: BundleManifest; blobs: BlobPlaces }> {
  const { product, major, release, securityFloor } = project.product;
  const blobs: BlobPlaces = new Map();
  const platforms: PlatformRecord[] = [];
  let newest = project.newest;
  // Before the packing, which may take long.
  if (cache.epoch !== undefined) dayOf(cache.epoch);
  checkNeeds(project.platforms.map(({ packages }) => packages.map(needingOf)));
  for (const platform of project.platforms) {
    const packed = await packPlatform(platform, cache, blobs);
    platforms.push(packed.record);
    newest = Math.max(newest, packed.newest);
  }
  const names = platforms.flatMap(({ packages }) => packages.map(({ name }) => name));
  const date = dayOf(cache.epoch ?? newest);
  const label = versionLabel({ product, major, revisions: [sumOfRevisions(names)], date });
  const manifest: BundleManifest = {
    format: 1,
    vendor,
    product,
    major,
    label,
    release,
    securityFloor,
    platforms,
  };
  return { manifest, blobs };
}

/** A tree without its description is refused when it is packed. */
function needingOf({ name, kind, path, isPacked }: ProjectPackage): Needing {
  const own = join(path, OWN_FILE);
  const read = () => (isPacked ? describeImage(path) : readOwnFile(own, own));
  const isThere = isPacked || lstatSync(own, { throwIfNoEntry: false })?.isFile() === true;
  return { name, kind, needs: isThere ? read().needs : [] };
}

/** Some file systems hold times that no calendar has. @throws Refusal */
function dayOf(seconds: number): Date {
  if (seconds === 0 || isMoment(seconds)) return new Date(seconds * 1000);
  throw new Refusal(
    `the newest file, or SOURCE_DATE_EPOCH, has the time ${printTime(seconds)}, which is no day`,
    "find the file with find -newermt 9999-12-31 and touch it; or set SOURCE_DATE_EPOCH",
  );
}

async function packPlatform(
  { name, masks, boot, packages }: ProjectPlatform,
  cache: Cache,
  blobs: BlobPlaces,
): Promise<{ record: PlatformRecord; newest: number }> {
  const bootRecords: BootRecord[] = [];
  for (const file of boot) bootRecords.push(await packBoot(file, cache, blobs));
  const packageRecords: PackageRecord[] = [];
  let newest = 0;
  for (const one of packages) {
    const { description, image, blob, epoch } = await packPackage(one, cache);
    blobs.set(blob.sha256, cache.blob(blob));
    newest = Math.max(newest, epoch);
    const { version, needs, start, stop, health, seconds } = description;
    packageRecords.push({
      name: one.name.text,
      kind: one.kind,
      version,
      image,
      blob,
      needs,
      start,
      stop,
      health,
      seconds,
    });
  }
  return {
    record: { name, masks: [...masks], boot: bootRecords, packages: packageRecords },
    newest,
  };
}

async function packBoot(file: ProjectFile, cache: Cache, blobs: BlobPlaces): Promise<BootRecord> {
  const sha256 = await sha256Of(file.path);
  const { sizeBytes, blob } = await cache.once(`boot ${sha256}`, file.name, async (part) => {
    const blob = await compressFile(file.path, statSync(file.path).size, part, cache.level);
    if ((await sha256Of(file.path)) !== sha256) throw changed(file.path);
    return { sizeBytes: statSync(file.path).size, blob };
  });
  blobs.set(blob.sha256, cache.blob(blob));
  return { name: file.name, sha256, sizeBytes, blob };
}

interface Packed {
  readonly description: PackageDescription;
  readonly image: ImageRecord;
  readonly blob: BlobRecord;
  /** Seconds since 1970 of the newest file. */
  readonly epoch: number;
}

async function packPackage(one: ProjectPackage, cache: Cache): Promise<Packed> {
  const { path, isPacked, name } = one;
  const digest = () => (isPacked ? sha256Of(path) : treeDigest(path, cache));
  const before = await digest();
  return cache.once(before, name.text, async (part, scratch) => {
    const image = isPacked ? path : join(scratch, "image");
    const found = isPacked ? undefined : await packTree(path, name.text, image, cache.rules);
    const opened = await openImage(image, found?.image.verity.rootHash);
    const { description, sizeBytes, verity, files } = opened;
    try {
      // Whoever packed it: the rules are those of a tree.
      if (isPacked) checkEntries(await files.readEntries({ hash: false }));
    } finally {
      opened.close();
    }
    const packed: Packed = {
      description,
      image: {
        sha256: found?.image.sha256 ?? before,
        sizeBytes,
        fileSystem: FILE_SYSTEM,
        verity,
      },
      blob: await compressBlob(image, part, cache.level),
      epoch: files.superblock.epoch,
    };
    if ((await digest()) !== before) throw changed(path);
    return packed;
  });
}

async function treeDigest(path: string, { rules }: Cache): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(rules));
  for (const entry of await readTree(path, { hash: true })) hash.update(JSON.stringify(entry));
  return hash.digest("hex");
}

function changed(path: string): Refusal {
  return new Refusal(
    `${path} changed while it was packed`,
    "stop what writes there, and try again",
  );
}

// --- cache -------------------------------------------------------------------------------------

interface Cache {
  readonly epoch: number | undefined;
  readonly level: number;
  readonly rules: { readonly ownerRoot: boolean; readonly epoch: number | undefined };
  blob(blob: BlobRecord): string;
  /** What is known of `key`, or what `make` makes of it: a blob at `part`, and the record that is kept. */
  once<T extends { readonly blob: BlobRecord }>(
    key: string,
    what: string,
    make: (part: string, scratch: string) => Promise<T>,
  ): Promise<T>;
}

async function openCache(
  { root }: Project,
  { ownerRoot, level = LEVEL, say }: Pick<BuildOptions, "ownerRoot" | "level" | "say">,
): Promise<Cache> {
  const directory = join(root, CACHE_DIRECTORY);
  await mkdir(directory, { recursive: true });
  const epoch = sourceDateEpoch();
  const blobPath = ({ sha256 }: BlobRecord) => join(directory, `${sha256}.zst`);
  return {
    epoch,
    level,
    rules: { ownerRoot, epoch },
    blob: blobPath,
    async once<T extends { readonly blob: BlobRecord }>(
      key: string,
      what: string,
      make: (part: string, scratch: string) => Promise<T>,
    ): Promise<T> {
      // A newer zstd gives other bytes for the same tree.
      const version = `${CACHE_FORMAT} ${Bun.version} ${process.versions["zstd"] ?? ""}${level === LEVEL ? "" : ` ${level}`}`;
      const name = digestOf(`${version}\n${key}`);
      const file = join(directory, `${name}.json`);
      const known = readRecord<T>(file);
      if (known && sizeOf(blobPath(known.blob)) === known.blob.sizeBytes) {
        say(`unchanged  ${what}`);
        return known;
      }
      say(`packing    ${what}`);
      return withScratch(directory, async (scratch) => {
        const [part, text] = [join(scratch, "blob"), join(scratch, "record")];
        const record = await make(part, scratch);
        writeFileSync(text, printRecord(record));
        // Else a power cut could leave the names without the contents.
        for (const path of [part, text]) await flushFile(path);
        renameSync(part, blobPath(record.blob));
        renameSync(text, file);
        return record;
      });
    },
  };
}

/** In one line, with its digest in the next: what is damaged in it would be signed, and found by devices only. */
function printRecord(record: unknown): string {
  const text = JSON.stringify(record);
  return `${text}\n${digestOf(text)}\n`;
}

/** One that is cut off or damaged counts as none. */
function readRecord<T>(file: string): T | undefined {
  try {
    const [text = "", digest] = readFileSync(file, "utf8").split("\n");
    return digest === digestOf(text) ? (JSON.parse(text) as T) : undefined;
  } catch {
    return undefined;
  }
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
