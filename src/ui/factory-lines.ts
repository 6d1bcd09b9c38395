/*
 * A factory report in words: the verdict for plain consoles, and the whole for the readable file. Pure; what comes
 * from outside is made visible.
 */
import type { FactoryReport, TestOutcome } from "../model/factory.ts";
import { describeDisk } from "../model/machine.ts";
import { printSize } from "../model/size.ts";
import { printTime, visible } from "../model/text.ts";

export function failuresOf({ tests }: FactoryReport): TestOutcome[] {
  return tests.filter(({ outcome }) => outcome === "fail");
}

export function countOf({ tests }: FactoryReport, outcome: TestOutcome["outcome"]): number {
  return tests.filter((test) => test.outcome === outcome).length;
}

/** For every plain console. */
export function verdictLines(report: FactoryReport): string[] {
  const { verdict, reason, version } = report;
  return [
    `FACTORY TESTS: ${verdict}`,
    `${boxOf(report)}, version ${version}`,
    `${countOf(report, "pass")} passed, ${countOf(report, "fail")} failed, ${countOf(report, "skip")} skipped`,
    ...(verdict === "PASS" ? [] : [`why: ${reason ?? ""}`]),
    ...failuresOf(report).map(({ name, reason }) => `  FAIL ${name}: ${reason}`),
  ].map(visible);
}

/** The readable file beside the report. */
export function reportText(report: FactoryReport): string {
  const { disk, endedAt, installSeconds, testSeconds, tests, outputs } = report;
  const [verdict = "", ...rest] = verdictLines(report);
  const lines = [
    verdict,
    ...rest.filter((line) => !line.startsWith("  FAIL")),
    `disk: ${describeDisk(disk, printSize)}`,
    `ended: ${printTime(endedAt)} by the box's own clock`,
    (installSeconds === undefined ? "" : `installed in ${installSeconds.toFixed(1)} s, `) +
      `tested in ${testSeconds.toFixed(1)} s`,
    "",
    ...tests.map(
      ({ name, origin, outcome, reason, seconds }) =>
        `${outcome.toUpperCase()}  ${name}${origin === "vendor" ? " (vendor)" : ""}: ${reason} (${seconds.toFixed(1)} s)`,
    ),
    ...Object.entries(outputs).flatMap(([name, output]) => [
      "",
      `What ${name} printed:`,
      ...output.trimEnd().split("\n"),
    ]),
  ];
  return `${lines.map(visible).join("\n")}\n`;
}

function boxOf({ vendor, model, serial }: FactoryReport): string {
  const name = [vendor, model].filter((text) => text !== "").join(" ");
  return `${name === "" ? "unknown box" : name}, ${serial === "" ? "no serial number" : `serial ${serial}`}`;
}
