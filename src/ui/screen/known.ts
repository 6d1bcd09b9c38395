/*
 * All that the screen knows, and which part of it is shown. Plain data; the flow and the keys change it, `view`
 * describes it. Owns: the types and the beginning. No texts, no terminal.
 */
import type { StepEvent } from "../../model/event.ts";
import type { DiskIdentity } from "../../model/machine.ts";
import type { Overview } from "../../model/overview.ts";
import type { Result } from "../../model/result.ts";
import type { Plan } from "../../model/step.ts";
import type { Choice } from "../choice.ts";
import type { VerdictMore } from "../face.ts";

export interface Known {
  readonly scene: Scene;
  readonly overview?: Overview;
  readonly run?: Run;
  readonly verdict?: Verdict;
  /** The end of the log, oldest first. */
  readonly log: readonly string[];
  /** What was told last, until a key is pressed. */
  readonly notes: readonly string[];
  /** One line that stays with the machine's facts. */
  readonly notice: string;
}

export interface Run {
  readonly plan: Plan;
  /** The disk under its name in this boot. */
  readonly disk: DiskIdentity;
  /** The step that an interrupted recovery goes on with, from 1. */
  readonly resumedAt?: number;
  /** The last one; absent before the first step begins. */
  readonly event?: StepEvent;
  /** Seconds that passed since the run began, when the last event came. */
  readonly seconds: number;
}

export interface Verdict extends VerdictMore {
  readonly result: Result;
}

/** `selected` undefined: nothing is chosen yet, so Enter, held down while the machine boots, starts nothing. */
interface Choosing {
  readonly choices: readonly Choice[];
  readonly selected: number | undefined;
  /** The key before, if it was one: the first of two that number a choice. */
  readonly digit?: string;
}

export type Scene =
  /** `keepsVerdict`: a password is being checked, or its next try is not due yet. */
  | { readonly kind: "wait"; readonly keepsVerdict?: boolean }
  | ({ readonly kind: "menu" } & Choosing)
  | ({ readonly kind: "which-plan" } & Choosing)
  | ({ readonly kind: "verdict" } & Choosing)
  | { readonly kind: "finished"; readonly ending: string; readonly seconds: number }
  | { readonly kind: "code"; readonly back: Scene }
  | { readonly kind: "details"; readonly top: number; readonly back: Scene }
  | {
      readonly kind: "consent";
      readonly answer: string;
      readonly typed: string;
      readonly wrong: boolean;
    }
  | { readonly kind: "running"; readonly told?: "cancelling" | "too-late" }
  | {
      readonly kind: "read";
      readonly title: string;
      readonly lines: readonly string[];
      readonly top: number;
    }
  | { readonly kind: "secret"; readonly prompt: string; readonly typed: string };

export const NOTHING: Known = { scene: { kind: "wait" }, log: [], notes: [], notice: "" };

const MOST_LOG_LINES = 100;

export function withLog(known: Known, line: string): Known {
  return { ...known, log: [...known.log, line].slice(-MOST_LOG_LINES) };
}
