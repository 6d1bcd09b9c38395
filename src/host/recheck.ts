/*
 * The last look before the first write: the disk under this path is still the one that was planned for,
 * and nobody uses it.
 */
import { Refusal } from "../errors.ts";
import { whyNotSameDisk, type DiskIdentity } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import { readLsblk } from "./lsblk.ts";
import { describeUse, readKernelDisk, readUsage } from "./usage.ts";

/** @throws Refusal if the disk is gone, another one, read-only or in use. */
export async function checkDiskAgain(disk: DiskIdentity): Promise<void> {
  const hint = say("look-at-cables");
  const found = (await readLsblk()).find(({ path }) => path === disk.path);
  if (!found) throw new Refusal(say("disk-gone", disk), hint);
  const difference = whyNotSameDisk(found, disk);
  if (difference !== undefined) throw new Refusal(say("other-disk", disk, difference), hint);
  if (found.readOnly) throw new Refusal(say("disk-read-only", disk), hint);
  const uses = describeUse(found.path, await readKernelDisk(found.kernelName), await readUsage());
  if (uses.length > 0) throw new Refusal(say("disk-in-use", disk, uses), hint);
}
