/*
 * Starts the golden system out of the running rescue system, by kexec: nothing on the card or the disk has to
 * remember a choice, and the card is never written. The files are checked by digest before.
 * Owns: the two system calls. They need no program, and the kernel judges what it is given.
 */
import { dlopen, ptr } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { ESP_DIRECTORY } from "../model/card.ts";
import type { Card } from "../model/machine.ts";
import { AT } from "../model/places.ts";
import { checkFiles } from "./digest-files.ts";
import { mount, unmount } from "./mounts.ts";

/** x86-64: asm/unistd_64.h, linux/reboot.h. */
const SYS_KEXEC_FILE_LOAD = 320n;
const REBOOT_KEXEC = 0x45584543;

/**
 * Makes the kernel ready to go over with this command line; enterGolden does it.
 * @throws Error where a file is damaged or the kernel refuses.
 */
export async function prepareGolden(card: Card, commandLine: string): Promise<void> {
  const { rescue } = card.description;
  await mount(card.espPath, AT.card, "vfat", "ro");
  try {
    const directory = join(AT.card, ESP_DIRECTORY, rescue.directory);
    await checkFiles(directory, rescue.files, () => undefined);
    load(join(directory, "vmlinuz"), join(directory, "initramfs.img"), commandLine);
  } finally {
    await unmount(AT.card);
  }
}

const SYMBOLS = {
  syscall: { args: ["i64", "i64", "i64", "i64", "ptr", "i64"], returns: "i64" },
  reboot: { args: ["i32"], returns: "i32" },
} as const;

function load(kernel: string, initramfs: string, commandLine: string): void {
  const { symbols, close } = dlopen("libc.so.6", SYMBOLS);
  const files = [openSync(kernel, "r"), openSync(initramfs, "r")] as const;
  const text = Buffer.from(`${commandLine}\0`);
  try {
    const [vmlinuz, image] = files.map(BigInt) as [bigint, bigint];
    const size = BigInt(text.length);
    const code = symbols.syscall(SYS_KEXEC_FILE_LOAD, vmlinuz, image, size, ptr(text), 0n);
    if (code !== 0n) {
      throw new Error("the kernel does not take another one in its place (kexec_file_load failed)");
    }
  } finally {
    for (const file of files) closeSync(file);
    close();
  }
}

/** Does not return but by an error. */
export function enterGolden(): never {
  const { symbols } = dlopen("libc.so.6", { reboot: SYMBOLS.reboot });
  symbols.reboot(REBOOT_KEXEC);
  throw new Error("the kernel did not go over to the golden system (reboot failed)");
}
