/*
 * Reads the images that erofs-write.ts makes, and nothing else: whatever differs from the one form is refused, so
 * that a file from anywhere can be looked at. Nothing is mounted, and no privilege is needed.
 * zdiff/erofs.ts reads more forms, and less of them: it only looks for places that a difference may begin with.
 * Owns: names, entries and contents of an image, with memory that does not grow with the size of files.
 */
import { createHash } from "node:crypto";
import { Refusal } from "../errors.ts";
import type { Entry } from "../model/manifest.ts";
import { MIB } from "../model/size.ts";
import {
  BLOCK,
  COMPACT_BYTES,
  decodeDevice,
  decodeDirectory,
  decodeInode,
  decodeInodeLength,
  decodeSuperblock,
  decodeText,
  ErofsError,
  FIRST_META_BLOCK,
  type Inode,
  SLOT_BYTES,
  type Superblock,
} from "./erofs.ts";
import { readExactly, turn } from "./hash-tree.ts";
import { countTree, MOST_NAMES } from "./tree-amount.ts";

const PIECE_BYTES = MIB;
/** More than a path that a program can open. */
const MOST_PATH_BYTES = 4096;
/** More than one has whose names are within the limits of tree-amount.ts. */
const MOST_DIRECTORY_BYTES = 20 * MIB;

export interface Erofs {
  readonly superblock: Superblock;
  /** As host/tree.ts tells of a directory; `hash`: with the digests of files. */
  readEntries(options: { readonly hash: boolean }): Promise<Entry[]>;
  /** The same without digests, and what is in its files. */
  readTree(): Promise<ReadTree>;
  /** Undefined where there is no such file. */
  readFile(path: string, mostBytes: number): Buffer | undefined;
}

export interface ReadTree {
  readonly entries: readonly Entry[];
  /** Of a file among the entries, in pieces. @throws Refusal */
  content(path: string): Generator<Buffer>;
}

interface Node {
  readonly number: number;
  readonly inode: Inode;
  /** Of the inode in the image. */
  readonly position: number;
  readonly headBytes: number;
}

/** @throws Refusal if it is not one of our images. */
export function openErofs(handle: number, superblock: Superblock): Erofs {
  const wholeBytes = superblock.blocks * BLOCK;
  const read = (length: number, position: number): Buffer => {
    if (position < 0 || position + length > wholeBytes) {
      throw new ErofsError("it points outside of itself");
    }
    const bytes = Buffer.alloc(length);
    readExactly(handle, bytes, length, position);
    return bytes;
  };
  const nodeAt = (number: number): Node => {
    const position = number * SLOT_BYTES;
    if (position < FIRST_META_BLOCK * BLOCK) throw new ErofsError("it points outside of itself");
    const headBytes = decodeInodeLength(read(COMPACT_BYTES, position));
    const inode = decodeInode(read(headBytes, position), superblock.epoch);
    if (inode.isInline) {
      const tail = inode.sizeBytes % BLOCK;
      if (tail === 0 || ((position + headBytes) % BLOCK) + tail > BLOCK) {
        throw new ErofsError("the tail of a file lies in two blocks");
      }
    }
    return { number, inode, position, headBytes };
  };
  const pieces = function* ({ inode, position, headBytes }: Node): Generator<Buffer> {
    const { sizeBytes, isInline } = inode;
    const whole = isInline ? sizeBytes - (sizeBytes % BLOCK) : sizeBytes;
    for (let done = 0; done < whole; done += PIECE_BYTES) {
      yield read(Math.min(PIECE_BYTES, whole - done), inode.place * BLOCK + done);
    }
    if (isInline) yield read(sizeBytes - whole, position + headBytes);
  };
  const contentOf = (node: Node, mostBytes: number): Buffer => {
    if (node.inode.sizeBytes > mostBytes) throw new ErofsError("a directory or link is too large");
    return Buffer.concat([...pieces(node)]);
  };
  const list = (node: Node) =>
    decodeDirectory(contentOf(node, MOST_DIRECTORY_BYTES), MOST_NAMES + 2).filter(({ name }) => {
      if (name === "" || /[/\0]/.test(name)) throw new ErofsError("a name is no name");
      return name !== "." && name !== "..";
    });
  const describe = async (path: string, node: Node, hash: boolean): Promise<Entry> => {
    const { inode } = node;
    const { type } = inode;
    const hasTime = type === "file" || type === "symlink";
    return {
      path,
      type,
      mode: inode.mode,
      uid: inode.uid,
      gid: inode.gid,
      ...(hasTime ? { mtime: inode.mtime } : {}),
      ...(type === "file" ? { sizeBytes: inode.sizeBytes } : {}),
      ...(type === "character" || type === "block" ? { device: decodeDevice(inode.place) } : {}),
      ...(type === "symlink" ? { target: decodeText(contentOf(node, MOST_PATH_BYTES)) } : {}),
      ...(type === "file" && hash ? { sha256: await digestOf(pieces(node)) } : {}),
      ...(inode.xattrs === undefined ? {} : { xattrs: inode.xattrs }),
    };
  };
  interface Place {
    readonly path: string;
    readonly node: Node;
  }
  /** Every name, sorted. */
  const walk = async (): Promise<Place[]> => {
    const found: Place[] = [];
    const directories = [{ path: "", node: nodeAt(superblock.rootNode) }];
    const seen = new Set<number>();
    const counted = new Set<number>([superblock.rootNode]);
    let contentBytes = 0;
    // No content lies in two inodes. Else a small image could hold more names and bytes than any machine can count.
    const nodeOnce = (number: number): Node => {
      const node = nodeAt(number);
      if (!counted.has(number)) contentBytes += node.inode.sizeBytes;
      counted.add(number);
      if (contentBytes > wholeBytes) throw new ErofsError("it holds more than its size");
      return node;
    };
    const amount = countTree();
    const put = (place: Place) => {
      const { sizeBytes, type, xattrs } = place.node.inode;
      const fault = amount.add(place.path, type === "symlink" ? sizeBytes : 0, xattrs);
      if (fault !== undefined) throw new ErofsError(fault);
      found.push(place);
    };
    put({ path: "/", node: directories[0]?.node ?? nodeAt(superblock.rootNode) });
    for (let next = directories.pop(); next; next = directories.pop()) {
      const { path: parent, node } = next;
      if (node.inode.type !== "directory") throw new ErofsError("a directory is none");
      if (seen.has(node.number)) throw new ErofsError("a directory lies in two places");
      seen.add(node.number);
      for (const { name, node: number, type } of list(node)) {
        const child = { path: `${parent}/${name}`, node: nodeOnce(number) };
        if (child.node.inode.type !== type) throw new ErofsError("a directory lies about a type");
        if (Buffer.byteLength(child.path) > MOST_PATH_BYTES) {
          throw new ErofsError("a path is too long");
        }
        put(child);
        if (type === "directory") directories.push(child);
      }
      await turn();
    }
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  };
  const describeAll = async (found: readonly Place[], hash: boolean): Promise<Entry[]> => {
    const first = new Map<number, string>();
    const entries: Entry[] = [];
    for (const { path, node } of found) {
      const link = first.get(node.number);
      if (link === undefined && node.inode.type === "file") first.set(node.number, path);
      const entry = await describe(path, node, hash && link === undefined);
      entries.push(link === undefined ? entry : { ...entry, link });
    }
    if (entries.filter(({ link }) => link === undefined).length !== superblock.inodes) {
      throw new ErofsError("it counts its files wrongly");
    }
    return entries;
  };
  return {
    superblock,
    readEntries: ({ hash }) => refused(async () => describeAll(await walk(), hash)),
    readTree: () =>
      refused(async () => {
        const found = await walk();
        const nodes = new Map(found.map(({ path, node }) => [path, node]));
        return {
          entries: await describeAll(found, false),
          *content(path) {
            const node = nodes.get(path);
            if (node?.inode.type !== "file") throw new Error(`the image has no file ${path}`);
            try {
              yield* pieces(node);
            } catch (error) {
              throw asRefusal(error);
            }
          },
        };
      }),
    readFile(path, mostBytes) {
      try {
        let node = nodeAt(superblock.rootNode);
        for (const name of path.split("/").filter((part) => part !== "")) {
          if (node.inode.type !== "directory") return undefined;
          const found = list(node).find((entry) => entry.name === name);
          if (!found) return undefined;
          node = nodeAt(found.node);
        }
        return node.inode.type === "file" ? contentOf(node, mostBytes) : undefined;
      } catch (error) {
        throw asRefusal(error);
      }
    },
  };
}

/** @throws Refusal if the file does not begin as one of our images. */
export function readSuperblock(handle: number): Superblock {
  try {
    const block = Buffer.alloc(BLOCK);
    readExactly(handle, block, BLOCK, 0);
    return decodeSuperblock(block);
  } catch (error) {
    throw asRefusal(error);
  }
}

async function refused<T>(work: () => Promise<T>): Promise<T> {
  return work().catch((error: unknown) => Promise.reject(asRefusal(error)));
}

function asRefusal(error: unknown): unknown {
  if (!(error instanceof ErofsError)) return error;
  return new Refusal(
    `it is not the image of a package: ${error.message}`,
    "zshield package pack makes one",
  );
}

async function digestOf(pieces: Iterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  let count = 0;
  for (const piece of pieces) {
    hash.update(piece);
    if ((count += 1) % 16 === 0) await turn();
  }
  return hash.digest("hex");
}
