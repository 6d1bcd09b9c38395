/*
 * The last look before the first write: the disk under this path is still the one that was planned for,
 * and nobody uses it.
 */
import { Refusal } from "../errors.ts";
import { describeDisk, whyNotSameDisk, type DiskIdentity } from "../model/machine.ts";
import { printSize } from "../model/size.ts";
import { readLsblk } from "./lsblk.ts";
import { describeUse, readKernelDisk, readUsage } from "./usage.ts";

/** @throws Refusal if the disk is gone, another one, read-only or in use. */
export async function checkDiskAgain(disk: DiskIdentity): Promise<void> {
  const name = describeDisk(disk, printSize);
  const hint = "nothing was written; look at the machine's cables and start again";
  const found = (await readLsblk()).find(({ path }) => path === disk.path);
  if (!found) throw new Refusal(`${name} has gone`, hint);
  const why = whyNotSameDisk(found, disk);
  if (why !== undefined)
    throw new Refusal(`${name} is not the disk that was planned for: ${why}`, hint);
  if (found.readOnly) throw new Refusal(`${name} is read-only`, hint);
  const uses = describeUse(found.path, await readKernelDisk(found.kernelName), await readUsage());
  if (uses.length > 0) throw new Refusal(`${name} is in use: ${uses.join(", ")}`, hint);
}
