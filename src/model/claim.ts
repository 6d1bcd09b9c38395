/*
 * The claim: one sector that we write to a disk before anything else, so that a power cut before the
 * journal exists finds a disk that is known to be ours to go on with. It lies in the last sector-sized
 * 512 bytes of the first 2 MiB (the end of the BIOS boot partition-to-be). One sector is written whole
 * or not at all. Owns: format, printing, parsing. No I/O.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { MIB } from "./size.ts";
import type { DiskIdentity } from "./machine.ts";

export const CLAIM_OFFSET_BYTES = 2 * MIB - 4096;
export const CLAIM_BYTES = 512;
const MAGIC = "ZSHIELD-CLAIM 1";

export const Claim = v.strictObject({
  /** Identity of the disk that the claim was written to: a claim copied to another disk is none. */
  serial: v.string(),
  wwn: v.string(),
  sizeBytes: v.pipe(v.number(), v.safeInteger()),
  operation: v.literal("default"),
  /** Why the content may be given up: it was proved blank, named by `zshield.erase=`, or answered. */
  consent: v.picklist(["blank", "erase", "console"]),
  /** How often a recovery began here without reaching its journal. */
  attempts: v.pipe(v.number(), v.integer(), v.minValue(1)),
});
export type Claim = v.InferOutput<typeof Claim>;

/** 512 bytes: magic, JSON, digest, each on a line; the rest zeros. @throws Error if it does not fit. */
export function printClaim(claim: Claim): Uint8Array {
  const json = JSON.stringify(claim);
  const text = `${MAGIC}\n${json}\n${digest(json)}\n`;
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > CLAIM_BYTES) throw new Error("the claim does not fit into a sector");
  const sector = new Uint8Array(CLAIM_BYTES);
  sector.set(bytes);
  return sector;
}

/** The claim in a sector, or undefined where there is none, it is damaged, or it names another disk. */
export function parseClaim(sector: Uint8Array, disk: DiskIdentity): Claim | undefined {
  const lines = new TextDecoder("utf-8", { fatal: false }).decode(sector).split("\n");
  const [magic, json, sum] = lines;
  if (magic !== MAGIC || json === undefined || sum !== digest(json)) return undefined;
  const result = v.safeParse(Claim, JSON.parse(json));
  if (!result.success) return undefined;
  const claim = result.output;
  const same = claim.serial === disk.serial.slice(0, 60) && claim.wwn === disk.wwn.slice(0, 60);
  return same && claim.sizeBytes === disk.sizeBytes ? claim : undefined;
}

/** The claim for this disk; over-long identities are cut so that it always fits a sector. */
export function claimFor(disk: DiskIdentity, consent: Claim["consent"], attempts: number): Claim {
  return {
    serial: disk.serial.slice(0, 60),
    wwn: disk.wwn.slice(0, 60),
    sizeBytes: disk.sizeBytes,
    operation: "default",
    consent,
    attempts,
  };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
