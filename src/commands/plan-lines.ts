/*
 * A plan with its exact commands, for `zshield plan` and for the screen. Pure.
 */
import { quote } from "../host/command.ts";
import { actionsFor } from "../plan/actions.ts";
import type { Decision } from "../plan/decide.ts";
import { describeAction, isQuiet } from "../plan/describe.ts";
import { planLines } from "../ui/plain.ts";
import type { Texts } from "../ui/texts.ts";

/** In a language; what is done stands there as it is logged. */
export function commandLines({ plan, disk, journal }: Decision, t: Texts): string[] {
  return [
    ...planLines(plan, t),
    plan.asks ? t.asksFirst : t.asksNobody,
    ...(plan.tests === true ? [t.testsFollow] : []),
    ...(journal ? [t.wouldGoOn(journal.next + 1)] : []),
    ...plan.steps.flatMap((step, index) => [
      `${String(index + 1).padStart(3)}  ${step.kind}: ${t.step(step)}`,
      ...actionsFor(step, plan, { disk: disk.path, again: false, behind: false })
        .filter((action) => !isQuiet(action))
        .flatMap((action) => describeAction(action, quote).map((line) => `       ${line}`)),
    ]),
  ];
}
