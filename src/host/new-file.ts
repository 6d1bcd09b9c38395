/*
 * Small files that are there whole, on the disk, or not at all, and never in the place of another one unless that is
 * wanted. Owns: how they are written, and read.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { link, open, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { Refusal, messageOf } from "../errors.ts";
import { decodeText } from "../model/document.ts";
import { flushDirectory, renameDurably } from "./durable.ts";

export interface NewFile {
  readonly text: string;
  readonly mode: number;
  /** Instead of one that is there. */
  readonly replaces: boolean;
}

/** @throws Refusal if there is a file already, or the directory cannot be written to. */
export async function writeNewFile(path: string, { text, mode, replaces }: NewFile): Promise<void> {
  if (!replaces) checkFree(path);
  // The same directory: neither a link nor a rename goes from one file system to another.
  const beside = `${path}.new-${randomBytes(4).toString("hex")}`;
  try {
    const file = await open(beside, "wx", mode);
    try {
      await file.writeFile(text);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    if (replaces) return await renameDurably(beside, path);
    await link(beside, path);
    await rm(beside);
    await flushDirectory(dirname(path));
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    if ((error as NodeJS.ErrnoException).code === "EEXIST") checkFree(path);
    throw new Refusal(`${path} cannot be written: ${messageOf(error)}`);
  }
}

/** @throws Refusal */
export function checkFree(path: string): void {
  if (existsSync(path)) {
    throw new Refusal(`${path} is there already`, "name another file, or use --force");
  }
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
