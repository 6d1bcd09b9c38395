/*
 * What a run that was killed left mounted or mapped. Only under the exclusive lock: nobody uses it then.
 */
import { rmSync } from "node:fs";
import { AT } from "../model/places.ts";
import { query, run } from "./command.ts";
import { readUsage } from "./usage.ts";

/** The store and the mapping of `zshield backup verify`. */
export const VERIFY = {
  store: "/run/zshield/verify.store",
  mapping: "zshield-verify",
  mount: "/run/zshield/verify",
} as const;

/** @throws CommandError if something cannot be closed. */
export async function closeLeftOver(): Promise<void> {
  const places: readonly string[] = [AT.esp, AT.root, VERIFY.mount];
  const { mounts } = await readUsage();
  for (const { target } of mounts.filter(({ target }) => places.includes(target)).reverse()) {
    await run(["umount", target]);
  }
  await closeVerify();
}

/** The mapping before the loop device below it; each only where it is there. */
export async function closeVerify(): Promise<void> {
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
