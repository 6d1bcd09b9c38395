/*
 * Putting the backup back, and repairing: what is planned for what was found, in which order, and every
 * refusal with its words.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { claimFor } from "../../src/model/claim.ts";
import { Fault, Refusal } from "../../src/errors.ts";
import { lostSnapshots } from "../../src/commands/close.ts";
import { closedRecord, execute } from "../../src/execute.ts";
import { quote } from "../../src/host/command.ts";
import { whyNotRoot } from "../../src/host/lvm.ts";
import type { Action } from "../../src/model/action.ts";
import { freshJournal, whyStuck, type Journal } from "../../src/model/journal.ts";
import type { Disk, Machine, Volume, VolumeGroup } from "../../src/model/machine.ts";
import { say } from "../../src/model/messages.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import { successOf } from "../../src/model/result.ts";
import { parseState, printState, printStateSum, type StateRecord } from "../../src/model/state.ts";
import type { Plan, StepKind } from "../../src/model/step.ts";
import { decide, type Decision } from "../../src/plan/decide.ts";
import { findingsOf } from "../../src/plan/findings.ts";
import { neededInstallation } from "../../src/plan/installation.ts";
import { planCancel, planRestore } from "../../src/plan/restore.ts";
import type { Wish } from "../../src/plan/wish.ts";
import { explain } from "../../src/ui/explain.ts";
import { EN } from "../../src/ui/texts-en.ts";
import { config, disk, facts, ids, installed, machine, record, wish } from "./example.ts";

const found = installed(5 * GIB);
const BOOT_FILES = {
  card: "a".repeat(64),
  version: "0.0.9",
  boot: "boot-aaaaaaaaaaaaaaaa",
  grub: "grub-0123456789abcdef",
  rescue: "rescue-0123456789abcdef",
};

/** The installed machine with changes to its disk, its record, its volumes. */
function box(
  changes: {
    disk?: Partial<Disk>;
    state?: Partial<StateRecord>;
    volumes?: (volumes: readonly Volume[]) => readonly Volume[];
    group?: Partial<VolumeGroup> | "unreadable";
    card?: boolean;
  } = {},
): Machine {
  const state = record(changes.state);
  const volumes = changes.volumes?.(found.group.volumes) ?? found.group.volumes;
  const groups =
    changes.group === "unreadable" ? [] : [{ ...found.group, volumes, ...changes.group }];
  const whole = machine([{ ...found.disk, state, ...changes.disk }], groups);
  if (changes.card !== false) return whole;
  const { card: _card, ...without } = whole;
  return { ...without, disks: whole.disks.slice(1), cardTrouble: "there is none" };
}

const snapshot = (name: string, more: Partial<Volume> = {}): Volume => ({
  ...(found.group.volumes.find((volume) => volume.name === "snap0") as Volume),
  name,
  ...more,
});

function latest(on: Machine, changes: Partial<Wish> = {}, anew = false): Decision {
  return decide(on, config, { ...wish, ...changes }, ids, { operation: "latest", anew });
}

const kinds = ({ steps }: Plan): StepKind[] => steps.map(({ kind }) => kind);

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.instance(error, Refusal);
    return `${(error as Refusal).message}\n${(error as Refusal).hint}`;
  }
  throw new Error("it was not refused");
}

test("the backup is looked at before the first write, and taken anew before anything can write to the root", () => {
  const { plan } = latest(box());
  assert.equal(kinds(plan), [
    ...["protect-disks", "open-boot-files", "check-backup", "open-esp", "activate-group"],
    ...["merge-backup", "check-filesystem", "check-root", "install-boot", "take-backup"],
    ...["tidy-esp", "finish"],
  ]);
  assert.is(plan.steps.find(({ destroys }) => destroys !== undefined)?.kind, "merge-backup");
});

test("user and audit volumes occur in no step, and are said to be kept", () => {
  const { plan } = latest(box());
  assert.not.match(JSON.stringify(plan.steps), /lv-user|lv-audit/);
  assert.match(
    plan.keeps.map(EN.keeping).join(),
    /user data \(\/user, 4 GiB\).*audit data \(\/audit, 2 GiB\)/,
  );
  assert.match(plan.loses.map(EN.loss).join(), /changed in the system \(the root volume\) since/);
});

test("a person is asked, unless the running system asked for it or the command line says no", () => {
  assert.is(latest(box()).plan.asks, true);
  assert.is(latest(box(), { confirm: "no" }).plan.asks, false);
  const requested = box({ state: { phase: "requested", operation: "latest" } });
  assert.is(latest(requested).plan.asks, false);
});

test("without the card: GRUB and the rescue system come from the disk's own ESP", () => {
  const { plan } = latest(box({ card: false, disk: { bootFiles: BOOT_FILES } }));
  const step = plan.steps.find(({ kind }) => kind === "install-boot");
  assert.is(step?.kind === "install-boot" && step.source, "disk");
  const other = refusal(() => latest(box({ card: false })));
  assert.match(other, /no whole copy of GRUB's files.*\n.*put the card in/);
});

test("with the card, its GRUB and rescue system go to the disk", () => {
  const { plan } = latest(box({ disk: { bootFiles: BOOT_FILES } }));
  const step = plan.steps.find(({ kind }) => kind === "install-boot");
  assert.is(step?.kind === "install-boot" && step.source, "card");
});

for (const [title, volumes, words] of [
  ["none", (all: readonly Volume[]) => all.filter(({ name }) => name !== "snap0"), /no backup on/],
  [
    "an overflowed one",
    (all: readonly Volume[]) => all.map((one) => ({ ...one, invalid: one.name === "snap0" })),
    /not valid: it overflowed/,
  ],
  [
    "one whose store may not be flushed",
    (all: readonly Volume[]) =>
      all.map((one) => (one.name === "snap0" ? { ...one, tags: [] } : one)),
    /no backup on .*, only one that was never finished/,
  ],
  [
    "a snapshot of another volume",
    (all: readonly Volume[]) =>
      all.map((one) => (one.name === "snap0" ? { ...one, origin: "lv-user" } : one)),
    /no backup on/,
  ],
] as const) {
  test(`no backup to put back, ${title}: one sentence says what to do instead`, () => {
    const said = refusal(() => latest(box({ volumes })));
    assert.match(said, words);
    assert.match(said, /choose "Recover to factory default": user and audit data stay/);
  });
}

test("two backups, because one was replacing the other: the newer one, the older one goes", () => {
  const { plan } = latest(box({ volumes: (all) => [...all, snapshot("snap0-new")] }));
  assert.equal(kinds(plan).slice(2, 8), [
    ...["check-backup", "open-esp", "activate-group", "remove-volume", "rename-volumes"],
    "merge-backup",
  ]);
  const check = plan.steps.find(({ kind }) => kind === "check-backup");
  assert.is(check?.kind === "check-backup" && check.name, "snap0-new");
  const gone = plan.steps.find(({ kind }) => kind === "remove-volume");
  assert.is(gone?.kind === "remove-volume" && gone.name, "snap0");
});

test("a newer one that is not valid or was never finished does not count, and goes", () => {
  for (const more of [{ invalid: true }, { origin: "" }, { tags: [] }]) {
    const { plan } = latest(box({ volumes: (all) => [...all, snapshot("snap0-new", more)] }));
    const gone = plan.steps.flatMap((step) => (step.kind === "remove-volume" ? [step.name] : []));
    assert.equal(gone, ["snap0-new"]);
    const merge = plan.steps.find(({ kind }) => kind === "merge-backup");
    assert.is(merge?.kind === "merge-backup" && merge.name, "snap0");
    assert.not.ok(kinds(plan).includes("rename-volumes"));
  }
});

test("a snapshot of root that is not ours: said to be lost, and never removed unasked", () => {
  const volumes = (all: readonly Volume[]) => [...all, snapshot("before-migration", { tags: [] })];
  const { plan } = latest(box({ volumes }));
  assert.match(
    plan.loses.map(EN.loss).join("\n"),
    /before-migration, a snapshot .* not ours \(4 GiB\)/,
  );
  const gone = plan.steps.filter(({ kind }) => kind === "remove-volume");
  assert.equal(
    gone.map(({ title, destroys }) => [title, destroys]),
    [
      [
        "remove the snapshot before-migration of the root",
        "the snapshot before-migration of the root",
      ],
    ],
  );
  const unasked = refusal(() => latest(box({ volumes }), { confirm: "no" }));
  assert.match(unasked, /not ours \(before-migration\).*nobody to ask\n.*lvremove vgroup/);
});

test("a snapshot of root that is not ours: who asks for it in the running system is told there", () => {
  const volumes = (all: readonly Volume[]) => [...all, snapshot("before-migration", { tags: [] })];
  const asked = planRestore(neededInstallation(box({ volumes })), config);
  assert.match(asked.loses.join("\n"), /before-migration, a snapshot of root that is not ours/);
  for (const confirm of ["yes", "no"] as const) {
    const { plan } = latest(box({ volumes, state: asked.record }), { confirm });
    assert.is(plan.asks, false);
    assert.match(plan.loses.map(EN.loss).join("\n"), /before-migration/);
    assert.match(lostSnapshots(plan)?.english ?? "", /were lost with it: before-migration/);
  }
  assert.is(lostSnapshots(latest(box()).plan), undefined);
});

test("a snapshot of root that was taken after somebody asked for the backup: asked about, refused with nobody there", () => {
  const before = (all: readonly Volume[]) => [
    ...all,
    snapshot("before-migration", { uuid: "U-1" }),
  ];
  const { record: asked } = planRestore(neededInstallation(box({ volumes: before })), config);
  for (const late of [
    snapshot("late", { uuid: "U-2" }),
    // Another one than was told of, though it has that name.
    snapshot("before-migration", { uuid: "U-3" }),
  ]) {
    const volumes = (all: readonly Volume[]) =>
      late.name === "late" ? [...before(all), late] : [...all, late];
    const on = box({ volumes, state: asked });
    assert.is(latest(on).plan.asks, true);
    const unasked = refusal(() => latest(on, { confirm: "no" }));
    assert.match(unasked, new RegExp(`not ours \\(${late.name}\\).*nobody to ask\n`));
    const [finding] = findingsOf(on, facts).filter(({ name }) => name === "untold-snapshot");
    assert.match(finding?.text ?? "", new RegExp(`\\(${late.name}\\).*asks at the console`));
  }
  const still = findingsOf(box({ volumes: before, state: asked }), facts);
  assert.not.ok(still.some(({ name }) => name === "untold-snapshot"));
});

test("what was told goes with what was asked for", () => {
  const volumes = (all: readonly Volume[]) => [...all, snapshot("before-migration")];
  const installation = neededInstallation(box({ volumes }));
  const { record: asked } = planRestore(installation, config);
  assert.equal(asked.document.toldSnapshots, ["uuid-snap0"]);
  assert.not.ok("toldSnapshots" in planCancel({ ...installation, record: asked }).document);
  assert.not.ok(
    "toldSnapshots" in
      planRestore(
        { ...neededInstallation(box()), record: { ...asked, phase: "installed" } },
        config,
      ).record.document,
  );
  const { plan, disk } = latest(box({ volumes, state: asked }));
  const result = successOf(plan, disk, { steps: [], peakMemoryBytes: 0 });
  const closed = closedRecord(asked, plan, result, { nowSeconds: 0 });
  assert.not.ok("toldSnapshots" in closed.document);
  const block = printState(asked);
  assert.equal(parseState("a", block, printStateSum("a", block)), asked);
});

test("a merge that somebody else began is waited for, not looked at", () => {
  const { plan } = latest(
    box({ volumes: (all) => all.map((one) => ({ ...one, merging: one.name === "lv-root" })) }),
  );
  assert.not.ok(kinds(plan).includes("check-backup"));
  assert.ok(kinds(plan).includes("merge-backup"));
});

test("no room for the backup that is to be taken afterwards: refused before the merge", () => {
  const volumes = (all: readonly Volume[]) =>
    all.map((one) => (one.name === "snap0" ? { ...one, sizeBytes: 8 * MIB } : one));
  const said = refusal(() => latest(box({ volumes, group: { freeBytes: 4 * MIB } })));
  assert.match(said, /no room for a backup afterwards: 12 MiB free.*16 MiB.*\n.*vgroup/);
  assert.ok(kinds(latest(box({ volumes, group: { freeBytes: 8 * MIB } })).plan).length > 0);
});

test("two groups of one name: refused, both shown by UUID", () => {
  const twin = { ...found.group, uuid: "TWIN", physicalVolumes: ["/dev/vdz1"] };
  const on = box();
  const said = refusal(() => latest({ ...on, groups: [...on.groups, twin] }));
  assert.match(said, /TWIN on \/dev\/vdz1/);
  assert.match(said, new RegExp(`${found.group.uuid} on /dev/vda3.*the one on this disk`));
});

function interrupted(plan: Plan, changes: Partial<Journal>): Machine {
  const journal = { ...freshJournal(plan), ...changes };
  const { document } = record();
  return box({
    state: { phase: "recovering", operation: plan.operation, document: { ...document, journal } },
    disk: { bootFiles: BOOT_FILES },
    card: false,
  });
}

const mergeIndex = (plan: Plan) => plan.steps.findIndex(({ kind }) => kind === "merge-backup");

test("an interrupted merge goes on, also when the card is no longer in", () => {
  const { plan } = latest(box());
  const resumed = latest(interrupted(plan, { next: mergeIndex(plan), begun: 1 }));
  assert.is(resumed.journal?.next, mergeIndex(plan));
  assert.equal(kinds(resumed.plan), kinds(plan));
  const sources = resumed.plan.steps.flatMap((step) => ("source" in step ? [step.source] : []));
  assert.equal(sources, ["disk", "disk"]);
});

test("anew before the merge is from the beginning; afterwards there is only the way on", () => {
  const { plan } = latest(box());
  const before = latest(interrupted(plan, { next: 3, begun: 3 }), {}, true);
  assert.is(before.journal, undefined);
  const next = mergeIndex(plan) + 1;
  const after = latest(interrupted(plan, { next, begun: 3 }), {}, true);
  assert.is(after.journal?.next, next);
  assert.is(after.journal?.begun, 0);
});

/** The merge as it would be done now. */
async function mergeOf({ plan, disk, journal }: Decision) {
  // Without the ESP there is no place for the journal, and none is needed for this.
  const steps = plan.steps.filter(({ kind }) => kind !== "open-esp");
  const next = steps.findIndex(({ kind }) => kind === "merge-backup");
  const of = { ...plan, steps };
  const acted: Action[] = [];
  await execute(
    {
      ...{ plan: of, disk, record: undefined, claimAttempts: 1 },
      journal: journal && { ...journal, plan: of, next },
      ...{ onEvent: () => undefined, log: () => undefined, checkDisk: async () => undefined },
    },
    async (action) => void acted.push(action),
  );
  const merge = acted.find((action) => action.do === "merge");
  if (merge?.do !== "merge") throw new Error("nothing was merged");
  return merge;
}

test("anew counts anew, and does not forget that the merge was begun: it may be done by now", async () => {
  const { plan } = latest(box());
  const next = mergeIndex(plan);
  const stuck = interrupted(plan, { next, begun: 3, setbacks: 0, starts: 9 });
  const { journal } = latest(stuck, {}, true);
  if (!journal) throw new Error("it would begin from the beginning");
  assert.is(whyStuck(journal), undefined);
  assert.is(journal.starts, undefined);
  assert.is((await mergeOf(latest(stuck, {}, true))).begunBefore, true);
  // Nor when the power fails before it came to the merge once more, and the person starts anew again.
  const twice = latest(interrupted(plan, { ...journal, starts: 1 }), {}, true);
  assert.is((await mergeOf(twice)).begunBefore, true);
  const never = latest(interrupted(plan, { next, begun: 0, starts: 9 }), {}, true);
  assert.is((await mergeOf(never)).begunBefore, false);
});

test("while a backup is being put back: no repair, but factory default is the way out", () => {
  const { plan } = latest(box());
  const on = interrupted(plan, { next: mergeIndex(plan), begun: 1 });
  const said = refusal(() => decide(on, config, wish, ids, { operation: "repair", anew: false }));
  assert.match(said, /another recovery was interrupted.*root is not whole/);
  const { card } = box();
  const withCard = {
    ...on,
    disks: [...box().disks.slice(0, 1), ...on.disks],
    ...(card && { card }),
  };
  const factory = decide(withCard, config, wish, ids, { operation: "default", anew: false });
  assert.is(factory.plan.operation, "default");
  assert.is(factory.journal, undefined);
  assert.ok(kinds(factory.plan).includes("make-volume"));
});

test("an interrupted factory recovery is not mixed with the backup", () => {
  const factory = decide(box(), config, wish, ids, { operation: "default", anew: false }).plan;
  const said = refusal(() => latest(interrupted(factory, { next: 8, begun: 1 })));
  assert.match(said, /another recovery was interrupted/);
});

const torn = { state: { phase: "changing", operation: "repair" }, group: "unreadable" } as const;

test("volumes that were being changed and cannot be read: repair first, nothing else", () => {
  assert.match(
    refusal(() => latest(box(torn))),
    /cannot be read.*\n.*Repair the installed system/,
  );
  const factory = () => decide(box(torn), config, wish, ids, { operation: "default", anew: false });
  assert.match(refusal(factory), /Repair the installed system/);
  const { plan } = decide(box(torn), config, wish, ids, { operation: "repair", anew: false });
  assert.equal(kinds(plan), [
    ...["protect-disks", "open-boot-files", "open-esp", "restore-group", "activate-group"],
    ...["check-root", "install-boot", "tidy-esp", "finish"],
  ]);
  assert.is(plan.asks, false);
  assert.not.ok(plan.steps.some(({ destroys }) => destroys !== undefined));
});

/** Performs a plan without its ESP; the root in LVM is `root`, and `state/` names the one of `named`. */
async function performed({ plan, disk, record: from }: Decision, root: string, named: string) {
  const acted: Action["do"][] = [];
  const record = { ...(from as StateRecord), root: `lvmid/VG/${named}` };
  const steps = plan.steps.filter(({ kind }) => kind !== "open-esp");
  const silent = { onEvent: () => undefined, log: () => undefined };
  const one = { ...silent, plan: { ...plan, steps }, disk, record, journal: undefined };
  const error = await execute(
    { ...one, claimAttempts: 1, checkDisk: async () => undefined },
    async (action, world) => {
      acted.push(action.do);
      if (action.do !== "check-root-volume") return;
      const why = whyNotRoot(action.volume, root, world.recordAfterStep().root);
      if (why) throw new Fault(why, undefined, say("choose-default"));
    },
  ).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { acted, said: error === undefined ? undefined : explain(error, quote) };
}

/** Factory default was chosen over a merge that was cut, was cut itself, and no group can be read. */
function thriceCut(): Decision {
  const merging = (all: readonly Volume[]) =>
    all.map((one) => ({ ...one, merging: one.name === "lv-root" }));
  const over = box({ volumes: merging });
  const factory = decide(over, config, wish, ids, { operation: "default", anew: false }).plan;
  const journal = { ...freshJournal(factory), next: 7, begun: 1 };
  const document = { ...record().document, journal };
  const on = box({
    state: { phase: "recovering", operation: "default", document },
    group: "unreadable",
  });
  return decide(on, config, wish, ids, { operation: "repair", anew: false });
}

test("a half merged root is never taken for a repaired one, whatever the journal says by then", async () => {
  const { acted, said } = await performed(thriceCut(), "  L-1 Owi-a-s---", "L-1");
  assert.ok(acted.includes("restore-group"));
  assert.not.ok(acted.includes("mount"));
  assert.not.ok(acted.includes("replace-file"));
  assert.match(said?.message ?? "", /half of the backup and half of what it was/);
  assert.match(said?.hint ?? "", /Recover to factory default": user and audit data stay/);
  const whole = await performed(thriceCut(), "  L-1 owi-a-s---", "L-1");
  assert.is(whole.said, undefined);
  assert.ok(whole.acted.includes("replace-file"));
});

test("a repair over a factory recovery that was cut: not where the root has changed, and not got its name", async () => {
  for (const root of ["  L-1 -wi-a-----", ""]) {
    const { acted, said } = await performed(thriceCut(), root, "L-2");
    assert.not.ok(acted.includes("mount"));
    assert.match(said?.message ?? "", /not the root that the machine is to start from/);
    assert.match(said?.hint ?? "", /Recover to factory default": user and audit data stay/);
  }
});

test("a merge that is open is seen before anything is repaired", () => {
  const volumes = (all: readonly Volume[]) =>
    all.map((one) => ({ ...one, merging: one.name === "lv-root" }));
  const repair = { operation: "repair", anew: false } as const;
  const said = refusal(() => decide(box({ volumes }), config, wish, ids, repair));
  assert.match(said, /half of the backup.*\n.*Recover to latest backup/);
  const begun = decide(box(), config, wish, ids, repair).plan;
  const document = { ...record().document, journal: { ...freshJournal(begun), next: 6, begun: 3 } };
  const on = box({ volumes, state: { phase: "recovering", operation: "repair", document } });
  const anew = refusal(() => decide(on, config, wish, ids, { ...repair, anew: true }));
  assert.match(anew, /half of the backup.*\n.*Recover to factory default/);
  const factory = decide(on, config, wish, ids, { operation: "default", anew: false });
  assert.ok(kinds(factory.plan).includes("make-volume"));
});

test("volumes that were being changed and can be read are an installation like any other", () => {
  const { state } = torn;
  assert.ok(kinds(latest(box({ state })).plan).includes("merge-backup"));
});

test("a claim that an earlier recovery left goes with the next one, as soon as there is a journal", () => {
  const claim = claimFor(disk(), "blank", 1);
  for (const operation of ["default", "latest", "repair"] as const) {
    const planned = (on: Machine) =>
      kinds(decide(on, config, wish, ids, { operation, anew: false }).plan);
    const steps = planned(box({ disk: { claim } }));
    assert.is(steps.indexOf("clear-claim"), steps.indexOf("open-esp") + 1, operation);
    assert.not.ok(planned(box()).includes("clear-claim"), operation);
  }
});

test("no installation: refused, each disk with the reason", () => {
  const blank = machine();
  const said = refusal(() => latest(blank));
  assert.match(said, /\/dev\/sda.*it is the card/);
  assert.match(said, /\/dev\/vda.*it is blank/);
});

test.run();
