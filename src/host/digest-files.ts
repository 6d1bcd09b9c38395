/*
 * Files with known digests: check them, copy them, replace one on FAT.
 * A copy counts only when what was read has the wanted digest; whether the *disk* has it is checked by
 * checkFiles after the cache was forgotten.
 */
import { createHash } from "node:crypto";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { open, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../errors.ts";
import type { FileDigest } from "../model/card.ts";
import { say } from "../model/messages.ts";
import { makeDirectory, renameDurably } from "./durable.ts";

const CHUNK_BYTES = 1024 * 1024;
/** After so many files everyone else in this process gets a turn: screen, watchdog. */
const TURN_FILES = 32;

export type DigestFiles = Readonly<Record<string, FileDigest>>;

export function sumBytes(files: DigestFiles): number {
  return Object.values(files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** @throws Error naming the first file that is missing or differs. */
export async function checkFiles(
  root: string,
  files: DigestFiles,
  onProgress: (bytes: number) => void,
): Promise<void> {
  let done = 0;
  for (const [index, [name, wanted]] of Object.entries(files).entries()) {
    if (index % TURN_FILES === 0) await turn();
    const why = await whyNot(join(root, name), wanted);
    if (why !== undefined) throw new Fault(say("bad-file", join(root, name), why));
    onProgress((done += wanted.sizeBytes));
  }
}

/**
 * Copies what is not there yet in the wanted form. The files are flushed together when the file system is
 * closed: some 600 of GRUB's, each flushed alone, take minutes on a slow disk.
 */
export async function copyFiles(
  from: string,
  to: string,
  files: DigestFiles,
  onProgress: (bytes: number) => void,
): Promise<void> {
  let done = 0;
  const made = new Set<string>();
  for (const [index, [name, wanted]] of Object.entries(files).entries()) {
    if (index % TURN_FILES === 0) await turn();
    const target = join(to, name);
    if ((await whyNot(target, wanted)) !== undefined) {
      const directory = dirname(target);
      if (!made.has(directory)) await makeDirectory(directory);
      made.add(directory);
      if (wanted.sizeBytes > CHUNK_BYTES) await copyFile(join(from, name), target, wanted, false);
      else await copySmallFile(join(from, name), target, wanted);
    }
    onProgress((done += wanted.sizeBytes));
  }
}

/** Replaces `to` unless it has the digest already. */
export async function replaceFile(from: string, to: string, wanted: FileDigest): Promise<void> {
  if ((await whyNot(to, wanted)) === undefined) return;
  const next = `${to.slice(0, to.lastIndexOf("."))}.NEW`;
  await makeDirectory(dirname(next));
  await copyFile(from, next, wanted, true);
  await renameDurably(next, to);
}

async function copyFile(
  from: string,
  to: string,
  wanted: FileDigest,
  flush: boolean,
): Promise<void> {
  await rm(to, { force: true });
  const source = await open(from, "r");
  const target = await open(to, "wx");
  try {
    const hash = createHash("sha256");
    const buffer = bufferFor(wanted.sizeBytes);
    for (;;) {
      const { bytesRead } = await source.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      for (let done = 0; done < bytesRead;) {
        done += (await target.write(buffer, done, bytesRead - done)).bytesWritten;
      }
    }
    if (hash.digest("hex") !== wanted.sha256)
      throw new Fault(say("bad-file", from, "does not have its digest"));
    if (flush) await target.sync();
  } finally {
    await source.close();
    await target.close();
  }
}

/**
 * Waits for the reading alone, which takes half a minute where a card is bad; for hundreds of files waiting for
 * every call takes ten times as long as the calls do.
 */
async function copySmallFile(from: string, to: string, wanted: FileDigest): Promise<void> {
  const content = await readFile(from);
  if (digestOf(content) !== wanted.sha256)
    throw new Fault(say("bad-file", from, "does not have its digest"));
  rmSync(to, { force: true });
  writeFileSync(to, content, { flag: "wx" });
}

/** Why the file at `path` is not the wanted one, or undefined. */
async function whyNot(path: string, wanted: FileDigest): Promise<string | undefined> {
  const size = sizeOf(path);
  if (size === undefined) return "is missing";
  if (size !== wanted.sizeBytes) return `has ${size} bytes, not ${wanted.sizeBytes}`;
  const isSmall = wanted.sizeBytes <= CHUNK_BYTES;
  const digest = isSmall ? digestOf(await readFile(path)) : await sha256Of(path);
  return digest === wanted.sha256 ? undefined : `has the digest ${digest}, not ${wanted.sha256}`;
}

/** Digest of a file in hexadecimal, read in pieces of 1 MiB. */
export async function sha256Of(path: string): Promise<string> {
  return (await digestOfFile(path, "sha256")).toString("hex");
}

/** What minisign signs of a file. */
export async function blake2bOf(path: string): Promise<{ readonly blake2b512: Uint8Array }> {
  return { blake2b512: new Uint8Array(await digestOfFile(path, "blake2b512")) };
}

async function digestOfFile(path: string, algorithm: "sha256" | "blake2b512"): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const hash = createHash(algorithm);
    const buffer = bufferFor((await file.stat()).size);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest();
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

function sizeOf(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch {
    return undefined;
  }
}

function digestOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function bufferFor(sizeBytes: number): Uint8Array {
  return new Uint8Array(Math.max(1, Math.min(CHUNK_BYTES, sizeBytes)));
}
