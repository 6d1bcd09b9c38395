/*
 * The machine as it was found: plain data, made by host/probe.ts, read by the planners, kept as
 * JSON in test/machines. Owns: the types and small look-ups. No I/O.
 * All sizes are bytes, all offsets are bytes from the start of the disk.
 */
import type { CardDescription } from "./card.ts";
import type { Claim } from "./claim.ts";
import type { StateRecord } from "./state.ts";

export interface Machine {
  readonly schema: 1;
  readonly firmware: "bios" | "uefi";
  readonly memoryBytes: number;
  readonly vendor: string;
  readonly model: string;
  readonly serial: string;
  /** The tools of `zshield tools` that a recovery needs and that are not there. */
  readonly missingTools: readonly string[];
  /** The partition that the golden system lies on, and the card's description; absent without a card. */
  readonly card?: Card;
  /** Why no card is named although one was looked for (none found, two found, damaged). */
  readonly cardTrouble?: string;
  readonly disks: readonly Disk[];
  readonly groups: readonly VolumeGroup[];
  /** Why LVM could not be asked; `groups` is empty then, and nothing may be concluded from that. */
  readonly groupsTrouble?: string;
  /** The volume that is mounted as `/`; absent where it is none (rescue system, golden on a card). */
  readonly runsFrom?: RunningRoot;
}

/** UUIDs as LVM prints them, but without dashes: so device-mapper has them. */
export interface RunningRoot {
  readonly groupUuid: string;
  readonly volumeUuid: string;
}

export interface Card {
  readonly disk: string;
  readonly espPath: string;
  readonly goldenPath: string;
  readonly description: CardDescription;
}

export interface DiskIdentity {
  /** Kernel path of the whole disk, `/dev/sda`; only valid for this boot, never compared. */
  readonly path: string;
  readonly model: string;
  /** "" where the disk tells none. */
  readonly serial: string;
  readonly wwn: string;
  readonly sizeBytes: number;
}

export interface Disk extends DiskIdentity {
  /** `nvme`, `sata`, `usb`, `virtio`, … as lsblk tells; "" if unknown. */
  readonly transport: string;
  readonly logicalSectorBytes: number;
  readonly removable: boolean;
  readonly readOnly: boolean;
  /** Anything on it is mounted, swapped on, or held by another device of the running system. */
  readonly inUse: readonly string[];
  readonly table: "none" | "gpt" | "dos" | "other";
  readonly partitions: readonly Partition[];
  /** Signatures on the whole disk itself, as blkid and wipefs name them. */
  readonly signatures: readonly Signature[];
  /**
   * `blank`: no table, no signature, zeros in the first and last 16 MiB and in samples between.
   * Otherwise the first thing that was found, in words.
   */
  readonly blank: true | string;
  /** Our mark of a recovery that has begun on this disk, if it is valid and names this disk. */
  readonly claim?: Claim;
  /** The newest valid record in `state/` on the ESP at our fixed place, if there is one. */
  readonly state?: StateRecord;
  /** Why `state` is absent although an ESP with our label is there. */
  readonly stateTrouble?: string;
  /** What GRUB can be installed from without the card; absent where the ESP has nothing whole. */
  readonly bootFiles?: BootFiles;
}

/** GRUB, rescue system and boot images on a disk's ESP, as a card brought them there. */
export interface BootFiles {
  /** Digest and version of that card's description. */
  readonly card: string;
  readonly version: string;
  /** Directories below /zshield. */
  readonly boot: string;
  readonly grub: string;
  readonly rescue: string;
}

export interface Partition {
  readonly path: string;
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly typeUuid: string;
  readonly uuid: string;
  readonly name: string;
  readonly signatures: readonly Signature[];
}

export interface Signature {
  /** `ext4`, `LVM2_member`, `linux_raid_member`, `crypto_LUKS`, `zfs_member`, `gpt`, … */
  readonly type: string;
  readonly label: string;
  readonly uuid: string;
  readonly offsetBytes: number;
}

export interface VolumeGroup {
  readonly name: string;
  readonly uuid: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly extentBytes: number;
  /** True where LVM says that a physical volume is missing or the group is exported. */
  readonly partial: boolean;
  /** Why `partial`, in words; also where a copied disk carries one of its physical volumes again. */
  readonly trouble?: string;
  /** Partition or disk paths. */
  readonly physicalVolumes: readonly string[];
  readonly volumes: readonly Volume[];
}

export interface Volume {
  readonly name: string;
  readonly uuid: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number;
  /** lv_attr as lvs prints it, ten characters. */
  readonly attributes: string;
  /** Name of the volume that this one is a snapshot of, or "". */
  readonly origin: string;
  readonly active: boolean;
  /** A merge into this volume is going on. */
  readonly merging: boolean;
  /** The snapshot overflowed or its store is damaged; only known while active. */
  readonly invalid: boolean;
  /** How full a snapshot is, 0 to 100; absent on others. */
  readonly dataPercent?: number;
}

/** `virtio disk "QEMU HARDDISK", serial ZS-1, 20 GiB (/dev/vda)`: how a disk is named to people. */
export function describeDisk(disk: DiskIdentity, print: (bytes: number) => string): string {
  const model = disk.model === "" ? "disk without a model name" : disk.model;
  const serial = disk.serial === "" ? "no serial number" : `serial ${disk.serial}`;
  return `${model}, ${serial}, ${print(disk.sizeBytes)} (${disk.path})`;
}

/** In what two disks differ; sizes in bytes. */
export interface Difference {
  readonly of: "serial" | "wwn" | "size" | "model";
  readonly found: string;
  readonly wanted: string;
}

/** Why `found` is not the disk that `wanted` describes, or undefined if it is. Paths do not count. */
export function whyNotSameDisk(found: DiskIdentity, wanted: DiskIdentity): Difference | undefined {
  const parts = ({ serial, wwn, sizeBytes, model }: DiskIdentity) =>
    ({ serial, wwn, size: String(sizeBytes), model }) as const;
  const [here, there] = [parts(found), parts(wanted)];
  const of = (["serial", "wwn", "size", "model"] as const).find(
    (part) => here[part] !== there[part],
  );
  return of === undefined ? undefined : { of, found: here[of], wanted: there[of] };
}

export function identityOf(disk: DiskIdentity): DiskIdentity {
  const { path, model, serial, wwn, sizeBytes } = disk;
  return { path, model, serial, wwn, sizeBytes };
}
