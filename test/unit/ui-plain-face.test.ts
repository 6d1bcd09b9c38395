/*
 * The plain face: an empty line is no answer, a long text does not hold everything else up; and a stick that hangs
 * does not keep a recovery from its end.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { atMost } from "../../src/commands/save-report.ts";
import type { Consoles } from "../../src/ui/consoles.ts";
import type { Planned } from "../../src/ui/face.ts";
import { plainFace } from "../../src/ui/plain-face.ts";
import { answerFor } from "../../src/ui/plain.ts";
import { disk } from "./example.ts";

function face(answers: string[] = []) {
  const lines: string[] = [];
  const ask = async () => answers.shift() ?? "nobody answers any more";
  const consoles: Consoles = {
    line: (text) => void lines.push(text),
    taken: async () => undefined,
    drain: async () => undefined,
    ask,
    askSecret: ask,
  };
  return { face: plainFace(consoles), lines, answers };
}

const planned = { disk: disk() } as unknown as Planned;

test("an empty line is no answer; another one that is wrong is", async () => {
  const right = face(["", "", answerFor(planned.disk)]);
  assert.is(await right.face.agree(planned), true);
  assert.equal(right.answers, []);
  assert.is(await face(["", "yes", answerFor(planned.disk)]).face.agree(planned), false);
});

test("of a long log the end is shown, and others have a turn meanwhile", async () => {
  const { face: plain, lines } = face();
  let turns = 0;
  const timer = setInterval(() => void (turns += 1), 0);
  await plain.read("log", () => Array.from({ length: 1000 }, (_, index) => `line ${index}`));
  clearInterval(timer);
  assert.match(lines[0] ?? "", /700 earlier lines are left out/);
  assert.is(lines.length, 301);
  assert.is(lines.at(-1), "line 999");
  assert.ok(turns > 0, "nobody else had a turn");
});

test("work that never ends is left to itself, and told; what ends in time is not", async () => {
  const told: string[] = [];
  await atMost(20, new Promise<never>(() => undefined), () => void told.push("late"));
  assert.equal(told, ["late"]);
  await atMost(20, Promise.resolve(), () => void told.push("late"));
  await Bun.sleep(40);
  assert.equal(told, ["late"]);
});

test.run();
