/*
 * `zshield recover`: what the rescue system starts. Reads the kernel command line, gives the flow this machine
 * to work on, and ends the machine. Never returns to whoever started it.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { Fault, StepError } from "../errors.ts";
import { execute } from "../execute.ts";
import { loadConfig } from "../host/config-file.ts";
import { endMachine } from "../host/ending.ts";
import { closeEverything, readPeakMemoryBytes } from "../host/closing.ts";
import { prepareGolden } from "../host/golden-start.ts";
import { makeIds } from "../host/ids.ts";
import { openLog, type Log } from "../host/log.ts";
import { readDisks, readMachine } from "../host/probe.ts";
import { signal } from "../host/speaker.ts";
import { checkDiskAgain } from "../host/recheck.ts";
import { startWatchdog } from "../host/watchdog.ts";
import { parseCmdline, type Request } from "../model/cmdline.ts";
import type { Config } from "../model/config.ts";
import { say } from "../model/messages.ts";
import { RESULT_FILE } from "../model/places.ts";
import type { Result } from "../model/result.ts";
import type { Decision } from "../plan/decide.ts";
import { goldenCommandLine } from "../plan/golden-start.ts";
import type { Face } from "../ui/face.ts";
import { VERSION } from "../version.ts";
import { closeRecovery } from "./close.ts";
import { runFlow, runRefusal, type Doings, type Progress } from "./flow.ts";
import { makeGate, type Gate } from "./gate.ts";
import { openFace } from "./open-face.ts";
import { saveReport, saveReportIfThere } from "./save-report.ts";

/** For dracut/50zshield/stopped.sh: nothing has been written to a disk. */
const UNCHANGED_FILE = "/run/zshield/unchanged";

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
    readDisks,
    pause: () => Bun.sleep(1_000),
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
  try {
    return await closeRecovery(decision, performed, on, log);
  } catch (error) {
    const last = plan.steps.length;
    throw new StepError(
      { index: last - 1, total: last, title: say("closing"), changed: true },
      error,
    );
  }
}
