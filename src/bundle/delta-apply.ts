/*
 * Applies a difference to the older bundle: the newer one's images, each with the digest that its signed manifest names, and on
 * demand the newer bundle itself.
 * Owns: that all of it is there in the end, or nothing; one image at a time is worked on, so memory and room do not grow with
 * the bundle.
 */
import { lstatSync, renameSync, rmdirSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Refusal, messageOf } from "../errors.ts";
import { sha256Of } from "../host/digest-files.ts";
import { makeDirectory, publishNew } from "../host/durable.ts";
import { takenName } from "../host/new-file.ts";
import { markUnfinished, unfinishedIn, unfinishedOf } from "../host/unfinished.ts";
import { listContents, type Content } from "../model/bundle-manifest.ts";
import { blobContentBytes, compressFile, expandBlob } from "./blob.ts";
import { readDelta, type PlacedPart } from "./delta-read.ts";
import { expandContent, openBundle, type OpenBundle } from "./open.ts";
import { filePieces, type Pieces } from "./pieces.ts";
import type { SignedBundle } from "./signed.ts";
import { writeBundle } from "./write.ts";
import { applyDifference } from "./zdiff.ts";

/** Where what is made goes; at least one of the two. */
export interface ApplyTargets {
  /** The newer bundle. */
  readonly out: string | undefined;
  /** A directory for images and boot files, each called by its digest. */
  readonly images: string | undefined;
}

export interface ApplyOptions {
  /** Public keys that lead to both bundles; undefined: the newer one follows the older one's last key. */
  readonly keys: readonly string[] | undefined;
  /** All of the difference was read and is right; nothing is written yet. */
  readonly onManifest: (newer: SignedBundle) => void;
  readonly onContent: (content: Content, how: How) => void;
}

export type How = "unchanged" | "full" | "zdiff1" | "there already";

/** What the work goes by. */
interface Work {
  readonly older: OpenBundle;
  readonly newer: SignedBundle;
  readonly deltaPath: string;
  /** By digests of contents. */
  readonly parts: ReadonlyMap<string, PlacedPart>;
  readonly olds: ReadonlyMap<string, Content>;
  readonly onContent: ApplyOptions["onContent"];
  /** Directories for what is not done yet. They go whatever happens. */
  readonly scratch: string[];
  /** What is new. It goes again if anything fails. */
  readonly made: string[];
  /** Those for images that were not there, the innermost first. They go again if anything fails and they are empty. */
  readonly directories: string[];
  /** A signal removes what is marked until these are called. */
  readonly marks: (() => void)[];
}

/** @throws Refusal; then nothing of it is left */
export async function applyDelta(
  oldPath: string,
  deltaPath: string,
  { out, images }: ApplyTargets,
  { keys, onManifest, onContent }: ApplyOptions,
): Promise<SignedBundle> {
  const older = await openBundle(oldPath, keys ?? "whoever-signed");
  const options = { name: deltaPath, older: older.signed, keys };
  const { bundle: newer, parts } = await readDelta(filePieces(deltaPath), options);
  onManifest(newer);
  const work: Work = {
    older,
    newer,
    deltaPath,
    parts: new Map(parts.map((placed) => [placed.content.sha256, placed])),
    olds: new Map(listContents(older.signed.manifest).map((one) => [one.sha256, one])),
    onContent,
    scratch: [],
    made: [],
    directories: [],
    marks: [],
  };
  let isDone = false;
  try {
    const found = images === undefined ? new Map() : await makeImages(work, images);
    const file = out === undefined ? undefined : await makeBundle(work, out, found);
    for (const content of listContents(newer.manifest)) {
      const path = found.get(content.sha256);
      if (path !== undefined) await publishImage(work, path, images ?? "", content);
    }
    if (file !== undefined && out !== undefined && !(await publish(work, file, out))) {
      throw takenName(out);
    }
    isDone = true;
    return newer;
  } catch (error) {
    for (const path of work.made) await rm(path, { recursive: true, force: true });
    throw error;
  } finally {
    for (const path of work.scratch) await rm(path, { recursive: true, force: true });
    if (!isDone) for (const path of work.directories) removeEmpty(path);
    for (const finish of work.marks) finish();
  }
}

/** What somebody else has put there meanwhile stays, and with it the directory. */
function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // The signal's handler cannot wait, and nobody is told: it is not empty, or has gone.
  }
}

/** Another run may have made the same one meanwhile, which stays then. */
async function publishImage(
  work: Work,
  from: string,
  directory: string,
  content: Content,
): Promise<void> {
  const to = join(directory, content.sha256);
  if (from !== to && !(await publish(work, from, to))) await hasDigest(to, content);
}

function publish(work: Work, from: string, to: string): Promise<boolean> {
  return publishNew(from, to, () => markMade(work, to));
}

function markMade(work: Work, path: string): void {
  work.made.push(path);
  work.marks.push(markUnfinished(path));
}

async function makeScratch(work: Work, path: string): Promise<void> {
  work.scratch.push(path);
  work.marks.push(markUnfinished(path));
  await mkdir(path);
}

/** Every content of the newer bundle: by its digest, where it lies. */
async function makeImages(work: Work, directory: string): Promise<Map<string, string>> {
  await makeDirectory(directory, (path) => {
    work.directories.unshift(path);
    work.marks.push(markUnfinished(path, () => removeEmpty(path)));
  }).catch((error: unknown) => {
    throw new Refusal(`${directory} cannot be made: ${messageOf(error)}`);
  });
  const scratch = await unfinishedIn(directory, ".");
  await makeScratch(work, scratch);
  const found = new Map<string, string>();
  for (const content of listContents(work.newer.manifest)) {
    const { sha256 } = content;
    const there = join(directory, sha256);
    const isThere = await hasDigest(there, content);
    const path = isThere ? there : join(scratch, sha256);
    work.onContent(content, isThere ? "there already" : howOf(work, content));
    if (!isThere) await makeContent(work, content, path);
    found.set(sha256, path);
  }
  return found;
}

async function hasDigest(path: string, { sha256, sizeBytes }: Content): Promise<boolean> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats) return false;
  if (stats.isFile() && stats.size === sizeBytes && (await sha256Of(path)) === sha256) return true;
  throw new Refusal(`${path} is not what its name says`, "it is damaged: remove it");
}

function howOf({ parts }: Work, { sha256 }: Content): How {
  return parts.get(sha256)?.part.method ?? "unchanged";
}

/** Writes it to `out`, with the digest that the signed manifest names. @throws Refusal */
async function makeContent(work: Work, content: Content, out: string): Promise<void> {
  const { older, deltaPath, parts, olds } = work;
  // Left to itself the collector lets buffers, and the tables of one image after another, pile up.
  Bun.gc(true);
  const [old, placed] = [olds.get(content.sha256), parts.get(content.sha256)];
  if (old) return expandContent(older, old, out);
  if (!placed) throw new Error(`there is no part of ${content.item.name}`);
  const { part, position } = placed;
  const name = `the part of ${content.item.name} in ${deltaPath}`;
  if (part.method === "full") {
    return expandBlob({ name, path: deltaPath, position }, out, content.item);
  }
  const from = olds.get(part.from);
  if (!from) throw new Error(`there is no ${part.from}`);
  const [before, making] = [`${out}.old`, `${out}.new`];
  try {
    await expandContent(older, from, before);
    Bun.gc(true);
    const source = { path: deltaPath, startByte: position, sizeBytes: part.sizeBytes };
    const { sha256 } = await applyDifference(before, source, making, content.sizeBytes).catch(
      (error: unknown) => {
        throw new Refusal(`${name} cannot be applied: ${messageOf(error)}`);
      },
    );
    if (sha256 !== content.sha256) {
      throw new Refusal(`${name} makes ${sha256}, not ${content.sha256}`);
    }
    renameSync(making, out);
  } finally {
    for (const path of [before, making]) await rm(path, { force: true });
  }
}

// --- the newer bundle itself -------------------------------------------------------------------

type Item = Content["item"];

/** `images`: what was made already. Returns where the bundle lies. */
async function makeBundle(
  work: Work,
  out: string,
  images: ReadonlyMap<string, string>,
): Promise<string> {
  const { older, newer, deltaPath, parts } = work;
  const scratch = await unfinishedOf(out);
  await makeScratch(work, scratch);
  const contents = new Map(listContents(newer.manifest).map((one) => [one.sha256, one]));
  const items = new Map(
    newer.manifest.platforms
      .flatMap(({ boot, packages }): Item[] => [...boot, ...packages])
      .map((item) => [item.blob.sha256, item]),
  );
  const path = join(scratch, "bundle");
  await writeBundle(path, newer.layout, ({ sha256, sizeBytes }) => {
    const item = items.get(sha256);
    const content = item && contents.get("image" in item ? item.image.sha256 : item.sha256);
    if (!content) throw new Error(`there is no content of ${sha256}`);
    if (images.size === 0) work.onContent(content, howOf(work, content));
    const position = older.positions.get(sha256);
    if (position !== undefined) return filePieces(older.path, { position, sizeBytes });
    const placed = parts.get(content.sha256);
    if (placed?.part.sha256 === sha256) {
      return filePieces(deltaPath, { position: placed.position, sizeBytes });
    }
    return packedAgain(work, { content, item }, scratch, images.get(content.sha256));
  });
  return path;
}

/** The blob as it was when the bundle was built. @throws Refusal if it becomes another one here */
async function* packedAgain(
  work: Work,
  { content, item }: { readonly content: Content; readonly item: Item },
  scratch: string,
  image: string | undefined,
): Pieces {
  const [made, blob] = [join(scratch, "content"), join(scratch, "blob")];
  try {
    if (image === undefined) await makeContent(work, content, made);
    // What making needed is let go of before the compressor's tables come.
    Bun.gc(true);
    const { sha256 } = await compressFile(image ?? made, blobContentBytes(item), blob);
    if (sha256 !== item.blob.sha256) {
      throw new Refusal(
        `the blob of ${item.name} cannot be made again: compressed here it is ${sha256}, not ${item.blob.sha256}`,
        `another zshield or another zstd than ours, ${process.versions["zstd"] ?? "unknown"}, made the bundle; its images can be had with --images`,
      );
    }
    yield* filePieces(blob);
  } finally {
    for (const path of [made, blob]) await rm(path, { force: true });
  }
}
