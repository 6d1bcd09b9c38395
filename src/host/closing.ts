/*
 * The end of a recovery: report on the audit volume, everything unmounted and flushed, and what is read
 * back comes from the disk.
 */
import { readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import type { Plan } from "../model/step.ts";
import type { Result } from "../model/result.ts";
import { AT } from "../model/places.ts";
import { query, run } from "./command.ts";
import { reopenEsp } from "./esp.ts";
import { mountRepaired } from "./file-system.ts";
import { closeGolden } from "./golden.ts";
import { PROTECTION, type Protection } from "./protection.ts";
import { mount, succeeds, unmount, unmountAll } from "./mounts.ts";

/** Result and log, on the audit volume: `zshield/recovery-<time>.json` and `.log`. */
export async function writeReport(
  plan: Pick<Plan, "group" | "reportVolume">,
  result: Result,
  log: string,
  tell: (line: string) => void = () => undefined,
): Promise<void> {
  // Not in the place of root: a factory test that hangs in the kernel may hold that, and is to have its verdict.
  const device = `/dev/${plan.group}/${plan.reportVolume}`;
  await mountRepaired(
    () => mount(device, AT.audit, "ext4", "rw"),
    ["e2fsck", "-f", "-y", device],
    tell,
  );
  try {
    const time = new Date().toISOString().replaceAll(":", "").replace(/\.\d+/, "");
    const base = join(AT.audit, "zshield", `recovery-${time}`);
    try {
      await writeTextFile(`${base}.json`, `${JSON.stringify(result, null, 2)}\n`);
      await writeTextFile(`${base}.log`, log);
    } catch (error) {
      for (const end of ["json", "log"]) await rm(`${base}.${end}`).catch(() => undefined);
      throw error;
    }
  } finally {
    await unmount(AT.audit);
  }
}

/** A text file on a mounted file system, flushed; parents are made. */
async function writeTextFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { flush: true });
}

/** The ESP closed, every cached block forgotten, and open again. */
export async function syncAndReopen(plan: Plan): Promise<void> {
  const step = plan.steps.find(({ kind }) => kind === "open-esp");
  if (step?.kind === "open-esp") await reopenEsp(step.device, AT.esp);
}

/**
 * Unmounts, deactivates, closes, lifts the protection of the other disks. For the end and after a refusal or
 * failure, so that all can be tried again, with another disk too. No recovery goes on any more. What cannot be closed,
 * for example on a disk that does not answer, keeps nothing else from being closed. Never throws.
 */
export async function closeEverything(
  group: string,
  log: (line: string) => void,
  protection: Pick<Protection, "lift"> = PROTECTION,
): Promise<void> {
  const parts = [
    unmountAll,
    () => deactivate(group, log),
    closeGolden,
    () => protection.lift(log),
    () => query(["sync"]),
  ];
  for (const close of parts) {
    await close().catch((error: unknown) => log(`closing: ${messageOf(error)}`));
  }
}

async function deactivate(group: string, log: (line: string) => void): Promise<void> {
  if (!(await succeeds(["lvm", "vgs", group]))) return;
  await run(["lvm", "vgchange", "--activate", "n", group], { log });
}

/** Peak resident memory of this process, from the kernel. */
export function readPeakMemoryBytes(): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(match?.[1] ?? 0) * 1024;
}
