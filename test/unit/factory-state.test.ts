/*
 * How far the factory tests are, as the record keeps it: no test twice, none begun for ever, and what GRUB starts
 * afterwards.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { closedRecord } from "../../src/execute.ts";
import { runOnce, withKept } from "../../src/host/factory-run.ts";
import { MOST_REASON, MOST_VENDOR_TESTS, type TestOutcome } from "../../src/model/factory.ts";
import {
  beginTest,
  hasOutcome,
  UNTESTED,
  withOutcome,
  type FactoryState,
} from "../../src/model/factory-state.ts";
import { freshJournal, MOST_ATTEMPTS, whyStuck } from "../../src/model/journal.ts";
import { successOf } from "../../src/model/result.ts";
import { atRest, parseState, printState, printStateSum } from "../../src/model/state.ts";
import { decide } from "../../src/plan/decide.ts";
import { resultOfTests, factoryReport } from "../../src/plan/factory-report.ts";
import { disk, ids, installed, machine, record, testConfig, wish } from "./example.ts";

const memory = { name: "memory", origin: "built-in" } as const;
const passed: TestOutcome = { ...memory, outcome: "pass", reason: "4 GiB", seconds: 1 };

test("a test is begun, begun again after a power cut, and has its outcome in the end", () => {
  const once = beginTest(UNTESTED, memory);
  assert.equal(once.begun, { ...memory, times: 1 });
  const twice = beginTest(once, memory);
  assert.is(twice.begun?.times, 2);
  const done = withOutcome(twice, passed);
  assert.equal(done, { tests: [passed] });
  assert.ok(hasOutcome(done, memory));
  assert.not.ok(hasOutcome(done, { name: "memory", origin: "vendor" }), "a vendor's of that name");
});

test("one that was begun so often without ending has failed, and the next one begins anew", () => {
  let state: FactoryState = UNTESTED;
  for (let time = 0; time < MOST_ATTEMPTS; time++) {
    state = beginTest(state, memory);
    assert.not.ok(hasOutcome(state, memory));
  }
  const given = beginTest(state, memory);
  assert.is(given.tests[0]?.outcome, "fail");
  assert.match(
    given.tests[0]?.reason ?? "",
    /begun 3 times and never ended: the power failed in it, .* or its outcome could not be kept$/,
  );
  assert.is(given.begun, undefined);
  assert.is(beginTest(given, { name: "disk", origin: "built-in" }).begun?.times, 1);
});

test("what was begun is kept before it runs, what came of it afterwards; an outcome is not asked for twice", async () => {
  let state: FactoryState = UNTESTED;
  const kept: string[] = [];
  const world = {
    log: () => undefined,
    state: () => state,
    async keep(next: FactoryState) {
      state = next;
      kept.push(next.begun ? `begun ${next.begun.times}` : `${next.tests.length} ended`);
    },
  };
  const run = async (): Promise<TestOutcome> => {
    kept.push("runs");
    return passed;
  };
  await runOnce("memory", "built-in", world, run);
  await runOnce("memory", "built-in", world, run);
  assert.equal(kept, ["begun 1", "runs", "1 ended"]);
  state = { tests: [], begun: { ...memory, times: MOST_ATTEMPTS } };
  await runOnce("memory", "built-in", world, () => Promise.reject(new Error("it was run again")));
  assert.is(state.tests[0]?.outcome, "fail");
});

test("what a test throws is its failure, in the words of the error", async () => {
  let state: FactoryState = UNTESTED;
  const world = {
    log: () => undefined,
    state: () => state,
    keep: async (next: FactoryState) => void (state = next),
  };
  await runOnce("memory", "built-in", world, () => Promise.reject(new Error("ENOSPC: no room")));
  assert.equal(
    state.tests.map(({ outcome, reason }) => [outcome, reason]),
    [["fail", "ENOSPC: no room"]],
  );
  assert.is(state.begun, undefined);
});

test("no room for what a test printed: its outcome stays, and the report says so", async () => {
  const full = () => Promise.reject(new Error("ENOSPC: no space left"));
  assert.equal(await withKept(passed, full), {
    ...passed,
    reason: "4 GiB (what it printed could not be kept: ENOSPC: no space left)",
  });
  assert.match((await withKept({ ...passed, reason: "" }, full)).reason, /^what it printed/);
  const long = await withKept({ ...passed, reason: "x".repeat(MOST_REASON) }, full);
  assert.is(long.reason.length, MOST_REASON);
  assert.is(await withKept(passed, async () => undefined), passed);
});

const found = installed(0);
const on = machine([found.disk], [found.group]);
const { plan } = decide(on, testConfig, wish, ids, { operation: "test", anew: false });

test("however often a test was begun, its step is never what stops the machine", () => {
  const at = (kind: string) => plan.steps.findIndex((step) => step.kind === kind);
  for (const kind of ["factory-test", "vendor-tests"]) {
    assert.is(whyStuck({ ...freshJournal(plan), next: at(kind), begun: 99 }), undefined);
  }
});

test("at rest: installed without tests or after a PASS, failed after a FAIL, else the tests are still to be run", () => {
  const rest = (factory?: FactoryState) => {
    const { phase, operation } = atRest(
      record({
        phase: "changing",
        document: { ...record().document, ...(factory && { factory }) },
      }),
    );
    return phase === "installed" ? phase : `${phase} ${operation}`;
  };
  assert.is(rest(), "installed");
  assert.is(rest({ tests: [passed], verdict: "PASS" }), "installed");
  assert.is(rest({ tests: [passed], verdict: "FAIL", reason: "x" }), "failed test");
  assert.is(rest(UNTESTED), "requested test");
});

const begun = record({ phase: "recovering" });
const withFactory = (factory: FactoryState) =>
  record({ phase: "recovering", document: { ...begun.document, factory } });
const ended = (of: typeof plan, from = begun, more = {}) => {
  const success = successOf(of, disk(), { steps: [], peakMemoryBytes: 0 });
  return closedRecord(from, of, { ...success, ...more }, { nowSeconds: 9, rootMounts: 5 });
};

test("an installation that asked nobody is closed with the tests asked for, in the same record", () => {
  const blank = decide(machine(), testConfig, wish, ids, { operation: "default", anew: false });
  const closed = ended(blank.plan);
  assert.is(`${closed.phase} ${closed.operation}`, "requested test");
  assert.equal(closed.document.factory, UNTESTED);
  assert.is(closed.document.lastResult?.operation, "default");
});

test("a new installation forgets a FAIL; putting a backup back and repairing do not", () => {
  const failed = withFactory({ tests: [], verdict: "FAIL", reason: "memory: too little" });
  const of = (operation: "default" | "repair") =>
    decide(on, testConfig, wish, ids, { operation, anew: false }).plan;
  assert.is(ended(of("repair"), failed).phase, "failed");
  assert.is(ended(of("default"), failed).phase, "installed");
  assert.is(ended(of("default"), failed).document.factory, undefined);
});

test("how often root had been mounted is noted by an installation, kept by a test, and gone with the root", () => {
  const before = record({ phase: "recovering", document: { ...begun.document, rootMounts: 3 } });
  const of = (operation: "default" | "repair" | "latest" | "test") =>
    ended(decide(on, testConfig, wish, ids, { operation, anew: false }).plan, before).document;
  assert.is(of("default").rootMounts, 5);
  assert.is(of("repair").rootMounts, 3);
  assert.is(of("test").rootMounts, 3);
  assert.is(of("latest").rootMounts, undefined);
});

test("the verdict is in the record, with the reason; what is told of the last recovery stays", () => {
  const failed: TestOutcome = { ...passed, outcome: "fail", reason: "too little" };
  const report = factoryReport({
    ...{ machine: on, plan, disk: disk(), outputs: {}, endedAt: 9, lastResult: undefined },
    tests: [failed],
  });
  const closed = ended(plan, withFactory({ tests: [failed] }), resultOfTests(report));
  assert.is(closed.phase, "failed");
  assert.is(closed.document.factory?.reason, "memory: too little");
  assert.is(closed.document.lastResult, undefined);
});

test("the most that there can be fits into the record, with the journal", () => {
  const long = (origin: "built-in" | "vendor", index: number): TestOutcome => ({
    ...{ name: `${index}`.padEnd(64, "x"), origin, outcome: "fail", seconds: 1 },
    reason: "验".repeat(MOST_REASON),
  });
  const tests = [
    ...plan.steps.map((_, index) => long("built-in", index)),
    ...Array.from({ length: MOST_VENDOR_TESTS }, (_, index) => long("vendor", index)),
  ];
  const reason = `x: ${"验".repeat(MOST_REASON)}`;
  const journal = { ...freshJournal(plan), lastError: "x".repeat(500) };
  const full = withFactory({ tests, verdict: "FAIL", reason });
  const filled = { ...full, document: { ...full.document, journal } };
  const block = printState(filled);
  assert.equal(parseState("a", block, printStateSum("a", block)), filled);
});

test.run();
