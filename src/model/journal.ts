/*
 * The journal: the plan of a recovery and how far it got. Lies in the state record on the disk's ESP.
 * Owns: schema, and the pure functions that advance it. No I/O.
 */
import * as v from "valibot";
import { Plan } from "./step.ts";

/** After this many attempts in a row at the same step a recovery stops with the reason. */
export const MOST_ATTEMPTS = 3;

export const Journal = v.strictObject({
  plan: Plan,
  /** Index of the step that is to be done next. */
  next: v.number(),
  /** How often that step was begun without being done. */
  begun: v.number(),
  /** What steps found out and later ones need, e.g. `groupUuid`. */
  facts: v.record(v.string(), v.string()),
  /** Seconds and bytes of the steps that are done, by their index. */
  done: v.array(v.strictObject({ kind: v.string(), title: v.string(), seconds: v.number(), bytes: v.number() })),
  /** Why the last attempt ended, if it ended by itself. */
  lastError: v.optional(v.string()),
});
export type Journal = v.InferOutput<typeof Journal>;
