/*
 * Writes what an overlay of packages shows into an empty directory: contents, owners, modes, attributes, hard links, devices.
 * Every parent is a directory that was made here a moment ago, so no link that a package brings is ever followed.
 * Owns: how an entry becomes a file. Must not decide which entry is seen (layers.ts).
 */
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { run } from "../host/command.ts";
import type { Entry } from "../model/manifest.ts";
import type { ReadTree } from "./erofs-read.ts";
import { turn } from "./hash-tree.ts";
import { namesOfFiles, type Laid, type Stack } from "./layers.ts";

/** An entry of the stack's layer of the same number. */
export interface LayerContent {
  readonly tree: ReadTree;
  /** Seconds since 1970: of what has no time of its own. */
  readonly epoch: number;
}

/** Times of directories come last: see `setTimes`. */
export async function layTree(
  root: string,
  stack: Stack,
  layers: readonly LayerContent[],
): Promise<void> {
  const places = [...stack.places.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, entry } of places) {
    if (entry.type === "directory" && path !== "/") mkdirSync(root + path, 0o700);
  }
  for (const [number, { tree }] of layers.entries()) {
    for (const [first, names] of namesOfFiles(stack, number)) {
      const [whole, ...others] = names;
      if (!whole) continue;
      writeContent(root + whole.path, tree.content(first));
      for (const { path } of others) linkSync(root + whole.path, root + path);
      await turn();
    }
  }
  for (const { path, entry } of places) await makeSpecial(root + path, entry);
  for (const laid of places) setOwner(root, laid);
  await setXattrs(root, places);
  for (const { path, entry } of places) {
    if (entry.mtime !== undefined) lutimesSync(root + path, entry.mtime, entry.mtime);
  }
}

/** Zeros are left out, as in the image. */
function writeContent(file: string, pieces: Iterable<Buffer>): void {
  const handle = openSync(file, "wx", 0o600);
  try {
    let sizeBytes = 0;
    for (const piece of pieces) {
      for (let done = 0; !isZero(piece) && done < piece.length;) {
        done += writeSync(handle, piece, done, piece.length - done, sizeBytes + done);
      }
      sizeBytes += piece.length;
    }
    ftruncateSync(handle, sizeBytes);
  } finally {
    closeSync(handle);
  }
}

function isZero(piece: Buffer): boolean {
  return piece[0] === 0 && piece.equals(Buffer.alloc(piece.length));
}

async function makeSpecial(file: string, { type, target, device }: Entry): Promise<void> {
  switch (type) {
    case "symlink":
      return symlinkSync(target ?? "", file);
    case "character":
    case "block":
      await run(["mknod", file, type === "block" ? "b" : "c", ...(device ?? "").split(":")]);
      return;
    case "fifo":
      await run(["mkfifo", file]);
  }
}

function setOwner(root: string, { path, entry: { type, uid, gid, mode } }: Laid): void {
  lchownSync(root + path, uid, gid);
  if (type !== "symlink") chmodSync(root + path, mode);
}

/** After owners, since a change of owner takes capabilities away. */
async function setXattrs(root: string, places: readonly Laid[]): Promise<void> {
  const blocks = places.flatMap(({ path, entry: { xattrs } }) =>
    xattrs === undefined
      ? []
      : [
          `# file: ${quoted(root + path)}\n` +
            Object.entries(xattrs)
              .map(([name, value]) => `${quoted(name)}=0s${value}\n`)
              .join(""),
        ],
  );
  if (blocks.length === 0) return;
  await run(["setfattr", "--no-dereference", "--restore=-"], { stdin: blocks.join("\n") });
}

/** As getfattr prints names. */
function quoted(text: string): string {
  return text.replaceAll(
    /[\\\n\r=]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}

/**
 * Directories, devices and FIFOs get the time of their layer's image, and what was made here meanwhile `epoch`.
 */
export function setTimes(
  root: string,
  { places }: Stack,
  layers: readonly LayerContent[],
  epoch: number,
): void {
  const visit = (path: string): void => {
    const stats = lstatSync(root + path);
    if (stats.isDirectory()) {
      for (const name of readdirSync(root + path))
        visit(path === "/" ? `/${name}` : `${path}/${name}`);
    }
    const known = places.get(path);
    const own = known?.layer === undefined ? undefined : layers[known.layer]?.epoch;
    const isTimeless = known !== undefined && known.entry.mtime === undefined;
    const time = isTimeless ? (own ?? epoch) : Math.min(Math.floor(stats.mtimeMs / 1000), epoch);
    lutimesSync(root + path, time, time);
  };
  visit("/");
}
