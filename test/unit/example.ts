/*
 * A machine to start from: a card and a blank disk. Tests change what they are about.
 */
import type { CardDescription } from "../../src/model/card.ts";
import { checkConfig, type Config } from "../../src/model/config.ts";
import type { Ids } from "../../src/model/ids.ts";
import type { Disk, Machine, VolumeGroup } from "../../src/model/machine.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import type { RunningFacts } from "../../src/model/status.ts";
import type { StateRecord } from "../../src/model/state.ts";
import type { Wish } from "../../src/plan/wish.ts";

const digest = (letter: string) => ({ sha256: letter.repeat(64), sizeBytes: 1000 });

export const description: CardDescription = {
  schema: 1,
  product: "zshield",
  version: "0.1.0+abc",
  lab: true,
  golden: {
    partitionUuid: "11111111-1111-4111-8111-111111111111",
    fileSystemBytes: 800 * MIB,
    verity: {
      hashOffsetBytes: 800 * MIB,
      blockBytes: 4096,
      dataBlocks: 800 * 256,
      rootHash: "a".repeat(64),
      salt: "bb",
    },
    treeBytes: 700 * MIB,
    entries: 17_000,
    manifest: { path: "zshield/golden.manifest.zst", sha256: "c".repeat(64) },
    kernels: ["6.1.0-1-amd64"],
    updateGrub: ["update-grub"],
  },
  rescue: {
    directory: "rescue-0123456789abcdef",
    files: { vmlinuz: digest("1"), "initramfs.img": digest("2") },
  },
  grub: { directory: "grub-0123456789abcdef", files: { "grub.cfg": digest("3") } },
  boot: { "boot.img": digest("4"), "core.img": digest("5"), "BOOTX64.EFI": digest("6") },
};

export function disk(changes: Partial<Disk> = {}): Disk {
  return {
    path: "/dev/vda",
    model: "QEMU HARDDISK",
    serial: "ZS-0001",
    wwn: "",
    sizeBytes: 20 * GIB,
    transport: "virtio",
    logicalSectorBytes: 512,
    removable: false,
    readOnly: false,
    inUse: [],
    table: "none",
    partitions: [],
    signatures: [],
    blank: true,
    ...changes,
  };
}

const cardDisk = disk({
  path: "/dev/sda",
  model: "CF CARD",
  serial: "CARD-1",
  sizeBytes: 2 * GIB,
  transport: "usb",
  removable: true,
  table: "gpt",
  blank: "a partition table",
});

export function machine(
  disks: readonly Disk[] = [disk()],
  groups: readonly VolumeGroup[] = [],
): Machine {
  return {
    schema: 1,
    firmware: "bios",
    memoryBytes: GIB,
    vendor: "QEMU",
    model: "Standard PC",
    serial: "BOX-1",
    missingTools: [],
    card: { disk: "/dev/sda", espPath: "/dev/sda2", goldenPath: "/dev/sda3", description },
    disks: [cardDisk, ...disks],
    groups,
  };
}

/** When the example's backup was taken. */
export const TAKEN_SECONDS = 1_790_000_000;

export const facts: RunningFacts = {
  nowSeconds: TAKEN_SECONDS + 3600,
  alarmAfterSeconds: 36 * 3600,
  boot: "b00t",
  alarms: [],
  disks: [],
};

export const config: Config = checkConfig({});
/** Of a card with factory tests. */
export const testConfig: Config = checkConfig({ factory: { memory: "1 GiB", smart: true } });
export const wish: Wish = {
  disk: undefined,
  confirm: "yes",
  erase: undefined,
  keep: "data",
  test: "yes",
};

export const ids: Ids = {
  diskUuid: "d0000000-0000-4000-8000-000000000000",
  partitions: {
    biosBoot: "d1000000-0000-4000-8000-000000000000",
    esp: "d2000000-0000-4000-8000-000000000000",
    group: "d3000000-0000-4000-8000-000000000000",
  },
  espVolumeId: "5a530001",
  rootUuid: "e1000000-0000-4000-8000-000000000000",
  userUuid: "e2000000-0000-4000-8000-000000000000",
  auditUuid: "e3000000-0000-4000-8000-000000000000",
  machineId: "0123456789abcdef0123456789abcdef",
  nowSeconds: 1_790_000_000,
};

const GROUP_UUID = "AAAAAA-BBBB-CCCC-DDDD-EEEE-FFFF-GGGGGG";

export function record(changes: Partial<StateRecord> = {}): StateRecord {
  const { path, model, serial, wwn, sizeBytes } = disk();
  return {
    sequence: 7,
    phase: "installed",
    operation: "default",
    root: `lvmid/${GROUP_UUID}/root`,
    grub: "grub-0123456789abcdef",
    rescue: "rescue-0123456789abcdef",
    document: {
      schema: 1,
      disk: { path, model, serial, wwn, sizeBytes },
      groupUuid: GROUP_UUID,
      version: "0.0.9",
    },
    ...changes,
  };
}

/** An installed disk and its group; `freeBytes` decides whether a new root fits beside the old one. */
export function installed(freeBytes: number): { disk: Disk; group: VolumeGroup } {
  const volume = (name: string, sizeBytes: number, origin = "") => ({
    name,
    uuid: `uuid-${name}`,
    tags: ["zshield"],
    sizeBytes,
    attributes: "-wi-------",
    origin,
    active: false,
    merging: false,
    invalid: false,
  });
  const partition = (number: number, startBytes: number, sizeBytes: number) => ({
    path: `/dev/vda${number}`,
    number,
    startBytes,
    sizeBytes,
    typeUuid: "",
    uuid: `f${number}000000-0000-4000-8000-000000000000`,
    name: "",
    signatures: [],
  });
  return {
    disk: disk({
      table: "gpt",
      blank: "a gpt partition table",
      partitions: [
        partition(1, MIB, MIB),
        partition(2, 2 * MIB, 512 * MIB),
        partition(3, 514 * MIB, 20 * GIB - 515 * MIB),
      ],
      state: record(),
    }),
    group: {
      name: "vgroup",
      uuid: GROUP_UUID,
      tags: ["zshield"],
      sizeBytes: 19 * GIB,
      freeBytes,
      extentBytes: 4 * MIB,
      partial: false,
      physicalVolumes: ["/dev/vda3"],
      volumes: [
        volume("lv-root", 4 * GIB),
        volume("snap0", 4 * GIB, "lv-root"),
        volume("lv-user", 4 * GIB),
        volume("lv-audit", 2 * GIB),
      ],
    },
  };
}
