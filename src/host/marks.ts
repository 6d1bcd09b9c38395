/*
 * What a recovery of ours left on a disk: the claim in its sector, and the state record on the ESP at its
 * fixed place. After a power cut the ESP can be complete while the partition table is not there yet, so
 * it is found by its place and its label, not by the table.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import {
  bootDirectoryOf,
  digestOfCard,
  DISK_LABEL,
  ESP_DIRECTORY,
  parseCard,
} from "../model/card.ts";
import { CLAIM_BYTES, CLAIM_OFFSET_BYTES, parseClaim, type Claim } from "../model/claim.ts";
import type { BootFiles, DiskIdentity, Partition, Signature } from "../model/machine.ts";
import { MIB } from "../model/size.ts";
import { STATE_DIRECTORY, type StateRecord } from "../model/state.ts";
import { tellFailure } from "./command.ts";
import { lookAtRegion, lookInto } from "./mounted.ts";
import { readSignaturesAt } from "./signatures.ts";
import { readState } from "./state-files.ts";
import type { KernelDisk, Usage } from "./usage.ts";

const ESP_START_BYTES = 2 * MIB;
const ESP_BYTES = 512 * MIB;
const MOST_DESCRIPTION_BYTES = 16 * MIB;

export interface Marks {
  readonly claim?: Claim;
  readonly state?: StateRecord;
  readonly stateTrouble?: string;
  readonly bootFiles?: BootFiles;
}

export async function readClaim(disk: DiskIdentity): Promise<Claim | undefined> {
  if (disk.sizeBytes < CLAIM_OFFSET_BYTES + CLAIM_BYTES) return undefined;
  const file = await open(disk.path, "r");
  try {
    const sector = new Uint8Array(CLAIM_BYTES);
    const { bytesRead } = await file.read(sector, 0, CLAIM_BYTES, CLAIM_OFFSET_BYTES);
    return bytesRead === CLAIM_BYTES ? parseClaim(sector, disk) : undefined;
  } finally {
    await file.close();
  }
}

/** The state record. Where there is no ESP of ours at its place: neither record nor trouble. */
export async function readMarks(
  disk: DiskIdentity,
  partitions: readonly Partition[],
  kernel: KernelDisk,
  usage: Usage,
): Promise<Omit<Marks, "claim">> {
  if (disk.sizeBytes < ESP_START_BYTES + ESP_BYTES) return {};
  const partition = partitions.find(isAtPlace);
  const known = kernel.partitions.find(isAtPlace);
  const signatures =
    partition?.signatures ?? (await readSignaturesAt(disk.path, ESP_START_BYTES, ESP_BYTES));
  if (!signatures.some(isOurs)) return {};
  const mounted = usage.mounts.find(({ device, root }) => device === known?.device && root === "/");
  const look = (directory: string): Omit<Marks, "claim"> => {
    const reading = readState(`${directory}/${STATE_DIRECTORY}`);
    if (!("record" in reading)) return { stateTrouble: reading.trouble };
    const bootFiles = readBootFiles(`${directory}/${ESP_DIRECTORY}`, reading.record);
    return { state: reading.record, ...(bootFiles ? { bootFiles } : {}) };
  };
  try {
    if (mounted !== undefined) return look(mounted.target);
    if (known !== undefined) return await lookInto(known.path, look);
    return await lookAtRegion(disk.path, ESP_START_BYTES, ESP_BYTES, (device) =>
      lookInto(device, look),
    );
  } catch (error) {
    return { stateTrouble: `its ESP cannot be read: ${tellFailure(error)}` };
  }
}

/**
 * The boot images and the description that belong to the GRUB and the rescue system which the record
 * names. Their digests are checked when they are used. Undefined where nothing whole is there.
 */
function readBootFiles(directory: string, { grub, rescue }: StateRecord): BootFiles | undefined {
  try {
    for (const boot of readdirSync(directory)) {
      if (!boot.startsWith("boot-")) continue;
      const file = `${directory}/${boot}/card.json`;
      if (!existsSync(file) || statSync(file).size > MOST_DESCRIPTION_BYTES) continue;
      const description = parseCard(readFileSync(file, "utf8"));
      const isWhole = bootDirectoryOf(description) === boot;
      const belongs =
        description.grub.directory === grub && description.rescue.directory === rescue;
      if (!isWhole || !belongs) continue;
      const { version } = description;
      return { card: digestOfCard(description), version, boot, grub, rescue };
    }
  } catch {
    // A damaged copy is none: the card has another.
  }
  return undefined;
}

function isAtPlace({ startBytes, sizeBytes }: { startBytes: number; sizeBytes: number }): boolean {
  return startBytes === ESP_START_BYTES && sizeBytes === ESP_BYTES;
}

function isOurs({ type, label }: Signature): boolean {
  return type === "vfat" && label === DISK_LABEL;
}
