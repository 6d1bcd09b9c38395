/*
 * Mounting and unmounting, and a chroot with what programs in it expect.
 * Owns: what is mounted by us below /run/zshield, so that everything can be closed at the end.
 */
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CommandError } from "../errors.ts";
import { query, run } from "./command.ts";

/** Newest last. */
const mounted: string[] = [];

export async function mount(
  device: string,
  at: string,
  fileSystem: string,
  options: string,
  /** Default: none. */
  limit: { readonly timeoutMs?: number } = {},
): Promise<void> {
  if (mounted.includes(at)) await unmount(at);
  await mkdir(at, { recursive: true });
  await run(["mount", "-t", fileSystem, "-o", options, device, at], limit);
  mounted.push(at);
}

/** Unmounts what is mounted there; nothing happens where nothing is. */
export async function unmount(
  at: string,
  limit: { readonly timeoutMs?: number } = {},
): Promise<void> {
  const index = mounted.lastIndexOf(at);
  if (index < 0) return;
  await run(["umount", at], limit);
  mounted.splice(index, 1);
}

export function isMounted(at: string): boolean {
  return mounted.includes(at);
}

/** Everything that we mounted, newest first; what is busy is detached. Never throws. */
export async function unmountAll(): Promise<void> {
  for (const at of mounted.splice(0).reverse()) {
    await run(["umount", at]).catch(() => run(["umount", "--lazy", at]).catch(() => undefined));
  }
}

/** Runs a program of another root. `ifThere`: returns at once where that root has no such program. */
export async function runInRoot(
  root: string,
  argv: readonly string[],
  ifThere: boolean,
  onLine: (line: string) => void,
): Promise<void> {
  if (ifThere && !(await hasProgram(root, argv[0] ?? ""))) return;
  const binds = ["/dev", "/proc", "/sys", "/run"];
  try {
    for (const path of binds) {
      const at = join(root, path);
      await mkdir(at, { recursive: true });
      await run(["mount", "--bind", path, at]);
      mounted.push(at);
    }
    const { stderrTail } = await run(["chroot", root, ...argv], { onLine });
    // GRUB's tools end with 0 after a warning; a boot loader that is only probably right is wrong.
    const warning = stderrTail.split("\n").find((line) => /\b(warning|error)\b/i.test(line));
    if (warning !== undefined) {
      throw new CommandError(["chroot", root, ...argv], { kind: "exit", code: 0 }, warning);
    }
  } finally {
    for (const path of binds.reverse()) await unmount(join(root, path));
  }
}

async function hasProgram(root: string, name: string): Promise<boolean> {
  for (const directory of ["usr/bin", "usr/sbin", "bin", "sbin"]) {
    const found = await access(join(root, directory, name)).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

export async function succeeds(argv: readonly string[]): Promise<boolean> {
  return query(argv).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CommandError && error.outcome.kind === "exit") return false;
      throw error;
    },
  );
}
