/*
 * The card's image as a virtual disk of another format, by qemu-img, read back before it gets its name.
 * Owns: which form of each format. None of them has room allocated that the card does not use.
 */
import { lstatSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { Refusal } from "../src/errors.ts";
import { publishFile } from "../src/host/durable.ts";
import { run, told } from "./command.ts";

/** qemu-img's options for each. */
const OPTIONS = {
  raw: [],
  qcow2: ["-o", "compat=1.1"],
  // What VMware's Workstation, Fusion and Player open as it is; ESXi takes any form only through vmkfstools -i.
  vmdk: ["-o", "subformat=monolithicSparse,adapter_type=lsilogic"],
  vhdx: ["-o", "subformat=dynamic"],
} as const;

export type DiskFormat = keyof typeof OPTIONS;
export const DISK_FORMATS = Object.keys(OPTIONS) as DiskFormat[];

export function isDiskFormat(text: string): text is DiskFormat {
  return Object.hasOwn(OPTIONS, text);
}

/** By the name's ending; what is called otherwise is raw. */
export function formatOfName(file: string): DiskFormat {
  const ending = path.extname(file).slice(1).toLowerCase();
  return isDiskFormat(ending) ? ending : "raw";
}

/** `out` is there whole or as it was. @throws Refusal */
export async function makeDisk(image: string, out: string, format: DiskFormat): Promise<void> {
  const there = lstatSync(out, { throwIfNoEntry: false });
  if (there && !there.isFile()) {
    throw new Refusal(`${out} is no file`, "zshield card write writes an image to a device");
  }
  if (Bun.which("qemu-img") === null) {
    throw new Refusal(
      "qemu-img is missing, which makes virtual disks",
      "apt-get install qemu-utils",
    );
  }
  const making = `${out}.part`;
  await mkdir(path.dirname(out), { recursive: true });
  try {
    await told(path.basename(out), async () => {
      const from = ["-f", "raw", "-O", format, ...OPTIONS[format]];
      await run(["qemu-img", "convert", ...from, image, making]);
      await run(["qemu-img", "compare", "-f", "raw", "-F", format, image, making]);
    });
    await publishFile(making, out);
  } finally {
    await rm(making, { force: true });
  }
}
