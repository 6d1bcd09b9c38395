/*
 * What is to be done now: go on with an interrupted recovery, or a new plan. Pure.
 */
import { Refusal } from "../errors.ts";
import type { Config } from "../model/config.ts";
import type { Ids } from "../model/ids.ts";
import { MOST_ATTEMPTS, type Journal } from "../model/journal.ts";
import { describeDisk, type Card, type Disk, type Machine } from "../model/machine.ts";
import { printSize } from "../model/size.ts";
import type { StateRecord } from "../model/state.ts";
import type { Plan } from "../model/step.ts";
import { planFactory } from "./factory.ts";
import {
  checkGroups,
  checkTools,
  configuredDisk,
  neededCard,
  smallestBytes,
} from "./preconditions.ts";
import { planPrologue } from "./steps.ts";
import { chooseDisk, contentOf } from "./target.ts";
import type { Wish } from "./wish.ts";

export interface Decision {
  readonly plan: Plan;
  readonly disk: Disk;
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
  { operation, anew }: { operation: "default" | "latest"; anew: boolean },
): Decision {
  if (operation === "latest") {
    throw new Refusal(
      "this version of zshield makes backups but cannot merge the latest one back yet",
      'choose "Recover to factory default", or merge by hand from the golden system: lvconvert --merge',
    );
  }
  const card = neededCard(machine);
  checkTools(machine);
  checkGroups(machine);
  const disk = chooseDisk(machine, wish.disk ?? configuredDisk(config), smallestBytes(config));
  const content = contentOf(disk, machine);
  if (content.kind === "interrupted" && !anew && isSameGolden(content.journal.plan, card)) {
    const { journal, record } = content;
    const resumed = { ...journal, plan: withPrologue(journal.plan, machine, disk) };
    return { plan: resumed.plan, disk, record, journal: resumed, claimAttempts: 1 };
  }
  const claimAttempts = content.kind === "begun" && !anew ? content.attempts + 1 : 1;
  if (claimAttempts > MOST_ATTEMPTS) {
    throw new Refusal(
      `the recovery of ${describeDisk(disk, printSize)} did not get as far as its journal in ` +
        `${MOST_ATTEMPTS} attempts in a row`,
      "start anew at the console; if it stops here again, the disk is probably broken",
    );
  }
  const plan = planFactory(machine, config, wish, ids);
  const record =
    content.kind === "ours" || content.kind === "interrupted" ? content.record : undefined;
  return { plan, disk, record: keptRecord(plan, record), journal: undefined, claimAttempts };
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
