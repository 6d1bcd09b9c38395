/*
 * The last look before the first write: the disk under this path is still the one that was planned for,
 * and nobody uses it.
 */
import { Refusal } from "../errors.ts";
import { whyNotSameDisk, type DiskIdentity } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import { readLsblk, type FoundDisk } from "./lsblk.ts";
import { describeUse, readKernelDiskIfThere, readUsage } from "./usage.ts";

/** @throws Refusal if the disk is gone, another one, read-only or in use. */
export async function checkDiskAgain(disk: DiskIdentity): Promise<void> {
  await checkFound(
    disk,
    (await readLsblk()).find(({ path }) => path === disk.path),
  );
}

/** `found`: what stands under the path of the disk now, or did a moment ago. @throws Refusal */
export async function checkFound(disk: DiskIdentity, found: FoundDisk | undefined): Promise<void> {
  const hint = say("look-at-cables");
  const kernel = found && (await readKernelDiskIfThere(found.kernelName));
  if (!found || !kernel) throw new Refusal(say("disk-gone", disk), hint);
  const difference = whyNotSameDisk(found, disk);
  if (difference !== undefined) throw new Refusal(say("other-disk", disk, difference), hint);
  if (found.readOnly) throw new Refusal(say("disk-read-only", disk), hint);
  const uses = describeUse(found.path, kernel, await readUsage());
  if (uses.length > 0) throw new Refusal(say("disk-in-use", disk, uses), hint);
}
