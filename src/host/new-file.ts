/*
 * Small files that are there whole, on the disk, or not at all, and never in the place of another one unless that is
 * wanted. Owns: how they are written, and read.
 */
import { existsSync, fchownSync, lstatSync, realpathSync, statSync, type Stats } from "node:fs";
import { link, open, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { Refusal, messageOf } from "../errors.ts";
import { decodeText } from "../model/document.ts";
import { flushDirectory, hasNoLinks, renameDurably } from "./durable.ts";
import { markUnfinished, withUnfinishedOf } from "./unfinished.ts";

export interface NewFile {
  readonly text: string;
  /** Of a file that was not there. */
  readonly mode: number;
  /** Instead of one that is there, whose owner it keeps, and the mode as far as `most` goes. */
  readonly replaces: boolean;
  readonly most?: number;
}

/** @throws Refusal if there is a file already, or the directory cannot be written to. */
export async function writeNewFile(name: string, file: NewFile): Promise<void> {
  if (!file.replaces) checkFree(name);
  const path = file.replaces ? replaceable(name) : name;
  const replaced = file.replaces ? statSync(path, { throwIfNoEntry: false }) : undefined;
  // The same directory: neither a link nor a rename goes from one file system to another.
  try {
    await withUnfinishedOf(path, async (beside) => {
      await writeWhole(beside, file, replaced);
      if (file.replaces) return renameDurably(beside, path);
      const isLinked = await link(beside, path).then(() => true, falseWithoutLinks);
      if (isLinked) return;
      await rm(beside);
      await writeInPlace(path, file);
    });
    await flushDirectory(dirname(path));
  } catch (error) {
    if (codeOf(error) === "EEXIST") checkFree(name);
    throw new Refusal(`${name} cannot be written: ${messageOf(error)}`);
  }
}

/**
 * Where a file lies that is to take the place of `path`: behind a link what it leads to, since a new file in the link's
 * place would leave the old content where the link's maker keeps it. @throws Refusal if something else than a file is
 * there: root would put a file in the place of /dev/null.
 */
export function replaceable(path: string): string {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  const target = isLink && existsSync(path) ? realpathSync(path) : path;
  const stats = lstatSync(target, { throwIfNoEntry: false });
  if (stats === undefined || stats.isFile() || stats.isSymbolicLink()) return target;
  const what = stats.isDirectory() ? "a directory" : "no file but a device or the like";
  throw new Refusal(`${path} is ${what}, and stays as it is`, "name a file");
}

function falseWithoutLinks(error: unknown): false {
  if (hasNoLinks(error)) return false;
  throw error;
}

/** Under its own name from the beginning, since nothing but a link refuses to take another one's place. */
async function writeInPlace(path: string, file: NewFile): Promise<void> {
  const own = await open(path, "wx", file.mode);
  const finish = markUnfinished(path);
  try {
    await fill(own, file);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    finish();
  }
}

async function writeWhole(path: string, file: NewFile, replaced?: Stats): Promise<void> {
  await fill(await open(path, "wx", file.mode), file, replaced);
}

async function fill(handle: FileHandle, file: NewFile, replaced?: Stats): Promise<void> {
  const { text, mode, most = 0o777 } = file;
  try {
    await handle.writeFile(text);
    const isKept = replaced !== undefined && keepOwner(handle.fd, replaced);
    await handle.chmod(isKept ? replaced.mode & most : mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Under sudo a file would be root's that was a person's, who could not read his own key any more. False for who cannot
 * give it away: then its mode would say something else than it did.
 */
export function keepOwner(handle: number, { uid, gid }: Stats): boolean {
  try {
    fchownSync(handle, uid, gid);
    return true;
  } catch {
    return false;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}

/** `hint`: for commands that know --force. @throws Refusal */
export function checkFree(path: string, hint = "name another file, or use --force"): void {
  if (existsSync(path)) throw new Refusal(`${path} is there already`, hint);
}

/** For commands that never replace a file. */
export function takenName(path: string): Refusal {
  return new Refusal(`${path} is there already`, NEVER_REPLACED);
}

export const NEVER_REPLACED = "name another file, or move that one away";

/** Text of at most so many bytes. @throws Refusal, also for what is not UTF-8. */
export async function readSmallFile(path: string, mostBytes = 1024 * 1024): Promise<string> {
  let bytes: Buffer;
  try {
    const file = await open(path, "r");
    try {
      bytes = await readUpTo(file, mostBytes + 1);
      if (bytes.length > mostBytes) throw new Error("it is too large");
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new Refusal(`${path} cannot be read: ${messageOf(error)}`);
  }
  return decodeText(bytes, path);
}

/** A device or a pipe has no size to ask for. */
async function readUpTo(file: FileHandle, mostBytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(mostBytes);
  let done = 0;
  while (done < mostBytes) {
    const { bytesRead } = await file.read(buffer, done, mostBytes - done, null);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}
