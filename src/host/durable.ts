/*
 * Directories and names that are on the disk when the call returns. FAT has no journal: a directory whose
 * entry reached the disk without its cluster cannot be entered any more, and no repair brings it back.
 */
import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes what is missing of the path, each part flushed before the next. */
export async function makeDirectory(path: string): Promise<void> {
  const parent = dirname(path);
  const isMade = await mkdir(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return false;
      if (error.code === "ENOENT") return undefined;
      throw error;
    },
  );
  if (isMade === undefined) {
    await makeDirectory(parent);
    return makeDirectory(path);
  }
  if (isMade) {
    await flushDirectory(path);
    await flushDirectory(parent);
  }
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
