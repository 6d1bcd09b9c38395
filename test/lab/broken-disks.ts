/*
 * The crash judge's own control: a good disk, damaged in one place at a time; the judge has to find each
 * damage, and to say it in the right words. A judge that cannot find them proves nothing.
 * Owns: the damages. Each is taken back after it.
 */
import { MIB } from "../../src/model/size.ts";
import { coreLbaOf, freeCoreLba } from "../../src/model/boot-sector.ts";
import { ESP_BYTES, ESP_START_BYTES } from "../../src/plan/layout.ts";
import type { VolumePlace } from "./inspect.ts";
import type { CrashedDisk } from "./replay.ts";
import { dataStretches, readBytes, withOpen } from "./sparse.ts";

const SECTOR = 512;
const BLOCK = 4096;
const GROUP_START_BYTES = ESP_START_BYTES + ESP_BYTES;

interface Damage {
  readonly name: string;
  readonly words: RegExp;
  make(disk: CrashedDisk, volumes: readonly VolumePlace[]): void;
}

export const DAMAGES: readonly Damage[] = [
  {
    name: "the first partition table",
    words: /partition table is damaged/,
    make: (disk) => flip(disk, 2 * SECTOR),
  },
  {
    name: "both copies of the state",
    words: /copy a does not match.*copy b does not match/,
    make(disk) {
      for (const at of findAll(disk, "# GRUB Environment Block\nzs_")) flip(disk, at + 40);
    },
  },
  {
    name: "a file of the rescue system",
    words: /does not match its digest/,
    make: (disk) => flip(disk, findKernel(disk) + 2 * MIB),
  },
  {
    name: "GRUB's core",
    words: /core is not whole/,
    make: (disk) => flip(disk, coreLbaOf(disk.read(0, SECTOR)) * SECTOR + 3000),
  },
  {
    name: "sector 0 that names the other core, which is not whole",
    words: /core is not whole/,
    make(disk) {
      const sector = disk.read(0, SECTOR);
      const other = freeCoreLba(sector);
      sector.writeBigUInt64LE(BigInt(other), 0x5c);
      disk.write(0, sector);
      // After a second recovery a whole one may lie there.
      flip(disk, other * SECTOR + 3000);
    },
  },
  {
    name: "LVM's metadata",
    words: /LVM cannot read the group/,
    make(disk) {
      const area = disk.read(GROUP_START_BYTES, MIB);
      for (let at = area.indexOf("lv-audit"); at >= 0; at = area.indexOf("lv-audit", at + 1)) {
        flip(disk, GROUP_START_BYTES + at);
      }
    },
  },
  {
    name: "the backup's store",
    words: /store of snap0: it is marked as not valid/,
    make: (disk, volumes) => flip(disk, placeOf(volumes, "snap0") + 4),
  },
  {
    name: "the root's inodes",
    words: /lv-root: e2fsck/,
    make(disk, volumes) {
      const root = placeOf(volumes, "lv-root");
      // The first group's descriptor tells where its inodes lie.
      const block = disk.read(root + BLOCK + 8, 4).readUInt32LE(0);
      disk.write(root + block * BLOCK, Buffer.alloc(BLOCK));
    },
  },
];

/**
 * The damages that the judge did not find or called something else. `show` shows the same good disk each
 * time, and takes back what was written; `volumes` from its start. @throws Error if the disk is not good.
 */
export async function undetectedDamages(
  show: <T>(look: (disk: CrashedDisk) => Promise<T>) => Promise<T>,
  volumes: readonly VolumePlace[],
  judge: (disk: CrashedDisk) => Promise<readonly string[]>,
): Promise<string[]> {
  const before = await show(judge);
  if (before.length > 0) throw new Error(`the disk is not good: ${before.join("; ")}`);
  const undetected: string[] = [];
  for (const { name, words, make } of DAMAGES) {
    const faults = await show(async (disk) => {
      make(disk, volumes);
      return judge(disk);
    });
    if (!words.test(faults.join("\n"))) undetected.push(`${name}: ${faults.join("; ") || "good"}`);
  }
  return undetected;
}

function flip(disk: CrashedDisk, at: number): void {
  const [byte = 0] = disk.read(at, 1);
  disk.write(at, Uint8Array.of(byte ^ 1));
}

function placeOf(volumes: readonly VolumePlace[], name: string): number {
  const found = volumes.find((volume) => volume.name === name);
  if (!found) throw new Error(`the disk has no volume ${name}`);
  return found.startBytes;
}

/** The rescue system's kernel. GRUB's modules hold these letters too, but not behind a boot sector's mark. */
function findKernel(disk: CrashedDisk): number {
  const mark = Buffer.from([0x55, 0xaa]);
  for (const at of findAll(disk, "HdrS")) {
    const start = at - 0x202;
    if (disk.read(start + 0x1fe, 2).equals(mark)) return start;
  }
  throw new Error("the ESP holds no kernel");
}

/** Where a text lies in the ESP; from the start of the disk. */
function findAll(disk: CrashedDisk, text: string): number[] {
  return withOpen(disk.file, "r", (file) => {
    const found: number[] = [];
    for (const stretch of dataStretches(file, ESP_START_BYTES, GROUP_START_BYTES)) {
      const bytes = readBytes(file, stretch.startBytes, stretch.sizeBytes + text.length);
      for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
        if (at < stretch.sizeBytes) found.push(stretch.startBytes + at);
      }
    }
    return found;
  });
}
