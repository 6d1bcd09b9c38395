/*
 * The last look at the partition table: read from the disk, not from the cache, and compared with what
 * the plan wrote (or, where the plan kept the table, with what sfdisk itself calls sound).
 */
import type { Plan } from "../model/step.ts";
import { query } from "./command.ts";
import { forgetCache } from "./device.ts";
import { readSfdisk } from "./sfdisk.ts";

/** @throws Error naming the first difference. */
export async function checkTable(disk: string, plan: Plan): Promise<void> {
  await forgetCache([disk]);
  await query(["sfdisk", "--verify", disk]);
  const step = plan.steps.find(({ kind }) => kind === "write-table");
  if (step?.kind !== "write-table") return;
  const table = await readSfdisk(disk, step.sectorBytes);
  for (const wanted of step.partitions) {
    const found = table.partitions.find(({ number }) => number === wanted.number);
    const same =
      found?.uuid === wanted.uuid &&
      found.startBytes === wanted.startBytes &&
      found.sizeBytes === wanted.sizeBytes;
    if (!same) throw new Error(`partition ${wanted.number} does not read back as it was written`);
  }
}
