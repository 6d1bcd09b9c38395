/*
 * What the kernel prints on the consoles by itself (Documentation/admin-guide/sysctl/kernel.rst, printk).
 */
import { readFileSync, writeFileSync } from "node:fs";

const FILE = "/proc/sys/kernel/printk";

/** Only emergencies from now on; the returned function puts it back. The kernel's own log keeps everything. */
export function quietKernel(): () => void {
  try {
    const before = readFileSync(FILE, "utf8");
    writeFileSync(FILE, "1");
    return () => writeFileSync(FILE, before.trim());
  } catch {
    return () => undefined;
  }
}
