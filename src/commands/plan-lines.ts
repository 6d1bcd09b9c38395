/*
 * A plan with its exact commands, for `zshield plan` and for the screen. Pure.
 */
import { quote } from "../host/command.ts";
import { actionsFor } from "../plan/actions.ts";
import type { Decision } from "../plan/decide.ts";
import { describeAction, isQuiet } from "../plan/describe.ts";
import { planLines } from "../ui/plain.ts";

export function commandLines({ plan, disk, journal }: Decision): string[] {
  return [
    ...planLines(plan),
    plan.asks ? "a person is asked first" : "nobody is asked",
    ...(journal ? [`an interrupted recovery would go on at step ${journal.next + 1}`] : []),
    ...plan.steps.flatMap((step, index) => [
      `${String(index + 1).padStart(3)}  ${step.kind}: ${step.title}`,
      ...actionsFor(step, plan, { disk: disk.path, again: false, behind: false })
        .filter((action) => !isQuiet(action))
        .flatMap((action) => describeAction(action, quote).map((line) => `       ${line}`)),
    ]),
  ];
}
