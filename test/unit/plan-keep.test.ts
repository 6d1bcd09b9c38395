/*
 * When the backup that is there is kept, holds and their end, and what a restore asks the next start for.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import type { Volume } from "../../src/model/machine.ts";
import { GIB } from "../../src/model/size.ts";
import { neededInstallation } from "../../src/plan/installation.ts";
import {
  heldBackup,
  planHold,
  planRelease,
  recentBackup,
  validBackup,
  whyKeep,
} from "../../src/plan/keep.ts";
import { planCancel, planRestore } from "../../src/plan/restore.ts";
import { config, installed, machine, record } from "./example.ts";

function at(changes: Partial<Volume> | undefined, phase: "installed" | "requested" | "changing") {
  const { disk, group } = installed(5 * GIB);
  const volumes = group.volumes.flatMap((volume) =>
    volume.name !== "snap0" ? [volume] : changes ? [{ ...volume, ...changes }] : [],
  );
  const state = record({ phase, operation: "latest" });
  return neededInstallation(machine([{ ...disk, state }], [{ ...group, volumes }]));
}

const here = (changes: Partial<Volume> | undefined = {}) => at(changes, "installed");
const held = here({ tags: ["zshield", "zshield.hold=upgrade:apt"] });
const well = { reachedTarget: true, halfInstalled: "" };

for (const [title, installation, health, wanted] of [
  ["all is well", here(), well, undefined],
  ["on hold", held, well, /on hold \(upgrade:apt\)/],
  ["the boot did not reach its target", here(), { ...well, reachedTarget: false }, /its target/],
  ["packages are not whole", here(), { ...well, halfInstalled: "x" }, /dpkg reports/],
  [
    "a bad state, but no valid backup to lose",
    here({ invalid: true }),
    { reachedTarget: false, halfInstalled: "x" },
    undefined,
  ],
  ["no backup at all", at(undefined, "installed"), { ...well, reachedTarget: false }, undefined],
  [
    "a hold on what overflowed holds nothing",
    here({ invalid: true, tags: ["zshield.hold=x"] }),
    well,
    undefined,
  ],
] as const) {
  test(`the night, ${title}: ${wanted === undefined ? "takes" : "keeps"}`, () => {
    const why = whyKeep(installation, health);
    if (wanted === undefined) assert.is(why, undefined);
    else assert.match(why ?? "", wanted);
  });
}

const tagsOf = (steps: ReturnType<typeof planHold>) =>
  steps.flatMap((step) => (step.kind === "tag-volume" ? [[step.add, step.remove]] : []));

test("hold puts the reason into a tag, in place of another one", () => {
  assert.equal(tagsOf(planHold(here(), "before the audit")), [
    [["zshield.hold=before_the_audit"], []],
  ]);
  assert.equal(tagsOf(planHold(held, "mine")), [
    [["zshield.hold=mine"], ["zshield.hold=upgrade:apt"]],
  ]);
  assert.equal(planHold(held, "upgrade:apt"), []);
});

test("release ends any hold; the guard only its own", () => {
  assert.equal(tagsOf(planRelease(held)), [[[], ["zshield.hold=upgrade:apt"]]]);
  assert.equal(planRelease(here()), []);
  assert.equal(planRelease(held, "upgrade:dnf"), []);
  assert.is(planRelease(held, "upgrade:apt").length, 1);
});

test("a hold needs a valid backup and a reason", () => {
  assert.throws(() => planHold(here({ invalid: true }), "x"), /not valid/);
  assert.throws(() => planHold(at(undefined, "installed"), "x"), /there is no backup/);
  assert.throws(() => planHold(here(), ""), /needs a reason/);
});

test("the hold of a run that was killed before its backup had its name counts", () => {
  const { disk, group } = installed(5 * GIB);
  const volumes = group.volumes.map((volume) =>
    volume.name === "snap0"
      ? { ...volume, name: "snap0-new", tags: ["zshield", "zshield.hold=upgrade:apt"] }
      : volume,
  );
  const found = neededInstallation(machine([disk], [{ ...group, volumes }]));
  assert.is(heldBackup(found)?.tags.hold, "upgrade:apt");
});

/** A run that was killed before its backup had its name; `old`: the one before is there still. */
function unnamed(tags: readonly string[], old?: readonly string[]) {
  const { disk, group } = installed(5 * GIB);
  const volumes = group.volumes.flatMap((volume) =>
    volume.name !== "snap0"
      ? [volume]
      : [
          { ...volume, name: "snap0-new", uuid: "uuid-new", tags: ["zshield", ...tags] },
          ...(old ? [{ ...volume, tags: ["zshield", ...old] }] : []),
        ],
  );
  return neededInstallation(machine([disk], [{ ...group, volumes }]));
}

const named = (steps: ReturnType<typeof planHold>) =>
  steps.map((step) => (step.kind === "tag-volume" ? step.name : step.kind));

test("a backup that has not its name yet is held and released under the one that it has", () => {
  const at = unnamed([]);
  assert.is(validBackup(at).volume.uuid, "uuid-new");
  assert.equal(named(planHold(at, "mine")), ["snap0-new"]);
  assert.match(whyKeep(at, { ...well, reachedTarget: false }) ?? "", /its target/);
  assert.equal(named(planRelease(unnamed(["zshield.hold=x"]))), ["snap0-new"]);
});

test("whatever counts as held can be released", () => {
  const at = unnamed([], ["zshield.hold=x"]);
  assert.is(heldBackup(at)?.volume.name, "snap0");
  assert.equal(named(planHold(at, "mine")), ["snap0-new"]);
  assert.equal(named(planRelease(at)), ["snap0"]);
  const both = unnamed(["zshield.hold=x"], ["zshield.hold=upgrade:apt"]);
  assert.equal(named(planRelease(both)), ["snap0-new", "snap0"]);
  assert.equal(named(planRelease(both, "upgrade:apt")), ["snap0"]);
});

test("the next package of one upgrade needs no backup of its own", () => {
  const tags = ["zshield", "zshield.time=1000", "zshield.reason=apt", "zshield.boot=b"];
  const asked = { reason: "apt", boot: "b", nowSeconds: 1000 + 3599 };
  assert.is(recentBackup(here({ tags }), asked)?.volume.name, "snap0");
  for (const [why, at, other] of [
    ["an hour old", here({ tags }), { nowSeconds: 1000 + 3600 }],
    ["from the future", here({ tags }), { nowSeconds: 999 }],
    ["another boot", here({ tags }), { boot: "c" }],
    ["another reason", here({ tags }), { reason: "dnf" }],
    ["overflowed", here({ tags, invalid: true }), {}],
  ] as const) {
    assert.is(recentBackup(at, { ...asked, ...other }), undefined, why);
  }
});

test("restore: a word for the next start, what is lost since when, what is kept", () => {
  const tags = ["zshield", "zshield.time=1790000000", "zshield.reason=nightly"];
  const { record: asked, loses, keeps } = planRestore(here({ tags }), config);
  assert.is(asked.phase, "requested");
  assert.is(asked.operation, "latest");
  assert.is(asked.sequence, record().sequence + 1);
  assert.match(loses.join(), /since 2026-09-21 14:13 UTC \(nightly\)/);
  assert.match(keeps.join(), /\/user.*\/audit/);
  const cancelled = planCancel({ ...here(), record: asked });
  assert.is(cancelled.phase, "installed");
  assert.is(cancelled.sequence, asked.sequence + 1);
});

for (const [title, act, words] of [
  ["no valid backup", () => planRestore(here({ invalid: true }), config), /not valid/],
  ["asked for already", () => planRestore(at({}, "requested"), config), /already/],
  ["a backup run was killed", () => planRestore(at({}, "changing"), config), /changed volumes/],
  ["nothing to take back", () => planCancel(here()), /nothing was asked for/],
] as [string, () => unknown, RegExp][]) {
  test(`restore is refused: ${title}`, () => {
    try {
      act();
    } catch (error) {
      assert.instance(error, Refusal);
      assert.match(error instanceof Error ? error.message : "", words);
      return;
    }
    assert.unreachable();
  });
}

test.run();
