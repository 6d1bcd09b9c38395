/*
 * The journal: the plan of a recovery and how far it got. Lies in the state record on the disk's ESP.
 * Owns: schema, and the pure functions that advance it. No I/O.
 */
import * as v from "valibot";
import type { Message } from "../words.ts";
import { say } from "./messages.ts";
import { Plan } from "./step.ts";

/** After this many attempts in a row at the same step a recovery stops with the reason. */
export const MOST_ATTEMPTS = 3;

/** After this many starts in a row that came to no step which was not done, since the way there ends the machine. */
export const MOST_STARTS = 8;

export const Journal = v.strictObject({
  plan: Plan,
  /** Index of the step that is to be done next. */
  next: v.number(),
  /** How often that step was begun without being done. */
  begun: v.number(),
  /** How often it was taken up again since the last step that was done; absent: not at all. */
  starts: v.optional(v.number()),
  /** How often the new root did not read back as golden and was made again. */
  setbacks: v.number(),
  /** What the steps took that are done, in order. */
  done: v.array(v.strictObject({ kind: v.string(), seconds: v.number(), bytes: v.number() })),
  /** Why the last attempt ended, if it ended by itself. */
  lastError: v.optional(v.string()),
});
export type Journal = v.InferOutput<typeof Journal>;

export function freshJournal(plan: Plan): Journal {
  return { plan, next: 0, begun: 0, setbacks: 0, done: [] };
}

/**
 * Where to go on after a failed step. A root that did not read back is made again from its file system
 * on; everything else is tried again where it failed.
 */
export function afterFailure(journal: Journal, index: number, reason: string): Journal {
  const lastError = reason.slice(0, 500);
  const step = journal.plan.steps[index];
  if (step?.kind !== "verify-tree") return { ...journal, lastError };
  const back = journal.plan.steps.findIndex(
    (other) => other.kind === "make-filesystem" && other.device === step.device,
  );
  const done = journal.done.slice(0, journal.done.length - (journal.next - back));
  return { ...journal, next: back, begun: 0, setbacks: journal.setbacks + 1, done, lastError };
}

/** Taken up again: counted before anything else, so that what ends the machine on the way to the step is counted too. */
export function startedAgain(journal: Journal): Journal {
  return { ...journal, starts: (journal.starts ?? 0) + 1 };
}

/** A step is done. */
export function afterStep(journal: Journal, index: number, done: Journal["done"]): Journal {
  const { starts: _starts, ...rest } = journal;
  return { ...rest, next: index + 1, begun: 0, done };
}

/** Why it must not be taken up once more, or undefined. */
export function whyNotAgain(journal: Journal): Message | undefined {
  if ((journal.starts ?? 0) <= MOST_STARTS) return undefined;
  return say("stuck", MOST_STARTS, say("way-there"), journal.lastError ?? say("power-failed"));
}

/** Why this step must not be begun once more, or undefined. */
export function whyStuck(journal: Journal): Message | undefined {
  const kind = journal.plan.steps[journal.next]?.kind;
  // A test that never ends is one that failed, and the next one goes on (factory-state.ts counts).
  if (kind === "factory-test" || kind === "vendor-tests") return undefined;
  if (journal.begun < MOST_ATTEMPTS && journal.setbacks < MOST_ATTEMPTS) return undefined;
  const step = journal.plan.steps[journal.next];
  return say(
    "stuck",
    MOST_ATTEMPTS,
    step ? say("step", step) : say("its-end"),
    journal.lastError ?? say("power-failed"),
  );
}
