/*
 * A run of a real plan in which nothing happens but time: the events, log lines and the result that an execution
 * would give. For the demo and the tests of the screens.
 */
import { Refusal, StepError } from "../../src/errors.ts";
import { quote } from "../../src/host/command.ts";
import { say } from "../../src/model/messages.ts";
import { MIB } from "../../src/model/size.ts";
import type { TestOutcome } from "../../src/model/factory.ts";
import type { Step } from "../../src/model/step.ts";
import { successOf, type Result } from "../../src/model/result.ts";
import { actionsFor } from "../../src/plan/actions.ts";
import type { Decision } from "../../src/plan/decide.ts";
import { because } from "../../src/model/reasons.ts";
import { factoryReport, resultOfTests } from "../../src/plan/factory-report.ts";
import { describeAction, isQuiet } from "../../src/plan/describe.ts";
import { ids } from "../unit/example.ts";
import type { Progress } from "../../src/commands/flow.ts";

export interface Simulation {
  /** How many times faster than a disk of 100 MiB/s. */
  readonly speed: number;
  /** The kind of step at which it fails, or stays in the middle for ever. */
  readonly failAt?: string | undefined;
  readonly pauseAt?: string | undefined;
  /** The factory test that fails. */
  readonly failTest?: string | undefined;
}

const LOOKS = ["protect-disks", "open-golden", "open-boot-files", "check-golden", "check-card"];
const BYTES_PER_SECOND = 100 * MIB;
const PIECES = 40;

export async function simulate(
  { plan, disk, journal, machine }: Decision,
  on: Progress,
  { speed, failAt, pauseAt, failTest }: Simulation,
): Promise<Result> {
  let changed = journal !== undefined;
  const steps: { kind: string; seconds: number; bytes: number }[] = [];
  const pass = (seconds: number) => Bun.sleep((seconds * 1000) / speed);
  const checkCancelled = () => {
    if (on.signal.aborted && !changed) {
      throw new Refusal(say("cancelled"), say("choose-again"));
    }
  };
  for (const [index, step] of plan.steps.entries()) {
    const isBehind = index < (journal?.next ?? 0);
    if (isBehind && !step.repeats) continue;
    checkCancelled();
    if (!LOOKS.includes(step.kind)) changed = true;
    const total = bytesOf(step);
    const event = { index, total: plan.steps.length, step, totalBytes: total, changed };
    on.onEvent({ ...event, kind: "begins", bytes: 0, seconds: 0 });
    for (const action of actionsFor(step, plan, {
      disk: disk.path,
      again: false,
      behind: isBehind,
    })) {
      if (!isQuiet(action)) for (const line of describeAction(action, quote)) on.log(`+ ${line}`);
    }
    for (let piece = 1; total > 0 && piece <= PIECES; piece++) {
      const bytes = Math.round((total * piece) / PIECES);
      await pass(total / PIECES / BYTES_PER_SECOND);
      checkCancelled();
      const seconds = bytes / BYTES_PER_SECOND;
      on.onEvent({ ...event, kind: "progress", bytes, seconds });
      if (step.kind === pauseAt && piece === PIECES / 2) await stay(checkCancelled);
    }
    if (step.kind === pauseAt) await stay(checkCancelled);
    if (step.kind === failAt) {
      const at = { index, total: plan.steps.length, title: say("step", step), changed };
      throw new StepError(at, new Error("simulated: no space left on device"));
    }
    const seconds = total === 0 ? 0.2 : total / BYTES_PER_SECOND;
    if (total === 0) await pass(seconds);
    steps.push({ kind: step.kind, seconds, bytes: total });
    on.onEvent({ ...event, kind: "done", bytes: total, seconds });
  }
  const result = successOf(plan, disk, { steps, peakMemoryBytes: 0 });
  if (plan.operation !== "test") return result;
  const report = factoryReport({
    ...{ machine, plan, disk, endedAt: ids.nowSeconds, lastResult: undefined, outputs: {} },
    tests: plan.steps.flatMap((step) =>
      step.kind === "factory-test" ? [simulateTest(step.test.name, failTest)] : [],
    ),
  });
  on.onReport(report);
  return { ...result, ...resultOfTests(report) };
}

function bytesOf(step: Step): number {
  if ("bytes" in step) return step.bytes;
  return step.kind === "merge-backup" ? 300 * MIB : 0;
}

function simulateTest(name: string, failTest: string | undefined): TestOutcome {
  const fails = name === failTest;
  const outcome = fails ? "fail" : name === "sensors" ? "skip" : "pass";
  const reason = fails ? because("memory.usable", "958.4 MiB", "2 GiB") : "simulated";
  return { name, origin: "built-in", outcome, reason, seconds: 1 };
}

async function stay(check: () => void): Promise<void> {
  for (;;) {
    check();
    await Bun.sleep(20);
  }
}
