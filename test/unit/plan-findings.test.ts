/*
 * What is wrong, and which of it is told when: each threshold once for a backup.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isAbout, NO_MEMORY, parseAlarmMemory, type AlarmMemory } from "../../src/model/alarm.ts";
import type { Volume } from "../../src/model/machine.ts";
import { GIB, KIB } from "../../src/model/size.ts";
import type { RunningFacts } from "../../src/model/status.ts";
import {
  findingsOf,
  planAlarms,
  planBlindAlarm,
  printAge,
  withEvent,
  withoutEvents,
} from "../../src/plan/findings.ts";
import { coveringBytes } from "../../src/plan/layout.ts";
import { facts, installed, machine, record, TAKEN_SECONDS } from "./example.ts";

const TAGS = ["zshield", `zshield.time=${TAKEN_SECONDS}`];

function names(changes: Partial<Volume> | undefined, more: Partial<RunningFacts> = {}): string[] {
  const { disk, group } = installed(5 * GIB);
  const volumes = group.volumes.flatMap((volume) =>
    volume.name !== "snap0" ? [volume] : changes ? [{ ...volume, tags: TAGS, ...changes }] : [],
  );
  const found = findingsOf(machine([disk], [{ ...group, volumes }]), { ...facts, ...more });
  return found.map(({ name }) => name);
}

const covering = coveringBytes(4 * GIB, 64 * KIB);
const watched = { chunkBytes: 64 * KIB, monitor: "monitored" };

for (const [title, found, wanted] of [
  ["all is well", names({}, { snapshot: watched }), []],
  ["missing", names(undefined), ["no-backup"]],
  ["whole, but without its name yet", names({ name: "snap0-new" }, { snapshot: watched }), []],
  ["never finished", names({ name: "snap0-new", tags: [] }), ["no-backup"]],
  [
    "an upgrade that ended before this start, without its end",
    names({ tags: [...TAGS, "zshield.hold=upgrade:apt", "zshield.boot=other"] }),
    ["open-upgrade"],
  ],
  [
    "an upgrade of this boot may still go on",
    names({ tags: [...TAGS, "zshield.hold=upgrade:apt", "zshield.boot=b00t"] }),
    [],
  ],
  ["a person's hold", names({ tags: [...TAGS, "zshield.hold=x", "zshield.boot=other"] }), []],
  ["overflowed", names({ invalid: true }), ["invalid-backup"]],
  ["just young enough", names({}, { nowSeconds: TAKEN_SECONDS + 36 * 3600 }), []],
  ["too old", names({}, { nowSeconds: TAKEN_SECONDS + 36 * 3600 + 1 }), ["old-backup"]],
  ["49.99 %", names({ dataPercent: 49.99 }, { snapshot: watched }), []],
  ["50 %", names({ dataPercent: 50 }, { snapshot: watched }), ["fill-50"]],
  ["85 %", names({ dataPercent: 85 }, { snapshot: watched }), ["fill-50", "fill-70", "fill-80"]],
  [
    "one that covers root does not overflow, however full",
    names({ dataPercent: 99, sizeBytes: covering }, { snapshot: { ...watched, monitor: "" } }),
    [],
  ],
  [
    "not watched",
    names({}, { snapshot: { ...watched, monitor: "not monitored" } }),
    ["unwatched-backup"],
  ],
  [
    "a failing disk",
    names({}, { disks: [{ path: "/dev/vda", verdict: "failing" }] }),
    ["failing-disk"],
  ],
  ["a disk that tells nothing", names({}, { disks: [{ path: "x", verdict: "not told" }] }), []],
] as [string, string[], string[]][]) {
  test(`findings: ${title}`, () => assert.equal(found, wanted));
}

test("findings: a run that was killed while it changed volumes", () => {
  const { disk, group } = installed(5 * GIB);
  const state = record({ phase: "changing" });
  const found = findingsOf(machine([{ ...disk, state }], [group]), facts);
  assert.ok(found.some(({ name }) => name === "changing"));
});

const fill = (...levels: number[]) =>
  levels.map((level) => ({ name: `fill-${level}`, text: `${level} %` }));
const about = { backup: "uuid-1", nowSeconds: 100 };
const told = (memory: AlarmMemory, ...findings: { name: string; text: string }[]) => {
  const { alarms, memory: next } = planAlarms(findings, memory, about);
  return { names: alarms.map(({ name }) => name), next };
};

test("each threshold is told once, the highest of several, and not again after the backup grew", () => {
  const first = told(NO_MEMORY, ...fill(50));
  assert.equal(first.names, ["fill-50"]);
  assert.equal(told(first.next, ...fill(50)).names, []);
  const second = told(first.next, ...fill(50, 70, 80));
  assert.equal(second.names, ["fill-80"]);
  const grown = told(second.next);
  assert.equal(told(grown.next, ...fill(50, 70)).names, []);
  assert.equal(told(grown.next, ...fill(50, 70, 80, 90)).names, ["fill-90"]);
});

test("a new backup begins anew", () => {
  const { next } = told(NO_MEMORY, ...fill(50, 70));
  const { alarms } = planAlarms(fill(50), next, { ...about, backup: "uuid-2" });
  assert.equal(
    alarms.map(({ name }) => name),
    ["fill-50"],
  );
});

test("what has gone and comes back is told again; the text may change meanwhile", () => {
  const old = { name: "old-backup", text: "37 h" };
  const { next } = told(NO_MEMORY, old);
  assert.equal(told(next, { ...old, text: "38 h" }).names, []);
  assert.equal(told(told(next).next, old).names, ["old-backup"]);
});

test("what a run told stays until the next backup, or until a hold ends", () => {
  const event = { name: "kept-backup", text: "kept", timeSeconds: 5 };
  const memory = withEvent(told(NO_MEMORY, ...fill(50)).next, event, "uuid-1");
  const { next } = told(memory);
  assert.equal(
    next.alarms.map(({ name }) => name),
    ["fill-50", "kept-backup"],
  );
  assert.equal(withEvent(next, event, "uuid-1").alarms.length, 2);
  assert.equal(
    withoutEvents(next).alarms.map(({ name }) => name),
    ["fill-50"],
  );
  assert.equal(planAlarms([], next, { ...about, backup: "uuid-2" }).memory.alarms, []);
});

test("an event of which nobody knew the backup counts until there is another one", () => {
  const event = { name: "failed-backup", text: "no lock", timeSeconds: 5 };
  const fresh = withEvent(NO_MEMORY, event, undefined);
  assert.ok(isAbout(fresh, "uuid-1"));
  const { memory } = planAlarms([], fresh, about);
  assert.equal(memory, { backup: "uuid-1", alarms: [event] });
  assert.not.ok(isAbout(memory, "uuid-2"));
  assert.equal(withEvent(memory, { ...event, timeSeconds: 6 }, undefined).backup, "uuid-1");
});

test("looks that fail are told once, lose nothing, and are forgotten after one that does not", () => {
  const event = { name: "kept-backup", text: "kept", timeSeconds: 5 };
  const first = planBlindAlarm("no", withEvent(NO_MEMORY, event, "uuid-1"), 7);
  assert.equal(first.alarms, [{ name: "failed-check", text: "no", timeSeconds: 7 }]);
  const second = planBlindAlarm("still no", first.memory, 8);
  assert.equal(second.alarms, []);
  assert.equal(told(second.memory).next.alarms, [event]);
});

test("a damaged memory is none", () => {
  assert.equal(parseAlarmMemory("{"), NO_MEMORY);
  assert.equal(parseAlarmMemory('{"backup":1}'), NO_MEMORY);
  const memory = withEvent(NO_MEMORY, { name: "kept-backup", text: "", timeSeconds: 1 }, "u");
  assert.equal(parseAlarmMemory(JSON.stringify(memory)), memory);
});

test("ages in words", () => {
  assert.equal([59, 3600, 7200, 86_400 * 3].map(printAge), ["0 min", "60 min", "2 h", "3 d"]);
});

test.run();
