/*
 * The two patches that turn GRUB's boot.img and core.img into what lies on a disk: the same that
 * grub-bios-setup makes (util/setup.c in GRUB 2.06), without its guessing of devices. Used for the
 * card when it is built and for the disk by the agent. Pure: bytes in, bytes out, no I/O.
 *
 * The core lies in one of two halves of the BIOS boot partition. A new core goes into the half that
 * sector 0 does not name; the switch is then the one write of sector 0.
 */
import { KIB, MIB } from "./size.ts";

export const SECTOR_BYTES = 512;
/** Where the two halves begin, in bytes from the start of the disk. */
export const CORE_OFFSETS_BYTES = [1 * MIB, 1 * MIB + 512 * KIB] as const;
/** What fits into the smaller half: the claim (model/claim.ts) lies in the partition's last 4 KiB. */
export const MOST_CORE_BYTES = 512 * KIB - 4 * KIB;

/** include/grub/i386/pc/boot.h: GRUB_BOOT_MACHINE_… */
const KERNEL_SECTOR = 0x5c;
const BOOT_DRIVE = 0x64;
const DRIVE_CHECK = 0x66;
const WINDOWS_NT_MAGIC = 0x1b8;
const PARTITION_TABLE_END = 0x1fe;
/** The first block list of core.img's own first sector: 64-bit start, 16-bit length, 16-bit segment. */
const FIRST_BLOCK_LIST = SECTOR_BYTES - 12;
const KERNEL_SEGMENT = 0x820;

/**
 * Sector 0 of a hard disk: GRUB's boot code with the place of the core in it, and the disk signature
 * and partition table that are there already. `coreLba` counts sectors of 512 bytes.
 * @throws Error if `boot` is not GRUB's boot.img.
 */
export function patchBootImage(
  boot: Uint8Array,
  existingSector0: Uint8Array,
  coreLba: number,
): Uint8Array {
  if (boot.length !== SECTOR_BYTES || boot[0x1fe] !== 0x55 || boot[0x1ff] !== 0xaa) {
    throw new Error("boot.img is not a boot sector");
  }
  if (boot[DRIVE_CHECK] !== 0xeb && boot[DRIVE_CHECK] !== 0x90) {
    throw new Error("boot.img has no jump at 0x66, so it is not the one of GRUB 2");
  }
  if (existingSector0.length < SECTOR_BYTES) throw new Error("sector 0 is shorter than 512 bytes");
  const sector = Uint8Array.from(boot);
  const view = new DataView(sector.buffer);
  view.setBigUint64(KERNEL_SECTOR, BigInt(coreLba), true);
  // 0xff: the core lies on the drive that the firmware booted from.
  view.setUint8(BOOT_DRIVE, 0xff);
  // Two nops instead of the jump: on a hard disk, do not believe a firmware that passes drive 0 or 1.
  view.setUint16(DRIVE_CHECK, 0x9090, true);
  sector.set(existingSector0.subarray(WINDOWS_NT_MAGIC, PARTITION_TABLE_END), WINDOWS_NT_MAGIC);
  return sector;
}

/** The core as it lies at `coreLba` in one piece. @throws Error if it is none or does not fit. */
export function patchCoreImage(core: Uint8Array, coreLba: number): Uint8Array {
  if (core.length > MOST_CORE_BYTES) {
    throw new Error(`core.img has ${core.length} bytes; there is room for ${MOST_CORE_BYTES}`);
  }
  if (core.length <= SECTOR_BYTES) throw new Error("core.img is shorter than its first sector");
  const patched = Uint8Array.from(core);
  const view = new DataView(patched.buffer);
  if (view.getUint16(FIRST_BLOCK_LIST + 10, true) !== KERNEL_SEGMENT) {
    throw new Error("core.img has no block list at 0x1f4, so it is not one for BIOS");
  }
  view.setBigUint64(FIRST_BLOCK_LIST, BigInt(coreLba + 1), true);
  return patched;
}

/** The sector at which the core begins that this sector 0 names. */
export function coreLbaOf(sector0: Uint8Array): number {
  const view = new DataView(sector0.buffer, sector0.byteOffset, sector0.byteLength);
  return Number(view.getBigUint64(KERNEL_SECTOR, true));
}

/** Where a new core goes, in sectors of 512 bytes: the half that sector 0 does not name. */
export function freeCoreLba(sector0: Uint8Array): number {
  const [first, second] = CORE_OFFSETS_BYTES.map((bytes) => bytes / SECTOR_BYTES) as [
    number,
    number,
  ];
  return coreLbaOf(sector0) === first ? second : first;
}
