/*
 * What the screen may know, for the tests of the screens: every scene, on the example's installed machine.
 */
import { Refusal } from "../../src/errors.ts";
import type { StepEvent } from "../../src/model/event.ts";
import { identityOf, type Machine } from "../../src/model/machine.ts";
import { GIB } from "../../src/model/size.ts";
import type { Result } from "../../src/model/result.ts";
import type { FactoryReport } from "../../src/model/factory.ts";
import { planFactory } from "../../src/plan/factory.ts";
import { factoryReport, resultOfTests } from "../../src/plan/factory-report.ts";
import { overviewOf } from "../../src/plan/overview.ts";
import { builtInTests } from "../../src/plan/test.ts";
import { explain } from "../../src/ui/explain.ts";
import { NOTHING, type Known, type Scene } from "../../src/ui/screen/known.ts";
import { quote } from "../../src/host/command.ts";
import { config, ids, installed, machine, testConfig, wish } from "./example.ts";

export function installedMachine(): Machine {
  const { disk, group } = installed(5 * GIB);
  return machine([disk], [group]);
}

export const plan = planFactory(installedMachine(), config, wish, ids);

export function eventAt(kind: string, changes: Partial<StepEvent> = {}): StepEvent {
  const index = plan.steps.findIndex((step) => step.kind === kind);
  const step = plan.steps[index];
  if (!step) throw new Error(`the plan has no ${kind}`);
  const totalBytes = "bytes" in step ? step.bytes : 0;
  return {
    ...{ kind: "progress", index, total: plan.steps.length, step, totalBytes },
    ...{ bytes: totalBytes / 2, seconds: 10, changed: index > 3, ...changes },
  } as StepEvent;
}

export const refused: Result = {
  schema: 1,
  operation: "default",
  outcome: "refused",
  changed: false,
  version: "0.1.0+abc",
  steps: [],
  peakMemoryBytes: 0,
  error: { message: "there is no disk", hint: "attach one" },
};
export const success: Result = {
  schema: 1,
  operation: "default",
  outcome: "success",
  changed: true,
  disk: identityOf(plan.disk),
  version: "0.1.0+abc",
  steps: [],
  peakMemoryBytes: 0,
};

const base: Known = {
  ...NOTHING,
  overview: overviewOf(installedMachine(), config, wish, ids.nowSeconds),
  run: { plan, disk: plan.disk, event: eventAt("copy-tree"), seconds: 60 },
  verdict: {
    result: refused,
    explanation: explain(new Refusal("there is no disk", "attach one"), quote),
  },
  log: ["+ rsync --archive", "sent 5 bytes"],
};

export function known(scene: Scene, changes: Partial<Known> = {}): Known {
  return { ...base, ...changes, scene };
}

const menu: Scene = {
  kind: "menu",
  choices: ["default", "latest", "repair", "plan", "log", "report", "look", "reboot", "poweroff"],
  selected: undefined,
};
const verdict: Scene = {
  kind: "verdict",
  choices: ["again", "anew", "menu", "log", "report", "reboot", "poweroff"],
  selected: 1,
};

/** Of tests of which those that are named fail. */
export function reportOf(...failing: string[]): FactoryReport {
  const { factory } = testConfig;
  const tests = factory ? builtInTests(factory) : [];
  return factoryReport({
    ...{ machine: installedMachine(), plan, disk: plan.disk, endedAt: ids.nowSeconds },
    ...{ outputs: {}, lastResult: undefined },
    tests: tests.map(({ name }) => ({
      ...{ name, origin: "built-in", seconds: 1 },
      outcome: failing.includes(name) ? "fail" : name === "sensors" ? "skip" : "pass",
      reason: failing.includes(name) ? `${name} is not as expected` : "as expected",
    })),
  });
}

export function testVerdict(...failing: string[]): NonNullable<Known["verdict"]> {
  const report = reportOf(...failing);
  return { result: { ...success, operation: "test", ...resultOfTests(report) }, report };
}

/** Every kind of scene; a new one that is not here is a compile error. */
export const SCENES: { readonly [K in Scene["kind"]]: Extract<Scene, { kind: K }> } = {
  wait: { kind: "wait" },
  menu: menu as Extract<Scene, { kind: "menu" }>,
  "which-plan": { kind: "which-plan", choices: ["default", "back"], selected: 0 },
  verdict: verdict as Extract<Scene, { kind: "verdict" }>,
  finished: { kind: "finished", ending: "reboot", seconds: 60 },
  code: { kind: "code", back: verdict },
  details: { kind: "details", top: 0, back: menu },
  consent: { kind: "consent", answer: "0001", typed: "00", wrong: false },
  running: { kind: "running" },
  read: {
    kind: "read",
    title: "Log",
    lines: Array.from({ length: 99 }, (_, i) => `line ${i}`),
    top: 0,
  },
  secret: { kind: "secret", prompt: "Password:", typed: "hidden" },
};
