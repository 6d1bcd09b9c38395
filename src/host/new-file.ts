/*
 * Small files that are there whole, on the disk, or not at all, and never in the place of another one unless that is
 * wanted. Owns: how they are written, and read.
 */
import { existsSync } from "node:fs";
import { link, open, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { Refusal, messageOf } from "../errors.ts";
import { decodeText } from "../model/document.ts";
import { flushDirectory, hasNoLinks, renameDurably } from "./durable.ts";
import { markUnfinished, withUnfinishedOf } from "./unfinished.ts";

export interface NewFile {
  readonly text: string;
  readonly mode: number;
  /** Instead of one that is there. */
  readonly replaces: boolean;
}

/** @throws Refusal if there is a file already, or the directory cannot be written to. */
export async function writeNewFile(path: string, file: NewFile): Promise<void> {
  if (!file.replaces) checkFree(path);
  // The same directory: neither a link nor a rename goes from one file system to another.
  try {
    await withUnfinishedOf(path, async (beside) => {
      await writeWhole(beside, file);
      if (file.replaces) return renameDurably(beside, path);
      const isLinked = await link(beside, path).then(() => true, falseWithoutLinks);
      if (isLinked) return;
      await rm(beside);
      await writeInPlace(path, file);
    });
    await flushDirectory(dirname(path));
  } catch (error) {
    if (codeOf(error) === "EEXIST") checkFree(path);
    throw new Refusal(`${path} cannot be written: ${messageOf(error)}`);
  }
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

async function writeWhole(path: string, file: NewFile): Promise<void> {
  await fill(await open(path, "wx", file.mode), file);
}

async function fill(handle: FileHandle, { text, mode }: NewFile): Promise<void> {
  try {
    await handle.writeFile(text);
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}

/** @throws Refusal */
export function checkFree(path: string): void {
  if (existsSync(path)) throw takenName(path);
}

export function takenName(path: string): Refusal {
  return new Refusal(`${path} is there already`, "name another file, or use --force");
}

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
