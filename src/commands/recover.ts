/*
 * `zshield recover`: what the rescue system starts. Reads the kernel command line, looks, decides or asks,
 * performs, proves, reports, and ends the machine. Never returns to whoever started it.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { StepError, Refusal } from "../errors.ts";
import { checkClosed, closeJournal, execute, type Performed } from "../execute.ts";
import { quote } from "../host/command.ts";
import { loadConfig } from "../host/config-file.ts";
import { endMachine, type Ending } from "../host/ending.ts";
import {
  closeEverything,
  readPeakMemoryBytes,
  syncAndReopen,
  writeReport,
} from "../host/closing.ts";
import { makeIds } from "../host/ids.ts";
import { openLog, type Log } from "../host/log.ts";
import { readMachine } from "../host/probe.ts";
import { checkDiskAgain } from "../host/recheck.ts";
import { startWatchdog, type Watchdog } from "../host/watchdog.ts";
import { parseCmdline, type Request } from "../model/cmdline.ts";
import type { Config } from "../model/config.ts";
import type { DiskIdentity, Machine } from "../model/machine.ts";
import { identityOf } from "../model/machine.ts";
import { OPERATIONS, type Operation } from "../model/operation.ts";
import { RESULT_FILE } from "../model/places.ts";
import { printResult, type Result } from "../model/result.ts";
import { decide, type Decision } from "../plan/decide.ts";
import { VERSION } from "../version.ts";
import { makeGate, type Gate } from "./gate.ts";
import { saveReport, saveReportIfThere, type ReportAbout } from "./save-report.ts";
import { openConsoles, type Consoles } from "../ui/consoles.ts";
import { explain } from "../ui/explain.ts";
import {
  answerFor,
  machineLines,
  makeProgressPrinter,
  OPERATION_TITLES,
  planLines,
  question,
} from "../ui/plain.ts";

/** For dracut/50zshield/stopped.sh: nothing has been written to a disk. */
const UNCHANGED_FILE = "/run/zshield/unchanged";

interface Session {
  readonly consoles: Consoles;
  readonly log: Log;
  readonly watchdog: Watchdog;
  /** Passed before a person sees or decides anything. */
  readonly gate: Gate;
}

export async function recover(): Promise<never> {
  const consoles = openConsoles();
  const log = openLog();
  const watchdog = startWatchdog(log.line);
  const doorway = { askSecret: consoles.askSecret, say: consoles.line };
  writeFileSync(UNCHANGED_FILE, "");
  consoles.line(`zshield ${VERSION}: recovery`);
  let request: Request;
  let config: Config;
  try {
    request = parseCmdline(readFileSync("/proc/cmdline", "utf8"));
    config = loadConfig();
  } catch (error) {
    // Nothing is known of a password here, and nothing that it would protect can be chosen.
    const session = { consoles, log, watchdog, gate: makeGate("", doorway) };
    tell(session, error, { operation: "none", version: "" });
    return choose(session, ["reboot", "poweroff"]);
  }
  const gate = makeGate(config.rescue["password-hash"], doorway);
  const session = { consoles, log, watchdog, gate };
  if (request.operation === "menu") return menu(session, request, config);
  const operation = request.operation === "none" ? "default" : request.operation;
  return attempt(session, request, config, operation, false);
}

/** One try, from looking to the result; then the ending, or the choices of a person. */
async function attempt(
  session: Session,
  request: Request,
  config: Config,
  operation: Operation,
  anew: boolean,
): Promise<never> {
  const { consoles, log } = session;
  let disk: DiskIdentity | undefined;
  let version = "";
  let about: ReportAbout = { log };
  try {
    const machine = await lookUntilReady(session, request, operation);
    version = machine.card?.description.version ?? "";
    const isLocked = config.rescue["password-hash"] !== "";
    const show = () => machineLines(machine).forEach(consoles.line);
    if (!isLocked) show();
    const decision = decide(machine, config, request, makeIds(), { operation, anew });
    disk = decision.disk;
    about = { log, plan: decision.plan, disk };
    if (decision.plan.asks && !decision.journal) await session.gate();
    if (isLocked) show();
    for (const line of planLines(decision.plan)) consoles.line(line);
    if (decision.journal) {
      consoles.line(`an interrupted recovery goes on at step ${decision.journal.next + 1}`);
    } else if (decision.plan.asks && !(await agreed(consoles, disk))) {
      throw new Refusal("the answer was not the one that starts it", "choose again");
    }
    version = decision.plan.version;
    await perform(session, decision);
  } catch (error) {
    await closeEverything(config.group.name, log.line);
    tell(session, error, { operation, version, disk });
    await saveReportIfThere(about, consoles.line);
    await session.gate();
    const choices = ["again", "anew", "menu", "report", "reboot", "poweroff"] as const;
    const choice = await ask(session, choices, about);
    if (choice === "again") return attempt(session, request, config, operation, false);
    if (choice === "anew") return attempt(session, request, config, operation, true);
    if (choice === "menu") return menu(session, request, config);
    return end(session, choice);
  }
  await saveReportIfThere(about, consoles.line);
  return end(session, request.then ?? config.recovery.then);
}

async function perform(session: Session, decision: Decision): Promise<void> {
  const { consoles, log } = session;
  const { plan, disk } = decision;
  const print = makeProgressPrinter((line) => {
    consoles.line(line);
    log.line(line);
  });
  const performed = await execute({
    plan,
    disk,
    record: decision.record,
    journal: decision.journal,
    claimAttempts: decision.claimAttempts,
    onEvent: print,
    log: log.line,
    async checkDisk(disk) {
      await checkDiskAgain(disk);
      rmSync(UNCHANGED_FILE, { force: true });
    },
  });
  const result = successOf(performed, decision);
  try {
    await writeReport(plan, result, log.text());
    closeJournal(performed.record, plan, result);
    await syncAndReopen(plan);
    checkClosed();
    await closeEverything(plan.group, log.line);
  } catch (error) {
    const last = plan.steps.length;
    throw new StepError(
      { index: last - 1, total: last, title: "close the recovery", changed: true },
      error,
    );
  }
  consoles.line(
    `${OPERATION_TITLES[plan.operation]}: done. The disk holds version ${plan.version}.`,
  );
  giveResult(consoles, result);
}

function successOf({ steps, resumedAt }: Performed, { plan, disk }: Decision): Result {
  return {
    schema: 1,
    operation: plan.operation,
    outcome: "success",
    changed: true,
    disk: identityOf(disk),
    version: plan.version,
    steps,
    peakMemoryBytes: readPeakMemoryBytes(),
    ...(resumedAt === undefined ? {} : { resumedAt }),
  };
}

/** Disks appear when their drivers are ready; a missing card or disk is looked for for half a minute. */
async function lookUntilReady(
  { consoles }: Session,
  request: Request,
  operation: Operation,
): Promise<Machine> {
  const giveUp = Date.now() + 30_000;
  for (let first = true; ; first = false) {
    const machine = await readMachine();
    const others = machine.disks.filter(({ path }) => path !== machine.card?.disk);
    const isNamedThere =
      request.disk === undefined ||
      others.some((disk) => disk[request.disk?.by ?? "path"] === request.disk?.text);
    // What works on an installation does without the card.
    const isThere =
      operation === "default"
        ? machine.card !== undefined && others.length > 0
        : others.some(({ state }) => state !== undefined);
    if ((isThere && isNamedThere) || Date.now() > giveUp) return machine;
    if (first) consoles.line("waiting for the card and the disk to appear …");
    await Bun.sleep(1_000);
  }
}

async function agreed(consoles: Consoles, disk: DiskIdentity): Promise<boolean> {
  return (await consoles.ask(question(disk))) === answerFor(disk);
}

function tell(
  { consoles, log }: Session,
  error: unknown,
  about: { operation: Result["operation"]; version: string; disk?: DiskIdentity | undefined },
): void {
  const explanation = explain(error, quote);
  for (const line of explanation.lines) {
    consoles.line(line);
    log.line(line);
  }
  const { message, hint } = explanation;
  const step = error instanceof StepError ? error.title : undefined;
  const result: Result = {
    schema: 1,
    operation: about.operation,
    outcome: explanation.outcome,
    changed: explanation.changed,
    ...(about.disk ? { disk: identityOf(about.disk) } : {}),
    version: about.version,
    steps: [],
    peakMemoryBytes: readPeakMemoryBytes(),
    error: { message, hint, ...(step === undefined ? {} : { step }) },
  };
  giveResult(consoles, result);
}

/** On every console, and where stopped.sh finds it should this process die afterwards. */
function giveResult(consoles: Consoles, result: Result): void {
  const line = printResult(result);
  consoles.line(line);
  writeFileSync(RESULT_FILE, `${line}\n`);
}

const CHOICES = {
  ...OPERATION_TITLES,
  again: "Try again; an interrupted recovery goes on where it stopped",
  anew: "Start the recovery anew, from the beginning",
  menu: "Recovery menu",
  look: "Look at the machine again",
  report: "Save a report to the stick ZS-REPORTS",
  reboot: "Reboot",
  poweroff: "Power off",
} as const;
type Choice = keyof typeof CHOICES;

/** `about`: what a report holds that is asked for here; it is saved, and the question asked again. */
async function ask<C extends Choice>(
  { consoles, log }: Session,
  choices: readonly C[],
  about: ReportAbout = { log },
): Promise<Exclude<C, "report">> {
  for (;;) {
    choices.forEach((choice, index) => consoles.line(`  ${index + 1}  ${CHOICES[choice]}`));
    const answer = await consoles.ask("Type a number and press Enter:");
    const chosen = choices[Number(answer) - 1];
    if (chosen === "report") await saveReport(about, consoles.line);
    else if (chosen !== undefined) return chosen as Exclude<C, "report">;
  }
}

async function choose(
  session: Session,
  choices: readonly ("reboot" | "poweroff")[],
): Promise<never> {
  return end(session, await ask(session, choices));
}

async function menu(session: Session, request: Request, config: Config): Promise<never> {
  await session.gate();
  const machine = await readMachine();
  for (const line of machineLines(machine)) session.consoles.line(line);
  const choice = await ask(session, [...OPERATIONS, "look", "report", "reboot", "poweroff"]);
  if (choice === "look") return menu(session, request, config);
  if (choice === "reboot" || choice === "poweroff") return end(session, choice);
  // A person stands here: what they start is asked about, whatever the command line says.
  return attempt(session, { ...request, confirm: "yes" }, config, choice, false);
}

async function end({ consoles, watchdog, gate }: Session, ending: Ending): Promise<never> {
  if (ending === "shell") await gate();
  if (ending !== "reboot") watchdog.disarm();
  return endMachine(ending, async (line) => {
    consoles.line(line);
    await consoles.drain();
  });
}
