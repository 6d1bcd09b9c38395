/*
 * A directory as a tree that can be asked (model/harvest.ts). Owns: lstat, readdir and the first bytes of files below
 * it, each looked at once. Follows no link at a path's end; whoever asks gives real paths.
 */
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
} from "node:fs";
import { resolve } from "node:path";
import { type Elf, parseElf } from "../../model/elf.ts";
import type { Node, TreeView } from "../../model/harvest.ts";
import { MIB } from "../../model/size.ts";
import { parentOf } from "../../model/tree-path.ts";

const MOST_TEXT_BYTES = 16 * MIB;
const LONGEST_FIRST_LINE = 256;

export function viewDirectory(directory: string): TreeView {
  const top = resolve(directory).replace(/\/+$/, "");
  const inside = `${(realpathOf(top) ?? top).replace(/\/+$/, "")}/`;
  // A link in the middle of a path may lead to a directory of this machine, like a link /srv to /srv.
  const isInside = remember((directory: string): boolean => {
    const found = realpathOf(top + directory);
    return found !== undefined && `${found}/`.startsWith(inside);
  });
  const isFile = (path: string) => view.node(path)?.type === "file";
  const view: TreeView = {
    node: remember((path): Node | undefined => {
      const file = top + path;
      const stats = isInside(parentOf(path)) ? statOf(file) : undefined;
      return stats && describe(file, stats);
    }),
    names(path) {
      try {
        return isInside(path) ? readdirSync(top + path).sort() : [];
      } catch {
        return [];
      }
    },
    text(path) {
      const node = view.node(path);
      if (node?.type !== "file" || node.sizeBytes > MOST_TEXT_BYTES) return undefined;
      return readFileSync(top + path, "utf8");
    },
    elf: remember((path): Elf | undefined =>
      isFile(path) ? withFile(top + path, parseElf) : undefined,
    ),
    interpreter(path) {
      if (!isFile(path)) return undefined;
      const head = withFile(top + path, (read) => read(0, LONGEST_FIRST_LINE));
      if (head.subarray(0, 2).toString("latin1") !== "#!") return undefined;
      return head.toString("utf8", 2).split("\n", 1)[0] ?? "";
    },
  };
  return view;
}

function remember<T>(ask: (path: string) => T): (path: string) => T {
  const known = new Map<string, T>();
  return (path) => {
    const answer = known.get(path);
    if (answer !== undefined || known.has(path)) return answer as T;
    const found = ask(path);
    known.set(path, found);
    return found;
  };
}

/** Undefined where there is nothing. */
function realpathOf(path: string): string | undefined {
  try {
    return realpathSync(`${path}/`);
  } catch {
    return undefined;
  }
}

/** Undefined where there is nothing, also where a part of the path is a file. */
function statOf(file: string): Stats | undefined {
  try {
    return lstatSync(file);
  } catch {
    return undefined;
  }
}

function describe(file: string, stats: Stats): Node {
  const kinds = [
    [stats.isFile(), "file"],
    [stats.isDirectory(), "directory"],
    [stats.isSymbolicLink(), "symlink"],
    [stats.isCharacterDevice(), "character"],
    [stats.isBlockDevice(), "block"],
    [stats.isFIFO(), "fifo"],
  ] as const;
  const type = kinds.find(([is]) => is)?.[1] ?? "socket";
  return {
    type,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    sizeBytes: stats.size,
    target: type === "symlink" ? readlinkSync(file) : undefined,
  };
}

function withFile<T>(
  file: string,
  work: (read: (position: number, length: number) => Buffer) => T,
): T {
  const handle = openSync(file, "r");
  try {
    return work((position, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(handle, bytes, 0, length, position));
    });
  } finally {
    closeSync(handle);
  }
}
