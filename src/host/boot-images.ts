/*
 * GRUB for BIOS: the core in that half of the BIOS boot partition which sector 0 does not name, then
 * sector 0. So the disk boots with the old core or with the new one, never with half of one.
 */
import { readFile } from "node:fs/promises";
import {
  coreLbaOf,
  CORE_OFFSETS_BYTES,
  freeCoreLba,
  patchBootImage,
  patchCoreImage,
  SECTOR_BYTES,
} from "../model/boot-sector.ts";
import { because } from "../model/reasons.ts";
import { forgetCache, readAt, writeAt } from "./device.ts";

/** @throws Error if what is read back is not what was written. */
export async function writeBootImages(
  disk: string,
  bootImage: string,
  coreImage: string,
): Promise<void> {
  const boot = new Uint8Array(await readFile(bootImage));
  const core = new Uint8Array(await readFile(coreImage));
  const sector0 = await readAt(disk, 0, SECTOR_BYTES);
  const used = coreLbaOf(sector0) * SECTOR_BYTES;
  if (CORE_OFFSETS_BYTES.some((offset) => offset === used)) {
    const wanted = imagesAt(boot, core, sector0, used);
    const found = await readAt(disk, used, wanted.core.length);
    if (same(wanted.sector0, sector0) && same(wanted.core, found)) return;
  }
  const free = freeCoreLba(sector0) * SECTOR_BYTES;
  const next = imagesAt(boot, core, sector0, free);
  await writeAt(disk, free, next.core);
  await forgetCache([disk]);
  if (!same(next.core, await readAt(disk, free, next.core.length))) {
    throw new Error(`GRUB's core does not read back from ${disk} as it was written`);
  }
  await writeAt(disk, 0, next.sector0);
  await forgetCache([disk]);
  if (!same(next.sector0, await readAt(disk, 0, SECTOR_BYTES))) {
    throw new Error(`the boot sector does not read back from ${disk} as it was written`);
  }
}

/** @throws Error if the disk does not start with these. */
export async function checkBootImages(
  disk: string,
  bootImage: string,
  coreImage: string,
): Promise<void> {
  const boot = new Uint8Array(await readFile(bootImage));
  const core = new Uint8Array(await readFile(coreImage));
  const sector0 = await readAt(disk, 0, SECTOR_BYTES);
  const used = coreLbaOf(sector0) * SECTOR_BYTES;
  if (!CORE_OFFSETS_BYTES.some((offset) => offset === used)) {
    throw new Error(because("boot-loader.no-core", disk));
  }
  const wanted = imagesAt(boot, core, sector0, used);
  if (!same(wanted.sector0, sector0)) throw new Error(because("boot-loader.other-sector", disk));
  if (!same(wanted.core, await readAt(disk, used, wanted.core.length))) {
    throw new Error(because("boot-loader.other-core", disk));
  }
}

function imagesAt(boot: Uint8Array, core: Uint8Array, sector0: Uint8Array, offsetBytes: number) {
  const lba = offsetBytes / SECTOR_BYTES;
  return { sector0: patchBootImage(boot, sector0, lba), core: patchCoreImage(core, lba) };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
