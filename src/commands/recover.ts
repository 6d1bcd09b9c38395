/*
 * `zshield recover`: what the rescue system starts. Reads the kernel command line, gives the flow this machine
 * to work on, and ends the machine. Never returns to whoever started it.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { Fault, StepError } from "../errors.ts";
import { checkClosed, closeJournal, execute } from "../execute.ts";
import { loadConfig } from "../host/config-file.ts";
import { endMachine } from "../host/ending.ts";
import { readOutputs, writeFactoryReport } from "../host/factory-run.ts";
import {
  closeEverything,
  readPeakMemoryBytes,
  syncAndReopen,
  writeReport,
} from "../host/closing.ts";
import { readMountCount } from "../host/file-system.ts";
import { prepareGolden } from "../host/golden-start.ts";
import { makeIds } from "../host/ids.ts";
import { openLog, type Log } from "../host/log.ts";
import { readMachine } from "../host/probe.ts";
import { signal } from "../host/speaker.ts";
import { checkDiskAgain } from "../host/recheck.ts";
import { startWatchdog } from "../host/watchdog.ts";
import { parseCmdline, type Request } from "../model/cmdline.ts";
import type { Config } from "../model/config.ts";
import type { FactoryReport } from "../model/factory.ts";
import { printFactoryReport } from "../model/factory-file.ts";
import { say } from "../model/messages.ts";
import { RESULT_FILE } from "../model/places.ts";
import { successOf, type Result } from "../model/result.ts";
import type { StateRecord } from "../model/state.ts";
import type { Decision } from "../plan/decide.ts";
import { factoryReport, resultOfTests } from "../plan/factory-report.ts";
import { goldenCommandLine } from "../plan/golden-start.ts";
import { boxName, freeName } from "../plan/stick.ts";
import { ROOT } from "../plan/volumes.ts";
import { reportText } from "../ui/factory-lines.ts";
import type { Face } from "../ui/face.ts";
import { VERSION } from "../version.ts";
import { runFlow, runRefusal, type Doings, type Progress } from "./flow.ts";
import { makeGate, type Gate } from "./gate.ts";
import { openFace } from "./open-face.ts";
import { saveReport, saveReportIfThere } from "./save-report.ts";

/** For dracut/50zshield/stopped.sh: nothing has been written to a disk. */
const UNCHANGED_FILE = "/run/zshield/unchanged";

const nowSeconds = () => Math.floor(Date.now() / 1000);

export async function recover(): Promise<never> {
  const log = openLog();
  const watchdog = startWatchdog(log.line);
  writeFileSync(UNCHANGED_FILE, "");
  const asked = readWishes();
  const face = await openFace("request" in asked ? asked.request : undefined);
  face.line(say("begins", VERSION));
  const doings = doingsHere(log);
  const ending =
    "error" in asked
      ? await runRefusal({ face, doings }, asked.error)
      : await runFlow({
          ...{ face, doings, ...asked },
          ...gateOf(asked.config, face),
          reports: {
            save: (about) => saveReport({ ...about, log }, face.line),
            saveIfThere: (about) => saveReportIfThere({ ...about, log }, face.line),
          },
        });
  if (ending !== "reboot") watchdog.disarm();
  // A shell needs the terminal; otherwise the verdict stays to be read.
  if (ending === "shell") face.close();
  return endMachine(ending, async (words) => {
    face.line(words);
    await face.drain();
  });
}

function readWishes(): { request: Request; config: Config } | { error: unknown } {
  try {
    return {
      request: parseCmdline(readFileSync("/proc/cmdline", "utf8")),
      config: loadConfig(),
    };
  } catch (error) {
    return { error };
  }
}

function gateOf(config: Config, face: Face): { gate?: Gate } {
  const hash = config.rescue["password-hash"];
  return hash === "" ? {} : { gate: makeGate(hash, { askSecret: face.askSecret, say: face.line }) };
}

function doingsHere(log: Log): Doings {
  return {
    readMachine,
    makeIds,
    perform: (decision, progress) => perform(decision, progress, log),
    async prepareGolden({ card }) {
      if (!card) throw new Fault(say("there-is-no-card"));
      const commandLine = readFileSync("/proc/cmdline", "utf8");
      await prepareGolden(card, goldenCommandLine(commandLine, card.description.golden));
    },
    closeEverything: (group) => closeEverything(group, log.line),
    signal,
    keepResult: (line) => writeFileSync(RESULT_FILE, `${line}\n`),
    readPeakMemoryBytes,
    log,
  };
}

async function perform(decision: Decision, on: Progress, log: Log): Promise<Result> {
  const { plan, disk } = decision;
  const performed = await execute({
    plan,
    disk,
    record: decision.record,
    journal: decision.journal,
    claimAttempts: decision.claimAttempts,
    machine: decision.machine,
    onEvent: on.onEvent,
    log: on.log,
    signal: on.signal,
    async checkDisk(disk) {
      await checkDiskAgain(disk);
      rmSync(UNCHANGED_FILE, { force: true });
    },
  });
  const success = successOf(plan, disk, { ...performed, peakMemoryBytes: readPeakMemoryBytes() });
  let result = success;
  try {
    if (plan.operation === "test") {
      const report = await reportTests(decision, performed.record);
      result = { ...success, ...resultOfTests(report) };
      on.onReport(report);
    }
    await writeReport(plan, result, log.text(), log.line);
    const closed = closeJournal(performed.record, plan, result, {
      nowSeconds: nowSeconds(),
      ...(plan.operation === "default"
        ? { rootMounts: await readMountCount(`/dev/${plan.group}/${ROOT}`) }
        : {}),
    });
    await syncAndReopen(plan);
    checkClosed(closed);
    await closeEverything(plan.group, log.line);
  } catch (error) {
    const last = plan.steps.length;
    throw new StepError(
      { index: last - 1, total: last, title: say("closing"), changed: true },
      error,
    );
  }
  return result;
}

/** The report of the tests, on the audit volume before the record says what came of them. */
async function reportTests(
  { machine, plan, disk }: Decision,
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
