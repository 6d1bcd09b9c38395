/*
 * Checking a file system: a look that writes nothing, and a repair only where the look found faults. And what its
 * superblock tells.
 */
import { open } from "node:fs/promises";
import { CommandError } from "../errors.ts";
import { query, run, tellFailure } from "./command.ts";

/** e2fsck(8): faults were corrected; corrected, and the system should be restarted. */
const REPAIRED = [0, 1, 2];

/** e2fsck(8): faults are left, which is what a look ends with that finds some. */
const FAULTY = 4;

/** @throws CommandError if faults are left, or if the look itself could not be done. */
export async function checkFileSystem(
  look: readonly string[],
  repair: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  try {
    await query(look, { timeoutMs: 3600_000 });
    return;
  } catch (error) {
    if (!hasFoundFaults(error)) throw error;
    log(`the file system has faults: ${tellFailure(error)}`);
  }
  await run(repair, { okCodes: REPAIRED, log });
}

/** Mounts; where that fails, repairs and mounts once more. @throws CommandError of the repair, or of the second mount */
export async function mountRepaired(
  mount: () => Promise<void>,
  repair: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  try {
    await mount();
  } catch (error) {
    log(`the file system cannot be mounted: ${tellFailure(error)}`);
    await run(repair, { okCodes: REPAIRED, log });
    await mount();
  }
}

/** A look that was stopped or could not read the device is no reason to write to it. */
function hasFoundFaults(error: unknown): boolean {
  return (
    error instanceof CommandError && error.outcome.kind === "exit" && error.outcome.code === FAULTY
  );
}

/** `s_mnt_count` and `s_magic` in ext4's superblock (Documentation/filesystems/ext4/super.rst). */
const SUPERBLOCK = 1024;
const MOUNT_COUNT = 0x34;
const MAGIC = { at: 0x38, value: 0xef53 } as const;

/** How often it was mounted for writing since it was made or checked. @throws Error if it is no ext4. */
export async function readMountCount(device: string): Promise<number> {
  const file = await open(device, "r");
  try {
    const block = Buffer.alloc(64);
    await file.read(block, 0, block.length, SUPERBLOCK);
    if (block.readUInt16LE(MAGIC.at) !== MAGIC.value) throw new Error(`${device} holds no ext4`);
    return block.readUInt16LE(MOUNT_COUNT);
  } finally {
    await file.close();
  }
}
