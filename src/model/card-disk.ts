/*
 * A disk as it is seen where cards are written: is it a card, and who uses it. Owns: the type. No I/O.
 */
import type { DiskIdentity } from "./machine.ts";

export interface CardDisk extends DiskIdentity {
  /** The medium can be taken out: told by the kernel, or USB, or an SD card. */
  readonly removable: boolean;
  readonly readOnly: boolean;
  readonly logicalSectorBytes: number;
  /** Where it or its partitions are mounted. */
  readonly mounts: readonly string[];
  /** Every other use, in words. */
  readonly uses: readonly string[];
  readonly partitions: readonly string[];
}
