/*
 * What a run that was killed left mounted or mapped. Only under the exclusive lock: nobody uses it then.
 */
import { readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { AT } from "../model/places.ts";
import { query, run } from "./command.ts";
import { readUsage } from "./usage.ts";

/** The store and the mapping of `zshield backup verify`. */
export const VERIFY = {
  store: "/run/zshield/verify.store",
  mapping: "zshield-verify",
  mount: "/run/zshield/verify",
  /** Directory of a lock: one at a time. */
  lock: "/run/zshield/verifying",
} as const;

/** @throws CommandError if something cannot be closed. */
export async function closeLeftOver(): Promise<void> {
  const { mounts } = await readUsage();
  for (const target of leftMounts(mounts)) await run(["umount", target]);
  const parent = dirname(AT.look);
  for (const name of leftDirectories(readdirSync(parent))) rmdirSync(join(parent, name));
  await closeVerify();
}

/** Ours among the mounts of the system, newest first. */
export function leftMounts(mounts: readonly { readonly target: string }[]): string[] {
  const places: readonly string[] = [AT.esp, AT.root, VERIFY.mount];
  return mounts
    .map(({ target }) => target)
    .filter((target) => places.includes(target) || isLook(target))
    .reverse();
}

/** Of the names in /run/zshield those that were made for one look. */
export function leftDirectories(names: readonly string[]): string[] {
  return names.filter((name) => isLook(join(dirname(AT.look), name)));
}

/** mkdtemp puts six characters behind it. */
function isLook(path: string): boolean {
  return path.startsWith(AT.look) && /^[A-Za-z0-9]{6}$/.test(path.slice(AT.look.length));
}

/** The mount, and the mapping before the loop device below it; each only where it is there. */
export async function closeVerify(): Promise<void> {
  const { mounts } = await readUsage();
  for (const { target } of mounts) {
    if (target === VERIFY.mount) await run(["umount", target]);
  }
  const mapped = await query(["dmsetup", "info", "--columns", "--noheadings", "--options", "name"]);
  if (mapped.split("\n").some((line) => line.trim() === VERIFY.mapping)) {
    await run(["dmsetup", "remove", "--retry", VERIFY.mapping]);
  }
  const loops = await query([
    "losetup",
    "--noheadings",
    "--output",
    "NAME",
    "--associated",
    VERIFY.store,
  ]);
  for (const loop of loops.split("\n").filter((line) => line !== "")) {
    await run(["losetup", "--detach", loop.trim()]);
  }
  rmSync(VERIFY.store, { force: true });
}
