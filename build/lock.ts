/*
 * One at a time: two builds in the same work tree (a test run beside a person) would write the same
 * files. Owns: a lock file that names the process; one whose process is gone does not count.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const LOOK_AGAIN_MS = 250;

export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(path.dirname(file), { recursive: true });
  let told = false;
  while (!take(file)) {
    if (!told) console.error("build: another build is at work here; waiting for it …");
    told = true;
    await Bun.sleep(LOOK_AGAIN_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    if (!isAlive(file)) rmSync(file, { force: true });
    return false;
  }
}

function isAlive(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    // Empty for the instant between its making and its writing.
    if (pid === 0) return true;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // ENOENT: it has just been given back.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
