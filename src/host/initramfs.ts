/*
 * Whether the next start will find its root: once root has a snapshot, an initramfs without dm-snapshot
 * cannot activate it. Each image is read once and as a stream; what is packed is unpacked by the program that
 * packed it. lsinitrd and lsinitramfs unpack it several times, a minute and more on a slow machine.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { release } from "node:os";
import { isInit, isSnapshotModule, unpackerOf, walkNames } from "../model/cpio-names.ts";
import { MIB } from "../model/size.ts";
import { kernelsIn } from "./bootable.ts";
import { stream, tellFailure } from "./command.ts";

const PIECE_BYTES = MIB;
const TIMEOUT_MS = 300_000;

export interface InitramfsLook {
  /** Images without the module; the next start would fail. */
  readonly without: readonly string[];
  /** Why nothing can be said of an image. */
  readonly unknown: readonly string[];
}

/** The images of the newest kernel and of the one that runs. */
export async function readInitramfs(root = "/", running = release()): Promise<InitramfsLook> {
  const boot = join(root, "boot");
  const names = readdirSync(boot);
  const kernels = kernelsIn(names).filter((kernel, index) => index === 0 || kernel === running);
  const without: string[] = [];
  const unknown: string[] = [];
  for (const kernel of kernels) {
    if (isBuiltIn(root, kernel)) continue;
    const name = [`initrd.img-${kernel}`, `initramfs-${kernel}.img`].find((n) => names.includes(n));
    if (name === undefined) {
      unknown.push(`kernel ${kernel} has no initramfs`);
      continue;
    }
    const path = join(boot, name);
    try {
      if (!(await hasModule(path))) without.push(path);
    } catch (error) {
      unknown.push(`${path}: ${tellFailure(error)}`);
    }
  }
  return { without, unknown };
}

function isBuiltIn(root: string, kernel: string): boolean {
  try {
    const path = join(root, "lib/modules", kernel, "modules.builtin");
    return /\/dm-snapshot\.ko$/m.test(readFileSync(path, "utf8"));
  } catch {
    return false;
  }
}

/** @throws Error or CommandError where that cannot be told */
async function hasModule(path: string): Promise<boolean> {
  const file = openSync(path, "r");
  try {
    return await readHasModule(file);
  } finally {
    closeSync(file);
  }
}

/** Reads on only until the module is found. */
async function readHasModule(file: number): Promise<boolean> {
  let hasInit = false;
  let isFound = false;
  const take = (name: string) => {
    hasInit ||= isInit(name);
    isFound ||= isSnapshotModule(name);
  };
  let walk = walkNames(take);
  const add = (piece: Uint8Array): boolean => {
    walk.add(piece);
    return !isFound && !walk.foreign();
  };
  for (const piece of piecesOf(file)) if (!add(piece)) break;
  const packed = walk.foreign();
  if (packed) {
    const unpacker = unpackerOf(packed.magic);
    if (!unpacker) throw new Error(`what begins at byte ${packed.at} is no archive`);
    walk = walkNames(take);
    skip(file, packed.at);
    await stream(unpacker, add, { timeoutMs: TIMEOUT_MS, stdin: file });
  }
  if (isFound) return true;
  const why = walk.foreign() ? "what was packed is no archive" : walk.whyNotWhole();
  if (why !== undefined) throw new Error(why);
  // What was cut off between two archives looks whole.
  if (!hasInit) throw new Error("it holds no init, so it is not all there");
  return false;
}

/** From the beginning, wherever the file stands; it stays there. Each piece is good until the next. */
function* piecesOf(file: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let at = 0; ;) {
    const count = readSync(file, buffer, 0, buffer.length, at);
    if (count === 0) return;
    at += count;
    yield buffer.subarray(0, count);
  }
}

/** Reads what is passed over, since there is no call that only moves. */
function skip(file: number, sizeBytes: number): void {
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let left = sizeBytes; left > 0;) {
    const count = readSync(file, buffer, 0, Math.min(buffer.length, left), null);
    if (count === 0) return;
    left -= count;
  }
}
