/*
 * Where a root is made, and the name that it gets. Owns: that it is there whole, on the disk, or not at all, and has nothing of
 * the directory that it is made in.
 */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
} from "node:fs";
import { readFile, rename } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Refusal } from "../errors.ts";
import { run } from "../host/command.ts";
import { flushDirectory } from "../host/durable.ts";
import { withUnfinished } from "../host/unfinished.ts";
import { parseMountinfo } from "../host/usage.ts";

/** Where the root is made before it gets its name. */
export interface RootWork {
  readonly root: string;
  readonly images: string;
}

/** Calls `work`, and gives the root its name. Nothing of it is left if that fails. @throws Refusal */
export async function withRoot<T>(
  directory: string,
  work: (place: RootWork) => Promise<T>,
): Promise<T> {
  const target = await freePlace(directory);
  const scratch = join(dirname(target), `.${basename(target)}.zshield-part`);
  const place = { root: join(scratch, "root"), images: join(scratch, "images") };
  // What a power cut left there goes first.
  return withUnfinished(scratch, async () => {
    await makeScratch(scratch);
    for (const path of [place.root, place.images]) mkdirSync(path, { mode: 0o700 });
    const result = await work(place);
    await run(["sync", "--file-system", place.root]);
    await rename(place.root, target);
    await flushDirectory(dirname(target));
    return result;
  });
}

/** Whatever is made in it begins without the group and the access list that a directory can give to all below it. */
async function makeScratch(path: string): Promise<void> {
  mkdirSync(path, { mode: 0o700 });
  chownSync(path, 0, 0);
  chmodSync(path, 0o700);
  // An empty list: there is none then. Where the file system has no lists, it fails, and there was none.
  const argv = ["setfattr", "--name=system.posix_acl_default", "--value=0x02000000", path];
  await run(argv, { okCodes: [0, 1] });
}

/** The real path of what is to be made. @throws Refusal */
async function freePlace(directory: string): Promise<string> {
  if (process.getuid?.() !== 0) {
    throw new Refusal("only root can give files their owners", "use sudo");
  }
  const beside = dirname(resolve(directory));
  const found = statSync(beside, { throwIfNoEntry: false });
  if (!found?.isDirectory()) {
    throw new Refusal(`there is no directory ${beside}`, "the root is made in it");
  }
  const parent = realpathSync(beside);
  const target = join(parent, basename(resolve(directory)));
  const stats = lstatSync(target, { throwIfNoEntry: false });
  if (!stats) return target;
  if (!stats.isDirectory() || readdirSync(target).length > 0) {
    throw new Refusal(`${directory} is no empty directory`, "name one that is empty or not there");
  }
  const mounts = parseMountinfo(await readFile("/proc/self/mountinfo", "utf8"));
  if (mounts.some((mount) => mount.target === target)) {
    throw new Refusal(`something is mounted at ${directory}`, "name a directory below it");
  }
  return target;
}
