/*
 * A directory of finished files as the card describes it: each path with size and digest, and one
 * digest for all of them, which becomes the directory's name. Owns: that description.
 */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { FileDigest } from "../src/model/card.ts";
import { digestOf, digestOfFile } from "./cache.ts";

/** Path inside the directory, `/` between its parts, sorted → digest. */
export type Files = Readonly<Record<string, FileDigest>>;

export async function describeFiles(directory: string): Promise<Files> {
  const names = await readdir(directory, { recursive: true });
  const files: Record<string, FileDigest> = {};
  for (const name of names.sort()) {
    const file = path.join(directory, name);
    const { size, mode } = await stat(file);
    if ((mode & 0o170000) === 0o100000)
      files[name] = { sha256: await digestOfFile(file), sizeBytes: size };
  }
  return files;
}

/** 16 hexadecimal digits that stand for names and content. */
export function digestOfFiles(files: Files): string {
  return digestOf(Object.entries(files).map(([name, { sha256 }]) => [name, sha256]));
}
