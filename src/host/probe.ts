/*
 * The picture of the machine: everything that the planners may know, read at one moment. Writes to no
 * device, activates nothing, mounts only FAT and only read-only. A disk that fails or does not answer is
 * in the picture, with the reason why it is not blank; one that has gone by then is not.
 */
import { Refusal } from "../errors.ts";
import {
  identityOf,
  type Disk,
  type DiskIdentity,
  type Machine,
  type Partition,
  type Signature,
} from "../model/machine.ts";
import { TOOLS } from "../model/tools.ts";
import { whyNotZeros } from "./blank.ts";
import { GOLDEN_FILE, readCard } from "./card-files.ts";
import { findTool, query, tellFailure } from "./command.ts";
import { readIdentity } from "./firmware.ts";
import { readLsblk, type FoundDisk } from "./lsblk.ts";
import { markCopies, readGroups } from "./lvm.ts";
import { readClaim, readMarks } from "./marks.ts";
import { readRunningRoot } from "./running.ts";
import { readSfdisk, type Table } from "./sfdisk.ts";
import { readSignatures, readSignaturesAt } from "./signatures.ts";
import {
  describeUse,
  isGone,
  readKernelDiskIfThere,
  readUsage,
  type KernelDisk,
  type Usage,
} from "./usage.ts";

export interface ProbeOptions {
  /** Whether to look for the card; default yes. */
  readonly wantCard?: boolean;
  /** Where to mount the card's ESP for a moment; default: a directory below /run/zshield. */
  readonly cardMount?: string;
  /** For tests: loop devices that count as disks, and golden.json somewhere else. */
  readonly includeLoops?: readonly string[];
  readonly goldenFile?: string;
}

/** A disk that says nothing for so long is left alone. */
const DISK_TIMEOUT_MS = 240_000;

/** @throws Refusal without root or without the tools to look with. */
export async function readMachine(options: ProbeOptions = {}): Promise<Machine> {
  if (process.geteuid?.() !== 0) {
    throw new Refusal("only root can look at the disks", "run it again as root (sudo)");
  }
  const missing = TOOLS.filter(
    ({ name, dispensable }) => dispensable !== true && findTool(name) === undefined,
  );
  const blind = missing.filter(({ forLooking }) => forLooking);
  if (blind.length > 0) {
    throw new Refusal(
      `tools to look at the machine with are missing: ${blind.map(({ name, purpose }) => `${name} (${purpose})`).join(", ")}`,
      "install them, or make the card anew; `zshield tools` lists what is needed",
    );
  }
  await settle();
  const [identity, usage, found] = await Promise.all([
    readIdentity(),
    readUsage(),
    readLsblk(options.includeLoops),
  ]);
  const [looks, groups] = await Promise.all([
    Promise.all(found.map((disk) => readDiskInTime(disk, usage))),
    readGroups().catch((error: unknown) => `LVM could not be asked: ${tellFailure(error)}`),
  ]);
  const seen = looks.filter((look) => look !== undefined);
  const disks = seen.map(({ disk }) => disk);
  const card =
    options.wantCard === false
      ? {}
      : await readCard({
          disks,
          kernelPartitions: seen.flatMap(({ kernel }) => kernel.partitions),
          usage,
          goldenFile: options.goldenFile ?? GOLDEN_FILE,
          mountPoint: options.cardMount,
        });
  const runsFrom = readRunningRoot();
  return {
    schema: 1,
    ...identity,
    missingTools: missing.map(({ name }) => name),
    ...card,
    disks,
    ...(typeof groups === "string"
      ? { groups: [], groupsTrouble: groups }
      : { groups: markCopies(groups, placesOfMembers(disks)) }),
    ...(runsFrom === undefined ? {} : { runsFrom }),
  };
}

/** Which disks there are, as `readMachine` would name them; none of them is opened. */
export async function readDisks(): Promise<DiskIdentity[]> {
  await settle();
  return (await readLsblk()).map(identityOf);
}

/** What udev knows of a disk (its serial number) is there when udev is done; without udev it fails. */
async function settle(): Promise<void> {
  await query(["udevadm", "settle", "--timeout=30"]).catch(() => "");
}

interface SeenDisk {
  readonly disk: Disk;
  readonly kernel: KernelDisk;
}

/** Undefined: it was pulled out, maybe while it was looked at. */
export async function readDiskInTime(
  found: FoundDisk,
  usage: Usage,
): Promise<SeenDisk | undefined> {
  // sysfs answers also for a disk that does not.
  const kernel = await readKernelDiskIfThere(found.kernelName);
  if (!kernel) return undefined;
  const inUse = describeUse(found.path, kernel, usage);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it does not answer")), DISK_TIMEOUT_MS);
  });
  try {
    return {
      disk: { ...(await Promise.race([readDisk(found, kernel, usage), late])), inUse },
      kernel,
    };
  } catch (error) {
    if (isGone(found.kernelName)) return undefined;
    return { disk: { ...unreadable(found, tellFailure(error)), inUse }, kernel };
  } finally {
    clearTimeout(timer);
  }
}

async function readDisk(
  found: FoundDisk,
  kernel: KernelDisk,
  usage: Usage,
): Promise<Omit<Disk, "inUse">> {
  const { path, sizeBytes } = found;
  const table = await readSfdisk(path, found.logicalSectorBytes);
  const signatures = await readSignatures(path);
  const partitions: Partition[] = [];
  for (const partition of table.partitions) {
    partitions.push({ ...partition, ...(await readPartition(path, partition, kernel)) });
  }
  const claim = await readClaim(found);
  const nothing = whyNotEmpty(table, signatures);
  const blank = nothing ?? (await whyNotZeros(path, sizeBytes, claim !== undefined)) ?? true;
  const state = await readMarks(found, partitions, kernel, usage);
  return {
    ...common(found),
    table: table.kind === "none" && signatures.some(isTable) ? "other" : table.kind,
    partitions,
    signatures,
    blank,
    ...(claim === undefined ? {} : { claim }),
    ...state,
  };
}

/** Signatures and the kernel's own path; where the kernel has no such partition, from the disk itself. */
async function readPartition(
  disk: string,
  partition: Table["partitions"][number],
  kernel: KernelDisk,
): Promise<Pick<Partition, "path" | "signatures">> {
  const { number, startBytes, sizeBytes } = partition;
  const known = kernel.partitions.find((candidate) => candidate.number === number);
  if (isExtended(partition)) return { path: known?.path ?? partition.path, signatures: [] };
  const agrees = known?.startBytes === startBytes && known.sizeBytes === sizeBytes;
  return known && agrees
    ? { path: known.path, signatures: await readSignatures(known.path) }
    : { path: partition.path, signatures: await readSignaturesAt(disk, startBytes, sizeBytes) };
}

/** The frame around logical partitions; it holds nothing itself. */
function isExtended({ typeUuid }: { typeUuid: string }): boolean {
  return ["5", "f", "85", "c5"].includes(typeUuid);
}

/** The first thing, in words, that proves a disk not to be blank without reading it through. */
export function whyNotEmpty(table: Table, signatures: readonly Signature[]): string | undefined {
  if (table.kind !== "none") {
    const count = table.partitions.length;
    return `it has a partition table (${table.kind}) with ${count} partition${count === 1 ? "" : "s"}`;
  }
  const [first] = signatures;
  if (!first) return undefined;
  return `it holds ${first.type}${first.label === "" ? "" : ` "${first.label}"`}`;
}

/** Kinds of partition table that blkid knows and sfdisk does not. */
function isTable({ type }: Signature): boolean {
  return ["mac", "atari", "bsd", "solaris_x86", "unixware", "ultrix", "sgi", "sun"].includes(type);
}

function unreadable(found: FoundDisk, why: string): Omit<Disk, "inUse"> {
  return {
    ...common(found),
    table: "none",
    partitions: [],
    signatures: [],
    blank: `could not be read: ${why}`,
  };
}

function common(found: FoundDisk) {
  const { path, model, serial, wwn, sizeBytes } = found;
  const { transport, logicalSectorBytes, removable, readOnly } = found;
  return {
    path,
    model,
    serial,
    wwn,
    sizeBytes,
    transport,
    logicalSectorBytes,
    removable,
    readOnly,
  };
}

/** Where each LVM member was seen, by the UUID of the physical volume. */
function placesOfMembers(disks: readonly Disk[]): Map<string, string[]> {
  const places = new Map<string, string[]>();
  const holders = disks.flatMap((disk) => [disk, ...disk.partitions]);
  for (const { path, signatures } of holders) {
    for (const { type, uuid } of signatures) {
      if (type !== "LVM2_member" || uuid === "") continue;
      places.set(uuid, [...(places.get(uuid) ?? []), path]);
    }
  }
  return places;
}
