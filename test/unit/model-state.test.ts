/*
 * The state record: what GRUB and the agent remember. Round trips, damage, and which copy counts.
 */
import { createHash } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { freshJournal } from "../../src/model/journal.ts";
import { successOf } from "../../src/model/result.ts";
import {
  chooseState,
  parseState,
  printState,
  printStateSum,
  STATE_BYTES,
  type StateRecord,
} from "../../src/model/state.ts";
import { planFactory } from "../../src/plan/factory.ts";
import { config, disk, ids, machine, record, wish } from "./example.ts";

const reread = (wanted: StateRecord) => {
  const block = printState(wanted);
  return parseState("a", block, printStateSum("a", block));
};
const withDocument = (changes: Partial<StateRecord["document"]>) =>
  record({ document: { ...record().document, ...changes } });

test("round trip, always of one size", () => {
  assert.equal(reread(record()), record());
  assert.is(printState(record()).length, STATE_BYTES);
});

test("round trip with the journal of a whole recovery", () => {
  const journal = freshJournal(planFactory(machine(), config, wish, ids));
  const full = withDocument({ journal });
  assert.equal(reread(full), full);
  assert.ok(JSON.stringify(full).length < STATE_BYTES / 4, "there is room to grow");
});

test("how and when the last recovery ended comes back, and an older record lacks the time", () => {
  const lastResult = successOf(planFactory(machine(), config, wish, ids), disk(), {
    ...{ steps: [], peakMemoryBytes: 0 },
  });
  const ended = withDocument({ lastResult, lastResultSeconds: ids.nowSeconds });
  assert.equal(reread(ended), ended);
  assert.equal(reread(withDocument({ lastResult })), withDocument({ lastResult }));
});

test("backslashes, quotes, line ends and escape sequences in texts come back", () => {
  for (const version of [
    "a\\b",
    "a\\\\",
    'quo"te',
    "two\nlines",
    "\x1b[2J",
    "zs_phase=x\nzs_root=y",
    "容量",
    "#",
  ]) {
    const odd = withDocument({ version });
    assert.equal(reread(odd), odd, version);
  }
});

test("it is an environment block that GRUB reads: signature, name=value, filled up with #", () => {
  const text = new TextDecoder().decode(printState(record()));
  assert.ok(text.startsWith("# GRUB Environment Block\nzs_sequence=7\nzs_phase=installed\n"));
  assert.match(text, /\nzs_root=lvmid\/AAAAAA-[^\n]*\nzs_grub=grub-0123456789abcdef\n/);
  assert.match(text, /\n#+$/);
});

test("the digest is a line of sha256sum, 72 bytes", () => {
  const block = printState(record());
  const sum = printStateSum("b", block);
  assert.is(sum, `${createHash("sha256").update(block).digest("hex")}  b.env\n`);
  assert.is(sum.length, 72);
});

test("damage anywhere in the block, in its padding too, is noticed", () => {
  const block = printState(record());
  const sum = printStateSum("a", block);
  for (const at of [0, 30, 100, 500, 5000, STATE_BYTES - 1]) {
    const damaged = Uint8Array.from(block);
    damaged[at] = (damaged[at] ?? 0) ^ 0x20;
    assert.is(parseState("a", damaged, sum), "copy a does not match its digest");
  }
  assert.is(
    parseState("b", block, sum),
    "copy b does not match its digest",
    "the other copy's digest",
  );
});

test("a good digest over a bad record: the reason, and no record", () => {
  const bad = (text: string) => {
    const block = new TextEncoder().encode(text);
    return String(parseState("a", block, printStateSum("a", block)));
  };
  assert.match(bad("something else"), "is no environment block");
  const text = new TextDecoder().decode(printState(record()));
  assert.match(
    bad(text.replace("zs_sequence=7", "zs_sequence=-7")),
    "the sequence is not a number",
  );
  assert.match(
    bad(text.replace("zs_phase=installed", "zs_phase=other")),
    /copy a: .*zs_phase|copy a: .*other/s,
  );
  assert.match(bad(text.replace("zs_document={", "zs_document=")), "its document is not JSON");
  assert.match(bad(text.replace('"schema":1', '"schema":2')), "copy a: ");
});

test("a record that is too large is not cut but refused", () => {
  assert.throws(
    () => printState(withDocument({ version: "x".repeat(STATE_BYTES) })),
    /does not fit/,
  );
});

test("the newest valid copy counts", () => {
  const [newest, old] = [record(), record({ sequence: 6 })];
  assert.is(chooseState(newest, old), newest);
  assert.is(chooseState(old, newest), newest);
  assert.is(chooseState("damaged", old), old);
  assert.is(chooseState(old, "damaged"), old);
  assert.is(chooseState("one", "two"), "one; two");
});

test.run();
