/*
 * What is being made and has not got its name yet: it goes whatever ends the work, Ctrl-C among it, and what a process left
 * that was killed goes with the next run.
 * Owns: the signals while something is unfinished, and the names of it.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isDead, OWNER, ownerName } from "./owner-name.ts";
import { ENDING } from "./signals.ts";

/** With what removes it. */
const unfinished = new Map<string, () => void>();

/** A signal removes it until what is returned is called. `discard`: cannot wait for a promise. */
export function markUnfinished(path: string, discard = () => remove(path)): () => void {
  if (unfinished.size === 0) for (const signal of ENDING) process.on(signal, end);
  unfinished.set(path, discard);
  return () => {
    if (!unfinished.delete(path) || unfinished.size > 0) return;
    for (const signal of ENDING) process.off(signal, end);
  };
}

function end(signal: NodeJS.Signals): void {
  // The newest first: a directory goes after what was made in it.
  for (const discard of [...unfinished.values()].reverse()) discard();
  for (const one of ENDING) process.off(one, end);
  // As if nobody had looked at it: a shell stops its script then.
  process.kill(process.pid, signal);
}

/** A file may just be opened in the directory, which is not empty then. */
function remove(path: string): void {
  for (let left = 20; left > 0; left -= 1) {
    try {
      return rmSync(path, { recursive: true, force: true });
    } catch {
      Bun.sleepSync(5);
    }
  }
}

/** Nothing is there when `work` begins, and nothing when this has ended: what is to stay is renamed by then. */
export async function withUnfinished<T>(
  path: string,
  work: (path: string) => Promise<T>,
): Promise<T> {
  await rm(path, { recursive: true, force: true });
  // Before it is there, since a signal may come at once.
  const finish = markUnfinished(path);
  try {
    return await work(path);
  } catch (error) {
    throw withPath(error, path);
  } finally {
    await rm(path, { recursive: true, force: true });
    finish();
  }
}

/** A full disk says so to a descriptor: which file that was for is known here. */
function withPath(error: unknown, path: string): unknown {
  const isOfSystem = error instanceof Error && "syscall" in error;
  return isOfSystem && !("path" in error) ? Object.assign(error, { path }) : error;
}

/** A directory of its own in `directory`, which is made; others of living processes may be beside it. */
export async function withScratch<T>(
  directory: string,
  work: (scratch: string) => Promise<T>,
): Promise<T> {
  await mkdir(directory, { recursive: true });
  return withUnfinished(await unfinishedIn(directory, ""), async (scratch) => {
    await mkdir(scratch);
    return work(scratch);
  });
}

/** `work` makes what is called `path` in the end under a name of its own beside it, so that two at once do not meet. */
export async function withUnfinishedOf<T>(
  path: string,
  work: (making: string) => Promise<T>,
): Promise<T> {
  return withUnfinished(await unfinishedOf(path), work);
}

/** A name beside `path` that nobody else takes. What dead ones left there is removed. */
export function unfinishedOf(path: string): Promise<string> {
  return unfinishedIn(dirname(path), `${basename(path)}.`);
}

/** Whether a file's name is such a one, whoever makes the file or has left it. */
export function isUnfinished(name: string): boolean {
  return new RegExp(`(?:^|\\.)part-${OWNER}-[0-9a-f]{6}$`).test(name);
}

export async function unfinishedIn(directory: string, prefix: string): Promise<string> {
  const own = new RegExp(`^part-(${OWNER})-[0-9a-f]{6}$`);
  for (const name of existsSync(directory) ? readdirSync(directory) : []) {
    const owner = name.startsWith(prefix) && own.exec(name.slice(prefix.length))?.[1];
    if (owner && isDead(owner)) await rm(join(directory, name), { recursive: true, force: true });
  }
  return join(directory, `${prefix}part-${ownerName()}-${randomBytes(3).toString("hex")}`);
}
