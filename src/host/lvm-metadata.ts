/*
 * A copy of the first MiB of the physical volume, which holds LVM's label and its metadata area, as a file
 * with its digest in front. LVM keeps one copy there and writes it without flushing the disk, so a power
 * cut can leave a text that does not match its checksum; LVM then knows no group at all, and neither
 * vgck nor vgcfgrestore writes to such an area (tried with 2.03.16).
 */
import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import { MIB } from "../model/size.ts";
import { forgetCache, readAt, writeAt } from "./device.ts";
import { renameDurably } from "./durable.ts";

/** Extents begin behind it (pe_start, LVM's default data alignment). */
const AREA_BYTES = MIB;
const DIGEST_BYTES = 32;

/** What the disk has, not what is cached; the file is whole or the one before it is still there. */
export async function saveMetadata(device: string, file: string): Promise<void> {
  await forgetCache([device]);
  const area = await readAt(device, 0, AREA_BYTES);
  const next = `${file.slice(0, file.lastIndexOf("."))}.new`;
  const handle = await open(next, "w");
  try {
    await handle.writeFile(Buffer.concat([digestOf(area), area]));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await renameDurably(next, file);
}

/** @throws Error if there is no whole copy. */
export async function restoreMetadata(device: string, file: string): Promise<void> {
  const copy = await readFile(file).catch((error: unknown) => {
    throw new Error(
      `the volume group cannot be read, and there is no copy of it: ${messageOf(error)}`,
    );
  });
  const area = copy.subarray(DIGEST_BYTES);
  const isWhole =
    area.length === AREA_BYTES && digestOf(area).equals(copy.subarray(0, DIGEST_BYTES));
  if (!isWhole) throw new Error("the volume group cannot be read, and the copy of it is damaged");
  await writeAt(device, 0, area);
  await forgetCache([device]);
}

function digestOf(area: Uint8Array): Buffer {
  return createHash("sha256").update(area).digest();
}
