/*
 * A package's tree before it is packed: read, put into the form that the image will have, and refused by name where it
 * holds what a package must not hold. The rules stand in README.md beside this file.
 * Owns: these rules. Must not write anything.
 */
import { lstatSync, readFileSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { Refusal } from "../errors.ts";
import { readTree, walkTree } from "../host/tree.ts";
import { type Entry, whyNotSameEntry } from "../model/manifest.ts";
import { PACKAGE_FILE } from "../model/package-toml.ts";
import { faultOfXattr, roundUp, xattrsBytes } from "./erofs.ts";
import { nameOf, parentOf, shorten } from "./paths.ts";
import { countTree } from "./tree-amount.ts";

export const OWN_DIRECTORY = `/${PACKAGE_FILE.slice(0, PACKAGE_FILE.lastIndexOf("/"))}`;
export const OWN_FILE = `/${PACKAGE_FILE}`;

/** A program opens paths of up to 4095 bytes, and a tree may lie below others. */
const MOST_PATH_BYTES = 1024;
const MOST_XATTRS_BYTES = 32 * 1024;
/** What the machine that packs says of its own, and no part of the tree. */
const NOT_OF_THE_TREE = ["security.selinux", "security.evm"];
/** An overlay would take them as orders: they hide or replace what other packages hold. */
const OF_THE_OVERLAY = /^(trusted|user)\.overlay\./;
/** Nobody else is shown them, and with `ownerRoot` anybody gets the same image. */
const OF_ROOT = /^trusted\./;
const WHITEOUT = "0:0";

export interface TreeRules {
  /** Everything belongs to 0:0, whoever has it here. */
  readonly ownerRoot: boolean;
  /** Seconds since 1970, later than which no time is; default: the newest file's. */
  readonly epoch?: number | undefined;
}

export interface PackageTree {
  readonly root: string;
  /** As the tree has them, before anything was settled. */
  readonly found: readonly Entry[];
  readonly entries: readonly Entry[];
  readonly epoch: number;
}

/** @throws Refusal naming what cannot be packed. */
export async function readPackageTree(directory: string, rules: TreeRules): Promise<PackageTree> {
  const root = resolve(directory);
  const stats = lstatSync(root, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) {
    throw new Refusal(`${directory} is no directory`, "a package is a directory tree");
  }
  if (!rules.ownerRoot && process.getuid?.() !== 0) {
    throw new Refusal(
      "only root can pack a tree with its owners",
      "--owner-root gives every file to root; or use sudo",
    );
  }
  // The kernel tells of mounts by their real paths.
  refuseMounts(realpathSync(root));
  const found = await readTree(root, { hash: false });
  checkEntries(found);
  const times = found.flatMap(({ mtime }) => (mtime === undefined ? [] : [mtime]));
  const epoch = rules.epoch ?? times.reduce((newest, time) => Math.max(newest, time), 0);
  return {
    root,
    epoch,
    found,
    entries: found.map((entry) => settle(entry, epoch, rules.ownerRoot)),
  };
}

/** @throws Refusal if the tree is not what it was. */
export async function checkUnchanged(tree: PackageTree): Promise<void> {
  const before = new Map(tree.found.map((entry) => [entry.path, entry]));
  for await (const entry of walkTree(tree.root, { hash: false })) {
    const known = before.get(entry.path);
    before.delete(entry.path);
    const why = known ? whyNotSameEntry(entry, known) : "is new";
    if (why !== undefined) throw changedTree(`${entry.path} ${why}`);
  }
  for (const path of before.keys()) throw changedTree(`${path} is gone`);
}

function changedTree(what: string): Refusal {
  return new Refusal(
    `the tree changed while it was packed: ${what}`,
    "stop what writes there, and pack again",
  );
}

/** As it will be in the image. */
function settle(entry: Entry, epoch: number, ownerRoot: boolean): Entry {
  const { xattrs, mtime, ...rest } = entry;
  const kept = Object.entries(xattrs ?? {}).filter(
    ([name]) => !NOT_OF_THE_TREE.includes(name) && !(ownerRoot && OF_ROOT.test(name)),
  );
  const own = ["/", OWN_DIRECTORY, OWN_FILE];
  return {
    ...rest,
    ...(ownerRoot ? { uid: 0, gid: 0 } : {}),
    ...(mtime === undefined ? {} : { mtime: Math.min(Math.max(mtime, 0), epoch) }),
    ...(kept.length === 0 ? {} : { xattrs: Object.fromEntries(kept) }),
    // Made by hand or by `new`, under whatever umask; and the root's would become that of the device's own root.
    ...(own.includes(entry.path)
      ? { mode: entry.type === "directory" ? 0o755 : 0o644, uid: 0, gid: 0 }
      : {}),
  };
}

/** @throws Refusal naming the first entry that must not be in a package. */
export function checkEntries(entries: readonly Entry[]): void {
  const amount = countTree();
  for (const entry of entries) {
    const fault = faultOfEntry(entry);
    if (fault !== undefined) throw new Refusal(`${shorten(entry.path)} ${fault[0]}`, fault[1]);
    const { path, target = "", xattrs } = entry;
    const tooMuch = amount.add(path, Buffer.byteLength(target), xattrs);
    if (tooMuch !== undefined) {
      throw new Refusal(`the tree is too large for one package: ${tooMuch}`, "make two of it");
    }
  }
}

/** What is wrong, and what one can do. */
function faultOfEntry(entry: Entry): readonly [string, string] | undefined {
  const { path, type, xattrs = {} } = entry;
  if (Buffer.byteLength(path) > MOST_PATH_BYTES) {
    return [`is a path of more than ${MOST_PATH_BYTES} bytes`, "take it out of the tree"];
  }
  if (parentOf(path) === "/" && nameOf(path).startsWith("__") && path !== OWN_DIRECTORY) {
    return ["begins with __, which is kept for zshield", "rename it"];
  }
  if (path === OWN_DIRECTORY && type !== "directory") return ["must be a directory", ""];
  if (path === OWN_FILE && type !== "file") return ["must be a file", ""];
  if (type === "socket") {
    return ["is a socket, which means nothing without the program that made it", "remove it"];
  }
  if (type === "character" && entry.device === WHITEOUT) {
    return ["is a whiteout of an overlay: it would hide files of other packages", "remove it"];
  }
  for (const [name, value] of Object.entries(xattrs)) {
    if (NOT_OF_THE_TREE.includes(name)) continue;
    if (OF_THE_OVERLAY.test(name)) {
      return [`has the attribute ${name}, an order to an overlay`, "remove it with setfattr -x"];
    }
    const fault = faultOfXattr(name, value);
    if (fault !== undefined) {
      return [`has the attribute ${name}: ${fault}`, "remove it with setfattr -x"];
    }
  }
  if (roundUp(xattrsBytes(entry.xattrs), 4) > MOST_XATTRS_BYTES) {
    return [`has more than ${MOST_XATTRS_BYTES} bytes of attributes`, "remove some"];
  }
  return undefined;
}

/** What is mounted in the tree is not the tree's, and differs from machine to machine. */
function refuseMounts(root: string): void {
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const at = unescape(line.split(" ")[4] ?? "");
    if (!at.startsWith(`${root === "/" ? "" : root}/`) || at === root) continue;
    throw new Refusal(
      `something is mounted at ${shorten(at)}: a package is one file system`,
      "unmount it, or copy what it holds into the tree",
    );
  }
}

/** The kernel writes a blank, a tab, a line break and a backslash as three octal digits. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
