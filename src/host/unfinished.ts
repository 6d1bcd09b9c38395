/*
 * What is being made and has not got its name yet: it goes whatever ends the work, Ctrl-C among it, and what a process left
 * that was killed goes with the next run.
 * Owns: the signals while something is unfinished, and telling the dead's from the living's.
 */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ENDING } from "./signals.ts";

const unfinished = new Set<string>();

/** A signal removes it until what is returned is called. */
export function markUnfinished(path: string): () => void {
  if (unfinished.size === 0) for (const signal of ENDING) process.on(signal, end);
  unfinished.add(path);
  return () => {
    if (!unfinished.delete(path) || unfinished.size > 0) return;
    for (const signal of ENDING) process.off(signal, end);
  };
}

function end(signal: NodeJS.Signals): void {
  for (const path of unfinished) remove(path);
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
export async function withUnfinished<T>(path: string, work: () => Promise<T>): Promise<T> {
  await rm(path, { recursive: true, force: true });
  const finish = markUnfinished(path);
  try {
    return await work();
  } finally {
    await rm(path, { recursive: true, force: true });
    finish();
  }
}

const PREFIX = "part-";

/** A directory of its own in `directory`, which is made; others of living processes may be beside it. */
export async function withScratch<T>(
  directory: string,
  work: (scratch: string) => Promise<T>,
): Promise<T> {
  await mkdir(directory, { recursive: true });
  for (const name of readdirSync(directory)) {
    if (isOfDead(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
  const name = `${PREFIX}${nameOfProcess(process.pid)}-${randomBytes(3).toString("hex")}`;
  const scratch = join(directory, name);
  // Before it is there, since a signal may come at once.
  const finish = markUnfinished(scratch);
  try {
    await mkdir(scratch);
    return await work(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
    finish();
  }
}

function isOfDead(name: string): boolean {
  const found = /^part-((\d{1,10})-\d{1,20})-[0-9a-f]{6}$/.exec(name);
  return found !== null && nameOfProcess(Number(found[2])) !== found[1];
}

/** With the moment of its start: the numbers of processes come again. Undefined where there is none. */
function nameOfProcess(pid: number): string | undefined {
  try {
    // The name in brackets may hold anything, blanks too; the start is field 22.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return `${pid}-${fields[19]}`;
  } catch {
    return undefined;
  }
}
