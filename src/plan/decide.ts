/*
 * What is to be done now: go on with an interrupted recovery, or a new plan. Pure.
 */
import { Refusal } from "../errors.ts";
import type { Config } from "../model/config.ts";
import type { Ids } from "../model/ids.ts";
import type { Journal } from "../model/journal.ts";
import type { Disk, Machine } from "../model/machine.ts";
import { sizeOn } from "../model/size.ts";
import type { StateRecord } from "../model/state.ts";
import type { Plan } from "../model/step.ts";
import { configuredDisk, planFactory, planPrologue, type Wish } from "./factory.ts";
import { chooseDisk, contentOf } from "./target.ts";

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
  const plan = planFactory(machine, config, wish, ids);
  const disk = chooseDisk(
    machine,
    wish.disk ?? configuredDisk(config),
    sizeOn(config.disk.smallest, 0, 1),
  );
  const content = contentOf(disk, machine);
  const claimAttempts = content.kind === "begun" ? content.attempts + 1 : 1;
  if (content.kind !== "interrupted") {
    const record = content.kind === "ours" ? content.record : undefined;
    return { plan, disk, record: keptRecord(plan, record), journal: undefined, claimAttempts };
  }
  const { journal, record } = content;
  if (!anew && isSameGolden(journal.plan, plan)) {
    const resumed = { ...journal, plan: withPrologue(journal.plan, machine, disk) };
    return { plan: resumed.plan, disk, record, journal: resumed, claimAttempts };
  }
  return { plan, disk, record: keptRecord(plan, record), journal: undefined, claimAttempts };
}

/** A plan that makes the disk anew starts with a new record; one that keeps volumes keeps it. */
function keptRecord(plan: Plan, record: StateRecord | undefined): StateRecord | undefined {
  return plan.steps.some(({ kind }) => kind === "make-esp") ? undefined : record;
}

function isSameGolden(one: Plan, other: Plan): boolean {
  return JSON.stringify(goldenOf(one)) === JSON.stringify(goldenOf(other));
}

function goldenOf(plan: Plan) {
  const step = plan.steps.find(({ kind }) => kind === "open-golden");
  return step?.kind === "open-golden" ? step.golden : undefined;
}

/** The journalled plan with this boot's device names. */
function withPrologue(plan: Plan, machine: Machine, disk: Disk): Plan {
  const prologue = planPrologue(machine, disk);
  return { ...plan, steps: [...prologue, ...plan.steps.slice(prologue.length)] };
}
