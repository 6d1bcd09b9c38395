/*
 * Whether a root can start: a kernel with its initramfs and its modules, and what GRUB hands over to. A
 * kernel without modules, left by an upgrade that the backup does not know, starts and finds no disk.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const CONFIGURATIONS = ["boot/grub/grub.cfg", "boot/grub2/grub.cfg"];

/** The newest kernel that has all it needs. @throws Error that names what is missing. */
export async function checkBootable(root: string): Promise<string> {
  const configuration = CONFIGURATIONS.find((path) => existsSync(join(root, path)));
  if (configuration === undefined) {
    throw new Error(`there is no GRUB configuration in this root (${CONFIGURATIONS.join(", ")})`);
  }
  const names = readdirSync(join(root, "boot"));
  const faults: string[] = [];
  for (const kernel of kernelsIn(names)) {
    const why = whyNotWhole(root, names, kernel);
    if (why === undefined) return kernel;
    faults.push(why);
  }
  throw new Error(
    faults.length === 0 ? "there is no kernel in /boot of this root" : faults.join("; "),
  );
}

/** Versions of `vmlinuz-…`, newest first. */
export function kernelsIn(names: readonly string[]): string[] {
  const versions = names.filter((name) => name.startsWith("vmlinuz-")).map((name) => name.slice(8));
  return versions.sort(new Intl.Collator("en", { numeric: true }).compare).reverse();
}

function whyNotWhole(root: string, names: readonly string[], kernel: string): string | undefined {
  const images = [`initrd.img-${kernel}`, `initramfs-${kernel}.img`];
  if (!images.some((image) => names.includes(image))) return `kernel ${kernel} has no initramfs`;
  const modules = ["lib/modules", "usr/lib/modules"].map((path) => join(root, path, kernel));
  const listed = modules.some((path) => existsSync(join(path, "modules.dep")));
  return listed ? undefined : `kernel ${kernel} has no modules`;
}
