/*
 * What the running system uses of a disk: mounts, swap, and devices that are built on it.
 * Owns: reading /proc/self/mountinfo, /proc/swaps and /sys/block. The parsers are pure.
 */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

export interface Mount {
  /** `major:minor` */
  readonly device: string;
  readonly source: string;
  /** Which part of the file system is seen there; `/` is all of it. */
  readonly root: string;
  readonly target: string;
  readonly type: string;
}

export interface Usage {
  readonly mounts: readonly Mount[];
  /** Paths of devices that are swapped on. */
  readonly swaps: readonly string[];
}

/** A partition as the kernel knows it. */
export interface KernelPartition {
  readonly path: string;
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly device: string;
  readonly holders: readonly string[];
}

export interface KernelDisk {
  readonly device: string;
  readonly holders: readonly string[];
  readonly partitions: readonly KernelPartition[];
}

export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    // 36 35 98:0 /root /target options [optional fields] - type source superblock-options
    const [before, after] = line.split(" - ");
    const [, , device, root, target] = before?.split(" ") ?? [];
    const [type, source] = after?.split(" ") ?? [];
    if (!device || !root || !target || !type || source === undefined) continue;
    mounts.push({
      device,
      source: unescape(source),
      root: unescape(root),
      target: unescape(target),
      type,
    });
  }
  return mounts;
}

export function parseSwaps(text: string): string[] {
  return text
    .split("\n")
    .slice(1)
    .map((line) => unescape(line.split(/\s/, 1)[0] ?? ""))
    .filter((path) => path.startsWith("/dev/"));
}

function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(parseInt(octal, 8)),
  );
}

export async function readUsage(): Promise<Usage> {
  const [mountinfo, swaps] = await Promise.all([
    readFile("/proc/self/mountinfo", "utf8"),
    readFile("/proc/swaps", "utf8").catch(() => ""),
  ]);
  return { mounts: parseMountinfo(mountinfo), swaps: parseSwaps(swaps) };
}

async function readKernelDisk(kernelName: string): Promise<KernelDisk> {
  const directory = `/sys/block/${kernelName}`;
  const children = await readdir(directory);
  const partitions: KernelPartition[] = [];
  for (const child of children) {
    const number = await readNumber(`${directory}/${child}/partition`);
    if (number === undefined) continue;
    partitions.push({
      path: `/dev/${child.replaceAll("!", "/")}`,
      number,
      // sysfs counts in 512 bytes, whatever the disk's sectors are.
      startBytes: 512 * ((await readNumber(`${directory}/${child}/start`)) ?? 0),
      sizeBytes: 512 * ((await readNumber(`${directory}/${child}/size`)) ?? 0),
      device: await readLine(`${directory}/${child}/dev`),
      holders: await readHolders(`${directory}/${child}/holders`),
    });
  }
  return {
    device: await readLine(`${directory}/dev`),
    holders: await readHolders(`${directory}/holders`),
    partitions: partitions.sort((one, other) => one.number - other.number),
  };
}

/** Undefined: it was pulled out, maybe while it was looked at. */
export async function readKernelDiskIfThere(kernelName: string): Promise<KernelDisk | undefined> {
  try {
    const disk = await readKernelDisk(kernelName);
    // Most of what it reads is empty where it is not there.
    return isGone(kernelName) ? undefined : disk;
  } catch (error) {
    if (isGone(kernelName)) return undefined;
    throw error;
  }
}

export function isGone(kernelName: string): boolean {
  return !existsSync(`/sys/block/${kernelName}`);
}

/** Every use of a disk and of its partitions, in words. */
export function describeUse(path: string, disk: KernelDisk, usage: Usage): string[] {
  const uses: string[] = [];
  for (const part of [{ path, device: disk.device, holders: disk.holders }, ...disk.partitions]) {
    for (const { device, source, target } of usage.mounts) {
      if (device === part.device || source === part.path)
        uses.push(`${part.path} is mounted at ${target}`);
    }
    if (usage.swaps.includes(part.path)) uses.push(`${part.path} is used as swap`);
    for (const holder of part.holders) uses.push(`${part.path} is held by ${holder}`);
  }
  return [...new Set(uses)];
}

/** Names of devices that are built on this one: `vgroup-lv--root`, `md127`. */
async function readHolders(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  const named = names.map(async (name) => {
    const mapped = await readLine(`/sys/block/${name}/dm/name`);
    return mapped === "" ? name : mapped;
  });
  return (await Promise.all(named)).sort();
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await readLine(path);
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

async function readLine(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).trim();
}
