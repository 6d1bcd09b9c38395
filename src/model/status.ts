/*
 * What `zshield status` tells. Owns: the types.
 */
import type { Alarm } from "./alarm.ts";
import type { BackupTags } from "./backup.ts";
import type { Operation } from "./operation.ts";
import type { Result } from "./result.ts";
import type { Phase } from "./state.ts";

export interface Status {
  readonly version: string;
  readonly disk: string;
  readonly root: string;
  /** "" without an installation. */
  readonly phase: Phase | "";
  /** What is asked for, where the phase is `requested`. */
  readonly operation?: Operation;
  readonly backup?: BackupStatus;
  readonly lastRecovery?: LastRecovery;
  /** Told since the last backup was taken. */
  readonly alarms: readonly Alarm[];
  readonly disks: readonly DiskHealth[];
  /** What is wrong now, in words. */
  readonly trouble: readonly string[];
  /** No trouble and no alarm. */
  readonly good: boolean;
}

/** Of the last recovery that got as far as its end. */
export type LastRecovery = Pick<Result, "operation" | "outcome" | "version"> & {
  /** Seconds since 1970 by the box's clock; absent where an older version ended it. */
  readonly timeSeconds?: number;
};

export interface BackupStatus extends BackupTags {
  readonly ageSeconds: number;
  readonly sizeBytes: number;
  /** How full it is, 0 to 100. */
  readonly percent: number;
  /** As large as root needs: it can never overflow. Absent where LVM did not tell. */
  readonly covering?: boolean;
  readonly valid: boolean;
}

/** Of a snapshot, besides what LVM tells of every volume. */
export interface SnapshotFacts {
  readonly chunkBytes: number;
  /** LVM's `seg_monitor`; "" where nothing has to be watched. */
  readonly monitor: string;
}

export interface DiskHealth {
  readonly path: string;
  readonly verdict: "good" | "failing" | "not told";
}

/** What only the running system knows, beside the picture of the machine. */
export interface RunningFacts {
  readonly nowSeconds: number;
  readonly alarmAfterSeconds: number;
  /** The kernel's boot id. */
  readonly boot: string;
  /** Of the backup; absent where there is none. */
  readonly snapshot?: SnapshotFacts;
  readonly alarms: readonly Alarm[];
  readonly disks: readonly DiskHealth[];
}
