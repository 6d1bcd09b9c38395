/*
 * One zshield at a time in the running system. The lock belongs to a child (flock(1) of util-linux) whose
 * standard input is ours: however this process ends, SIGKILL included, the child reads the end and the lock is
 * free. Changing is exclusive; looking is shared, since two mounts of the ESP, one of them read-only,
 * refuse each other.
 */
import { mkdirSync, statSync, utimesSync } from "node:fs";
import { LockConflict, Refusal } from "../errors.ts";
import { findTool } from "./command.ts";

export const LOCK_DIRECTORY = "/run/zshield";
const CONFLICT = 75;

export type LockKind = "exclusive" | "shared";

/** @throws Refusal */
export function checkIsRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new Refusal("only root can do that", "run it again as root (sudo)");
}

/** @throws LockConflict if another one holds it for longer than `waitSeconds`; Refusal if it cannot be had. */
export async function withLock<T>(
  kind: LockKind,
  waitSeconds: number,
  work: () => Promise<T>,
  directory: string = LOCK_DIRECTORY,
): Promise<T> {
  if (directory.startsWith(LOCK_DIRECTORY)) checkIsRoot();
  const flock = findTool("flock");
  if (flock === undefined) {
    throw new Refusal(
      "there is no program flock, so nothing keeps two runs apart",
      "install util-linux",
    );
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const how = [`--${kind}`, `--timeout=${waitSeconds}`, `--conflict-exit-code=${CONFLICT}`];
  const child = Bun.spawn(
    [flock, ...how, `${directory}/lock`, "sh", "-c", "echo locked && exec cat"],
    // A group of its own: Ctrl-C is for us.
    { cwd: "/", stdin: "pipe", stdout: "pipe", stderr: "ignore", detached: true },
  );
  const { value } = await child.stdout.getReader().read();
  const file = `${directory}/lock`;
  if (value === undefined) {
    const code = await child.exited;
    if (code === CONFLICT) throw new LockConflict(ageSeconds(file));
    throw new Refusal(
      `the lock ${file} cannot be had (flock ended with ${code})`,
      "look at that file and at what is mounted there",
    );
  }
  // Who waits in vain can tell since when.
  if (kind === "exclusive") utimesSync(file, new Date(), new Date());
  try {
    return await work();
  } finally {
    await child.stdin.end();
    await child.exited;
  }
}

function ageSeconds(file: string): number {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? 0 : Math.max(0, (Date.now() - found.mtimeMs) / 1000);
}
