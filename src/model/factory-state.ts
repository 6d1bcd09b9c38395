/*
 * How far the factory tests of an installation are: part of the record in `state/`, so that a power cut goes on with
 * the tests, and none is run twice. Owns: the schema, and the pure functions that advance it. No I/O.
 */
import * as v from "valibot";
import { TestOutcome, VERDICTS } from "./factory.ts";
import { MOST_ATTEMPTS } from "./journal.ts";
import { because } from "./reasons.ts";

export const FactoryState = v.strictObject({
  /** Absent until the tests have ended. */
  verdict: v.optional(v.picklist(VERDICTS)),
  /** Of a FAIL: the first failure in words. */
  reason: v.optional(v.string()),
  /** Those that have ended, in order. */
  tests: v.array(TestOutcome),
  /** The one that was begun last and has not ended, and how often it was begun. */
  begun: v.optional(
    v.strictObject({ name: v.string(), origin: TestOutcome.entries.origin, times: v.number() }),
  ),
});
export type FactoryState = v.InferOutput<typeof FactoryState>;

type TestKey = Pick<TestOutcome, "name" | "origin">;

/** Tests that are still to be run. */
export const UNTESTED: FactoryState = { tests: [] };

export function hasOutcome({ tests }: FactoryState, key: TestKey): boolean {
  return tests.some((test) => isSame(test, key));
}

/** Begun once more; or what came of it, where it was begun so often that it is given up. */
export function beginTest(state: FactoryState, { name, origin }: TestKey): FactoryState {
  const { begun } = state;
  const times = begun && isSame(begun, { name, origin }) ? begun.times : 0;
  if (times >= MOST_ATTEMPTS) {
    const reason = because("any.given-up", String(MOST_ATTEMPTS));
    return withOutcome(state, { name, origin, outcome: "fail", reason, seconds: 0 });
  }
  return { ...state, begun: { name, origin, times: times + 1 } };
}

export function withOutcome(state: FactoryState, outcome: TestOutcome): FactoryState {
  const { begun: _begun, ...rest } = state;
  return { ...rest, tests: [...state.tests, outcome] };
}

function isSame(one: TestKey, other: TestKey): boolean {
  return one.name === other.name && one.origin === other.origin;
}
