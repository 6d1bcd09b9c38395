/*
 * Where everything lies on the disk: partitions and volumes in bytes. Pure arithmetic.
 */
import { EXTENT_BYTES, GROUP_START_BYTES } from "../model/config.ts";
import type { PartitionUuids } from "../model/ids.ts";
import { MIB } from "../model/size.ts";
import type { PlannedPartition } from "../model/step.ts";

export const BIOS_BOOT_TYPE = "21686148-6449-6e6f-744e-656564454649";
export const ESP_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
export const LVM_TYPE = "e6d6d379-f507-44c2-a23c-238f2a3df928";

export const BIOS_BOOT_START_BYTES = 1 * MIB;
export const BIOS_BOOT_BYTES = 1 * MIB;
export const ESP_START_BYTES = 2 * MIB;
export const ESP_BYTES = 512 * MIB;

export function planPartitions(diskBytes: number, uuids: PartitionUuids): PlannedPartition[] {
  // The last MiB stays free for GPT's backup.
  const end = Math.floor(diskBytes / MIB) * MIB - MIB;
  return [
    {
      number: 1,
      name: "zshield-bios-boot",
      typeUuid: BIOS_BOOT_TYPE,
      uuid: uuids.biosBoot,
      startBytes: BIOS_BOOT_START_BYTES,
      sizeBytes: BIOS_BOOT_BYTES,
    },
    {
      number: 2,
      name: "zshield-esp",
      typeUuid: ESP_TYPE,
      uuid: uuids.esp,
      startBytes: ESP_START_BYTES,
      sizeBytes: ESP_BYTES,
    },
    {
      number: 3,
      name: "zshield-group",
      typeUuid: LVM_TYPE,
      uuid: uuids.group,
      startBytes: GROUP_START_BYTES,
      sizeBytes: end - GROUP_START_BYTES,
    },
  ];
}

/** The script for sfdisk: the whole table at once, in sectors. */
export function tableScript(
  diskUuid: string,
  sectorBytes: number,
  partitions: readonly PlannedPartition[],
): string {
  const lines = partitions.map(
    ({ number, startBytes, sizeBytes, typeUuid, uuid, name }) =>
      `${number} : start=${startBytes / sectorBytes}, size=${sizeBytes / sectorBytes}, ` +
      `type=${typeUuid}, uuid=${uuid}, name="${name}"`,
  );
  return ["label: gpt", `label-id: ${diskUuid}`, "unit: sectors", ...lines].join("\n") + "\n";
}

/**
 * How large the backup can be: large enough never to overflow where the room allows it (a copy of every
 * chunk, and its metadata of 16 bytes a chunk of 4 KiB), else what is free.
 */
export function backupBytes(rootBytes: number, freeBytes: number): number {
  const covering = rootBytes + rootBytes / 128 + 4 * EXTENT_BYTES;
  const wanted = Math.ceil(covering / EXTENT_BYTES) * EXTENT_BYTES;
  return Math.max(0, Math.min(wanted, Math.floor(freeBytes / EXTENT_BYTES) * EXTENT_BYTES));
}
