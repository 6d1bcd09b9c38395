/*
 * The disks of a developer's machine or of a line's writing station as plan/card-targets.ts wants them, and what lies
 * on them. Looks only.
 */
import { readdir, readFile } from "node:fs/promises";
import * as v from "valibot";
import type { CardDisk } from "../model/card-disk.ts";
import { parseDocument } from "../model/document.ts";
import { printSize } from "../model/size.ts";
import { query } from "./command.ts";
import { readLsblk } from "./lsblk.ts";
import {
  describeUse,
  readKernelDiskIfThere,
  readUsage,
  type KernelDisk,
  type Usage,
} from "./usage.ts";

/** `loops`: loop devices that count as disks, for tests. */
export async function readCardDisks(loops: readonly string[] = []): Promise<CardDisk[]> {
  await query(["udevadm", "settle", "--timeout=30"]).catch(() => "");
  const [found, usage, images] = await Promise.all([readLsblk(loops), readUsage(), readLoops()]);
  const disks = await Promise.all(
    found.map(async ({ kernelName, path, transport, ...disk }) => {
      const kernel = await readKernelDiskIfThere(kernelName);
      if (!kernel) return undefined;
      const paths = [path, ...kernel.partitions.map((partition) => partition.path)];
      // An MMC may be soldered in; an SD card is not.
      const type = await readFile(`/sys/block/${kernelName}/device/type`, "utf8").catch(() => "");
      const isCard = transport === "mmc" && type.trim().startsWith("SD");
      const { model, serial, wwn, sizeBytes, readOnly, logicalSectorBytes } = disk;
      return {
        ...{ path, model, serial, wwn, sizeBytes, readOnly, logicalSectorBytes },
        removable: disk.removable || isCard,
        mounts: mountsOf(path, kernel, usage),
        uses: [
          ...describeUse(path, kernel, { ...usage, mounts: [] }),
          ...images
            .filter(({ file }) => paths.includes(file))
            .map(({ file, loop }) => `${file} is held by ${loop}`),
        ],
        partitions: paths.slice(1),
      };
    }),
  );
  return disks.filter((disk) => disk !== undefined);
}

/** Targets, the innermost first. */
export function mountsOf(path: string, kernel: KernelDisk, usage: Usage): string[] {
  const parts = [{ path, device: kernel.device }, ...kernel.partitions];
  const targets = usage.mounts
    .filter(({ device, source }) =>
      parts.some((part) => device === part.device || source === part.path),
    )
    .map(({ target }) => target);
  return [...new Set(targets)].reverse();
}

async function readLoops(): Promise<{ readonly loop: string; readonly file: string }[]> {
  const names = (await readdir("/sys/block")).filter((name) => name.startsWith("loop"));
  const loops = names.map(async (name) => {
    const file = await readFile(`/sys/block/${name}/loop/backing_file`, "utf8").catch(() => "");
    return { loop: name, file: file.trim() };
  });
  return (await Promise.all(loops)).filter(({ file }) => file !== "");
}

const Text = v.pipe(
  v.nullish(v.string()),
  v.transform((text) => text ?? ""),
);
const Bytes = v.pipe(v.union([v.number(), v.string()]), v.transform(Number));
const Content = v.object({ path: v.string(), size: Bytes, fstype: Text, label: Text });
const Contents = v.object({
  blockdevices: v.array(
    v.object({ ...Content.entries, children: v.optional(v.array(Content), []) }),
  ),
});

/** What lies on a disk, a phrase each: `/dev/sdb1, 512 MiB, vfat "ZS-CARD"`; empty where nothing is known. */
export function parseContents(text: string): string[] {
  const { blockdevices } = parseDocument(Contents, JSON.parse(text), "lsblk");
  return blockdevices.flatMap(({ children, ...disk }) => {
    const parts = children.map((part) => describe(part, true));
    return disk.fstype === "" ? parts : [describe(disk, false), ...parts];
  });
}

function describe(
  { path, size, fstype, label }: v.InferOutput<typeof Content>,
  withSize: boolean,
): string {
  const content = fstype === "" ? [] : [`${fstype}${label === "" ? "" : ` "${label}"`}`];
  return [path, ...(withSize ? [printSize(size)] : []), ...content].join(", ");
}

export async function readContents(path: string): Promise<string[]> {
  const columns = "PATH,SIZE,FSTYPE,LABEL";
  return parseContents(await query(["lsblk", "--json", "--bytes", "--output", columns, path]));
}
