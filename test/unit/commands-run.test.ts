/*
 * The frame of a run: what is left for later, what counts as a failure, and signals.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { failureOf, ignoreSignals } from "../../src/commands/change.ts";
import { withRun } from "../../src/commands/run.ts";
import { CommandError, Failure, Refusal } from "../../src/errors.ts";

test("what is left for later is done once, in its order, also after a failure", async () => {
  const done: string[] = [];
  const note = (word: string) => async () => void done.push(word);
  const error = await withRun({}, async (run) => {
    run.later(note("after"));
    run.later(note("alarm"));
    done.push("work");
    await run.finish();
    run.later(note("late"));
    throw new Refusal("no");
  }).catch((reason: unknown) => reason);
  assert.instance(error, Refusal);
  assert.equal(done, ["work", "after", "alarm", "late"]);
});

test("one that fails keeps nothing of the rest from being done", async () => {
  const done: string[] = [];
  await withRun({}, async (run) => {
    run.later(() => Promise.reject(new Error("a hook that failed")));
    run.later(async () => void done.push("next"));
  });
  assert.equal(done, ["next"]);
});

test("a command that fails is a failure with the state of things; a fault of our own stays one", () => {
  const command = new CommandError(["lvm"], { kind: "exit", code: 5 }, "");
  const failure = failureOf(command, "the volume group is whole");
  assert.instance(failure, Failure);
  assert.match(String(failure), /the volume group is whole: lvm ended with exit code 5/);
  assert.is(failure instanceof Failure && failure.cause, command);
  for (const error of [new Refusal("x"), new Failure("x", ""), new TypeError("x")]) {
    assert.is(failureOf(error, "state"), error);
  }
});

test("signals are heeded again when the outermost has ended", () => {
  const count = () => process.listenerCount("SIGTERM");
  const before = count();
  const said: string[] = [];
  const outer = ignoreSignals((line) => void said.push(line));
  const inner = ignoreSignals((line) => void said.push(line));
  assert.is(count(), before + 1);
  process.emit("SIGTERM", "SIGTERM");
  assert.is(said.length, 1);
  inner();
  assert.is(count(), before + 1);
  outer();
  assert.is(count(), before);
});

test.run();
