/*
 * A tree as an EROFS image, the same to the byte for equal entries and contents, whatever lists or stores the tree.
 * First the superblock's block, then inodes with the tails of files and directories, then all other blocks in
 * the order of the paths.
 * Owns: where things lie, and that a file which changes while it is read is noticed. erofs.ts has the bytes.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { Refusal } from "../errors.ts";
import type { Entry } from "../model/manifest.ts";
import { MIB } from "../model/size.ts";
import {
  BLOCK,
  type DirectoryEntry,
  directoryBytes,
  encodeDevice,
  encodeDirectory,
  encodeInode,
  encodeSuperblock,
  FIRST_META_BLOCK,
  type Inode,
  inodeBytes,
  roundUp,
  SLOT_BYTES,
  splitDirectory,
} from "./erofs.ts";
import { turn } from "./hash-tree.ts";
import { childrenOf, nameOf, parentOf } from "./paths.ts";

const PIECE_BYTES = MIB;
const ZEROS = Buffer.alloc(PIECE_BYTES);
/** Blocks of inodes in which there is still some room. */
const MOST_OPEN_BLOCKS = 16;
const MOST_BLOCKS = 2 ** 32 - 1;

export interface Content {
  /** The tree on this machine. */
  readonly root: string;
  /** Sorted by path, the root first, hard links marked, times as they shall be. */
  readonly entries: readonly Entry[];
  /** Seconds since 1970. */
  readonly epoch: number;
}

export interface Written {
  readonly blocks: number;
  /** Of all that is in the image, 64 hexadecimal digits. */
  readonly digest: string;
}

interface Node {
  readonly entry: Entry;
  readonly inode: Inode;
  /** The inode's number: its place in slots. */
  readonly number: number;
}

/** Writes into an empty file. @throws Refusal naming a file that changed meanwhile. */
export async function writeErofs(
  handle: number,
  content: Content,
  uuidOf: (digest: string) => string,
): Promise<Written> {
  const { entries, epoch, root } = content;
  const { nodes, blocks } = place(entries, epoch);
  if (blocks > MOST_BLOCKS) throw new Refusal("the tree is larger than 16 TiB");
  ftruncateSync(handle, blocks * BLOCK);
  const digest = createHash("sha256").update(`${epoch} ${blocks}\n`);
  const put = (bytes: Uint8Array, position: number) => {
    digest.update(bytes);
    // Nothing is written for zeros: a sparse file gives a sparse image.
    if (ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) !== 0) {
      writeWhole(handle, bytes, position);
    }
  };
  const children = childrenOf(entries);
  let sincePause = 0;
  for (const node of nodes.values()) {
    const { entry, inode } = node;
    const head = encodeInode(inode, epoch);
    const wholeBytes = inode.isInline
      ? Math.floor(inode.sizeBytes / BLOCK) * BLOCK
      : inode.sizeBytes;
    const start = inode.place * BLOCK;
    let tail: Uint8Array = Buffer.alloc(0);
    if (entry.type === "file") {
      tail = await copyFile(root + entry.path, inode.sizeBytes, wholeBytes, (piece, offset) =>
        put(piece, start + offset),
      );
    } else {
      const bytes = contentOf(node, nodes, children);
      for (let done = 0; done < wholeBytes; done += PIECE_BYTES) {
        put(bytes.subarray(done, Math.min(wholeBytes, done + PIECE_BYTES)), start + done);
      }
      tail = bytes.subarray(wholeBytes);
    }
    put(Buffer.concat([head, tail]), node.number * SLOT_BYTES);
    sincePause += head.length + inode.sizeBytes;
    if (sincePause > 16 * MIB) {
      sincePause = 0;
      await turn();
    }
  }
  const text = digest.digest("hex");
  const superblock = encodeSuperblock({
    uuid: uuidOf(text),
    rootNode: nodes.get("/")?.number ?? 0,
    inodes: nodes.size,
    epoch,
    blocks,
  });
  writeWhole(handle, superblock, 0);
  return { blocks, digest: text };
}

/** Where each inode and each content lies. Hard links have no node of their own. */
function place(
  entries: readonly Entry[],
  epoch: number,
): { nodes: Map<string, Node>; blocks: number } {
  const children = childrenOf(entries);
  const names = new Map<string, number>();
  for (const { link } of entries) {
    if (link !== undefined) names.set(link, (names.get(link) ?? 1) + 1);
  }
  const room = makeRoom();
  const nodes = new Map<string, Node>();
  for (const entry of entries) {
    if (entry.link !== undefined) continue;
    const below = children.get(entry.path) ?? [];
    const directories = below.filter(({ type }) => type === "directory").length;
    const draft: Inode = {
      type: entry.type,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      mtime: entry.mtime ?? epoch,
      links: entry.type === "directory" ? 2 + directories : (names.get(entry.path) ?? 1),
      sizeBytes: sizeOf(entry, below),
      isInline: false,
      place: entry.device === undefined ? 0 : encodeDevice(entry.device),
      serial: nodes.size + 1,
      xattrs: entry.xattrs,
    };
    const head = inodeBytes(draft, epoch);
    const tail = draft.sizeBytes % BLOCK;
    const isInline = tail > 0 && head + tail <= BLOCK;
    const number = room.take(head + (isInline ? tail : 0)) / SLOT_BYTES;
    nodes.set(entry.path, { entry, inode: { ...draft, isInline }, number });
  }
  let next = room.endBlock();
  for (const [path, node] of nodes) {
    const { isInline, sizeBytes } = node.inode;
    const count = isInline ? Math.floor(sizeBytes / BLOCK) : Math.ceil(sizeBytes / BLOCK);
    if (count === 0) continue;
    nodes.set(path, { ...node, inode: { ...node.inode, place: next } });
    next += count;
  }
  return { nodes, blocks: next };
}

function sizeOf(entry: Entry, below: readonly Entry[]): number {
  if (entry.type === "file") return entry.sizeBytes ?? 0;
  if (entry.type === "symlink") return Buffer.byteLength(entry.target ?? "");
  if (entry.type !== "directory") return 0;
  return directoryBytes(splitDirectory([".", "..", ...below.map(({ path }) => nameOf(path))]));
}

/** Room for inodes: what fits into one block never lies in two. Places in bytes from the image's start. */
function makeRoom() {
  let end = FIRST_META_BLOCK;
  /** Where each open block has room, the oldest first. */
  let open: number[] = [];
  const left = (at: number) => roundUp(at + 1, BLOCK) - at;
  const fullest = (places: readonly number[]) => places.toSorted((a, b) => left(a) - left(b))[0];
  return {
    take(bytes: number): number {
      // The fullest one that fits, so that large pieces find room later.
      const at = fullest(open.filter((place) => left(place) >= bytes));
      const start = at ?? end * BLOCK;
      if (at === undefined) end += Math.ceil(bytes / BLOCK);
      else open = open.filter((place) => place !== at);
      const rest = roundUp(start + bytes, SLOT_BYTES);
      if (rest % BLOCK !== 0) open.push(rest);
      if (open.length > MOST_OPEN_BLOCKS) {
        const given = fullest(open);
        open = open.filter((place) => place !== given);
      }
      return start;
    },
    endBlock: () => end,
  };
}

/** Of everything but files. */
function contentOf(
  { entry, number }: Node,
  nodes: ReadonlyMap<string, Node>,
  children: ReadonlyMap<string, readonly Entry[]>,
): Buffer {
  if (entry.type === "symlink") return Buffer.from(entry.target ?? "");
  if (entry.type !== "directory") return Buffer.alloc(0);
  const numberOf = (path: string) => nodes.get(path)?.number ?? 0;
  const up = entry.path === "/" ? number : numberOf(parentOf(entry.path));
  const listed: DirectoryEntry[] = (children.get(entry.path) ?? []).map(({ path, type, link }) => ({
    name: nameOf(path),
    node: numberOf(link ?? path),
    type,
  }));
  return encodeDirectory([
    { name: ".", node: number, type: "directory" },
    { name: "..", node: up, type: "directory" },
    ...listed,
  ]);
}

/** Hands out the file up to `wholeBytes`, and returns the rest. */
async function copyFile(
  file: string,
  sizeBytes: number,
  wholeBytes: number,
  take: (piece: Uint8Array, offset: number) => void,
): Promise<Buffer> {
  const handle = openListed(file);
  try {
    const before = fstatSync(handle, { bigint: true });
    if (!before.isFile()) throw changed(file);
    const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, Math.max(1, sizeBytes)));
    let done = 0;
    let tail = Buffer.alloc(0);
    let pieces = 0;
    while (done < sizeBytes) {
      const wanted = Math.min(buffer.length, (done < wholeBytes ? wholeBytes : sizeBytes) - done);
      const count = readSync(handle, buffer, 0, wanted, done);
      if (count === 0) throw changed(file);
      if (done < wholeBytes) take(buffer.subarray(0, count), done);
      else tail = Buffer.concat([tail, buffer.subarray(0, count)]);
      done += count;
      if ((pieces += 1) % 16 === 0) await turn();
    }
    const after = fstatSync(handle, { bigint: true });
    const isSame = (["size", "mtimeNs", "ctimeNs"] as const).every(
      (key) => before[key] === after[key],
    );
    if (!isSame || after.size !== BigInt(sizeBytes)) throw changed(file);
    return tail;
  } finally {
    closeSync(handle);
  }
}

/** Neither a link nor a pipe that lies there by now is followed or waited for. */
export function openListed(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ELOOP", "ENOENT", "ENOTDIR", "ENXIO"].includes(code)) throw changed(file);
    throw error;
  }
}

export function changed(what: string): Refusal {
  return new Refusal(
    `${what} changed while it was packed`,
    "stop what writes there, and pack again",
  );
}

function writeWhole(handle: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(handle, bytes, done, bytes.length - done, position + done);
  }
}
