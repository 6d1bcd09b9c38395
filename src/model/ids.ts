/*
 * Everything that a plan needs and that is not a fact. Owns: the types.
 */

export interface PartitionUuids {
  readonly biosBoot: string;
  readonly esp: string;
  readonly group: string;
}

/** UUIDs in lower case. */
export interface Ids {
  readonly diskUuid: string;
  readonly partitions: PartitionUuids;
  /** Eight hexadecimal digits. */
  readonly espVolumeId: string;
  readonly rootUuid: string;
  readonly userUuid: string;
  readonly auditUuid: string;
  /** 32 hexadecimal digits. */
  readonly machineId: string;
  /** Seconds since 1970, for tags. */
  readonly nowSeconds: number;
}
