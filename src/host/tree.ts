/*
 * Walks a tree and describes each entry (model/manifest.ts): when the card is built, of golden; after
 * an installation, of the new root. Stays on one file system, follows no symbolic link, and reads
 * files in pieces, so that neither a large file nor a large tree costs much memory.
 * Owns: lstat, readlink, getfattr and digests of a tree. Must not import anything from build/.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { Refusal } from "../errors.ts";
import type { Entry } from "../model/manifest.ts";
import { KIB, MIB } from "../model/size.ts";
import { query } from "./command.ts";

export interface TreeOptions {
  /** Digests of files; without, only what lstat and getfattr tell. */
  readonly hash: boolean;
  /** Called with the bytes that have been read so far. */
  readonly onProgress?: (bytes: number) => void;
}

const PIECE_BYTES = 256 * KIB;
/** After so much work everyone else in this process gets a turn: screen, watchdog. */
const TURN_BYTES = 16 * MIB;
const TURN_DIRECTORIES = 100;
/** How many paths getfattr is given at once. */
const MOST_PATHS = 500;
const MOST_PATHS_LENGTH = 64 * KIB;
/** The kernel's PATH_MAX without a slash and the NUL at its end. */
const MOST_PATH_BYTES = 4094;

/**
 * Every entry below `root`, the root itself as `/`, sorted by path.
 * @throws Refusal naming a path that is not UTF-8 or too long.
 */
export async function readTree(root: string, options: TreeOptions): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of walkTree(root, options)) entries.push(entry);
  return entries;
}

/** The same, one by one. */
export async function* walkTree(root: string, options: TreeOptions): AsyncGenerator<Entry> {
  const top = root.replace(/\/+$/, "");
  const names = new Map<string, string>();
  const read = makeReader(options.onProgress);
  for (const batch of batches(await listPaths(top))) {
    const xattrs = await readXattrs(top, batch);
    for (const path of batch) {
      const file = top + path;
      const stats = lstatListed(file);
      const entry = describe(path, stats, file);
      if (entry.type === "symlink")
        entry.target = decode(readlinkSync(file, "buffer"), `${path} →`);
      if (entry.type === "file") {
        const inode = stats.nlink > 1 ? inodeOf(file) : undefined;
        const first = inode === undefined ? undefined : names.get(inode);
        if (first !== undefined) entry.link = first;
        else {
          if (inode !== undefined) names.set(inode, path);
          if (options.hash) entry.sha256 = await read(file);
        }
      }
      const values = xattrs.get(path);
      if (values) entry.xattrs = values;
      yield entry;
    }
  }
}

/** @throws Refusal if it is gone since it was listed. */
function lstatListed(file: string): Stats {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats) return stats;
  throw new Refusal(
    `${file} is gone: the tree changed while it was read`,
    "stop what writes there, and try again",
  );
}

/** In whole: an overlay counts its layers in the highest bits, so that as doubles neighbours would be one. */
function inodeOf(file: string): string {
  const { dev, ino } = lstatSync(file, { bigint: true });
  return `${dev}:${ino}`;
}

/** Digests of files, in pieces, letting everyone else in this process have a turn now and then. */
function makeReader(onProgress: TreeOptions["onProgress"]): (file: string) => Promise<string> {
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  let done = 0;
  let sinceTurn = 0;
  return async (file) => {
    const hash = createHash("sha256");
    const handle = openSync(file, "r");
    try {
      for (;;) {
        const length = readSync(handle, buffer, 0, PIECE_BYTES, null);
        if (length === 0) return hash.digest("hex");
        hash.update(buffer.subarray(0, length));
        done += length;
        sinceTurn += length;
        if (sinceTurn < TURN_BYTES) continue;
        sinceTurn = 0;
        onProgress?.(done);
        await turn();
      }
    } finally {
      closeSync(handle);
      onProgress?.(done);
    }
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What lstat tells. Keys in the order of the schema, so that equal entries print equally. */
function describe(path: string, stats: Stats, file: string): Writable<Entry> {
  const type = typeOf(stats);
  const entry: Writable<Entry> = {
    path,
    type,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
  };
  if (type === "file" || type === "symlink") entry.mtime = secondsOf(stats, file);
  if (type === "file") entry.sizeBytes = stats.size;
  if (type === "character" || type === "block") entry.device = printDevice(stats.rdev);
  return entry;
}

/** Begun seconds. As a double the last 100 nanoseconds of one are the next one, which no copy in whole seconds is. */
function secondsOf({ mtimeMs }: Stats, file: string): number {
  const seconds = Math.floor(mtimeMs / 1000);
  if (mtimeMs !== seconds * 1000) return seconds;
  const { mtimeNs } = lstatSync(file, { bigint: true });
  return mtimeNs < BigInt(seconds) * 1_000_000_000n ? seconds - 1 : seconds;
}

function typeOf(stats: Stats): Entry["type"] {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isCharacterDevice()) return "character";
  if (stats.isBlockDevice()) return "block";
  return stats.isFIFO() ? "fifo" : "socket";
}

/** The kernel's 64-bit device number as user space sees it (makedev(3)). */
function printDevice(rdev: number): string {
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
}

/** Paths below `top`, sorted; a directory of another file system is named but not entered. */
async function listPaths(top: string): Promise<string[]> {
  const { dev } = lstatSync(`${top}/`);
  const paths = ["/"];
  const directories = [""];
  for (let next = 0; next < directories.length; next += 1) {
    const directory = directories[next] ?? "";
    for (const name of readdirSync(`${top}${directory}/`, { encoding: "buffer" })) {
      const path = `${directory}/${decode(name, `${directory}/`)}`;
      if (Buffer.byteLength(top + path) > MOST_PATH_BYTES) {
        throw new Refusal(
          `a path of the tree is too long to be opened: ${path.slice(0, 40)}…${path.slice(-40)}`,
          "take it out of the root",
        );
      }
      paths.push(path);
      const stats = lstatListed(top + path);
      if (stats.isDirectory() && stats.dev === dev) directories.push(path);
    }
    if (next % TURN_DIRECTORIES === 0) await turn();
  }
  return paths.sort();
}

/** So few paths at a time that they fit a command line. */
function* batches(paths: readonly string[]): Generator<string[]> {
  let batch: string[] = [];
  let length = 0;
  for (const path of paths) {
    batch.push(path);
    length += path.length;
    if (batch.length < MOST_PATHS && length < MOST_PATHS_LENGTH) continue;
    yield batch;
    batch = [];
    length = 0;
  }
  if (batch.length > 0) yield batch;
}

/** Path in the tree → name → base64 of the value; only entries that have any. */
async function readXattrs(
  top: string,
  paths: readonly string[],
): Promise<Map<string, Record<string, string>>> {
  const text = await query([
    ...[
      "getfattr",
      "--no-dereference",
      "--absolute-names",
      "--dump",
      "--match=-",
      "--encoding=base64",
    ],
    "--",
    ...paths.map((path) => top + path),
  ]).catch((error: unknown) => {
    // It fails of what is gone by now.
    for (const path of paths) lstatListed(top + path);
    throw error;
  });
  return parseXattrs(text, top);
}

/** What getfattr --dump prints: `# file: path`, then `name=0sBASE64` lines, then an empty line. */
export function parseXattrs(text: string, top: string): Map<string, Record<string, string>> {
  const found = new Map<string, Record<string, string>>();
  for (const block of text.split("\n\n")) {
    const [head = "", ...lines] = block.split("\n").filter((line) => line !== "");
    if (!head.startsWith("# file: ")) continue;
    const values = lines.map((line): [string, string] => {
      const [name = "", value = ""] = line.split(/=(.*)/);
      return [unquote(name), value.replace(/^0s/, "")];
    });
    const path = unquote(head.slice("# file: ".length)).slice(top.length);
    found.set(path === "" ? "/" : path, Object.fromEntries(values.sort(byName)));
  }
  return found;
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

/** getfattr writes a backslash, a line break and `=` in a name as three octal digits. */
function unquote(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer, where: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    const shown = Array.from(bytes, (byte) =>
      byte > 0x20 && byte < 0x7f
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`,
    ).join("");
    throw new Refusal(
      `a name in the tree is not UTF-8: ${where}${shown}`,
      "rename it, or take it out of the root",
    );
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
