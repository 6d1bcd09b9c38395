/*
 * The lab's hard disk in simulated time: jumps cost, straight on does not, the cache, flushes, the order.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeDiskClock } from "../lab/disk-mechanics.ts";
import type { RequestKind } from "../lab/nbd.ts";

/** A jump is 10 ms, 100 bytes take 1 ms, the cache holds 1000 bytes. */
const MECHANICS = { jumpMs: 10, bytesPerMs: 100, cacheBytes: 1000 };

function makeRecorder() {
  const clock = makeDiskClock(MECHANICS);
  const done: string[] = [];
  const submit = (
    name: string,
    kind: RequestKind,
    offset: number,
    length: number,
    nowMs: number,
  ): void => clock.submit(kind, offset, length, nowMs, () => void done.push(name));
  return { clock, submit, done };
}

test("a read elsewhere jumps, one that goes straight on only transfers", () => {
  const { clock, submit, done } = makeRecorder();
  submit("far", "read", 50_000, 200, 0);
  assert.is(clock.advance(11.9), 12);
  assert.equal(done, []);
  assert.is(clock.advance(12), undefined);
  assert.equal(done, ["far"]);
  submit("next", "read", 50_200, 100, 20);
  assert.is(clock.advance(20), 21);
});

test("a small gap ahead is passed over, a small gap behind is a jump", () => {
  const ahead = makeRecorder();
  ahead.submit("ahead", "read", 300, 100, 0);
  assert.is(ahead.clock.advance(0), 4);
  ahead.clock.advance(4);
  ahead.submit("behind", "read", 300, 100, 4);
  assert.is(ahead.clock.advance(4), 15);
});

test("of several requests the cheapest is next, and the time runs on without gaps", () => {
  const { clock, submit, done } = makeRecorder();
  submit("first", "read", 0, 100, 0);
  submit("far", "read", 9_000, 100, 0);
  submit("near", "read", 100, 100, 0);
  assert.is(clock.advance(1), 2);
  assert.is(clock.advance(2), 13);
  assert.equal(done, ["first", "near"]);
});

test("the cache takes a write at once; a flush waits until it is on the medium", () => {
  const { clock, submit, done } = makeRecorder();
  submit("write", "write", 5_000, 100, 0);
  submit("flush", "flush", 0, 0, 1);
  assert.equal(done, ["write"]);
  assert.is(clock.advance(10.9), 11);
  assert.equal(done, ["write"]);
  clock.advance(11);
  assert.equal(done, ["write", "flush"]);
  submit("nothing", "flush", 0, 0, 12);
  assert.equal(done.at(-1), "nothing");
});

test("a flush does not wait for what came after it", () => {
  const { clock, submit, done } = makeRecorder();
  submit("early", "write", 0, 100, 0);
  submit("flush", "flush", 0, 0, 0);
  submit("late", "write", 5_000, 100, 0);
  clock.advance(1);
  assert.equal(done, ["early", "late", "flush"]);
  assert.is(clock.advance(1), 12);
});

test("a full cache makes writes wait for room", () => {
  const { clock, submit, done } = makeRecorder();
  submit("a", "write", 0, 600, 0);
  submit("b", "write", 600, 600, 0);
  assert.equal(done, ["a"]);
  clock.advance(6);
  assert.equal(done, ["a", "b"]);
});

test("a read goes before writes that nobody waits for", () => {
  const { clock, submit, done } = makeRecorder();
  submit("busy", "read", 0, 100, 0);
  submit("write", "write", 100, 100, 0);
  submit("read", "read", 5_000, 100, 0);
  assert.is(clock.advance(1), 12);
  assert.equal(done, ["write", "busy"]);
  clock.advance(12);
  assert.equal(done, ["write", "busy", "read"]);
});

test.run();
