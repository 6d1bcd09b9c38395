/*
 * Whether the next start will find its root: once root has a snapshot, an initramfs without dm-snapshot
 * cannot activate it. Asks the distribution's own tool (dracut's lsinitrd, Debian's lsinitramfs); what was
 * seen is remembered by the file's size and time, since the listing takes seconds.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { release } from "node:os";
import { kernelsIn } from "./bootable.ts";
import { findTool, query, tellFailure } from "./command.ts";

const CACHE = "/run/zshield/initramfs.json";
const TIMEOUT_MS = 300_000;

export interface InitramfsLook {
  /** Images without the module; the next start would fail. */
  readonly without: readonly string[];
  /** Why nothing can be said of an image. */
  readonly unknown: readonly string[];
}

export function hasSnapshotModule(listing: string): boolean {
  return /(^|[\s/])dm[-_]snapshot\.ko(\.(xz|zst|gz))?\s*$/m.test(listing);
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

async function hasModule(path: string): Promise<boolean> {
  const { size, mtimeMs, ino } = statSync(path);
  const key = `${path} ${ino} ${size} ${mtimeMs}`;
  const known = readCache();
  const seen = known[key];
  if (seen !== undefined) return seen;
  const tool = ["lsinitrd", "lsinitramfs"].find((name) => findTool(name) !== undefined);
  if (tool === undefined) throw new Error("there is neither lsinitrd nor lsinitramfs");
  const found = hasSnapshotModule(await query([tool, path], { timeoutMs: TIMEOUT_MS }));
  mkdirSync("/run/zshield", { recursive: true, mode: 0o700 });
  writeFileSync(CACHE, JSON.stringify({ ...known, [key]: found }), { mode: 0o600 });
  return found;
}

function readCache(): Record<string, boolean> {
  try {
    return JSON.parse(readFileSync(CACHE, "utf8")) as Record<string, boolean>;
  } catch {
    return {};
  }
}
