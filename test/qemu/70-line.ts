/*
 * The OEM line: boxes from one card that has factory tests, no key pressed anywhere. The first one is installed from a
 * blank disk and tested in the same start; the others are layers over its disk, tested anew. What a vendor's test does
 * on a box depends on the revision of its disk (build/golden/lab/usr/lib/zshield/factory-tests.d).
 */
import type { FactoryReport } from "../../src/model/factory.ts";
import { installedDisk, installedLayer } from "../lab/installed.ts";
import { BUILT_IN_TESTS, checkVerdict, readFactoryReports, VENDOR_TESTS } from "../lab/line.ts";
import type { Machine } from "../lab/machine.ts";
import {
  blankDisk,
  disk,
  readResult,
  startCard,
  startRescue,
  type RescueOptions,
} from "../lab/recovery.ts";
import { findSteps, RESULT_LINE } from "../lab/result.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";

const TEST_SECONDS = 300;
/** More than the longest output that is kept of one test. */
const MOST_OUTPUT = 65 * 1024;

/** Only what is shown to people: the lines of a test are in the report, never on a console. */
function checkConsole(said: string): void {
  must(!said.includes("zshield-lab: one line"), "a test's output is on the console");
  must(!said.includes("\ufffd"), "something that is no UTF-8 is on the console");
}

/** What is loud is kept, shortened and visible. */
function checkOutputs({ outputs }: FactoryReport): void {
  const loud = outputs["20-loud"] ?? "";
  must(loud.includes("\\x1b[2J"), "the sequence that clears is not made visible");
  must(/it was loud\s*$/.test(loud), "the end of the output is not kept");
  for (const [name, text] of Object.entries(outputs)) {
    must(text.length <= MOST_OUTPUT, `${text.length} characters of ${name} are kept`);
    must(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\ufffd]/.test(text), `${name} is not visible`);
  }
}

/** It must not go away from its verdict, nor try again. */
async function checkStays(machine: Machine): Promise<void> {
  await Bun.sleep(8000);
  const { status } = (await machine.qmp.execute("query-status")) as { readonly status: string };
  must(status === "running", `after the FAIL the machine is ${status}`);
  must(!RESULT_LINE.test(machine.serial.unread()), "it has tried again");
}

const outcomes = (report: FactoryReport) =>
  report.tests.map(({ name, outcome }) => `${name} ${outcome}`).join(", ");

/** One report, of this box. */
async function onlyReport(
  context: Context,
  image: Parameters<typeof readFactoryReports>[1],
  count = 1,
): Promise<FactoryReport> {
  const reports = await readFactoryReports(context.folder, image);
  must(reports.length === count, `there are ${reports.length} reports, not ${count}`);
  const last = reports.toSorted((a, b) => a.endedAt - b.endedAt).at(-1);
  must(last !== undefined, "there is no report");
  checkOutputs(last);
  return last;
}

const line: Scenario = {
  name: "line",
  title: "a blank box and a second one: installed, tested, PASS, power off, a report each",
  minutes: 3,
  needs: ["line"],
  async run(context) {
    const { image, result, tested, said } = await installedDisk("line");
    must(result.operation === "default", `the first verdict is of ${result.operation}`);
    must(tested !== undefined, "there is no second verdict");
    checkVerdict(tested, "PASS");
    must(/switching the power off/.test(said), "the power was not switched off");
    checkConsole(said);
    const first = await onlyReport(context, image);
    must(first.serial === "LINE-1" && first.verdict === "PASS", JSON.stringify(first));
    must(
      (first.installSeconds ?? 0) > 1,
      "the report does not tell how long the installation took",
    );
    for (const name of [
      "memory",
      "disk",
      "clock",
      "read-rate",
      "write-rate",
      "root",
      "boot-loader",
    ]) {
      const outcome = first.tests.find((test) => test.name === name)?.outcome;
      must(outcome === "pass", `${name}: ${outcome}`);
    }
    context.note(`LINE-1: ${outcomes(first)}`);
    context.note(`installed in ${first.installSeconds} s, tested in ${first.testSeconds} s`);

    const card = await context.card("line");
    const layer = await installedLayer(context, "second", "line");
    const machine = await startRescue(context, {
      ...{ card, drives: [disk(layer)], operation: "test", serialNumber: "LINE-2" },
    });
    checkVerdict(await readResult(machine, TEST_SECONDS), "PASS");
    await machine.waitForEnd(120);
    checkConsole(machine.serial.text());
    const second = await onlyReport(context, layer, 2);
    must(second.serial === "LINE-2" && second.verdict === "PASS", JSON.stringify(second));
  },
};

const fails: Scenario = {
  name: "line-fails",
  title:
    "too little memory: FAIL with the reason, which stays; the next start shows the menu and tests nothing",
  minutes: 3,
  needs: ["line"],
  async run(context) {
    const card = await context.card("line");
    const layer = await installedLayer(context, "disk", "line");
    const machine = await startRescue(context, {
      ...{ card, drives: [disk(layer)], operation: "test" },
      ...{ serialNumber: "LINE-LOW", memoryMiB: 640 },
    });
    const result = await readResult(machine, TEST_SECONDS);
    checkVerdict(result, "FAIL");
    must(/^memory: 640 MiB/.test(result.error?.message ?? ""), JSON.stringify(result.error));
    must(/FACTORY TESTS: FAIL[^]*FAIL memory: /.test(machine.serial.text()), "no words for people");
    await checkStays(machine);
    await machine.kill();
    const report = await onlyReport(context, layer, 2);
    must(report.serial === "LINE-LOW" && report.verdict === "FAIL", JSON.stringify(report));

    const again = await context.start({
      ...{ name: "again", drives: [disk(layer, { boot: 0 })], serialNumber: "LINE-LOW" },
      memoryMiB: 640,
    });
    await again.waitFor("this box failed its factory tests", 120);
    await again.waitFor("starting: Recovery menu", 60, /starting: (Run|Boot)/);
    await again.waitFor(/THIS BOX FAILED ITS FACTORY TESTS: memory: 640 MiB/, 240);
    await again.waitFor(/Type a number and press Enter:/, 60);
    must(findSteps(again.serial.text()).length === 0, "something was begun");
  },
};

interface Case {
  readonly revision: "FAIL" | "HANG";
  readonly words: RegExp;
}

const CASES: readonly Case[] = [
  { revision: "FAIL", words: /^10-relay: .*the relay switches/ },
  { revision: "HANG", words: /^30-burn-in: it did not end within 30 s/ },
];

const vendor: Scenario = {
  name: "line-vendor",
  title:
    "a vendor's test that fails, and one that hangs: FAIL with the reason, and the others are run",
  minutes: 3,
  needs: ["line"],
  async run(context) {
    for (const { revision, words } of CASES) {
      const layer = await installedLayer(context, revision, "line");
      const machine = await startSaved(context, disk(layer, { revision }));
      const result = await readResult(machine, TEST_SECONDS);
      checkVerdict(result, "FAIL");
      must(words.test(result.error?.message ?? ""), JSON.stringify(result.error));
      checkConsole(machine.serial.text());
      await checkStays(machine);
      await machine.kill();
      const report = await onlyReport(context, layer, 2);
      const failed = report.tests.filter(({ outcome }) => outcome === "fail");
      must(failed.length === 1, `what failed: ${outcomes(report)}`);
      context.note(`${revision}: ${report.reason}`);
    }
  },
};

const cut: Scenario = {
  name: "line-cut",
  title:
    "the power fails in the tests: the next start goes on with the test that it cut, and installs nothing",
  minutes: 3,
  needs: ["line"],
  async run(context) {
    const layer = await installedLayer(context, "disk", "line");
    const machine = await startSaved(context, disk(layer, { revision: "SLOW" }));
    await machine.waitFor(/step \d+\/\d+ vendor-tests begins/, TEST_SECONDS, RESULT_LINE);
    await Bun.sleep(500);
    await machine.kill();

    const card = await context.card("line");
    const next = await startCard(context, card, [disk(layer)], { serialNumber: "LINE-3" });
    await next.waitFor("starting: Run the factory tests", 120, /starting: (Re|Boot)/);
    const result = await readResult(next, TEST_SECONDS);
    checkVerdict(result, "PASS");
    const { resumedAt, steps } = result;
    must(resumedAt !== undefined, "it has begun from the beginning");
    const begun = findSteps(next.serial.text()).map(({ kind }) => kind);
    must(!begun.includes("copy-tree"), "it has installed");
    must(!begun.includes("factory-test"), `tests were run twice: ${begun.join()}`);
    must(begun.includes("vendor-tests"), `what was begun: ${begun.join()}`);
    const tests = steps.filter(({ kind }) => kind === "factory-test").length;
    must(tests === BUILT_IN_TESTS, `${tests} built-in tests are in the verdict`);
    await next.waitForEnd(120);
    const report = await onlyReport(context, layer, 2);
    must(report.serial === "LINE-3" && report.verdict === "PASS", JSON.stringify(report));
    const names = Object.keys(report.outputs);
    must(names.join() === VENDOR_TESTS.join(), `the outputs are of ${names.join()}`);
  },
};

/** As an operator does it: the same card, one box after the other, each with a blank disk and its own serial number. */
const row: Scenario = {
  name: "row-of-boxes",
  title: "three blank boxes in a row from one card: each installed, tested, PASS, its own report",
  minutes: 10,
  needs: ["line"],
  soak: true,
  async run(context) {
    const card = await context.card("line");
    for (const serialNumber of ["ROW-1", "ROW-2", "ROW-3"]) {
      const image = await blankDisk(context, serialNumber);
      const drive = disk(image, { serial: `DISK-${serialNumber}` });
      const machine = await startCard(context, card, [drive], { serialNumber });
      const installed = await readResult(machine);
      must(installed.outcome === "success", JSON.stringify(installed));
      checkVerdict(await readResult(machine, TEST_SECONDS), "PASS");
      await machine.waitForEnd(120);
      const report = await onlyReport(context, image);
      must(report.serial === serialNumber && report.verdict === "PASS", JSON.stringify(report));
      must(report.disk.serial === `DISK-${serialNumber}`, JSON.stringify(report.disk));
      context.note(
        `${serialNumber}: installed in ${report.installSeconds} s, tested in ${report.testSeconds} s`,
      );
    }
  },
};

/** From a rescue system that was started once: half a minute less. */
async function startSaved(context: Context, drive: RescueOptions["drives"][number]) {
  const card = await context.card("line");
  const options = { card, drives: [drive], operation: "test", serialNumber: "LINE-S" } as const;
  return startRescue(context, { ...options, saved: true });
}

export const scenario: readonly Scenario[] = [line, fails, vendor, cut, row];
