/*
 * What an execution tells the face while it works. Owns: the type.
 */
import type { Step } from "./step.ts";

export interface StepEvent {
  readonly kind: "begins" | "progress" | "done";
  /** From 0. */
  readonly index: number;
  readonly total: number;
  readonly step: Step;
  /** Bytes done in this step, and of how many; 0 where a step does not count. */
  readonly bytes: number;
  readonly totalBytes: number;
  readonly seconds: number;
  /** Whether a disk has been changed, or is about to be: no way back then. */
  readonly changed: boolean;
}
