/*
 * The proof after the copy: the installed root, read from the disk, against golden's manifest.
 * Every entry has to be there with its content, mode, owner, links and attributes, and nothing else.
 */
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { Fault } from "../errors.ts";
import { parseManifest, whyNotSameEntry, type Entry } from "../model/manifest.ts";
import { say } from "../model/messages.ts";
import { readTree } from "./tree.ts";

export interface Proof {
  readonly root: string;
  readonly manifestPath: string;
  readonly manifestSha256: string;
  /** Written by recovery: these have to hold exactly this. */
  readonly files: readonly {
    readonly path: string;
    readonly mode: number;
    readonly text: string;
  }[];
  /** Made anew on every machine: exact paths, `/x/` with all below, `/x*` any ending. */
  readonly mayDiffer: readonly string[];
}

/** @throws Error naming the first differences. Returns how many entries were compared. */
export async function verifyTree(
  proof: Proof,
  onProgress: (bytes: number) => void,
): Promise<number> {
  const packed = await readFile(proof.manifestPath);
  if (createHash("sha256").update(packed).digest("hex") !== proof.manifestSha256) {
    throw new Fault(say("bad-manifest"));
  }
  const wanted = parseManifest(zstdDecompressSync(packed).toString("utf8"));
  const found = await readTree(proof.root, { hash: true, onProgress });
  const differences = compareTrees(wanted, found, proof);
  if (differences.length > 0) throw new Fault(say("root-differs", differences));
  return wanted.length;
}

/** Pure: the differences in words, none if the trees are the same but for what may differ. */
export function compareTrees(
  wanted: readonly Entry[],
  found: readonly Entry[],
  { files, mayDiffer }: Pick<Proof, "files" | "mayDiffer">,
): string[] {
  const byPath = new Map(found.map((entry) => [entry.path, entry]));
  const ours = new Map(files.map((file) => [file.path, file]));
  const differences: string[] = [];
  for (const entry of wanted) {
    const there = byPath.get(entry.path);
    byPath.delete(entry.path);
    if (ours.has(entry.path) || isFree(entry.path, mayDiffer)) continue;
    const why = whyNotSameEntry(there, entry);
    if (why !== undefined) differences.push(`${entry.path} ${why}`);
  }
  for (const file of files) {
    const entry = found.find(({ path }) => path === file.path);
    const sha256 = createHash("sha256").update(file.text).digest("hex");
    if (entry?.sha256 !== sha256 || entry.mode !== file.mode) {
      differences.push(`${file.path} is not as recovery wrote it`);
    }
  }
  for (const path of byPath.keys()) {
    if (ours.has(path) || isFree(path, mayDiffer)) continue;
    differences.push(`${path} is not in golden`);
  }
  return differences;
}

function isFree(path: string, mayDiffer: readonly string[]): boolean {
  return mayDiffer.some((pattern) => {
    if (pattern.endsWith("/")) return path === pattern.slice(0, -1) || path.startsWith(pattern);
    if (pattern.endsWith("*")) return path.startsWith(pattern.slice(0, -1));
    return path === pattern;
  });
}
