/*
 * Gaps in the directories of FAT32. An entry whose first byte is 0 ends a directory for GRUB and for UEFI firmware; Linux
 * and fsck.fat read on behind it. A power cut leaves such a gap where a directory's later sectors reached the disk and an
 * earlier one did not; what is put behind it then is there for Linux, and GRUB says "not found".
 * Layout: Microsoft's FAT32 File System Specification 1.03, "FAT Directory Structure".
 * Owns: finding and closing them. Needs fsck.fat to have been there before.
 */
import { readAt, writeAt } from "./device.ts";

const SECTOR_BYTES = 512;
const ENTRY_BYTES = 32;
const FIRST_CLUSTER = 2;
const CLUSTER_MASK = 0x0fff_ffff;
const END_OF_CHAIN = 0x0fff_fff8;

const END = 0x00;
const DELETED = 0xe5;
const DOT = 0x2e;
const IS_DIRECTORY = 0x10;
const IS_LABEL_OR_LONG_NAME = 0x08;

interface Layout {
  readonly clusterBytes: number;
  /** Where cluster 2 begins. */
  readonly dataBytes: number;
  readonly rootCluster: number;
  /** The first copy, which Linux reads. */
  readonly fat: DataView;
}

/**
 * Marks each gap as deleted entries, which everybody reads over; a cut in it leaves fewer gaps. Returns how many entries
 * those were. The device must not be mounted.
 * @throws Error if the device is not FAT32, or a directory does not end.
 */
export async function closeGaps(device: string): Promise<number> {
  const layout = await readLayout(device);
  let closed = 0;
  const seen = new Set<number>();
  const open = [layout.rootCluster];
  for (let first = open.pop(); first !== undefined; first = open.pop()) {
    const clusters = chainFrom(layout, first, device);
    if (clusters.some((cluster) => seen.has(cluster))) continue;
    for (const cluster of clusters) seen.add(cluster);
    const pieces = [];
    for (const cluster of clusters) {
      pieces.push(await readAt(device, placeOf(layout, cluster), layout.clusterBytes));
    }
    const directory = Buffer.concat(pieces);
    const gaps = gapsOf(directory);
    for (const gap of gaps) directory[gap] = DELETED;
    for (const sector of new Set(gaps.map((gap) => gap - (gap % SECTOR_BYTES)))) {
      const cluster = clusters[Math.floor(sector / layout.clusterBytes)] ?? first;
      const place = placeOf(layout, cluster) + (sector % layout.clusterBytes);
      await writeAt(device, place, directory.subarray(sector, sector + SECTOR_BYTES));
    }
    closed += gaps.length;
    open.push(...directoriesIn(directory));
  }
  return closed;
}

/** Where entries begin that end the directory too early: a used one lies behind them. */
export function gapsOf(directory: Uint8Array): number[] {
  let last = directory.length - ENTRY_BYTES;
  while (last >= 0 && (directory[last] === END || directory[last] === DELETED)) last -= ENTRY_BYTES;
  const gaps: number[] = [];
  for (let at = 0; at < last; at += ENTRY_BYTES) if (directory[at] === END) gaps.push(at);
  return gaps;
}

/** First clusters. */
function directoriesIn(directory: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at < directory.length; at += ENTRY_BYTES) {
    const attributes = directory.readUInt8(at + 11);
    if ((attributes & (IS_DIRECTORY | IS_LABEL_OR_LONG_NAME)) !== IS_DIRECTORY) continue;
    if ([END, DELETED, DOT].includes(directory.readUInt8(at))) continue;
    found.push(directory.readUInt16LE(at + 20) * 0x1_0000 + directory.readUInt16LE(at + 26));
  }
  return found.filter((cluster) => cluster >= FIRST_CLUSTER);
}

async function readLayout(device: string): Promise<Layout> {
  const boot = Buffer.from(await readAt(device, 0, SECTOR_BYTES));
  const sectorBytes = boot.readUInt16LE(11);
  const sectorsOfCluster = boot.readUInt8(13);
  const reserved = boot.readUInt16LE(14);
  const fats = boot.readUInt8(16);
  const fatSectors = boot.readUInt32LE(36);
  const isFat32 = boot.readUInt16LE(510) === 0xaa55 && boot.readUInt16LE(22) === 0;
  if (!isFat32 || sectorBytes < SECTOR_BYTES || sectorsOfCluster === 0 || fatSectors === 0) {
    throw new Error(`${device} is not FAT32`);
  }
  const fat = await readAt(device, reserved * sectorBytes, fatSectors * sectorBytes);
  return {
    clusterBytes: sectorsOfCluster * sectorBytes,
    dataBytes: (reserved + fats * fatSectors) * sectorBytes,
    rootCluster: boot.readUInt32LE(44),
    fat: new DataView(fat.buffer, fat.byteOffset, fat.byteLength),
  };
}

function chainFrom({ fat }: Layout, first: number, device: string): number[] {
  const clusters = [];
  const all = fat.byteLength / 4;
  for (let cluster = first; cluster < END_OF_CHAIN;) {
    if (cluster < FIRST_CLUSTER || cluster >= all || clusters.length >= all) {
      throw new Error(`${device}: a directory's clusters do not end`);
    }
    clusters.push(cluster);
    cluster = fat.getUint32(cluster * 4, true) & CLUSTER_MASK;
  }
  return clusters;
}

function placeOf({ dataBytes, clusterBytes }: Layout, cluster: number): number {
  return dataBytes + (cluster - FIRST_CLUSTER) * clusterBytes;
}
