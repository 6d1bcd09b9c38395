/*
 * What is to be done now: go on with an interrupted recovery, or a new plan. Pure.
 */
import { Refusal } from "../errors.ts";
import type { Config } from "../model/config.ts";
import type { Ids } from "../model/ids.ts";
import { MOST_ATTEMPTS, type Journal } from "../model/journal.ts";
import type { Card, Disk, Machine } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import type { Operation } from "../model/operation.ts";
import type { StateRecord } from "../model/state.ts";
import type { Plan } from "../model/step.ts";
import { planFactory } from "./factory.ts";
import { planLatest, resumed } from "./latest.ts";
import {
  checkGroups,
  checkTools,
  configuredDisk,
  neededCard,
  smallestBytes,
} from "./preconditions.ts";
import { planRepair } from "./repair.ts";
import { planPrologue } from "./steps.ts";
import { planTest, resumedTest, untested } from "./test.ts";
import { chooseDisk, chooseInstalled, contentOf } from "./target.ts";
import type { Wish } from "./wish.ts";

export interface Decision {
  readonly plan: Plan;
  readonly disk: Disk;
  /** As it was found: what the plan was made of. */
  readonly machine: Machine;
  readonly record: StateRecord | undefined;
  readonly journal: Journal | undefined;
  readonly claimAttempts: number;
}

/** `anew`: a person does not want the interrupted recovery to go on. @throws Refusal */
export function decide(
  machine: Machine,
  config: Config,
  wish: Wish,
  ids: Ids,
  { operation, anew }: { operation: Operation; anew: boolean },
): Decision {
  checkTools(machine);
  if (operation === "default") return decideFactory(machine, config, wish, ids, anew);
  // A group that cannot be read may be just what is to be repaired.
  if (operation !== "repair") checkGroups(machine);
  const { disk, content } = chooseInstalled(machine, wish.disk ?? configuredDisk(config));
  const { record } = content;
  const begun = content.kind === "interrupted" ? content.journal : undefined;
  const isOther = begun !== undefined && begun.plan.operation !== operation;
  // Tests that were interrupted have changed nothing: root is whole. And where the group cannot be read, another
  // card's factory recovery keeps what is in it only after a repair: that makes the group readable, and is refused where
  // the root in it is not whole.
  const isTorn = content.kind === "interrupted" && !content.group && record.document.version !== "";
  const isRepairable = operation === "repair" && isTorn && begun?.plan.operation === "default";
  if (begun && isOther && begun.plan.operation !== "test" && !isRepairable) {
    throw otherIsInterrupted(disk, begun);
  }
  const journal = begun && !isOther ? journalToGoOn(begun, anew) : undefined;
  if (journal) {
    const resume = operation === "test" ? resumedTest : resumed;
    const plan = resume(journal.plan, machine, disk);
    return { plan, disk, machine, record, journal: { ...journal, plan }, claimAttempts: 1 };
  }
  const plan = planInstalled();
  const from = operation === "test" ? untested(record) : record;
  return { plan, disk, machine, record: from, journal: undefined, claimAttempts: 1 };

  function planInstalled(): Plan {
    const group = content.kind === "torn" ? undefined : content.group;
    if (operation === "repair") {
      const isInterrupted = content.kind === "interrupted";
      return planRepair({ machine, config, disk, record, group, isInterrupted });
    }
    if (!group) throw torn(disk);
    return operation === "test"
      ? planTest({ machine, config, disk, record, group })
      : planLatest({ machine, config, wish, ids, disk, record, group });
  }
}

/**
 * Anew means from the beginning, but for a backup that is being put back: once that has begun there is no
 * backup to begin with, and the only way is on. The attempts are counted anew then.
 */
function journalToGoOn(journal: Journal, anew: boolean): Journal | undefined {
  if (!anew) return journal;
  const merge = journal.plan.steps.findIndex(({ kind }) => kind === "merge-backup");
  if (merge < 0 || journal.next < merge) return undefined;
  const { starts: _starts, ...rest } = journal;
  // One attempt stays counted: a merge that was ever begun may be done by now, and its snapshot gone.
  const begun = journal.next === merge ? Math.min(journal.begun, 1) : 0;
  return { ...rest, begun, setbacks: 0 };
}

function decideFactory(
  machine: Machine,
  config: Config,
  wish: Wish,
  ids: Ids,
  anew: boolean,
): Decision {
  const card = neededCard(machine);
  checkGroups(machine);
  const disk = chooseDisk(machine, wish.disk ?? configuredDisk(config), smallestBytes(config));
  const content = contentOf(disk, machine);
  if (content.kind === "torn" && wish.keep === "data") throw torn(disk);
  if (
    content.kind === "interrupted" &&
    content.journal.plan.operation === "default" &&
    !anew &&
    isSameGolden(content.journal.plan, card)
  ) {
    const { journal, record } = content;
    const plan = withPrologue(journal.plan, machine, disk);
    return { plan, disk, machine, record, journal: { ...journal, plan }, claimAttempts: 1 };
  }
  const claimAttempts = content.kind === "begun" && !anew ? content.attempts + 1 : 1;
  if (claimAttempts > MOST_ATTEMPTS) {
    throw new Refusal(say("no-journal", disk, MOST_ATTEMPTS), say("anew-or-broken"));
  }
  const planned = planFactory(machine, config, wish, ids);
  // Nobody was asked: this is the line, and the box is tested before it is shipped.
  const isTested = !planned.asks && wish.test === "yes" && config.factory !== undefined;
  const plan = isTested ? { ...planned, tests: true } : planned;
  const record =
    content.kind === "ours" || content.kind === "interrupted" ? content.record : undefined;
  return {
    plan,
    disk,
    machine,
    record: keptRecord(plan, record),
    journal: undefined,
    claimAttempts,
  };
}

function torn(disk: Disk): Refusal {
  return new Refusal(say("torn", disk), say("repair-first"));
}

function otherIsInterrupted(disk: Disk, { plan, next }: Journal): Refusal {
  const step = plan.steps[next];
  return new Refusal(
    say("other-interrupted", disk, step ? say("step", step) : say("its-end")),
    say("goes-on-by-itself", plan.operation),
  );
}

/** A plan that makes the disk anew starts with a new record; one that keeps volumes keeps it. */
function keptRecord(plan: Plan, record: StateRecord | undefined): StateRecord | undefined {
  return plan.steps.some(({ kind }) => kind === "make-esp") ? undefined : record;
}

function isSameGolden(plan: Plan, card: Card): boolean {
  const step = plan.steps.find(({ kind }) => kind === "open-golden");
  const golden = step?.kind === "open-golden" ? step.golden : undefined;
  return JSON.stringify(golden) === JSON.stringify(card.description.golden);
}

/** The journalled plan with this boot's device names. */
function withPrologue(plan: Plan, machine: Machine, disk: Disk): Plan {
  const prologue = planPrologue(machine, disk);
  return { ...plan, steps: [...prologue, ...plan.steps.slice(prologue.length)] };
}
