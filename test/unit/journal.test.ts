/*
 * Resuming: where a recovery goes on, when it stops trying, and which journal still counts.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import {
  afterFailure,
  freshJournal,
  afterStep,
  MOST_ATTEMPTS,
  MOST_STARTS,
  startedAgain,
  whyNotAgain,
  whyStuck,
  type Journal,
} from "../../src/model/journal.ts";
import { parseState, printState, printStateSum } from "../../src/model/state.ts";
import { decide } from "../../src/plan/decide.ts";
import { planFactory } from "../../src/plan/factory.ts";
import { EN } from "../../src/ui/texts-en.ts";
import { config, description, disk, ids, machine, record, wish } from "./example.ts";

const plan = planFactory(machine(), config, wish, ids);
const stepOf = (kind: string) => plan.steps.findIndex((step) => step.kind === kind);
const journalAt = (kind: string, begun = 1): Journal => ({
  ...freshJournal(plan),
  next: stepOf(kind),
  begun,
  done: plan.steps
    .slice(0, stepOf(kind))
    .map(({ kind: name }) => ({ kind: name, seconds: 1, bytes: 0 })),
});

function interrupted(journal: Journal, path = "/dev/vda") {
  const document = { ...record().document, version: "", journal };
  return disk({
    path,
    blank: "a partition table",
    state: record({ phase: "recovering", document }),
  });
}

const decided = (journal: Journal, anew = false, path = "/dev/vda") =>
  decide(machine([interrupted(journal, path)]), config, wish, ids, { operation: "default", anew });

test("an interrupted recovery goes on with the plan in its journal, and asks nobody", () => {
  const { journal } = decided(journalAt("copy-tree"));
  assert.is(journal?.next, stepOf("copy-tree"));
});

test("the disk may have another name in the next boot; mounts and protection follow it", () => {
  const { plan: resumed, disk: found } = decided(journalAt("copy-tree"), false, "/dev/vdz");
  assert.is(found.path, "/dev/vdz");
  const [first] = resumed.steps;
  assert.equal(first?.kind === "protect-disks" ? first.devices : [], ["/dev/sda"]);
});

test("a person can start anew", () => {
  assert.is(decided(journalAt("copy-tree"), true).journal, undefined);
});

test("with a card of another golden the old journal does not count", () => {
  const of = machine([interrupted(journalAt("copy-tree"))]);
  const golden = { ...description.golden, treeBytes: 1 };
  const other = {
    ...of,
    ...(of.card ? { card: { ...of.card, description: { ...description, golden } } } : {}),
  };
  const { journal } = decide(other, config, wish, ids, { operation: "default", anew: false });
  assert.is(journal, undefined);
});

test("two equal disks, one of them interrupted: that one is gone on with", () => {
  const of = machine([
    interrupted(journalAt("copy-tree")),
    disk({ path: "/dev/vdb", serial: "ZS-0002" }),
  ]);
  assert.is(
    decide(of, config, wish, ids, { operation: "default", anew: false }).disk.path,
    "/dev/vda",
  );
});

test("three attempts at one step, and it stops with the reason", () => {
  assert.is(whyStuck(journalAt("copy-tree", MOST_ATTEMPTS - 1)), undefined);
  assert.match(
    whyStuck(journalAt("copy-tree", MOST_ATTEMPTS))?.english ?? "",
    /no further in 3 attempts.*copy golden/,
  );
  const failed = {
    ...journalAt("copy-tree", MOST_ATTEMPTS),
    lastError: "copy-tree: rsync ended with exit code 11",
  };
  assert.match(whyStuck(failed)?.english ?? "", /exit code 11/);
});

test("a root that does not read back is made again from its file system on", () => {
  const after = afterFailure(
    journalAt("verify-tree"),
    stepOf("verify-tree"),
    "verify-tree: /bin/sh is missing",
  );
  const step = plan.steps[after.next];
  assert.is(step?.kind === "make-filesystem" ? step.device : "", "/dev/vgroup/lv-root");
  assert.is(after.done.length, after.next);
  assert.is(after.setbacks, 1);
});

test("a disk that never reads back right stops it too", () => {
  let journal = journalAt("verify-tree");
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    assert.is(whyStuck(journal), undefined);
    journal = { ...afterFailure(journal, stepOf("verify-tree"), "x"), next: stepOf("verify-tree") };
  }
  assert.ok(whyStuck(journal));
});

test("other failures are tried again where they happened", () => {
  const after = afterFailure(journalAt("copy-tree"), stepOf("copy-tree"), "copy-tree: disk full");
  assert.is(after.next, stepOf("copy-tree"));
  assert.is(after.lastError, "copy-tree: disk full");
});

test("the whole plan fits into the state record and comes back", () => {
  const document = { ...record().document, journal: journalAt("finish") };
  const full = record({ phase: "recovering", document });
  const block = printState(full);
  assert.equal(parseState("a", block, printStateSum("a", block)), full);
});

test("a journal of a version that told what is lost in one text still counts", () => {
  const lost = { kind: "content", what: "a dos partition table", sizeBytes: 1 };
  const document = { ...record().document, journal: journalAt("copy-tree") };
  const old = JSON.stringify(document).replace('"loses":[]', `"loses":[${JSON.stringify(lost)}]`);
  assert.match(old, /"what":"a dos/);
  const block = printState(
    record({ phase: "recovering", document: JSON.parse(old) as typeof document }),
  );
  const read = parseState("a", block, printStateSum("a", block));
  if (typeof read === "string") return assert.unreachable(read);
  const [loss] = read.document.journal?.plan.loses ?? [];
  assert.is(loss && EN.loss(loss).includes("a dos partition table"), true);
});

test("latest: says in words that this version cannot", () => {
  try {
    decide(machine(), config, wish, ids, { operation: "latest", anew: false });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, Refusal);
  }
});

test("what ends the machine on the way to the step is counted too, and a step that is done begins anew", () => {
  let journal = journalAt("copy-tree");
  for (let start = 1; start <= MOST_STARTS; start++) {
    journal = startedAgain(journal);
    assert.is(whyNotAgain(journal), undefined, `start ${start}`);
  }
  const stuck = whyNotAgain(startedAgain(journal));
  assert.match(stuck?.english ?? "", /no further in 8 attempts in a row, at "the way to the step/);
  const further = afterStep(journal, journal.next, journal.done);
  assert.is(further.starts, undefined);
  assert.is(further.next, journal.next + 1);
  assert.is(whyNotAgain(startedAgain(further)), undefined);
});
test.run();
