/*
 * The log of a recovery: it can be read before anything was written, and a flood does not fill the memory.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openLog } from "../../src/host/log.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-log-"));

test("empty at first, then a line with its time for each", () => {
  const log = openLog(join(folder, "below", "log"));
  assert.is(log.text(), "");
  log.line("one");
  log.line("two");
  assert.match(log.text(), /^ +\d+\.\d\d one\n +\d+\.\d\d two\n$/);
});

test("what comes after 4 MiB is left out", () => {
  const path = join(folder, "flood");
  const log = openLog(path);
  for (let line = 0; line < 200; line++) log.line("x".repeat(30_000));
  assert.ok(statSync(path).size <= 4 * 1024 * 1024);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
