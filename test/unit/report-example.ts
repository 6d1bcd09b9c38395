/*
 * Factory reports to start from: one box, and a line of many as a day at the OEM would leave them.
 */
import type { FactoryReport, TestOutcome } from "../../src/model/factory.ts";
import { verdictOf } from "../../src/model/factory.ts";
import { printFactoryReport } from "../../src/model/factory-file.ts";
import type { FoundFile } from "../../src/report/gather.ts";

export function outcome(name: string, changes: Partial<TestOutcome> = {}): TestOutcome {
  return {
    name,
    origin: "built-in",
    outcome: "pass",
    reason: "as expected",
    seconds: 1,
    ...changes,
  };
}

/** The verdict follows from the tests. */
export function factoryReport(changes: Partial<FactoryReport> = {}): FactoryReport {
  const tests = changes.tests ?? [
    outcome("memory", { reason: "3.8 GiB" }),
    outcome("processors", { reason: "4, with aes" }),
  ];
  return {
    kind: "zshield-factory-report",
    schema: 1,
    serial: "ZS-0001",
    vendor: "ACME",
    model: "Box 500",
    version: "0.1.0+abc",
    disk: {
      path: "/dev/sda",
      model: "DISK 500",
      serial: "D-1",
      wwn: "",
      sizeBytes: 500_107_862_016,
    },
    endedAt: 1_795_651_200,
    installSeconds: 187,
    testSeconds: 42,
    ...verdictOf(tests),
    outputs: {},
    ...changes,
    tests,
  };
}

export function reportFile(report: FactoryReport, name = `${report.serial}.json`): FoundFile {
  return { name, content: new TextEncoder().encode(printFactoryReport(report)) };
}

/** A line of boxes: a few fail, one is there twice, one file was damaged. */
export function lineOfBoxes(count: number): FoundFile[] {
  const files = Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    const tests = [
      number % 17 === 3
        ? outcome("memory", { outcome: "fail", reason: "1.9 GiB, at least 3.5 GiB are expected" })
        : outcome("memory", { reason: "3.8 GiB" }),
      outcome("processors", { reason: "4, with aes, avx2" }),
      number === 29
        ? outcome("network", { outcome: "fail", reason: "3 ports, 4 are expected", seconds: 5 })
        : outcome("network", { reason: "4 ports, 2 with a link", seconds: 5.2 }),
      outcome("smart", { outcome: "skip", reason: "smartctl is not there", seconds: 0 }),
      outcome("read-rate", { reason: `${480 + ((number * 37) % 60)} MB/s`, seconds: 8 }),
      outcome("write-rate", { reason: `${430 + ((number * 53) % 60)} MB/s`, seconds: 9 }),
      outcome("root", { reason: "22115 entries are as golden has them", seconds: 11 }),
      outcome("boot-loader", { reason: "562 files are as the card has them", seconds: 2 }),
      number % 23 === 11
        ? outcome("10-burn-in", {
            origin: "vendor",
            outcome: "fail",
            reason: "did not end within 60 s",
            seconds: 60,
          })
        : outcome("10-burn-in", { origin: "vendor", reason: "12 of 12 passed", seconds: 20 }),
    ];
    const report = factoryReport({
      serial: `ZS-26-${String(number === 37 ? 36 : number).padStart(4, "0")}`,
      model: "Gateway 4 LAN",
      version: "4.2.0+9f31c2d",
      endedAt: 1_795_651_200 + number * 95,
      installSeconds: 171 + ((number * 29) % 47) + (number === 41 ? 120 : 0),
      testSeconds: tests.reduce((sum, { seconds }) => sum + seconds, 0),
      disk: { ...factoryReport().disk, serial: `WD-${7_310_000 + number * 13}` },
      tests,
      outputs: { "10-burn-in": "ok 1 - cpu\nok 2 - ram\n# waiting for the relay\n" },
    });
    return reportFile(report, `line-a/${number}/factory-${report.serial}.json`);
  });
  const [first] = files;
  if (!first || !(first.content instanceof Uint8Array)) return files;
  const damaged = first.content.slice();
  damaged[200] = 33;
  return [
    ...files,
    { name: "line-b/factory-ZS-26-0001.json", content: first.content },
    { name: "line-b/factory-ZS-26-0099.json", content: damaged },
    { name: "line-b/machine.json", content: new TextEncoder().encode("{}") },
  ];
}
