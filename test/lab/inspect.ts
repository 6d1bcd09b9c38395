/*
 * The independent judge of an installed disk: no line of zshield takes part. LVM's own pvck reads the
 * metadata from the image file and says where each volume lies, the host mounts root and golden
 * read-only, rsync compares them by checksum.
 * Owns: looking. Needs root (loop mounts), as making a card does.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LabCard } from "./card.ts";
import { command } from "./command.ts";
import { flatten, readPartition, type Image } from "./images.ts";
import { forgetMount, registerMount } from "./scratch.ts";

const SECTOR = 512;

export interface VolumePlace {
  readonly name: string;
  readonly tags: readonly string[];
  readonly uuid: string;
  /** From the start of the disk. */
  readonly startBytes: number;
  readonly sizeBytes: number;
  /** Set where this is the store of a snapshot. */
  readonly snapshot?: {
    readonly origin: string;
    readonly chunkBytes: number;
    /** It is being merged into its origin, or will be as soon as that can be done. */
    readonly isMerging: boolean;
  };
}

/** What may differ from golden: the machine's identity, and what was generated on it. */
const DIFFERS = [
  /^etc\/fstab$/,
  /^etc\/machine-id$/,
  /^etc\/grub\.d\/01_zshield$/,
  /^etc\/ssh\/ssh_host_\w+_key(\.pub)?$/,
  /^boot\/grub\//,
  /^lost\+found\/$/,
  /^(user|audit)\/$/,
  /^var\/lib\/dhcp\//,
];
/** Directories whose time changes when the files above are made. */
const TOUCHED = ["./", "etc/", "etc/ssh/", "etc/grub.d/", "boot/", "boot/grub/", "var/lib/dhcp/"];

/**
 * Differences between the installed root and golden, as rsync itemizes them; none is the good case.
 * Call it before the disk is booted for the first time: a running system writes.
 */
export async function compareWithGolden(
  folder: string,
  card: LabCard,
  image: Image,
): Promise<string[]> {
  const raw = image.format === "raw" ? image : await flatten(folder, "inspected", image);
  const root = (await readVolumes(folder, raw.file)).find(({ name }) => name === "lv-root");
  if (!root) throw new Error("the disk has no volume lv-root");
  return withMount(folder, "inspected-golden", card.image.file, card.golden, (golden) =>
    withMount(folder, "inspected-root", raw.file, root, (installed) => compare(golden, installed)),
  );
}

/** Looks into a volume of an installed disk whose machine has ended. */
export async function readVolume<T>(
  folder: string,
  image: Image,
  name: string,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const raw = image.format === "raw" ? image : await flatten(folder, `looked-into-${name}`, image);
  const volume = (await readVolumes(folder, raw.file)).find((found) => found.name === name);
  if (!volume) throw new Error(`the disk has no volume ${name}`);
  try {
    return await withMount(folder, `looked-into-${name}`, raw.file, volume, use);
  } finally {
    if (raw !== image) rmSync(raw.file);
  }
}

/** Lines of rsync without the differences that must be there. */
export function unexpectedDifferences(output: string): string[] {
  return output.split("\n").filter((line) => {
    const match = /^(\S+) +(.+)$/.exec(line);
    if (!match) return false;
    const [, change = "", path = ""] = match;
    if (mayDiffer(path)) return false;
    return !(/^\.d\.\.t\.+$/.test(change) && TOUCHED.includes(path));
  });
}

/** `path` as `etc/fstab`, a directory with `/` at its end. */
export function mayDiffer(path: string): boolean {
  return DIFFERS.some((pattern) => pattern.test(path));
}

/** What would have to change to make the installed tree equal golden. */
async function compare(golden: string, installed: string): Promise<string[]> {
  const attributes = ["--archive", "--hard-links", "--acls", "--xattrs", "--numeric-ids"];
  const only = ["--dry-run", "--checksum", "--delete", "--itemize-changes", "--one-file-system"];
  const argv = ["rsync", ...attributes, ...only, `${golden}/`, `${installed}/`];
  return unexpectedDifferences((await command(argv)).stdout);
}

/** Every volume of the group on partition 3 that lies in one piece. */
export async function readVolumes(folder: string, rawFile: string): Promise<VolumePlace[]> {
  const { startBytes } = await readPartition(rawFile, 3);
  const head = join(folder, "physical-volume");
  const from = [`skip=${startBytes}`, "iflag=skip_bytes", "bs=1M", "count=2"];
  await command(["dd", "status=none", `if=${rawFile}`, `of=${head}`, ...from]);
  const { stdout } = await command(["pvck", "--dump", "metadata", head]);
  return parseVolumes(stdout).map((volume) => ({
    ...volume,
    startBytes: volume.startBytes + startBytes,
  }));
}

/** LVM's metadata text; offsets from the start of the physical volume. */
export function parseVolumes(text: string): VolumePlace[] {
  const number = (name: string, where: string): number => {
    const found = new RegExp(`^\\s*${name} = (\\d+)`, "m").exec(where)?.[1];
    if (found === undefined) throw new Error(`LVM's metadata has no ${name}`);
    return Number(found);
  };
  const extentBytes = number("extent_size", text) * SECTOR;
  const firstBytes = number("pe_start", text) * SECTOR;
  const volumes = text.slice(text.indexOf("logical_volumes {"));
  const pattern =
    /^\s*([A-Za-z0-9_+.-]+) \{\s*id = "([^"]*)"([^]*?)segment_count = (\d+)\s*segment1 \{([^]*?)^\s*\}/gm;
  const snapshots = parseSnapshots(volumes);
  return [...volumes.matchAll(pattern)].flatMap((match) => {
    const [, name = "", uuid = "", header = "", segments, segment = ""] = match;
    const snapshot = snapshots.get(name);
    const start = /"pv0", (\d+)/.exec(segment)?.[1];
    if (segments !== "1" || start === undefined) return [];
    return [
      {
        name,
        uuid,
        tags: [...(/^\s*tags = \[(.*)\]/m.exec(header)?.[1] ?? "").matchAll(/"([^"]*)"/g)].map(
          ([, tag = ""]) => tag,
        ),
        startBytes: firstBytes + Number(start) * extentBytes,
        sizeBytes: number("extent_count", segment) * extentBytes,
        ...(snapshot === undefined ? {} : { snapshot }),
      },
    ];
  });
}

/** By the name of the store. LVM keeps a hidden volume for each snapshot, with a segment of this type. */
function parseSnapshots(text: string): Map<string, NonNullable<VolumePlace["snapshot"]>> {
  const found = new Map<string, NonNullable<VolumePlace["snapshot"]>>();
  for (const [, segment = ""] of text.matchAll(/^\s*type = "snapshot"([^]*?)^\s*\}/gm)) {
    const word = (name: string) =>
      new RegExp(`^\\s*${name} = "?([^"\\s]+)`, "m").exec(segment)?.[1];
    const merging = word("merging_store");
    const store = word("cow_store") ?? merging;
    const [origin, chunkSectors] = [word("origin"), word("chunk_size")];
    if (store === undefined || origin === undefined || chunkSectors === undefined) {
      throw new Error(`LVM's metadata has a snapshot that is not understood: ${segment}`);
    }
    const chunkBytes = Number(chunkSectors) * SECTOR;
    found.set(store, { origin, chunkBytes, isMerging: merging !== undefined });
  }
  return found;
}

async function withMount<T>(
  folder: string,
  name: string,
  file: string,
  place: { readonly startBytes: number; readonly sizeBytes: number },
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  const where = `offset=${place.startBytes},sizelimit=${place.sizeBytes}`;
  await command(["mount", "-t", "ext4", "-o", `ro,noload,loop,${where}`, file, directory]);
  registerMount(directory);
  try {
    return await use(directory);
  } finally {
    await command(["umount", directory]);
    forgetMount(directory);
  }
}
