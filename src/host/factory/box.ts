/*
 * What a factory test may look at, and what it finds. Owns: these types, and how a finding becomes an outcome.
 */
import { messageOf } from "../../errors.ts";
import { MOST_REASON, type TestOutcome } from "../../model/factory.ts";
import type { DiskIdentity, Machine } from "../../model/machine.ts";
import { because } from "../../model/reasons.ts";
import type { BootProof, Plan, RootProof } from "../../model/step.ts";
import { visible } from "../../model/text.ts";

export interface Box {
  readonly machine: Machine;
  readonly disk: DiskIdentity;
  readonly plan: Plan;
  /** The installed root, mounted read-only. */
  readonly root: string;
  /** The user volume; a test takes away what it writes there, also what a power cut left of it. */
  readonly scratch: string;
  /** The disk's ESP. */
  readonly esp: string;
  /** What the root has to be; absent where the card that says so is not in, or nothing is known of it. */
  readonly proof?: RootProof;
  /** What boots it; absent where nothing on the disk says so. */
  readonly boot?: BootProof;
  log(line: string): void;
}

export type Finding = Pick<TestOutcome, "outcome" | "reason">;

/** `reason`: what was measured. */
export const passed = (reason: string): Finding => ({ outcome: "pass", reason });
export const failed = (reason: string): Finding => ({ outcome: "fail", reason });

/** There is nothing to measure: no fault, unless something is expected of it. */
export function nothing(reason: string, isExpected: boolean): Finding {
  return isExpected ? failed(because("any.expected", reason)) : { outcome: "skip", reason };
}

/** Runs one test to its outcome: what it throws is a failure. Never throws. */
export async function outcomeOf(
  of: Pick<TestOutcome, "name" | "origin">,
  test: () => Promise<Finding>,
  tell: (error: unknown) => string = messageOf,
): Promise<TestOutcome> {
  const begin = performance.now();
  const finding = await test().catch((error: unknown) => failed(tell(error)));
  const seconds = Math.round((performance.now() - begin) / 100) / 10;
  return { ...of, ...finding, reason: shortReason(finding.reason), seconds };
}

/** Visible, on one line, and not too long. */
export function shortReason(text: string): string {
  const line = visible(text.trim());
  return line.length <= MOST_REASON ? line : `${cut(line, MOST_REASON - 1)}…`;
}

/** The first so many characters, no character cut in two. */
export function cut(text: string, most: number): string {
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most);
}

/** `2 processors`, `1 processor`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
