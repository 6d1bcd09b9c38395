/*
 * Proves a backup without changing it: valid and readable (snapshot.ts), then a file system that e2fsck
 * can put in order and a root that can start. The snapshot was taken of a mounted root, so its file system
 * may hold files that were deleted while they were open; putting that in order needs writing, and the
 * writing goes to a store in RAM on top of the snapshot.
 */
import { truncateSync, writeFileSync } from "node:fs";
import { MIB } from "../model/size.ts";
import { checkBootable } from "./bootable.ts";
import { query, run } from "./command.ts";
import { closeVerify, VERIFY } from "./left-over.ts";
import { mount, unmount } from "./mounts.ts";
import { checkSnapshot } from "./snapshot.ts";

/** What e2fsck may write before the store is full and it fails. */
const STORE_BYTES = 64 * MIB;
const SECTOR_BYTES = 512;
/** Corrected is as good as clean here: the recovery does the same. */
const SOUND = [0, 1, 2];

/** Returns the kernel that it starts with. @throws Refusal, CommandError, Error */
export async function verifyBackup(
  backup: { group: string; name: string; origin: string },
  log: (line: string) => void,
): Promise<string> {
  await closeVerify();
  await checkSnapshot(backup, () => undefined);
  const device = `/dev/${backup.group}/${backup.name}`;
  writeFileSync(VERIFY.store, "", { mode: 0o600 });
  truncateSync(VERIFY.store, STORE_BYTES);
  try {
    const loop = (await query(["losetup", "--find", "--show", VERIFY.store])).trim();
    const sectors = Number(await query(["blockdev", "--getsize64", device])) / SECTOR_BYTES;
    const table = `0 ${sectors} snapshot ${device} ${loop} N 8`;
    await run(["dmsetup", "create", VERIFY.mapping, "--table", table], { log });
    const mapped = `/dev/mapper/${VERIFY.mapping}`;
    await run(["e2fsck", "-f", "-p", mapped], { okCodes: SOUND, log });
    await mount(mapped, VERIFY.mount, "ext4", "ro");
    try {
      return await checkBootable(VERIFY.mount);
    } finally {
      await unmount(VERIFY.mount);
    }
  } finally {
    await closeVerify();
  }
}
