/*
 * The machine as a person has to see it before they choose: each disk with what lies on it and whether it
 * would be used, the backup, the last recovery. Made by plan/overview.ts, shown by the screens.
 * Owns: the types, and why a disk is not used in English words. No I/O.
 */
import type { FactoryState } from "./factory-state.ts";
import type { Found } from "./loss.ts";
import type { Disk, Machine } from "./machine.ts";
import type { Operation } from "./operation.ts";
import { printSize } from "./size.ts";
import type { BackupStatus, LastRecovery } from "./status.ts";

export interface Overview {
  readonly machine: Machine;
  readonly disks: readonly DiskRow[];
  /** Of the installation that was found; absent without one, or without a backup. */
  readonly backup?: BackupStatus;
  readonly lastRecovery?: LastRecovery;
  /** Of the factory tests; absent where they were not run. */
  readonly factory?: Pick<FactoryState, "verdict" | "reason">;
}

export interface DiskRow {
  readonly disk: Disk;
  readonly holds: Holding;
  /** `used`: the one that a recovery to factory default would be made on. */
  readonly use: { readonly kind: "used" } | WhyNot;
}

export type Holding =
  | { readonly kind: "card"; readonly version: string }
  | { readonly kind: "blank" }
  | { readonly kind: "begun" }
  | {
      readonly kind: "interrupted";
      readonly operation: Operation;
      readonly step: number;
      readonly total: number;
    }
  | { readonly kind: "ours"; readonly version: string }
  | { readonly kind: "torn"; readonly version: string }
  | { readonly kind: "foreign"; readonly what: readonly Found[] };

/** Why a disk is not the one to work on. */
export type WhyNot =
  | { readonly kind: "card" }
  | { readonly kind: "read-only" }
  | { readonly kind: "in-use"; readonly by: readonly string[] }
  | { readonly kind: "removable" }
  | { readonly kind: "small"; readonly neededBytes: number }
  | { readonly kind: "not-named" }
  /** More than one fits, and none of them was named. */
  | { readonly kind: "several" };

export function describeWhyNot(why: WhyNot): string {
  switch (why.kind) {
    case "card":
      return "it is the card";
    case "read-only":
      return "it is read-only";
    case "in-use":
      return `it is in use (${why.by.join(", ")})`;
    case "removable":
      return "it is removable and was not named";
    case "small":
      return `it is smaller than the ${printSize(why.neededBytes)} that the layout needs`;
    case "not-named":
      return "it is not the one that was named";
    case "several":
      return "more than one disk fits";
  }
}
