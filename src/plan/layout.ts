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

/** With less, a backup would be full before it is worth anything. */
export const LEAST_BACKUP_BYTES = 4 * EXTENT_BYTES;

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
 * How large a snapshot has to be never to overflow: a header, a copy of every chunk, and 16 bytes of
 * metadata for each, the last of them a terminator; whole extents. As LVM counts (`_cow_max_size` in
 * lib/metadata/snapshot_manip.c): it makes no snapshot larger, and watches no smaller one less.
 */
export function coveringBytes(rootBytes: number, chunkBytes: number): number {
  const chunks = Math.ceil(rootBytes / chunkBytes);
  const perArea = chunkBytes / 16;
  const areas = Math.floor((chunks + perArea) / perArea);
  const bytes = (1 + chunks + areas) * chunkBytes;
  return Math.ceil(bytes / EXTENT_BYTES) * EXTENT_BYTES;
}

/** Large enough never to overflow where the room allows it, else what is free. */
export function backupBytes(rootBytes: number, freeBytes: number, chunkBytes: number): number {
  const room = Math.floor(freeBytes / EXTENT_BYTES) * EXTENT_BYTES;
  return Math.max(0, Math.min(coveringBytes(rootBytes, chunkBytes), room));
}
