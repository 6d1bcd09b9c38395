/*
 * Which disks a card image may be written to, decided from what was found. A disk that does not look like a card, or
 * holds a mounted file system, has to be named by its serial number; one that the running system lives on or that is
 * in use in another way is never written. Pure.
 */
import { Refusal } from "../errors.ts";
import type { CardDisk } from "../model/card-disk.ts";
import { describeDisk } from "../model/machine.ts";
import { printSize } from "../model/size.ts";

export interface CardWish {
  /** As it was written, and what it leads to. */
  readonly devices: readonly { readonly name: string; readonly path: string }[];
  readonly serials: readonly string[];
}

/** GRUB and the partition table of the image count in these. */
const SECTOR_BYTES = 512;

/** What is mounted here belongs to the running system: such a disk is no card, whoever says so. */
const SYSTEM_MOUNTS = [
  ...["/", "/boot", "/boot/efi", "/efi", "/etc", "/home", "/nix", "/opt", "/root", "/srv"],
  ...["/usr", "/usr/local", "/var", "/var/lib", "/var/log"],
];

/** In the order of the words. @throws Refusal with everything that speaks against it, a line each. */
export function cardTargets(
  disks: readonly CardDisk[],
  wish: CardWish,
  imageBytes: number,
): CardDisk[] {
  const faults: string[] = [];
  const targets: CardDisk[] = [];
  for (const { name, path } of wish.devices) {
    const disk = disks.find((disk) => disk.path === path);
    if (!disk) faults.push(whyNoDisk(disks, name, path));
    else if (targets.includes(disk)) faults.push(`${name} is named twice`);
    else targets.push(disk);
  }
  for (const serial of new Set(wish.serials)) {
    const found = disks.filter((disk) => disk.serial === serial && serial !== "");
    const [disk] = found;
    if (!disk) faults.push(`no disk has the serial number "${serial}"`);
    else if (found.length > 1) {
      const paths = found.map(({ path }) => path).join(", ");
      faults.push(`${found.length} disks have the serial number "${serial}": ${paths}`);
    } else if (!targets.includes(disk)) targets.push(disk);
  }
  for (const disk of targets) {
    const isNamed = wish.serials.includes(disk.serial) && disk.serial !== "";
    const why = whyNotTarget(disk, isNamed, imageBytes);
    if (why !== undefined) faults.push(`${describeDisk(disk, printSize)} ${why}`);
  }
  if (faults.length > 0) throw new Refusal(faults.join("\n"), "nothing was written to any of them");
  return targets;
}

function whyNoDisk(disks: readonly CardDisk[], name: string, path: string): string {
  const whole = disks.find(({ partitions }) => partitions.includes(path));
  return whole
    ? `${name} is a partition; name the whole disk, ${whole.path}`
    : `${name} is no disk, or there is no card in it`;
}

/** Why the image may not be written there, in words that go on after the disk's name. */
export function whyNotTarget(
  disk: CardDisk,
  isNamed: boolean,
  imageBytes: number,
): string | undefined {
  const { mounts, uses, serial, sizeBytes } = disk;
  const system = mounts.filter((at) => SYSTEM_MOUNTS.includes(at));
  if (system.length > 0) return `holds the running system (${system.join(", ")})`;
  if (uses.length > 0) return `is in use: ${uses.join(", ")}`;
  if (disk.readOnly) return "is read-only; is there a switch on the card?";
  if (disk.logicalSectorBytes !== SECTOR_BYTES) {
    return `has sectors of ${disk.logicalSectorBytes} bytes; cards start from sectors of ${SECTOR_BYTES} only`;
  }
  if (sizeBytes < imageBytes) {
    return `is too small: ${sizeBytes} bytes, the image has ${imageBytes}`;
  }
  if (isNamed) return undefined;
  const way = serial === "" ? "it has no serial number to name it by" : `--serial "${serial}"`;
  if (!disk.removable) return `cannot be taken out as a card can; if it is meant: ${way}`;
  if (mounts.length > 0) return `is mounted at ${mounts.join(", ")}; unmount it, or ${way}`;
  return undefined;
}
