/*
 * Where a vendor's test runs, and what is left of it: a chroot of the installed root, which stays read-only, with
 * /dev, /proc and /sys as they are here and memory at /run, /tmp and /dev/shm, in a mount namespace of its own, so that
 * what it mounts ends with it; and every process that it started, found again and ended, also one that took a session
 * of its own. Owns: those mounts and that search.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { run } from "../command.ts";
import { parseMountinfo } from "../usage.ts";

export interface Enclosure {
  /** Before the test's path. */
  readonly prefix: readonly string[];
  /** Processes that have this as their root belong to the test; absent: only its environment tells. */
  readonly root?: string;
  open(): Promise<void>;
  /** Returns what could not be taken away in the ordinary way. */
  close(): Promise<string[]>;
}

const LIMIT = { timeoutMs: 60_000 };
const BINDS = ["/dev", "/proc", "/sys"] as const;
/** With their modes. */
const MEMORY = [
  ["/run", "0755"],
  ["/tmp", "1777"],
  ["/dev/shm", "1777"],
] as const;

export function chrootOf(root: string): Enclosure {
  return {
    // Slave: what we unmount is unmounted there too, should something of the test be left.
    prefix: ["unshare", "--mount", "--propagation=slave", "chroot", root],
    root,
    async open() {
      for (const path of BINDS) {
        // Private: the memory that is mounted below must not come to lie over ours.
        await run(["mount", "--bind", "--make-private", path, join(root, path)], LIMIT);
      }
      for (const [path, mode] of MEMORY) {
        if (!existsSync(join(root, path))) continue;
        const options = `mode=${mode},nodev,nosuid,size=25%`;
        await run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", join(root, path)], LIMIT);
      }
    },
    async close() {
      const busy: string[] = [];
      // The newest first.
      for (const at of mountsBelow(root).reverse()) {
        if (!(await takeAway(at))) busy.push(at);
      }
      // A remount reaches the file system itself, out of any namespace.
      if (isWritable(root)) {
        await run(["mount", "-o", "remount,ro", root], LIMIT).catch(() => undefined);
        busy.push(`${root}, which it had made writable`);
      }
      return busy;
    },
  };
}

const readMountinfo = () => readFileSync("/proc/self/mountinfo", "utf8");

function mountsBelow(root: string): string[] {
  const top = realpathSync(root);
  return parseMountinfo(readMountinfo())
    .map(({ target }) => target)
    .filter((target) => target.startsWith(`${top}/`));
}

/** By the options of the file system, which follow its type and source; those of the mount stand before. */
function isWritable(root: string): boolean {
  const top = realpathSync(root);
  const line = readMountinfo()
    .split("\n")
    .findLast((each) => parseMountinfo(each)[0]?.target === top);
  return /^\S+ \S+ rw\b/.test(line?.split(" - ")[1] ?? "");
}

const ATTEMPTS = 10;

/** A process that was killed may hold a mount for a moment more. */
async function takeAway(at: string): Promise<boolean> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      await run(["umount", at], LIMIT);
      return true;
    } catch {
      await Bun.sleep(200);
    }
  }
  await run(["umount", "--lazy", at], LIMIT).catch(() => undefined);
  return false;
}

/** In the environment of a test, and of all that it starts. */
export const MARK = "ZSHIELD_RUN";

/** Kills whatever belongs to the test until nothing does. Returns how many were left after `timeoutMs`. */
export async function endRest(
  mark: string,
  root: string | undefined,
  timeoutMs: number,
): Promise<number> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const rest = processesOf(mark, root);
    if (rest.length === 0 || performance.now() >= end) return rest.length;
    for (const pid of rest) kill(pid);
    await Bun.sleep(50);
  }
}

function processesOf(mark: string, root: string | undefined): number[] {
  const top = root === undefined ? "/" : realpathSync(root);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && !isDead(pid))
    .filter((pid) => (top !== "/" && rootOf(pid) === top) || hasMark(pid, mark));
}

function rootOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/root`);
  } catch {
    return "";
  }
}

function hasMark(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`${MARK}=${mark}`);
  } catch {
    return false;
  }
}

/** A zombie has ended; nobody may ever ask after it. */
function isDead(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return true;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
