/*
 * Performs a plan: one step after the other, journalled, resumable, each destructive start preceded by
 * another look at the disk's identity. The one place where decisions meet the world. Knows the order of
 * things, and no step by what it does.
 */
import { join } from "node:path";
import { Refusal, StepError, messageOf } from "./errors.ts";
import {
  afterFailure,
  afterStep,
  freshJournal,
  startedAgain,
  whyNotAgain,
  whyStuck,
  type Journal,
} from "./model/journal.ts";
import type { StepEvent } from "./model/event.ts";
import { UNTESTED, type FactoryState } from "./model/factory-state.ts";
import type { DiskIdentity, Machine } from "./model/machine.ts";
import { identityOf } from "./model/machine.ts";
import { say } from "./model/messages.ts";
import type { Result } from "./model/result.ts";
import { atRest, STATE_DIRECTORY, type StateRecord } from "./model/state.ts";
import type { Plan, StepKind } from "./model/step.ts";
import { AT } from "./model/places.ts";
import { actionsFor } from "./plan/actions.ts";
import type { FactoryWorld } from "./host/factory-run.ts";
import { perform, type World } from "./host/perform.ts";
import { isMounted } from "./host/mounts.ts";
import { readState, writeState } from "./host/state-files.ts";

/** Steps that only look. The identity of the disk is read again just before the first other one. */
const LOOKS: readonly StepKind[] = [
  ...(["protect-disks", "open-golden", "open-boot-files"] as const),
  ...(["check-golden", "check-card", "check-backup"] as const),
];

export interface Execution {
  readonly plan: Plan;
  /** The disk under its name in this boot. */
  readonly disk: DiskIdentity;
  /** What `state/` holds: of the interrupted recovery, or of the installation that is being replaced. */
  readonly record: StateRecord | undefined;
  /** The journal to go on with; undefined: from the beginning. */
  readonly journal: Journal | undefined;
  readonly claimAttempts: number;
  /** As it was found in this boot, for factory tests. */
  readonly machine?: Machine;
  onEvent(event: StepEvent): void;
  log(line: string): void;
  /** Ends it, as a refusal, as long as nothing has been changed; afterwards nothing does. */
  readonly signal?: AbortSignal;
  /** Reads the disk's identity and use again. @throws Refusal if it is not to be written to. */
  checkDisk(disk: DiskIdentity): Promise<void>;
}

export interface Performed {
  readonly steps: Result["steps"];
  readonly record: StateRecord;
  readonly resumedAt: number | undefined;
}

/**
 * Returns when every step is done and the journal says so. `act`: the door to the machine.
 * @throws Refusal before the first write, StepError from a failed step.
 */
export async function execute(execution: Execution, act = perform): Promise<Performed> {
  const { plan, disk } = execution;
  let journal: Journal = execution.journal ?? freshJournal(plan);
  const resumedAt = execution.journal ? journal.next + 1 : undefined;
  let record = recordFor(execution, journal);
  let isChecked = false;
  let changed = resumedAt !== undefined;
  let isJournalOpen = false;

  const save = async (next: Journal) => {
    journal = next;
    record = { ...record, document: { ...record.document, journal } };
    if (!isJournalOpen) return;
    record = { ...record, sequence: record.sequence + 1 };
    writeState(join(AT.esp, STATE_DIRECTORY), record);
  };

  const factoryWorld = (machine: Machine): FactoryWorld => ({
    ...{ plan, machine, disk, log: execution.log },
    state: () => record.document.factory ?? UNTESTED,
    async keep(factory) {
      record = { ...record, document: { ...record.document, factory } };
      await save(journal);
    },
  });

  // Up to the first write; in long steps that only look, too, by their progress.
  const checkCancelled = () => {
    if (changed || execution.signal?.aborted !== true) return;
    throw new Refusal(say("cancelled"), say("choose-again"));
  };

  for (const [index, step] of plan.steps.entries()) {
    checkCancelled();
    const isBehind = index < journal.next;
    if (isBehind && !step.repeats) continue;
    const started = performance.now();
    const seconds = () => Math.round((performance.now() - started) / 10) / 100;
    let bytes = 0;
    const tell = (kind: StepEvent["kind"], totalBytes = 0) =>
      execution.onEvent({
        kind,
        index,
        total: plan.steps.length,
        step,
        bytes,
        totalBytes,
        seconds: seconds(),
        changed,
      });
    const world: World = {
      plan,
      disk,
      claimAttempts: execution.claimAttempts,
      at: AT,
      log: execution.log,
      progress(done, total) {
        checkCancelled();
        bytes = done;
        tell("progress", total);
      },
      ...(execution.machine === undefined ? {} : { factory: factoryWorld(execution.machine) }),
      recordAfterStep: () =>
        (record = withJournal(record, { ...journal, next: index + 1, begun: 0 })),
      updateRecord({ groupUuid, ...patch }) {
        record = { ...record, ...patch };
        if (groupUuid !== undefined) record = withGroup(record, groupUuid);
      },
    };
    try {
      if (!LOOKS.includes(step.kind)) {
        if (!isChecked) await execution.checkDisk(disk);
        checkCancelled();
        isChecked = true;
        changed = true;
      }
      if (!isBehind && !step.repeats) {
        refuseIf(whyStuck(journal));
        const begun = journal.next === index ? journal.begun + 1 : 1;
        await save({ ...journal, next: index, begun });
      }
      tell("begins");
      const again = journal.next === index && journal.begun > 1;
      for (const action of actionsFor(step, plan, { disk: disk.path, again, behind: isBehind })) {
        await act(action, world);
      }
      if (step.kind === "open-esp") {
        isJournalOpen = true;
        if (isBehind) {
          await save(startedAgain(journal));
          refuseIf(whyNotAgain(journal));
        }
      }
      if (!isBehind) {
        const row = { kind: step.kind, seconds: seconds(), bytes };
        const done =
          step.repeats && resumedAt !== undefined ? journal.done : [...journal.done, row];
        await save(afterStep(journal, index, done));
      }
      tell("done");
    } catch (error) {
      if (error instanceof Refusal && !changed) throw error;
      const at = { index, total: plan.steps.length, title: say("step", step), changed };
      if (isMounted(AT.esp) && !(error instanceof Refusal)) {
        await save(afterFailure(journal, index, `${step.kind}: ${messageOf(error)}`)).catch(
          (second: unknown) =>
            execution.log(`the journal could not be written: ${messageOf(second)}`),
        );
      }
      throw new StepError(at, error);
    }
  }
  return { steps: journal.done, record, resumedAt };
}

/** What is known when the last step is done. */
export interface End {
  readonly nowSeconds: number;
  /** Of a root that was made anew. */
  readonly rootMounts?: number;
}

/**
 * Ends the recovery on the disk, in one write: what GRUB starts from now on is the installed system, or what follows
 * from the factory tests. Returns the record.
 */
export function closeJournal(
  record: StateRecord,
  plan: Plan,
  result: Result,
  end: End,
): StateRecord {
  const closed = closedRecord(record, plan, result, end);
  writeState(join(AT.esp, STATE_DIRECTORY), closed);
  return closed;
}

/** An installation is not tested yet, whatever was found before it; all else leaves what the tests found. */
export function closedRecord(
  record: StateRecord,
  plan: Plan,
  result: Result,
  { nowSeconds, rootMounts: counted }: End,
): StateRecord {
  const {
    journal: _journal,
    toldSnapshots: _told,
    factory: before,
    rootMounts: kept,
    ...document
  } = record.document;
  const factory = factoryAfter(before, plan, result);
  const rootMounts = { default: counted, latest: undefined, repair: kept, test: kept }[
    plan.operation
  ];
  // Tests recover nothing: what is told of the last recovery stays.
  const last =
    plan.operation === "test" ? {} : { lastResult: result, lastResultSeconds: nowSeconds };
  return atRest({
    ...record,
    sequence: record.sequence + 1,
    document: {
      ...document,
      ...last,
      version: plan.version,
      ...(rootMounts === undefined ? {} : { rootMounts }),
      ...(factory === undefined ? {} : { factory }),
    },
  });
}

function factoryAfter(
  before: FactoryState | undefined,
  plan: Plan,
  { verdict, error }: Result,
): FactoryState | undefined {
  if (plan.operation === "default") return plan.tests === true ? UNTESTED : undefined;
  if (plan.operation !== "test" || before === undefined || verdict === undefined) return before;
  return { ...before, verdict, ...(error === undefined ? {} : { reason: error.message }) };
}

/** @throws Error if the state, as the disk has it, is not this record. */
export function checkClosed({ phase, sequence }: StateRecord): void {
  const state = readState(join(AT.esp, STATE_DIRECTORY));
  const record = "record" in state ? state.record : undefined;
  const isSame = record?.phase === phase && record.sequence === sequence;
  if (isSame && record.document.journal === undefined) return;
  throw new Error(
    `the state on the ESP does not read back: ${"trouble" in state ? state.trouble : "it is not closed"}`,
  );
}

function refuseIf(why: ReturnType<typeof whyStuck>): void {
  if (why !== undefined) throw new Refusal(why, say("anew-or-broken"));
}

function recordFor({ record, disk, plan }: Execution, journal: Journal): StateRecord {
  const base: StateRecord = record ?? {
    sequence: 0,
    phase: "recovering",
    operation: plan.operation,
    root: "",
    grub: "",
    rescue: "",
    document: { schema: 1, disk: identityOf(disk), groupUuid: "", version: "" },
  };
  return withJournal({ ...base, phase: "recovering", operation: plan.operation }, journal);
}

function withJournal(record: StateRecord, journal: Journal): StateRecord {
  return { ...record, sequence: record.sequence + 1, document: { ...record.document, journal } };
}

function withGroup(record: StateRecord, groupUuid: string): StateRecord {
  return { ...record, document: { ...record.document, groupUuid } };
}
