/*
 * Writes the machines in this folder anew: by case, each a small change to an ordinary one. The shapes are
 * those that `zshield probe --json` printed in virtual machines (QEMU 7.2) and on loop devices.
 *   bun test/machines/make.ts && bun fmt --no-script test/machines
 */
import { writeFileSync } from "node:fs";
import { claimFor } from "../../src/model/claim.ts";
import { freshJournal } from "../../src/model/journal.ts";
import type { Disk, Machine, Partition, Signature, VolumeGroup } from "../../src/model/machine.ts";
import { identityOf } from "../../src/model/machine.ts";
import { successOf } from "../../src/model/result.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import type { StateRecord } from "../../src/model/state.ts";
import { planFactory } from "../../src/plan/factory.ts";
import { config, description, disk as exampleDisk, ids, wish } from "../unit/example.ts";

const BIOS_BOOT = "21686148-6449-6e6f-744e-656564454649";
const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";
const LVM = "e6d6d379-f507-44c2-a23c-238f2a3df928";

const signature = (type: string, offsetBytes: number, uuid = "", label = ""): Signature => {
  return { type, label, uuid, offsetBytes };
};
const GPT = [signature("PMBR", 510), signature("gpt", 512)];

const disk = (changes: Partial<Disk> = {}) => exampleDisk({ model: "", ...changes });

function partition(
  path: string,
  startBytes: number,
  sizeBytes: number,
  changes: Partial<Partition> = {},
): Partition {
  const number = Number(/\d+$/.exec(path)?.[0]);
  const uuid = `c${number}000000-0000-4000-8000-${Buffer.from(path).toString("hex").slice(-12).padStart(12, "0")}`;
  return {
    path,
    number,
    startBytes,
    sizeBytes,
    typeUuid: LINUX,
    uuid,
    name: "",
    signatures: [],
    ...changes,
  };
}

const cardDisk = disk({
  path: "/dev/sda",
  model: "CF CARD 4GB",
  serial: "CF-20261101-7",
  sizeBytes: 4_009_549_824,
  transport: "sata",
  table: "gpt",
  signatures: GPT,
  blank: "it has a partition table (gpt) with 3 partitions",
  partitions: [
    partition("/dev/sda1", MIB, MIB, { typeUuid: BIOS_BOOT }),
    partition("/dev/sda2", 2 * MIB, 512 * MIB, {
      typeUuid: ESP,
      signatures: [signature("vfat", 0, "5A53-0000", "ZS-CARD")],
    }),
    partition("/dev/sda3", 514 * MIB, 812 * MIB, {
      uuid: description.golden.partitionUuid,
      signatures: [signature("ext4", 1080, "22222222-2222-4222-8222-222222222222", "ZS-GOLDEN")],
    }),
  ],
});

function machine(
  disks: readonly Disk[],
  groups: readonly VolumeGroup[] = [],
  changes: Partial<Machine> = {},
): Machine {
  return {
    schema: 1,
    firmware: "bios",
    memoryBytes: 1_004_969_984,
    vendor: "QEMU",
    model: "Standard PC (i440FX + PIIX, 1996)",
    serial: "",
    missingTools: [],
    card: { disk: "/dev/sda", espPath: "/dev/sda2", goldenPath: "/dev/sda3", description },
    disks: [cardDisk, ...disks],
    groups,
    ...changes,
  };
}

const GROUP_UUID = "sdEeGs-puv8-0qdf-fD44-qATu-yrv9-VomhS4";
const PV_UUID = "YyAe4k-IAk7-3rdx-3Nfw-lsgk-xp1w-S8VdSS";

function group(changes: Partial<VolumeGroup> = {}): VolumeGroup {
  const volume = (name: string, sizeBytes: number, attributes: string, origin = "") => ({
    name,
    uuid: `zfh1km-0ibz-e6hW-WrLu-PV9R-GPVH-${name.replace("-", "").padEnd(6, "x").slice(0, 6)}`,
    tags: ["zshield"],
    sizeBytes,
    attributes,
    origin,
    active: false,
    merging: false,
    invalid: false,
  });
  return {
    name: "vgroup",
    uuid: GROUP_UUID,
    tags: ["zshield"],
    sizeBytes: 20 * GIB - 516 * MIB,
    freeBytes: 20 * GIB - 516 * MIB - 14 * GIB - 48 * MIB,
    extentBytes: 4 * MIB,
    partial: false,
    physicalVolumes: ["/dev/vda3"],
    volumes: [
      volume("lv-audit", 2 * GIB, "-wi-------"),
      volume("lv-root", 4 * GIB, "owi---s---"),
      volume("lv-user", 4 * GIB, "-wi-------"),
      volume("snap0", 4 * GIB + 48 * MIB, "swi---s---", "lv-root"),
    ],
    ...changes,
  };
}

const table = (ours: boolean) => ({
  table: "gpt" as const,
  signatures: GPT,
  blank: "it has a partition table (gpt) with 3 partitions",
  partitions: [
    partition("/dev/vda1", MIB, MIB, {
      typeUuid: BIOS_BOOT,
      uuid: ids.partitions.biosBoot,
      name: ours ? "zshield-bios-boot" : "",
    }),
    partition("/dev/vda2", 2 * MIB, 512 * MIB, {
      typeUuid: ESP,
      uuid: ids.partitions.esp,
      name: ours ? "zshield-esp" : "EFI System Partition",
      signatures: [signature("vfat", 0, "5A53-0001", ours ? "ZS-DISK" : "")],
    }),
    partition("/dev/vda3", 514 * MIB, 20 * GIB - 515 * MIB, {
      typeUuid: LVM,
      uuid: ids.partitions.group,
      name: ours ? "zshield-group" : "",
      signatures: [signature("LVM2_member", 536, PV_UUID)],
    }),
  ],
});

function record(changes: Partial<StateRecord> = {}): StateRecord {
  return {
    sequence: 41,
    phase: "installed",
    operation: "default",
    root: `lvmid/${GROUP_UUID}/zfh1km-0ibz-e6hW-WrLu-PV9R-GPVH-lvroot`,
    grub: description.grub.directory,
    rescue: description.rescue.directory,
    document: { schema: 1, disk: identityOf(disk()), groupUuid: GROUP_UUID, version: "0.0.9" },
    ...changes,
  };
}

/** A blank disk was made what it is, an hour before its backup. */
function recovered(): StateRecord {
  const plan = planFactory(machine([disk()]), config, wish, ids);
  const done = successOf({ ...plan, version: "0.0.9" }, disk(), { steps: [], peakMemoryBytes: 0 });
  const ended = { lastResult: done, lastResultSeconds: ids.nowSeconds - 3600 };
  return record({ document: { ...record().document, ...ended } });
}

/** Interrupted while golden was being copied, on a disk that had been blank. */
function atCopy(): Machine {
  const plan = planFactory(machine([disk()]), config, wish, ids);
  const next = plan.steps.findIndex(({ kind }) => kind === "copy-tree");
  const done = plan.steps.slice(0, next).map(({ kind }) => ({ kind, seconds: 1, bytes: 0 }));
  const journal = { ...freshJournal(plan), next, begun: 1, done };
  const document = { ...record().document, version: "", journal };
  const state = record({
    phase: "recovering",
    root: "",
    grub: "",
    rescue: "",
    sequence: 17,
    document,
  });
  const volumes = group().volumes.filter(({ name }) => name !== "snap0");
  const begun = volumes.map((volume) => ({ ...volume, attributes: "-wi-------" }));
  const freeBytes = 20 * GIB - 516 * MIB - 10 * GIB;
  return machine([disk({ ...table(true), state })], [group({ freeBytes, volumes: begun })]);
}

const megaraid = disk({
  path: "/dev/sdb",
  model: "MR9261-8i",
  serial: "00a1b2c3d4e5f60718",
  wwn: "0x600605b00a1b2c3d",
  sizeBytes: 499_558_383_616,
  transport: "scsi",
});
const stick = disk({
  path: "/dev/sdb",
  model: "Ultra Fit",
  serial: "4C530001234567",
  sizeBytes: 30_752_636_928,
  transport: "usb",
  removable: true,
  table: "dos",
  signatures: [signature("dos", 510)],
  blank: "it has a partition table (dos) with 1 partition",
  partitions: [
    partition("/dev/sdb1", MIB, 30_751_588_352, {
      typeUuid: "c",
      uuid: "2655e8e3-01",
      signatures: [signature("vfat", 0, "1234-ABCD", "MY STICK")],
    }),
  ],
});
const MD = "00010203-0405-0607-0809-0a0b0c0d0e0f";
const LUKS = "934beb66-6b68-443a-9182-92cc9b861955";
const holds = (found: Signature): Partial<Disk> => ({
  signatures: [found],
  blank: `it holds ${found.type}${found.label === "" ? "" : ` "${found.label}"`}`,
});

const machines: Readonly<Record<string, Machine>> = {
  "blank-virtio": machine([disk()]),
  "two-equal-blank": machine([disk(), disk({ path: "/dev/vdb", serial: "ZS-0002" })]),
  installed: machine([disk({ ...table(true), state: recovered() })], [group()]),
  "foreign-lvm-vgroup": machine(
    [disk(table(false))],
    [group({ uuid: "9Lpocr-q8Vx-OPL7-yNHu-1Gf7-pH4P-nHlFX2", tags: [], volumes: [] })],
  ),
  "foreign-md": machine([
    disk(holds(signature("linux_raid_member", 20 * GIB - 8192, MD, "nas:0"))),
  ]),
  "foreign-luks": machine([disk(holds(signature("crypto_LUKS", 0, LUKS)))]),
  "too-small": machine([disk({ sizeBytes: 4 * GIB })]),
  "no-disk": machine([]),
  "interrupted-claim": machine([
    disk({ blank: "there is data at byte 2097152", claim: claimFor(disk(), "blank", 1) }),
  ]),
  "interrupted-at-copy": atCopy(),
  "usb-stick-and-disk": machine([stick, disk()]),
  "hostile-serial": machine([
    disk({
      model: "\u001b[2J\u001b[HDISK \u202egnihton",
      serial: 'A"B\\C\u0007 $(reboot)\u009b31m',
      ...holds(signature("ext4", 1080, LUKS, "\u001b[31m\nvfat\ufffd")),
    }),
  ]),
  "megaraid-500g": machine([megaraid], [], {
    firmware: "uefi",
    memoryBytes: 8_266_141_696,
    vendor: "Supermicro",
    model: "X9SCL/X9SCM",
    serial: "0123456789",
  }),
};

for (const [name, wanted] of Object.entries(machines)) {
  // Pure ASCII, so that a hostile text cannot do anything to whoever looks at the file.
  const text = JSON.stringify(wanted, null, 2).replace(
    /[^\x20-\x7e\n]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  writeFileSync(`${import.meta.dirname}/${name}.json`, `${text}\n`);
}
