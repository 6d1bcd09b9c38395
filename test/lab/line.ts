/*
 * The lab's card for the line: its zshield.toml, the usual one with factory tests; and what the boxes that were tested
 * say of themselves. Owns: that configuration, and reading the reports. The vendor's tests are in build/golden/lab.
 */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FactoryReport, Verdict } from "../../src/model/factory.ts";
import { parseFactoryReport } from "../../src/model/factory-file.ts";
import type { Result } from "../../src/model/result.ts";
import type { Image } from "./images.ts";
import { readVolume } from "./inspect.ts";
import { must } from "./scenario.ts";
import { PROJECT } from "./scratch.ts";

export const BUILT_IN_TESTS = 12;
/** In build/golden/lab. */
export const VENDOR_TESTS = ["10-relay", "20-loud", "30-burn-in"] as const;

const FACTORY = `
[factory]
memory = "1 GiB"
processors = 1
disk-size = "16 GiB"
read-rate = "1 MiB"
write-rate = "1 MiB"
clock-after = "2020-01-01"
test-seconds = 30
`;

/** Returns the file. */
export async function writeLineConfig(directory: string): Promise<string> {
  const usual = await readFile(join(PROJECT, "build/zshield.toml"), "utf8");
  await mkdir(directory, { recursive: true });
  const file = join(directory, "zshield.toml");
  await writeFile(file, usual + FACTORY);
  return file;
}

/** @throws Error if the line that scripts read does not say so. */
export function checkVerdict(result: Result, wanted: Verdict): void {
  const said = JSON.stringify(result);
  must(result.operation === "test" && result.verdict === wanted, `not ${wanted}: ${said}`);
  must(result.outcome === (wanted === "PASS" ? "success" : "failed"), `the outcome: ${said}`);
  must(result.tests?.length === BUILT_IN_TESTS + VENDOR_TESTS.length, `the tests: ${said}`);
}

/** Of the box's audit volume, each with its digest checked and the readable text beside it; oldest first. */
export async function readFactoryReports(folder: string, image: Image): Promise<FactoryReport[]> {
  return readVolume(folder, image, "lv-audit", async (audit) => {
    const directory = join(audit, "zshield/factory");
    const names = readdirSync(directory);
    return names
      .filter((name) => name.endsWith(".json"))
      .sort()
      .map((name) => {
        const report = parseFactoryReport(name, readFileSync(join(directory, name), "utf8"));
        const text = readFileSync(join(directory, name.replace(/json$/, "txt")), "utf8");
        must(text.startsWith(`FACTORY TESTS: ${report.verdict}\n`), `the text begins with ${text}`);
        const odd = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\ufffd]/.exec(text);
        must(odd === null, `the text holds ${JSON.stringify(odd?.[0])}`);
        return report;
      });
  });
}
