/*
 * Step → actions: the exact commands of each kind of step. Pure; the one table that a forgotten kind
 * breaks at compile time, put together of its themes. Every step may be started again from its beginning after a
 * power cut.
 */
import type { Action } from "../model/action.ts";
import type { Plan, Step, StepKind } from "../model/step.ts";
import { BOOT } from "./actions/boot.ts";
import { DISK } from "./actions/disk.ts";
import type { Part, Surroundings } from "./actions/part.ts";
import { TESTS } from "./actions/tests.ts";
import { TREES } from "./actions/trees.ts";
import { VOLUMES } from "./actions/volumes.ts";

const TABLE: Part<StepKind> = { ...DISK, ...BOOT, ...VOLUMES, ...TREES, ...TESTS };

export function actionsFor(step: Step, plan: Plan, at: Surroundings): Action[] {
  const make = TABLE[step.kind] as (step: Step, plan: Plan, at: Surroundings) => Action[];
  return make(step, plan, at);
}
