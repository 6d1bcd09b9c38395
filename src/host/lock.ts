/*
 * One zshield at a time in the running system. The lock belongs to a child (flock(1) of util-linux) whose
 * standard input is ours: however this process ends, SIGKILL included, the child reads the end and the lock is
 * free. Changing is exclusive; looking is shared, since two mounts of the ESP, one of them read-only,
 * refuse each other.
 */
import { mkdirSync } from "node:fs";
import { Refusal } from "../errors.ts";
import { findTool } from "./command.ts";

const DIRECTORY = "/run/zshield";
const CONFLICT = 75;

export type LockKind = "exclusive" | "shared";

/** @throws Refusal if another one holds it for longer than `waitSeconds`. */
export async function withLock<T>(
  kind: LockKind,
  waitSeconds: number,
  work: () => Promise<T>,
  directory = DIRECTORY,
): Promise<T> {
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
  if (value === undefined) {
    const code = await child.exited;
    throw new Refusal(
      code === CONFLICT
        ? "another zshield is at work"
        : `the lock ${directory}/lock cannot be had (flock ended with ${code})`,
      "wait until it is done, and try again",
    );
  }
  try {
    return await work();
  } finally {
    await child.stdin.end();
    await child.exited;
  }
}
