/*
 * Writing a report, into a plain directory: whole, flushed, read back, and nothing half done is left.
 * The stick itself, with its protection and its mounts, is tried in a QEMU scenario.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { reportFiles } from "../../src/commands/save-report.ts";
import { checkReport, shorten, writeReport } from "../../src/host/report-stick.ts";
import { machine } from "./example.ts";

const files = [
  { name: "recovery.log", text: "one\ntwo\n" },
  { name: "result.json", text: "{}\n" },
];

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "zs-stick-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("every file is there, and reads back", () =>
  inFolder(async (folder) => {
    const written = await writeReport(folder, () => "report", files);
    await checkReport(written);
    assert.is(written.bytes, 11);
    assert.equal(readdirSync(folder), ["report"]);
    for (const { name, text } of files) {
      assert.is(readFileSync(join(folder, "report", name), "utf8"), text);
    }
  }));

test("the name is chosen among what is there", () =>
  inFolder(async (folder) => {
    mkdirSync(join(folder, "older"));
    const seen: string[][] = [];
    await writeReport(folder, (taken) => (seen.push([...taken]), "report"), files);
    assert.equal(seen, [["older"]]);
  }));

test("a file that changed on the way is noticed", () =>
  inFolder(async (folder) => {
    const written = await writeReport(folder, () => "report", files);
    writeFileSync(join(folder, "report/recovery.log"), "one\ntvo\n");
    let message = "";
    await checkReport(written).catch((error: Error) => (message = error.message));
    assert.match(message, /recovery\.log reads back with another content/);
  }));

test("what cannot be written to its end is taken away again", () =>
  inFolder(async (folder) => {
    const twice = [...files, { name: "result.json", text: "again" }];
    let isRefused = false;
    await writeReport(folder, () => "report", twice).catch(() => (isRefused = true));
    assert.is(isRefused, true);
    assert.equal(readdirSync(folder), []);
  }));

test("an existing directory is neither written into nor removed", () =>
  inFolder(async (folder) => {
    mkdirSync(join(folder, "report"));
    writeFileSync(join(folder, "report/theirs"), "");
    let isRefused = false;
    await writeReport(folder, () => "report", files).catch(() => (isRefused = true));
    assert.is(isRefused, true);
    assert.equal(readdirSync(join(folder, "report")), ["theirs"]);
  }));

test("a flood keeps its beginning and its end", () => {
  const text = `begin ${"x".repeat(100_000)} ü end`;
  const short = shorten(text, 10_000);
  assert.ok(Buffer.from(short).length <= 10_000);
  assert.match(short, /^begin /);
  assert.match(short, /\[… \d+ bytes are left out here …\]/);
  assert.match(short, / ü end$/);
  assert.is(shorten("short", 10_000), "short");
});

test("a report holds what is known, and no empty file", () => {
  const texts = {
    log: "a\n",
    kernelLog: "",
    cmdline: "quiet\n",
    result: 'ZSHIELD-RESULT {"a":1}\n',
  };
  const made = reportFiles(machine(), undefined, texts);
  assert.equal(
    made.map(({ name }) => name),
    ["result.json", "recovery.log", "machine.json", "cmdline.txt"],
  );
  assert.equal(JSON.parse(made[0]?.text ?? ""), { a: 1 });
});

test.run();
