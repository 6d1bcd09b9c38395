/*
 * Looking into a FAT file system without changing anything: read-only mounts of a partition, or of a
 * region of a disk that has no partition (yet). What is mounted here is unmounted again, whatever happens.
 */
import { mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { dirname } from "node:path";
import { AT } from "../model/places.ts";
import { run } from "./command.ts";

const TIMEOUT_MS = 60_000;

/** Mounts a FAT file system read-only while `look` looks. @throws CommandError */
export async function lookInto<T>(
  device: string,
  look: (directory: string) => T,
  at?: string,
): Promise<T> {
  mkdirSync(dirname(AT.look), { recursive: true, mode: 0o700 });
  const directory = at ?? mkdtempSync(AT.look);
  if (at !== undefined) mkdirSync(at, { recursive: true, mode: 0o700 });
  try {
    const options = "ro,nodev,nosuid,noexec";
    await run(["mount", "--types", "vfat", "--options", options, device, directory], {
      timeoutMs: TIMEOUT_MS,
    });
    try {
      return look(directory);
    } finally {
      await run(["umount", directory], { timeoutMs: TIMEOUT_MS });
    }
  } finally {
    if (at === undefined) rmdirSync(directory);
  }
}

/** Makes a region of a disk a read-only device of its own while `look` looks. @throws CommandError */
export async function lookAtRegion<T>(
  disk: string,
  startBytes: number,
  sizeBytes: number,
  look: (device: string) => Promise<T>,
): Promise<T> {
  const region = ["--offset", String(startBytes), "--sizelimit", String(sizeBytes)];
  const argv = ["losetup", "--read-only", ...region, "--show", "--find", disk];
  const device = (await run(argv, { timeoutMs: TIMEOUT_MS })).stdoutTail.trim();
  try {
    return await look(device);
  } finally {
    await run(["losetup", "--detach", device], { timeoutMs: TIMEOUT_MS });
  }
}
