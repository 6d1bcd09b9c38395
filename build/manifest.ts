/*
 * The tree that the card will carry and the proof that its image holds just that: every entry of the
 * tree is read before, and again out of the finished image. The second reading is the manifest.
 * Owns: comparing the two, and the compressed manifest.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { zstdCompressSync, constants } from "node:zlib";
import { Refusal } from "../src/errors.ts";
import { type Entry, printManifest, whyNotSameEntry } from "../src/model/manifest.ts";

/** What mke2fs puts into every file system. */
const MADE_BY_MKE2FS = "/lost+found";

/** @throws Refusal naming the first differences between the tree and what its image holds. */
export function checkSameTree(tree: readonly Entry[], image: readonly Entry[]): void {
  const wanted = new Map(tree.map((entry) => [entry.path, entry]));
  const differences: string[] = [];
  for (const entry of image) {
    const original = wanted.get(entry.path);
    wanted.delete(entry.path);
    if (!original) {
      if (entry.path !== MADE_BY_MKE2FS) differences.push(`${entry.path} is not in the tree`);
      continue;
    }
    const why = whyNotSameEntry(entry, original);
    if (why !== undefined) differences.push(`${entry.path} ${why}`);
  }
  for (const path of wanted.keys()) differences.push(`${path} is missing`);
  if (differences.length === 0) return;
  throw new Refusal(
    `the image of golden is not what went into it: ${differences.slice(0, 5).join("; ")}` +
      (differences.length > 5 ? `; and ${differences.length - 5} more` : ""),
    "e2fsprogs or erofs-utils of this machine lose something; see build/filesystem.ts",
  );
}

/** Writes the manifest as it is and compressed. Returns the digest of the compressed file. */
export async function writeManifest(
  entries: readonly Entry[],
  files: { readonly plain: string; readonly packed: string },
): Promise<string> {
  const text = printManifest(entries);
  const packed = zstdCompressSync(text, { params: { [constants.ZSTD_c_compressionLevel]: 12 } });
  await writeFile(files.plain, text);
  await writeFile(files.packed, packed);
  return createHash("sha256").update(packed).digest("hex");
}

/** No time is later than `epoch`, as in the image. */
export function clampEntries(entries: readonly Entry[], epoch: number): Entry[] {
  return entries.map((entry) =>
    entry.mtime !== undefined && entry.mtime > epoch ? { ...entry, mtime: epoch } : entry,
  );
}

/** Stands for the whole tree: names, times, owners, content. 64 hexadecimal digits. */
export function digestOfTree(entries: readonly Entry[]): string {
  return createHash("sha256").update(printManifest(entries)).digest("hex");
}

/** Sum of file sizes, hard links counted once. */
export function treeBytes(entries: readonly Entry[]): number {
  return entries.reduce(
    (sum, { sizeBytes = 0, link }) => sum + (link === undefined ? sizeBytes : 0),
    0,
  );
}
