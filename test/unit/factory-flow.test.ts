/*
 * The line: an installation that asks nobody, the factory tests behind it, and the verdict, over a disk that exists on
 * paper and keeps its record from one start to the next. The power fails where a test says so.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runFlow, type Doings } from "../../src/commands/flow.ts";
import { closedRecord } from "../../src/execute.ts";
import { parseCmdline } from "../../src/model/cmdline.ts";
import { checkConfig, type Config } from "../../src/model/config.ts";
import type { TestOutcome } from "../../src/model/factory.ts";
import { hasOutcome, UNTESTED, withOutcome } from "../../src/model/factory-state.ts";
import { freshJournal } from "../../src/model/journal.ts";
import { identityOf, type Machine } from "../../src/model/machine.ts";
import { successOf } from "../../src/model/result.ts";
import type { StateRecord } from "../../src/model/state.ts";
import type { Decision } from "../../src/plan/decide.ts";
import { factoryReport, resultOfTests } from "../../src/plan/factory-report.ts";
import type { Choice } from "../../src/ui/choice.ts";
import type { Face } from "../../src/ui/face.ts";
import { config, ids, installed, machine, record, testConfig } from "./example.ts";

class PowerCut extends Error {}

interface Line {
  /** What the disk keeps; undefined: it is blank. */
  record: StateRecord | undefined;
  /** Tests that were run to their end, in all starts. */
  readonly ran: string[];
  readonly failing: Set<string>;
  /** The power fails in this test, once. */
  cutIn?: string;
  /** The power fails as soon as the installation is closed. */
  cutAfterInstallation?: boolean;
}

const newLine = (more: Partial<Line> = {}): Line => ({
  ...{ record: undefined, ran: [], failing: new Set<string>(), ...more },
});

function machineOn({ record: kept }: Line): Machine {
  if (!kept) return machine();
  const { disk: found, group } = installed(0);
  return machine([{ ...found, state: kept }], [group]);
}

/** What execute and recover.ts do to the record, without a disk. */
function perform(line: Line): Doings["perform"] {
  return async (decision: Decision, on) => {
    const { plan, disk: on_ } = decision;
    const success = successOf(plan, on_, { steps: [], peakMemoryBytes: 0 });
    const begun: StateRecord = {
      ...(decision.record ?? record({ document: { ...record().document, version: "" } })),
      ...{ phase: "recovering", operation: plan.operation },
    };
    if (plan.operation !== "test") {
      line.record = closedRecord(begun, plan, success, { nowSeconds: 1 });
      if (line.cutAfterInstallation) throw new PowerCut();
      return success;
    }
    let factory = begun.document.factory ?? UNTESTED;
    const keep = (next: number) =>
      (line.record = {
        ...begun,
        document: { ...begun.document, factory, journal: { ...freshJournal(plan), next } },
      });
    for (const [index, step] of plan.steps.entries()) {
      if (step.kind !== "factory-test" || index < (decision.journal?.next ?? 0)) continue;
      const key = { name: step.test.name, origin: "built-in" } as const;
      assert.not.ok(hasOutcome(factory, key), `${key.name} is run twice`);
      keep(index);
      if (line.cutIn === key.name) {
        delete line.cutIn;
        throw new PowerCut();
      }
      line.ran.push(key.name);
      const outcome: TestOutcome["outcome"] = line.failing.has(key.name) ? "fail" : "pass";
      factory = withOutcome(factory, { ...key, outcome, reason: "simulated", seconds: 1 });
    }
    const kept = keep(plan.steps.length);
    const report = factoryReport({
      ...{ machine: decision.machine, plan, disk: identityOf(on_), endedAt: 1, outputs: {} },
      ...{ tests: factory.tests, lastResult: kept.document.lastResult },
    });
    on.onReport(report);
    const result = { ...success, ...resultOfTests(report) };
    line.record = closedRecord(kept, plan, result, { nowSeconds: 1 });
    return result;
  };
}

/** One start of the box; `answers` of a person, and an error where there are none left. */
async function start(
  line: Line,
  {
    words = "",
    answers = [],
    operation = line.record?.phase === "failed" ? "menu" : (line.record?.operation ?? "default"),
    of = testConfig,
  }: { words?: string; answers?: readonly string[]; operation?: string; of?: Config } = {},
) {
  const did: string[] = [];
  const left = [...answers];
  const say = (text: string) => void did.push(text);
  const face: Face = {
    line: say,
    machine: ({ factory }) => say(`machine${factory?.verdict ? ` ${factory.verdict}` : ""}`),
    planned: ({ plan }) => say(`planned ${plan.operation}`),
    event: () => undefined,
    logged: () => undefined,
    verdict: ({ operation: what, outcome, verdict, error }, more) =>
      say(
        `verdict ${[what, outcome, verdict, more?.report?.reason, error?.message].join(" ").trim()}`,
      ),
    async choose<C extends Choice>(question: string, choices: readonly C[]) {
      const answer = left.shift();
      if (answer === undefined) throw new Error(`nobody answers ${question}: ${choices.join()}`);
      const chosen = choices.find((choice) => choice === answer);
      assert.ok(chosen, `${answer} is no choice of ${choices.join()}`);
      return chosen as C;
    },
    agree: async () => left.shift() === "yes",
    begin: () => undefined,
    read: async () => undefined,
    askSecret: async () => "",
    finished: async (ending, attended) => say(`finished ${ending} ${attended}`),
    drain: async () => undefined,
    close: () => undefined,
  };
  const doings: Doings = {
    readMachine: async () => machineOn(line),
    readDisks: async () => machineOn(line).disks,
    pause: async () => undefined,
    makeIds: () => ids,
    perform: perform(line),
    prepareGolden: async () => undefined,
    signal: async (verdict) => say(`signal ${verdict}`),
    closeEverything: async () => undefined,
    keepResult: () => undefined,
    readPeakMemoryBytes: () => 0,
    log: { line: () => undefined, text: () => "" },
  };
  const request = parseCmdline(`zshield_recovery=${operation} ${words}`);
  const reports = {
    save: async () => undefined,
    saveIfThere: async ({ plan, factory }: { plan?: { operation: string }; factory?: object }) =>
      say(`report ${plan?.operation}${factory ? " with tests" : ""}`),
  };
  let ending: string | undefined;
  try {
    ending = await runFlow({ face, doings, request, config: of, reports });
  } catch (error) {
    // The box waits for a person, or its power was cut: what it did until then counts.
    if (!/nobody answers/.test(String(error))) throw error;
    did.push(String(error).replace("Error: ", ""));
  }
  return { ending, did };
}

/** A power cut ends the start, whatever the flow would say about the error. */
async function startAndCut(line: Line): Promise<void> {
  const { did } = await start(line);
  assert.ok(did.some((text) => text.startsWith("nobody answers")));
}

const ALL = [
  ...["memory", "processors", "network", "disk", "smart", "clock", "watchdog", "sensors"],
  ...["read-rate", "write-rate", "root", "boot-loader"],
];

test("a blank box: installed, tested, PASS, power off; nobody is asked, and one report is saved", async () => {
  const line = newLine();
  const { ending, did } = await start(line);
  assert.is(ending, "poweroff");
  assert.equal(did, [
    ...["machine", "planned default", "verdict default success", "machine", "planned test"],
    ...["verdict test success PASS", "report test with tests", "signal PASS"],
    "finished poweroff false",
  ]);
  assert.equal(line.ran, ALL);
  assert.is(line.record?.phase, "installed");
  assert.is(line.record?.document.factory?.verdict, "PASS");
});

test("afterwards: the command line before zshield.toml", async () => {
  const reboots = checkConfig({ factory: { then: "reboot" } });
  assert.is((await start(newLine(), { of: reboots })).ending, "reboot");
  const halt = await start(newLine(), { of: reboots, words: "zshield.then=halt" });
  assert.is(halt.ending, "halt");
});

test("a FAIL stays, with tones and the reason, and is not run again by the next start, which shows the menu", async () => {
  const line = newLine({ failing: new Set(["memory", "disk"]) });
  const { ending, did } = await start(line);
  assert.is(ending, undefined);
  assert.equal(did.slice(-4), [
    "verdict test failed FAIL memory: simulated memory: simulated",
    ...["report test with tests", "signal FAIL"],
    "nobody answers verdict: test-again,menu,report,reboot,poweroff,log",
  ]);
  assert.equal(line.ran, ALL, "the others are run all the same");
  assert.is(line.record?.phase, "failed");
  const next = await start(line);
  assert.equal(next.did.slice(0, 1), ["machine FAIL"]);
  assert.match(next.did.at(-1) ?? "", /nobody answers menu: default,latest,repair,test,/);
  assert.equal(line.ran, ALL);
});

test("run again by a person, when the cause is gone: PASS clears it", async () => {
  const line = newLine({ failing: new Set(["memory"]) });
  await start(line);
  line.failing.clear();
  const { ending, did } = await start(line, { answers: ["test"] });
  assert.is(ending, "poweroff");
  assert.ok(did.includes("finished poweroff true"));
  assert.is(line.record?.phase, "installed");
  const twice = newLine({ failing: new Set(["memory"]) });
  await start(twice, { answers: ["test-again", "reboot"] });
  assert.equal(twice.ran, [...ALL, ...ALL]);
});

test("the power fails between installation and tests: the next start runs the tests, and installs nothing", async () => {
  const line = newLine({ cutAfterInstallation: true });
  await startAndCut(line);
  assert.is(`${line.record?.phase} ${line.record?.operation}`, "requested test");
  const { did, ending } = await start(line);
  assert.is(ending, "poweroff");
  assert.not.ok(did.includes("planned default"));
  assert.equal(line.ran, ALL);
});

test("the power fails in a test: the next start goes on with that test, and runs none twice", async () => {
  const line = newLine({ cutIn: "clock" });
  await startAndCut(line);
  assert.is(`${line.record?.phase} ${line.record?.operation}`, "recovering test");
  assert.equal(line.ran, ALL.slice(0, ALL.indexOf("clock")));
  const { did, ending } = await start(line);
  assert.is(ending, "poweroff");
  assert.not.ok(did.includes("planned default"));
  assert.equal(line.ran, ALL);
});

test("no tests: a person was asked, the command line says no, or there is no table", async () => {
  const none = async (line: Line, more: Parameters<typeof start>[1]) => {
    const { did, ending } = await start(line, { operation: "default", ...more });
    assert.is(ending, "reboot");
    assert.not.ok(did.includes("planned test"));
    assert.is(line.record?.phase, "installed");
  };
  await none(newLine(), { words: "zshield.test=no" });
  await none(newLine(), { of: config });
  const failed = { tests: [], verdict: "FAIL", reason: "x" } as const;
  const document = { ...record().document, factory: { ...failed, tests: [] } };
  await none(newLine({ record: record({ phase: "failed", document }) }), { answers: ["yes"] });
});

test("alone, by zshield_recovery=test; refused where there are none", async () => {
  const line = newLine({ record: record() });
  assert.is((await start(line, { operation: "test" })).ending, "poweroff");
  assert.equal(line.ran, ALL);
  const { did } = await start(newLine({ record: record() }), { operation: "test", of: config });
  assert.ok(did.some((text) => /^verdict test refused .*no factory tests/.test(text)));
});

test.run();
