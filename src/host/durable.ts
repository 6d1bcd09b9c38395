/*
 * Directories and names that are on the disk when the call returns. FAT has no journal: a directory whose
 * entry reached the disk without its cluster cannot be entered any more, and no repair brings it back.
 */
import { linkSync, lstatSync, mkdirSync, renameSync } from "node:fs";
import { open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes what is missing of the path, each part flushed before the next. `onMade` is called with each one before a signal can
 * come: flushing takes long enough for that.
 */
export async function makeDirectory(
  path: string,
  onMade: (path: string) => void = () => undefined,
): Promise<void> {
  const parent = dirname(path);
  try {
    mkdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    if (code !== "ENOENT") throw error;
    await makeDirectory(parent, onMade);
    return makeDirectory(path, onMade);
  }
  onMade(path);
  await flushDirectory(path);
  await flushDirectory(parent);
}

/**
 * Linux' vfat points the entry of the old name at the new file, but writes that entry with the file and
 * not with its directory: both are flushed. Still no atomic rename: what must survive any cut is written
 * in place, in two copies (state-files.ts, lvm-metadata.ts).
 */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await flushFile(to);
  await flushDirectory(dirname(to));
}

/** The content is on the disk before the name is. */
export async function publishFile(from: string, to: string): Promise<void> {
  await flushFile(from);
  await renameDurably(from, to);
}

/** The same, but never in the place of another: false if there is something. `onNamed` is called before a signal can come. */
export async function publishNew(from: string, to: string, onNamed: () => void): Promise<boolean> {
  await flushFile(from);
  if (!takeName(from, to)) return false;
  onNamed();
  await flushFile(to);
  await flushDirectory(dirname(to));
  return true;
}

function takeName(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (!hasNoLinks(error)) throw error;
  }
  if (lstatSync(to, { throwIfNoEntry: false })) return false;
  renameSync(from, to);
  return true;
}

/** FAT and some network file systems have no links. */
export function hasNoLinks(error: unknown): boolean {
  const { code = "" } = error as NodeJS.ErrnoException;
  // Bun says ENOTSUP for EOPNOTSUPP, which is the same number.
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(code);
}

export async function flushFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function flushDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
