/*
 * A newer version of a tree: one file of twenty is changed as an upgrade changes it, some bytes here and there and some
 * inserted. Always the same changes. Owns: which files, and how.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const EVERY = 20;
/** Bytes between two changes in a file. */
const DISTANCE = 16_384;

export function changeTree(root: string): void {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  for (const [index, file] of files.entries()) {
    if (index % EVERY === 0) writeFileSync(file, changeBytes(readFileSync(file)));
  }
}

function changeBytes(bytes: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += DISTANCE) {
    const piece = Buffer.from(bytes.subarray(at, at + DISTANCE));
    piece[piece.length >> 1] = (piece[piece.length >> 1] ?? 0) ^ 0x55;
    pieces.push(piece, Buffer.from(`${at}`));
  }
  return Buffer.concat(pieces);
}
