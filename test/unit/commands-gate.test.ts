/*
 * The rescue password: who knows it passes, who does not waits ever longer and gets nowhere.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeGate, waitSeconds } from "../../src/commands/gate.ts";
import { english, type Words } from "../../src/words.ts";
import { ARGON2 } from "../../src/model/password.ts";

/** A doorway whose person types these answers, and what they see and wait. */
function person(answers: readonly string[]) {
  const seen: string[] = [];
  const waits: number[] = [];
  const rest = [...answers];
  const doorway = {
    async askSecret(question: Words) {
      seen.push(english(question));
      const answer = rest.shift();
      if (answer === undefined) throw new Error("nobody types any more");
      return answer;
    },
    say: (words: Words) => void seen.push(english(words)),
  };
  const keeper = {
    verify: async (password: string) => password === "right",
    wait: async (milliseconds: number) => void waits.push(milliseconds),
  };
  return { seen, waits, rest, doorway, keeper };
}

test("no password: nobody is asked", async () => {
  const { seen, doorway, keeper } = person([]);
  await makeGate("", doorway, keeper)();
  assert.equal(seen, []);
});

test("the right password passes, and is not asked for again", async () => {
  const { seen, waits, doorway, keeper } = person(["right"]);
  const gate = makeGate("hash", doorway, keeper);
  await gate();
  await gate();
  assert.equal(seen, ["Type the rescue password and press Enter:"]);
  assert.equal(waits, []);
});

test("a wrong password is told, and the wait doubles", async () => {
  const { seen, waits, doorway, keeper } = person(["a", "b", "c", "right"]);
  await makeGate("hash", doorway, keeper)();
  assert.equal(waits, [1000, 2000, 4000]);
  assert.is(seen[1], "That is not the rescue password. The next try is in 1 s.");
});

test("a thousand wrong passwords lead nowhere", async () => {
  const { waits, doorway, keeper } = person(Array.from({ length: 1000 }, (_, at) => `no ${at}`));
  let isPassed = false;
  const passing = makeGate("hash", doorway, keeper)().then(() => (isPassed = true));
  await passing.catch((error: Error) => assert.match(error.message, /nobody types/));
  assert.is(isPassed, false);
  assert.is(waits.length, 1000);
  assert.is(Math.max(...waits), 60_000);
});

test("Enter alone is no try and costs no wait", async () => {
  const { waits, doorway, keeper } = person(["", "", "", "right"]);
  await makeGate("hash", doorway, keeper)();
  assert.equal(waits, []);
});

test("a check that fails keeps the gate shut, and says why", async () => {
  const { seen, waits, doorway } = person(["right", "right"]);
  let isFirst = true;
  const keeper = {
    async verify() {
      if (!isFirst) return true;
      isFirst = false;
      throw new Error("out of memory");
    },
    wait: async (milliseconds: number) => void waits.push(milliseconds),
  };
  await makeGate("hash", doorway, keeper)();
  assert.match(seen[1] ?? "", /could not be checked: out of memory\. The next try is in 1 s/);
});

test("with the real check", async () => {
  const hash = await Bun.password.hash("correct horse", { algorithm: "argon2id", ...ARGON2 });
  const { seen, rest, doorway } = person(["correct hors", "correct horse"]);
  await makeGate(hash, doorway, { verify: Bun.password.verify, wait: async () => undefined })();
  assert.equal(rest, []);
  assert.is(seen.length, 3);
});

test("the waits", () => {
  assert.equal([1, 2, 3, 6, 7, 8, 2000].map(waitSeconds), [1, 2, 4, 32, 60, 60, 60]);
});

test.run();
