/*
 * The end of a recovery whose steps are all done: what came of it is reported, then the record says so, then all is
 * closed. Owns: that order, and that a report without a place keeps no recovery from its end.
 */
import { checkClosed, closeJournal, type Performed } from "../execute.ts";
import {
  closeEverything,
  readPeakMemoryBytes,
  syncAndReopen,
  writeReport,
} from "../host/closing.ts";
import { tellFailure } from "../host/command.ts";
import { readOutputs, writeFactoryReport } from "../host/factory-run.ts";
import { readMountCount } from "../host/file-system.ts";
import type { Log } from "../host/log.ts";
import type { FactoryReport } from "../model/factory.ts";
import { printFactoryReport } from "../model/factory-file.ts";
import { say } from "../model/messages.ts";
import { successOf, type Result } from "../model/result.ts";
import type { StateRecord } from "../model/state.ts";
import type { Plan } from "../model/step.ts";
import type { Decision } from "../plan/decide.ts";
import { factoryReport, resultOfTests } from "../plan/factory-report.ts";
import { boxName, freeName } from "../plan/stick.ts";
import { ROOT } from "../plan/volumes.ts";
import { causeOf } from "../ui/explain.ts";
import { reportText } from "../ui/factory-lines.ts";
import type { Message } from "../words.ts";
import type { Progress } from "./flow.ts";

type Decided = Pick<Decision, "machine" | "plan" | "disk">;

/** It goes into the record on the ESP, which has its bounds. */
const LONGEST_WARNING = 500;

const nowSeconds = () => Math.floor(Date.now() / 1000);

/** @throws Error where the recovery stays open */
export async function closeRecovery(
  decided: Decided,
  performed: Performed,
  on: Pick<Progress, "onReport" | "onWarning">,
  log: Log,
): Promise<Result> {
  const { plan, disk } = decided;
  const success = successOf(plan, disk, { ...performed, peakMemoryBytes: readPeakMemoryBytes() });
  let result = success;
  if (plan.operation === "test") {
    const report = await reportTests(decided, performed.record);
    result = { ...success, ...resultOfTests(report) };
    on.onReport(report);
  }
  const warn = (words: Message | undefined) => {
    if (!words) return;
    const text = words.english.slice(0, LONGEST_WARNING);
    result = { ...result, warnings: [...(result.warnings ?? []), text] };
    on.onWarning(words);
  };
  warn(lostSnapshots(plan));
  warn(await tryReport(plan, result, log));
  const closed = closeJournal(performed.record, plan, result, {
    nowSeconds: nowSeconds(),
    ...(plan.operation === "default"
      ? { rootMounts: await readMountCount(`/dev/${plan.group}/${ROOT}`) }
      : {}),
  });
  await syncAndReopen(plan);
  checkClosed(closed);
  await closeEverything(plan.group, log.line);
  return result;
}

/** Whoever took them may not be who agreed to it. */
export function lostSnapshots({ loses }: Plan): Message | undefined {
  const names = loses.flatMap((loss) => (loss.kind === "snapshot" ? [loss.name] : []));
  return names.length === 0 ? undefined : say("lost-snapshots", names);
}

/**
 * The audit volume is data: what it is full of, or how broken it is, says nothing of the system that was recovered, and
 * without its end the recovery would begin again at every start. Returns what a person has to know.
 */
async function tryReport(plan: Plan, result: Result, log: Log): Promise<Message | undefined> {
  try {
    await writeReport(plan, result, log.text(), log.line);
    return undefined;
  } catch (error) {
    log.line(`the report could not be written: ${tellFailure(error)}`);
    const isFull = error instanceof Error && "code" in error && error.code === "ENOSPC";
    return say("no-audit-report", isFull ? say("volume-full") : causeOf(error));
  }
}

/** The report of the tests, on the audit volume before the record says what came of them. */
async function reportTests(
  { machine, plan, disk }: Decided,
  { document }: StateRecord,
): Promise<FactoryReport> {
  const report = factoryReport({
    ...{ machine, plan, disk, endedAt: nowSeconds(), lastResult: document.lastResult },
    tests: document.factory?.tests ?? [],
    outputs: await readOutputs(),
  });
  const name = boxName(report.serial, new Date(report.endedAt * 1000));
  await writeFactoryReport((taken) => freeName(name, taken), {
    json: printFactoryReport(report),
    text: reportText(report),
  });
  return report;
}
