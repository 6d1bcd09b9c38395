/*
 * The order of things in a recovery at the console: gate, looking, menu, question, performing, verdict, choices.
 * What it does to the machine comes in as `Doings`, what people see as a face, so that the demo runs this very
 * flow over a recorded machine. Returns how the machine is to end.
 */
import { Refusal, StepError, wordsOf } from "../errors.ts";
import { quote } from "../host/command.ts";
import type { Ending } from "../host/ending.ts";
import type { Request } from "../model/cmdline.ts";
import type { Config } from "../model/config.ts";
import type { StepEvent } from "../model/event.ts";
import type { FactoryReport, Verdict } from "../model/factory.ts";
import type { Ids } from "../model/ids.ts";
import { identityOf, type DiskIdentity, type Machine } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import { OPERATIONS, type Operation } from "../model/operation.ts";
import { printResult, type Result } from "../model/result.ts";
import { decide, type Decision } from "../plan/decide.ts";
import { overviewOf } from "../plan/overview.ts";
import { configuredDisk, smallestBytes } from "../plan/preconditions.ts";
import { candidatesFor, hasInstalled } from "../plan/target.ts";
import { explain } from "../ui/explain.ts";
import { verdictLines } from "../ui/factory-lines.ts";
import type { Face, Planned, Question, TextIn } from "../ui/face.ts";
import type { Choice } from "../ui/choice.ts";
import { makeProgressPrinter } from "../ui/plain.ts";
import { english, type Message } from "../words.ts";
import type { Gate } from "./gate.ts";
import { commandLines } from "./plan-lines.ts";

export interface Doings {
  readMachine(): Promise<Machine>;
  /** Which disks there are, without a look at what they hold. */
  readDisks(): Promise<readonly DiskIdentity[]>;
  /** A second, in which more disks may appear. */
  pause(): Promise<void>;
  makeIds(): Ids;
  /** Performs the plan and closes it. @throws Refusal, StepError */
  perform(decision: Decision, on: Progress): Promise<Result>;
  /** Makes ready for the ending `golden`. @throws Error */
  prepareGolden(machine: Machine): Promise<void>;
  /** The verdict of the factory tests as tones, where there is something to make them; never fails. */
  signal(verdict: Verdict): Promise<void>;
  /** Unmounts and closes all that a failed attempt left open. */
  closeEverything(group: string): Promise<void>;
  /** Keeps the line for stopped.sh, should this process die afterwards. */
  keepResult(line: string): void;
  readPeakMemoryBytes(): number;
  readonly log: { line(text: string): void; text(): string };
}

export interface Progress {
  onEvent(event: StepEvent): void;
  log(line: string): void;
  /** Factory tests have ended, and their report is on the disk. */
  onReport(report: FactoryReport): void;
  /** It succeeds all the same, and a person has to know this. */
  onWarning(words: Message): void;
  /** Cancels while nothing has been changed. */
  readonly signal: AbortSignal;
}

export interface Flow {
  readonly face: Face;
  readonly doings: Doings;
  readonly request: Request;
  readonly config: Config;
  /** Passed before a person sees or decides anything; absent where there is no password. */
  readonly gate?: Gate;
  /** A report on a stick; both tell what came of it and never fail. */
  readonly reports?: {
    save(about: About): Promise<void>;
    /** Not a word where no stick is there. */
    saveIfThere(about: About): Promise<void>;
  };
}

/** What a report is about: the plan that was tried, if it came to that. */
type About = Partial<Pick<Planned, "plan" | "disk">> & { readonly factory?: FactoryReport };

/** From the kernel command line to the ending. */
export async function runFlow(flow: Flow): Promise<Ending> {
  const { operation } = flow.request;
  const ending =
    operation === "menu"
      ? await menu(flow)
      : await attempt(flow, operation === "none" ? "default" : operation, { anew: false });
  if (ending === "shell") await flow.gate?.();
  return ending;
}

/** When nothing can be done at all, not even read what was asked for. */
export async function runRefusal(
  flow: Omit<Flow, "request" | "config">,
  error: unknown,
): Promise<Ending> {
  tell(flow, error, { operation: "none", version: "" });
  return flow.face.choose("verdict", ["reboot", "poweroff"]);
}

/** One try, from looking to the result; then the ending, or the choices of a person. */
async function attempt(
  flow: Flow,
  operation: Operation,
  { anew, attended = false }: { anew: boolean; attended?: boolean },
): Promise<Ending> {
  const { face, doings, request, config, gate, reports } = flow;
  let disk: DiskIdentity | undefined;
  let version = "";
  let isAttended = attended;
  let about: About = {};
  let isFollowed = false;
  try {
    const machine = await lookUntilReady(flow, operation);
    version = machine.card?.description.version ?? "";
    if (!gate) face.machine(overview(flow, machine));
    const decision = decide(machine, config, request, doings.makeIds(), { operation, anew });
    disk = decision.disk;
    const planned = plannedOf(decision);
    about = planned;
    const asks = decision.plan.asks && !decision.journal;
    if (asks) await gate?.();
    if (gate && asks) face.machine(overview(flow, machine));
    face.planned(planned);
    if (asks) {
      isAttended = true;
      if (!(await face.agree(planned))) {
        if (attended) return await menu(flow);
        throw new Refusal(say("not-agreed"), say("choose-again"));
      }
    }
    version = decision.plan.version;
    const report = await perform(flow, decision, planned);
    if (report) about = { ...about, factory: report };
    isFollowed = decision.plan.tests === true;
  } catch (error) {
    await doings.closeEverything(config.group.name);
    tell(flow, error, { operation, version, disk });
    await reports?.saveIfThere(about);
    await gate?.();
    return afterFailure(flow, operation, about);
  }
  if (isFollowed) return attempt(flow, "test", { anew: false, attended: isAttended });
  await reports?.saveIfThere(about);
  if (about.factory) return afterTests(flow, about.factory, about, isAttended);
  const ending = request.then ?? config.recovery.then;
  await face.finished(ending, isAttended);
  return ending;
}

/** A PASS ends the machine; a FAIL stays, whoever comes. */
async function afterTests(
  flow: Flow,
  { verdict }: FactoryReport,
  about: About,
  attended: boolean,
): Promise<Ending> {
  const { face, doings, request, config, gate } = flow;
  const told = doings.signal(verdict);
  if (verdict === "PASS") {
    const ending = request.then ?? config.factory?.then ?? "poweroff";
    await face.finished(ending, attended);
    await told;
    return ending;
  }
  await gate?.();
  const choice = await ask(flow, "verdict", ["test-again", "menu", "reboot", "poweroff"], about);
  switch (choice) {
    case "test-again":
      return attempt(flow, "test", { anew: true, attended: true });
    case "menu":
      return menu(flow);
    case "reboot":
    case "poweroff":
      return choice;
  }
}

async function afterFailure(flow: Flow, operation: Operation, about: About): Promise<Ending> {
  const choices = ["again", "anew", "menu", "reboot", "poweroff"] as const;
  const choice = await ask(flow, "verdict", choices, about);
  switch (choice) {
    case "again":
    case "anew":
      return attempt(flow, operation, { anew: choice === "anew", attended: true });
    case "menu":
      return menu(flow);
    case "reboot":
    case "poweroff":
      return choice;
  }
}

async function menu(flow: Flow): Promise<Ending> {
  const { face } = flow;
  await flow.gate?.();
  const machine = await look(flow);
  if (machine) face.machine(overview(flow, machine));
  const plan = machine ? (["plan"] as const) : [];
  const golden = machine?.card ? (["golden"] as const) : [];
  const operations = operationsOf(flow);
  const choices = [...operations, "look", "reboot", "poweroff", ...plan, ...golden] as const;
  const choice = await ask(flow, "menu", choices);
  switch (choice) {
    case "golden":
      return machine && (await isGoldenReady(flow, machine)) ? "golden" : menu(flow);
    case "look":
      return menu(flow);
    case "reboot":
    case "poweroff":
      return choice;
    case "plan": {
      const operation = await face.choose("which-plan", [...operations, "back"]);
      if (machine && operation !== "back") {
        await face.read("plan", planText(flow, machine, operation));
      }
      return menu(flow);
    }
    default: {
      // A person stands here: what they start is asked about, whatever the command line says.
      const request: Request = { ...flow.request, confirm: "yes" };
      return attempt({ ...flow, request }, choice, { anew: false, attended: true });
    }
  }
}

/** Undefined where it failed, and the person was told: they may pull out what is broken and look again. */
async function look({ face, doings }: Flow): Promise<Machine | undefined> {
  try {
    return await doings.readMachine();
  } catch (error) {
    const words = say("no-look", wordsOf(error));
    doings.log.line(words.english);
    face.line(words);
    return undefined;
  }
}

/** Tests are offered where there are some. */
function operationsOf({ config }: Flow): Operation[] {
  return OPERATIONS.filter((operation) => operation !== "test" || config.factory !== undefined);
}

async function isGoldenReady({ face, doings }: Flow, machine: Machine): Promise<boolean> {
  try {
    await doings.prepareGolden(machine);
    return true;
  } catch (error) {
    const words = say("no-golden", wordsOf(error));
    doings.log.line(words.english);
    face.line(words);
    return false;
  }
}

/** Log and report are at hand with every list of choices (they all have `reboot`), and come back to it. */
async function ask<C extends Choice>(
  flow: Flow,
  question: Question,
  choices: readonly C[],
  about: About = {},
): Promise<C> {
  const { face, doings, reports } = flow;
  const ends = choices.findIndex((choice) => choice === "reboot");
  const all: readonly (C | "log" | "report")[] = [
    ...choices.slice(0, ends),
    ...(reports ? (["report"] as const) : []),
    ...choices.slice(ends),
    "log",
  ];
  for (;;) {
    const choice = await face.choose(question, all);
    if (choice === "log") await face.read("log", () => doings.log.text().trimEnd().split("\n"));
    else if (choice === "report") await reports?.save(about);
    else return choice;
  }
}

function planText(flow: Flow, machine: Machine, operation: Operation): TextIn {
  const { request, config, doings } = flow;
  try {
    const wish = { ...request, confirm: "yes" as const };
    const decision = decide(machine, config, wish, doings.makeIds(), { operation, anew: false });
    return (t) => commandLines(decision, t);
  } catch (error) {
    if (!(error instanceof Refusal)) return () => explain(error, quote).lines;
    return (t) =>
      [say("refused"), error.words, error.hintWords].flatMap((words) => t.say(words).split("\n"));
  }
}

/** The report, where factory tests have ended. @throws Refusal, StepError */
async function perform(
  flow: Flow,
  decision: Decision,
  planned: Planned,
): Promise<FactoryReport | undefined> {
  const { face, doings } = flow;
  const abort = new AbortController();
  const log = (line: string) => {
    doings.log.line(line);
    face.logged(line);
  };
  const logProgress = makeProgressPrinter(doings.log.line);
  let report: FactoryReport | undefined;
  const warnings: Message[] = [];
  face.begin(planned, () => abort.abort());
  const result = await doings.perform(decision, {
    onEvent(event) {
      face.event(event);
      logProgress(event);
    },
    log,
    onReport: (made) => (report = made),
    onWarning: (words) => void warnings.push(words),
    signal: abort.signal,
  });
  give(flow, result, { warnings, ...(report ? { report } : {}) });
  return report;
}

function plannedOf({ plan, disk, journal }: Decision): Planned {
  return { plan, disk, ...(journal ? { resumedAt: journal.next + 1 } : {}) };
}

/** How often disks are waited for; half a minute in all, or less where the looks take long. */
const MOST_PAUSES = 30;

/**
 * Disks appear when their drivers are ready, and not all at once. The card and a disk to work on are waited for, and
 * then until two looks, one after the other, see the same disks: of two that fit one may be slow.
 */
async function lookUntilReady(flow: Flow, operation: Operation): Promise<Machine> {
  const { face, doings } = flow;
  const giveUp = Date.now() + MOST_PAUSES * 1_000;
  let isTold = false;
  for (let pauses = 0; ; pauses++) {
    const machine = await doings.readMachine();
    if (pauses === MOST_PAUSES || Date.now() > giveUp) return machine;
    const isReady = hasWhatItNeeds(flow, operation, machine);
    if (!isReady && !isTold) face.line(say("waiting-for-disks"));
    isTold ||= !isReady;
    await doings.pause();
    if (isReady && areSame(machine.disks, await doings.readDisks())) return machine;
  }
}

function hasWhatItNeeds({ request, config }: Flow, operation: Operation, machine: Machine) {
  const selector = request.disk ?? configuredDisk(config);
  // What works on an installation does without the card.
  if (operation !== "default") return hasInstalled(machine, selector);
  const { rows } = candidatesFor(machine, selector, smallestBytes(config));
  return machine.card !== undefined && rows.some(({ why }) => why === undefined);
}

function areSame(disks: readonly DiskIdentity[], others: readonly DiskIdentity[]): boolean {
  const [one, other] = [disks, others].map((all) => JSON.stringify(all.map(identityOf)));
  return one === other;
}

function overview({ config, request }: Flow, machine: Machine) {
  return overviewOf(machine, config, request, Math.floor(Date.now() / 1000));
}

function tell(
  flow: Pick<Flow, "face" | "doings">,
  error: unknown,
  about: { operation: Result["operation"]; version: string; disk?: DiskIdentity | undefined },
): void {
  const { doings } = flow;
  const explanation = explain(error, quote, about.operation === "test");
  for (const line of explanation.lines) doings.log.line(line);
  const { message, hint } = explanation;
  const step = error instanceof StepError ? english(error.title) : undefined;
  const result: Result = {
    schema: 1,
    operation: about.operation,
    outcome: explanation.outcome,
    changed: explanation.changed,
    ...(about.disk ? { disk: identityOf(about.disk) } : {}),
    version: about.version,
    steps: [],
    peakMemoryBytes: doings.readPeakMemoryBytes(),
    error: { message, hint, ...(step === undefined ? {} : { step }) },
  };
  flow.face.verdict(result, { explanation });
  doings.keepResult(printResult(result));
}

interface Given {
  readonly report?: FactoryReport;
  readonly warnings: readonly Message[];
}

/** A success, or the verdict of the factory tests, on every console. */
function give({ face, doings }: Flow, result: Result, more: Given): void {
  const { report, warnings } = more;
  const lines = [...(report ? verdictLines(report) : []), ...warnings.map(english)];
  for (const line of lines) doings.log.line(line);
  face.verdict(result, more);
  doings.keepResult(printResult(result));
}
