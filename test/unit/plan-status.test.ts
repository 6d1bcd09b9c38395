/*
 * What `zshield status` tells, and why it does not count a disk that looks like ours.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { GIB } from "../../src/model/size.ts";
import { statusOf } from "../../src/plan/status.ts";
import { disk, installed, machine, record } from "./example.ts";

const found = installed(5 * GIB);

test("an installation with its backup: no trouble", () => {
  const status = statusOf(machine([found.disk], [found.group]));
  assert.is(status.version, "0.0.9");
  assert.equal(status.trouble, []);
});

test("a backup that overflowed, and one that is missing", () => {
  const volumes = found.group.volumes.map((volume) => ({
    ...volume,
    invalid: volume.name === "snap0",
  }));
  const overflowed = statusOf(machine([found.disk], [{ ...found.group, volumes }]));
  assert.match(overflowed.trouble.join(), /it overflowed/);
  const without = found.group.volumes.filter(({ name }) => name !== "snap0");
  const missing = statusOf(machine([found.disk], [{ ...found.group, volumes: without }]));
  assert.match(missing.trouble.join(), /there is no backup/);
});

for (const [title, of, wanted] of [
  ["no disk of ours", machine([disk()]), /^no installation of zshield was found$/],
  ["its group is gone", machine([found.disk]), /its volume group was not found/],
  [
    "its group is partial",
    machine([found.disk], [{ ...found.group, partial: true }]),
    /is not whole or not ours/,
  ],
  [
    "the state of another disk",
    machine([{ ...found.disk, serial: "OTHER" }], [found.group]),
    /written for another disk: its serial number is "OTHER", not "ZS-0001"/,
  ],
  [
    "LVM did not answer",
    { ...machine([found.disk]), groupsTrouble: "LVM could not be asked" },
    /LVM could not be asked/,
  ],
  [
    "damaged state",
    machine([disk({ stateTrouble: "copy a does not match its digest" })]),
    /its state: copy a does not match/,
  ],
] as const) {
  test(`no installation, with the reason: ${title}`, () => {
    assert.match(statusOf(of).trouble.join("; "), wanted);
  });
}

test("an interrupted recovery is trouble", () => {
  const interrupted = record({ phase: "recovering" });
  assert.ok(statusOf(machine([disk({ state: interrupted })])).trouble.length > 0);
});

test.run();
