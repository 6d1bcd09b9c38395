/*
 * How far a recovery is and how long it will take, from its events. Pure.
 */
import type { StepEvent } from "../../model/event.ts";
import { MIB } from "../../model/size.ts";
import type { Plan, Step } from "../../model/step.ts";

export interface Progress {
  /** 0 to 1. */
  readonly share: number;
  /** Absent where it cannot be told yet. */
  readonly secondsLeft?: number;
}

/** What a step without bytes of its own weighs beside one that copies. */
const STEP_BYTES = 16 * MIB;
/** The first moments tell nothing of the rest. */
const LEAST_SHARE = 0.05;

/** Of the current step; undefined where it does not count. */
export function stepProgress({ bytes, totalBytes, seconds }: StepEvent): Progress | undefined {
  if (totalBytes === 0) return undefined;
  return progress(bytes / totalBytes, seconds);
}

/** Of the whole plan. `begunAt`: the step that this run began with; `seconds`: since then. */
export function wholeProgress(
  plan: Plan,
  event: StepEvent | undefined,
  { begunAt, seconds }: { begunAt: number; seconds: number },
): Progress {
  if (!event) return { share: 0 };
  const weights = plan.steps.map(weightOf);
  const sum = (end: number) => weights.slice(0, end).reduce((total, weight) => total + weight, 0);
  const whole = sum(weights.length);
  const within = event.kind === "done" ? 1 : (stepProgress(event)?.share ?? 0);
  const done = sum(event.index) + within * (weights[event.index] ?? 0);
  const share = clamp(done / whole);
  const before = clamp(sum(begunAt) / whole);
  if (share - before < LEAST_SHARE) return { share };
  return { share, secondsLeft: ((1 - share) * seconds) / (share - before) };
}

function progress(part: number, seconds: number): Progress {
  const share = clamp(part);
  return share < LEAST_SHARE ? { share } : { share, secondsLeft: ((1 - share) * seconds) / share };
}

function weightOf(step: Step): number {
  return STEP_BYTES + ("bytes" in step ? step.bytes : 0);
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
