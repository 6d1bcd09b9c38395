/*
 * What the machine says of itself: firmware, memory, maker, model, serial number.
 * Owns: reading sysfs and /proc/meminfo. `parseMemory` is pure.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Machine } from "../model/machine.ts";

export type Identity = Pick<Machine, "firmware" | "memoryBytes" | "vendor" | "model" | "serial">;

/** Bytes of memory that the kernel has; 0 where it does not say. */
export function parseMemory(meminfo: string): number {
  const kibibytes = /^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

export async function readIdentity(): Promise<Identity> {
  const [vendor, model, serial, meminfo] = await Promise.all([
    readDmi("sys_vendor"),
    readDmi("product_name"),
    readDmi("product_serial"),
    readFile("/proc/meminfo", "utf8").catch(() => ""),
  ]);
  const firmware = existsSync("/sys/firmware/efi") ? "uefi" : "bios";
  return { firmware, memoryBytes: parseMemory(meminfo), vendor, model, serial };
}

async function readDmi(name: string): Promise<string> {
  return (await readFile(`/sys/class/dmi/id/${name}`, "utf8").catch(() => "")).trim();
}
