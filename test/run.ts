/*
 * `npm test`: type check, format check, unit tests, the screens, what needs programs of this
 * host (loop devices, a browser), then the QEMU scenarios in parallel lanes.
 * A line for each, the reason and the serial log of what failed, and at the very end how many passed
 * and failed: checks, unit tests and scenarios each count as one.
 * Owns: the command line, the order and the report. Scenarios are in test/qemu, their tools in test/lab.
 */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../src/errors.ts";
import { labCard, type RootName } from "./lab/card.ts";
import { describeMachine } from "./lab/post-mortem.ts";
import { openContext, type Scenario } from "./lab/scenario.ts";
import { PROJECT } from "./lab/scratch.ts";
import { patience, stripEscapes } from "./lab/serial.ts";

const USAGE = `bun test/run.ts [--only=unit|screens|host|qemu|soak] [NAME…] [--lanes=2] [--seed=N] [--list]
  NAME picks the tests whose name holds it, =NAME the one that is called so`;
const KINDS = ["unit", "screens", "host", "qemu", "soak"] as const;
type Kind = (typeof KINDS)[number];

interface Options {
  readonly only: Kind | undefined;
  readonly names: readonly string[];
  readonly lanes: number;
  readonly seed: number;
  readonly isList: boolean;
}

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  /** What follows the name on its line. */
  readonly remark: string;
  /** Lines below it. */
  readonly details: readonly string[];
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  const wants = (kind: Kind) => options.only === undefined || options.only === kind;
  const units = wants("unit") ? testFiles("test/unit", options) : [];
  const screens = wants("screens") ? testFiles("test/screens", options) : [];
  const onHost = wants("host") ? testFiles("test/host", options) : [];
  const scenarios = wants("qemu") || wants("soak") ? await loadScenarios(options) : [];
  if (options.isList) {
    for (const file of units) console.log(`unit  ${file}`);
    for (const file of screens) console.log(`screens  ${file}`);
    for (const file of onHost) console.log(`host  ${file}`);
    for (const { name, minutes, title } of scenarios) {
      console.log(`qemu  ${name.padEnd(28)} ${String(minutes).padStart(4)} min  ${title}`);
    }
    return 0;
  }
  const outcomes: Outcome[] = [];
  const report = (outcome: Outcome): void => {
    outcomes.push(outcome);
    printOutcome(outcome);
  };
  if (scenarios.length > 0)
    console.log(`seed ${options.seed} (repeat with --seed=${options.seed})`);
  const started = Date.now();
  if (wants("unit")) {
    if (options.names.length === 0) {
      report(await runCheck("type check", ["check", "--no-script"]));
      const paths = ["src", "build", "test", "package.json", "tsconfig.json"];
      report(await runCheck("format check", ["fmt", "--no-script", "--check", ...paths]));
    }
    if (units.length === 0 && options.names.length === 0) {
      report(failure("unit tests", 0, "there are none in test/unit", []));
    }
    await inLanes(units, options.lanes, async (file) => report(await runUnit(file)));
  }
  if (wants("screens") && screens.length === 0 && options.names.length === 0) {
    report(failure("screens", 0, "there are no tests in test/screens", []));
  }
  await inLanes(screens, options.lanes, async (file) => report(await runUnit(file)));
  if (wants("host") && onHost.length === 0 && options.names.length === 0) {
    report(failure("host", 0, "there are no tests in test/host", []));
  }
  // One after the other: the namespace of mounts that one makes keeps in use what another has unmounted.
  await inLanes(onHost, 1, async (file) => report(await runUnit(file, MOST_SECONDS.host)));
  const cards = (["small", "golden"] as const).filter((root) =>
    scenarios.some(({ needs }) => needs.includes(root)),
  );
  for (const root of cards) void prepareCard(root);
  await inLanes(inOrder(scenarios, options.lanes), options.lanes, async (scenario) =>
    report(await runScenario(scenario, options.seed)),
  );

  const failures = outcomes.filter(({ failed }) => failed > 0);
  if (failures.length > 0) console.log(`\nfailed: ${failures.map(({ name }) => name).join(", ")}`);
  console.log(`\n${((Date.now() - started) / 1000).toFixed(0)} s in all`);
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
  if (passed + failed === 0) console.log("nothing was run: no test has such a name");
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

/** The long ones first, so that the lanes end together; and something to do while the large card is made. */
function inOrder(scenarios: readonly Scenario[], lanes: number): Scenario[] {
  const longestFirst = scenarios.toSorted((a, b) => b.minutes - a.minutes);
  const early = longestFirst.filter(({ needs }) => !needs.includes("golden")).slice(0, lanes);
  return [...early, ...longestFirst.filter((scenario) => !early.includes(scenario))];
}

/** Begun before the first scenario asks; a failure is told by each scenario that needs the card. */
async function prepareCard(root: RootName): Promise<void> {
  const started = Date.now();
  const card = await labCard(root).catch(() => undefined);
  if (card === undefined) return;
  console.log(`card ${root}: ready after ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: "string" },
      lanes: { type: "string", default: "2" },
      seed: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  const only = KINDS.find((kind) => kind === values.only);
  if (values.only !== undefined && only === undefined) {
    throw new Error(`--only must be ${KINDS.join(" or ")}, not ${values.only}`);
  }
  return {
    only,
    names: positionals,
    lanes: wholeNumber("--lanes", values.lanes),
    seed: wholeNumber("--seed", values.seed ?? String(1 + Math.floor(Math.random() * 999_999))),
    isList: values.list,
  };
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${name} must be a whole number above 0`);
  return Number(text);
}

function isPicked(name: string, { names }: Options): boolean {
  if (names.length === 0) return true;
  return names.some((part) =>
    part.startsWith("=") ? name === part.slice(1) : name.includes(part),
  );
}

/** Paths from the repository's root. */
function testFiles(folder: string, options: Options): string[] {
  return readdirSync(join(PROJECT, folder))
    .filter((file) => file.endsWith(".test.ts") && isPicked(file, options))
    .sort()
    .map((file) => join(folder, file));
}

/** @throws Error if two have one name, or a file exports none. */
async function loadScenarios(options: Options): Promise<Scenario[]> {
  const directory = join(PROJECT, "test/qemu");
  const files = readdirSync(directory).filter((file) => /^\d\d-.*\.ts$/.test(file));
  const all: Scenario[] = [];
  for (const file of files.sort()) {
    const { scenario } = (await import(join(directory, file))) as {
      readonly scenario?: Scenario | readonly Scenario[];
    };
    if (scenario === undefined) throw new Error(`test/qemu/${file} exports no scenario`);
    all.push(...("run" in scenario ? [scenario] : scenario));
  }
  const twice = all.find(
    ({ name }, index) => all.findIndex((other) => other.name === name) < index,
  );
  if (twice) throw new Error(`two scenarios are called ${twice.name}`);
  const isSoak = options.only === "soak";
  return all.filter(({ name, soak }) => (soak ?? false) === isSoak && isPicked(name, options));
}

async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function runCheck(name: string, args: readonly string[]): Promise<Outcome> {
  const { code, output, seconds } = await runBun(args);
  if (code === 0) return { name, passed: 1, failed: 0, seconds, remark: "", details: [] };
  return failure(name, seconds, `exit code ${code}`, lastLines(output, 60));
}

/** A file of tests; on the host one fetches and installs packages of Debian where its cache is cold. */
const MOST_SECONDS = { unit: 300, host: 900 };

/** A file of tests without a machine is a program of its own: uvu runs it, counts, and sets the exit code. */
async function runUnit(path: string, mostSeconds = MOST_SECONDS.unit): Promise<Outcome> {
  const file = basename(path);
  const { code, output, seconds } = await runBun([path], mostSeconds);
  const total = Number(/^\s*Total:\s+(\d+)/m.exec(output)?.[1] ?? 0);
  const passed = Number(/^\s*Passed:\s+(\d+)/m.exec(output)?.[1] ?? 0);
  const remark = `${passed} of ${total} tests`;
  if (code === 0 && total > 0 && passed === total) {
    return { name: file, passed, failed: 0, seconds, remark, details: [] };
  }
  const failed = Math.max(1, total - passed);
  const words = total === 0 ? `ran no tests, exit code ${code}` : remark;
  return { ...failure(file, seconds, words, lastLines(output, 60)), passed, failed };
}

async function runBun(
  args: readonly string[],
  mostSeconds = MOST_SECONDS.unit,
): Promise<{ readonly code: number; readonly output: string; readonly seconds: number }> {
  const started = Date.now();
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: PROJECT,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: mostSeconds * 1000 * patience,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
  });
  let text = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const piece of stream) text += decoder.decode(piece, { stream: true });
  };
  const read = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const code = await child.exited;
  // What it has started and left behind may hold the pipes for ever.
  await Promise.race([read, Bun.sleep(3000)]);
  const [output] = stripEscapes(text);
  return { code, output, seconds: (Date.now() - started) / 1000 };
}

async function runScenario(scenario: Scenario, seed: number): Promise<Outcome> {
  const { name } = scenario;
  const started = Date.now();
  const context = openContext(name, seed);
  const errors: unknown[] = [];
  try {
    await withLimit(scenario.minutes * 6 + 15, scenario.run(context));
  } catch (error) {
    errors.push(error);
  }
  const machine = context.lastMachine();
  const state = errors.length > 0 && machine ? await describeMachine(machine, context.folder) : [];
  try {
    await context.close();
  } catch (error) {
    errors.push(error);
  }
  const seconds = (Date.now() - started) / 1000;
  const details = context.notes.map((note) => `- ${note}`);
  if (errors.length === 0) {
    return { name, passed: 1, failed: 0, seconds, remark: scenario.title, details };
  }
  const reasons = errors.map(messageOf).join("\n");
  return failure(name, seconds, scenario.title, [...details, ...reasons.split("\n"), ...state]);
}

async function withLimit(minutes: number, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const limit = setTimeout(
    () => reject(new Error(`not done within ${minutes * patience} minutes`)),
    minutes * patience * 60_000,
  );
  await Promise.race([work, promise]).finally(() => clearTimeout(limit));
}

function failure(
  name: string,
  seconds: number,
  remark: string,
  details: readonly string[],
): Outcome {
  return { name, passed: 0, failed: 1, seconds, remark, details };
}

function printOutcome({ name, failed, seconds, remark, details }: Outcome): void {
  const verdict = failed > 0 ? "FAIL" : "PASS";
  console.log(
    `${verdict} ${seconds.toFixed(1).padStart(7)} s  ${name}${remark ? `: ${remark}` : ""}`,
  );
  for (const line of details) console.log(`                ${line}`);
}

function lastLines(text: string, count: number): string[] {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .slice(-count);
}

process.exit(await main());
