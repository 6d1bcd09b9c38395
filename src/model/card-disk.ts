/*
 * A disk as it is seen where cards are written: is it a card, and who uses it. Owns: the type, and which card is
 * still the same. No I/O.
 */
import { whyNotSameDisk, type DiskIdentity } from "./machine.ts";
import { describeDifference } from "./messages.ts";

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

/** Why what is found now is another disk than the one that was agreed to, or undefined. */
export function whyNotSameCard(
  found: DiskIdentity | undefined,
  agreed: DiskIdentity,
): string | undefined {
  if (!found) return "it has gone";
  const difference = whyNotSameDisk(found, agreed);
  return difference && describeDifference(difference);
}
