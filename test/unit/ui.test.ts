/*
 * What people read: errors with what happened, what state the machine is in and what to do; questions.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CommandError, Refusal, StepError } from "../../src/errors.ts";
import { quote } from "../../src/host/command.ts";
import { say } from "../../src/model/messages.ts";
import type { Result } from "../../src/model/result.ts";
import {
  answerFor,
  machineLines,
  makeProgressPrinter,
  planLines,
  question,
  resultLines,
} from "../../src/ui/plain.ts";
import { explain } from "../../src/ui/explain.ts";
import { planFactory } from "../../src/plan/factory.ts";
import { config, disk, ids, installed, machine, wish } from "./example.ts";

const at = { index: 3, total: 11, title: "make the volume lv-root" };
const command = new CommandError(
  ["lvm", "lvcreate", "a b"],
  { kind: "exit", code: 5 },
  "no space\n",
);

test("a refusal: nothing was changed, and the hint below it", () => {
  const { outcome, changed, lines } = explain(new Refusal("no disk", "attach one"), quote);
  assert.is(outcome, "refused");
  assert.is(changed, false);
  assert.equal(lines, ["REFUSED, nothing was changed:", "no disk", "attach one"]);
});

test("a failed step: which, the command ready to paste, the end of stderr, the state, how to go on", () => {
  const { outcome, lines } = explain(new StepError({ ...at, changed: true }, command), quote);
  assert.is(outcome, "failed");
  assert.equal(lines, [
    "FAILED at step 4 of 11, make the volume lv-root: lvm ended with exit code 5",
    "command: lvm lvcreate 'a b'",
    "  no space",
    "The disk has been changed and does not hold a complete system of this recovery yet.",
    "start the same recovery again: it goes on where it stopped",
  ]);
});

test("a step that failed before the first write is a refusal", () => {
  const { outcome, changed, lines } = explain(
    new StepError({ ...at, changed: false }, command),
    quote,
  );
  assert.is(outcome, "refused");
  assert.is(changed, false);
  assert.ok(lines.includes("Nothing was changed on any disk."));
});

test("anything else is a bug, with its stack", () => {
  const { lines } = explain(new TypeError("x is undefined"), quote);
  assert.match(lines[0] ?? "", /^BUG in zshield/);
  assert.match(lines.join("\n"), /TypeError/);
});

test("a program's failure that nobody expected is told in its words", () => {
  const { lines } = explain(command, quote);
  assert.match(lines[0] ?? "", /^BUG in zshield/);
  assert.is(lines[1], "command: lvm lvcreate 'a b'");
});

test("the answer is the end of the serial number, or a word where there is none", () => {
  assert.is(answerFor(disk()), "0001");
  assert.is(answerFor(disk({ serial: "" })), "ERASE");
  assert.match(
    question(disk()),
    /^Type the last 4 characters of the disk's serial number \(ZS-0001\)/,
  );
  assert.match(question(disk({ serial: "" })), /^Type the word ERASE/);
});

test("an answer is never more than a keyboard can type, and is what the screen shows", () => {
  assert.is(answerFor(disk({ serial: "AB\x1b[2J" })), "b[2J");
  assert.match(question(disk({ serial: "AB\x1b[2J" })), /\(AB\\x1b\[2J\)/);
  assert.is(answerFor(disk({ serial: "序列号码" })), "ERASE");
  assert.is(answerFor(disk({ serial: "A1 " })), "ERASE");
});

test("the screen says what is lost and what is kept before it is lost", () => {
  const found = installed(5 * 1024 ** 3);
  const lines = planLines(planFactory(machine([found.disk], [found.group]), config, wish, ids));
  assert.equal(lines.slice(1), [
    "WILL BE LOST:",
    "  - the installed system with its settings (the root volume, 4 GiB)",
    "  - the last backup (a time that was not noted, 4 GiB)",
    "will be kept:",
    "  - user data (/user, 4 GiB)",
    "  - audit data (/audit, 2 GiB)",
  ]);
});

test("the machine in a few lines, the lab's card with its warning", () => {
  assert.match(machineLines(machine()).join("\n"), /LAB IMAGE, never ship/);
});

test("progress is told every five seconds, and no rest is guessed from the first moments", () => {
  const lines: string[] = [];
  const print = makeProgressPrinter((line) => lines.push(line));
  const [step] = planFactory(machine(), config, wish, ids).steps;
  if (!step) throw new Error("the plan is empty");
  const event = { index: 0, total: 2, step, totalBytes: 1000, changed: false };
  print({ ...event, kind: "begins", bytes: 0, seconds: 0 });
  print({ ...event, kind: "progress", bytes: 10, seconds: 5 });
  print({ ...event, kind: "progress", bytes: 20, seconds: 6 });
  print({ ...event, kind: "progress", bytes: 500, seconds: 10 });
  print({ ...event, kind: "done", bytes: 1000, seconds: 20 });
  assert.equal(lines.slice(1), [
    "zshield: step 1/2 protect-disks 1 % (10 B of 1000 B, 2 B/s)",
    "zshield: step 1/2 protect-disks 50 % (500 B of 1000 B, 50 B/s, 10 s left)",
    "zshield: step 1/2 protect-disks done in 20.0 s",
  ]);
});

test("the verdict in lines: the words, then the line that scripts read", () => {
  const success: Result = {
    ...{ schema: 1, operation: "latest", outcome: "success", changed: true, version: "1.2" },
    ...{ steps: [], peakMemoryBytes: 0 },
  };
  assert.equal(resultLines(success), [
    "Recover to latest backup: done. The disk holds version 1.2.",
    `ZSHIELD-RESULT ${JSON.stringify(success)}`,
  ]);
  const warnings = [say("no-audit-report", say("volume-full"))];
  assert.is(
    resultLines(success, { warnings })[1],
    "the report is not on the audit volume: the volume is full",
  );
  const explanation = explain(new Refusal("no disk", "attach one"), quote);
  assert.equal(resultLines(success, { explanation }).slice(0, -1), explanation.lines);
});

test.run();
