/*
 * The planner of factory recovery: which steps, in which order, and every reason to refuse.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { claimFor } from "../../src/model/claim.ts";
import { Refusal } from "../../src/errors.ts";
import { freshJournal } from "../../src/model/journal.ts";
import type { Disk, Machine, VolumeGroup } from "../../src/model/machine.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import type { StateRecord } from "../../src/model/state.ts";
import type { Plan, StepKind } from "../../src/model/step.ts";
import { CLAIM_BYTES, CLAIM_OFFSET_BYTES } from "../../src/model/claim.ts";
import { decide } from "../../src/plan/decide.ts";
import { planFactory } from "../../src/plan/factory.ts";
import { rangesToClear } from "../../src/plan/fresh.ts";
import type { Wish } from "../../src/plan/wish.ts";
import { config, description, disk, ids, installed, machine, record, wish } from "./example.ts";

const plan = (of: Machine, wanted: Partial<Wish> = {}): Plan =>
  planFactory(of, config, { ...wish, ...wanted }, ids);
const kinds = (of: Plan): StepKind[] => of.steps.map(({ kind }) => kind);

function refusal(act: () => unknown): Refusal {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

const LOOKING: StepKind[] = ["protect-disks", "open-golden", "check-golden", "check-card"];

test("a blank disk: looks first, claims, journals, then writes the table", () => {
  const steps = kinds(plan(machine()));
  assert.equal(steps.slice(0, 9), [
    ...LOOKING,
    "claim-disk",
    "clear-disk",
    "make-esp",
    "write-table",
    "open-esp",
  ]);
  assert.equal(steps.slice(-5), [
    "install-boot",
    "switch-root",
    "take-backup",
    "tidy-esp",
    "finish",
  ]);
});

test("a blank disk asks nobody and loses nothing", () => {
  const { asks, loses } = plan(machine());
  assert.is(asks, false);
  assert.equal(loses, []);
});

test("the root is verified after everything that writes to it and before it becomes root", () => {
  for (const of of [machine(), withInstalled(9 * GIB)]) {
    const steps = kinds(plan(of));
    const verified = steps.indexOf("verify-tree");
    for (const kind of ["copy-tree", "write-identity", "configure-grub"] as const) {
      assert.ok(steps.indexOf(kind) < verified, kind);
    }
    assert.ok(verified < steps.indexOf("switch-root"));
    assert.ok(steps.indexOf("install-boot") < steps.indexOf("switch-root"));
  }
});

test("the claim is gone before there is anything to lose: it would give the disk up unasked", () => {
  const steps = kinds(plan(machine()));
  const cleared = steps.indexOf("clear-claim");
  assert.is(cleared, steps.indexOf("open-esp") + 1);
  assert.ok(cleared < steps.indexOf("make-group"));
});

test("every disk but the planned one is protected, the card too, and each partition by itself", () => {
  const names = { typeUuid: "", uuid: "", name: "", signatures: [] };
  const partition = { path: "/dev/vdb1", number: 1, startBytes: MIB, sizeBytes: MIB, ...names };
  const other = { path: "/dev/vdb", serial: "X", sizeBytes: GIB, partitions: [partition] };
  const [first] = plan(machine([disk(), disk(other)])).steps;
  assert.is(first?.kind, "protect-disks");
  const devices = first?.kind === "protect-disks" ? first.devices : [];
  assert.equal(devices, ["/dev/sda", "/dev/vdb", "/dev/vdb1"]);
});

test("sizes on 20 GiB: a fifth, a fifth, a tenth, and a backup that cannot overflow", () => {
  const sizes = plan(machine()).steps.flatMap((step) =>
    step.kind === "make-volume" || step.kind === "take-backup"
      ? [[step.name, step.sizeBytes / MIB]]
      : [],
  );
  assert.equal(sizes, [
    ["lv-root", 4096],
    ["lv-user", 4096],
    ["lv-audit", 2048],
    ["snap0", 4100],
  ]);
});

test("nothing of the two ends of the disk is left, and the claim is left alone", () => {
  const size = 20 * GIB;
  for (const { offsetBytes, sizeBytes } of rangesToClear(size)) {
    const overlaps =
      offsetBytes < CLAIM_OFFSET_BYTES + CLAIM_BYTES &&
      CLAIM_OFFSET_BYTES < offsetBytes + sizeBytes;
    assert.is(overlaps, false);
    assert.ok(offsetBytes + sizeBytes <= size);
  }
});

test("two equal disks: refused, both listed", () => {
  const { message, hint } = refusal(() =>
    plan(machine([disk(), disk({ path: "/dev/vdb", serial: "ZS-0002" })])),
  );
  assert.match(message, /there are 2 disks to install on/);
  assert.match(message, /ZS-0001, 20 GiB \(\/dev\/vda\): could be used/);
  assert.match(message, /ZS-0002, 20 GiB \(\/dev\/vdb\): could be used/);
  assert.match(hint, /zshield\.disk=serial:/);
});

test("two equal disks, one named by its serial number", () => {
  const of = machine([disk(), disk({ path: "/dev/vdb", serial: "ZS-0002" })]);
  assert.is(plan(of, { disk: { by: "serial", text: "ZS-0002" } }).disk.path, "/dev/vdb");
});

test("a named disk that is absent is an error, never a fall back", () => {
  const { message } = refusal(() => plan(machine(), { disk: { by: "serial", text: "ZS-0009" } }));
  assert.match(message, /no disk to install on that matches serial:ZS-0009/);
});

test("the card is never a candidate, not even by name", () => {
  const { message } = refusal(() => plan(machine(), { disk: { by: "serial", text: "CARD-1" } }));
  assert.match(message, /it is the card/);
});

for (const [title, changes, why] of [
  ["removable", { removable: true }, /it is removable and was not named/],
  ["on USB", { transport: "usb" }, /it is removable and was not named/],
  ["read-only", { readOnly: true }, /it is read-only/],
  ["too small", { sizeBytes: 8 * GIB }, /it is smaller than the 16 GiB/],
  [
    "mounted",
    { inUse: ["/dev/vda1 is mounted at /mnt"] },
    /in use \(\/dev\/vda1 is mounted at \/mnt\)/,
  ],
] as const) {
  test(`a disk that is ${title} is refused with the reason`, () => {
    assert.match(refusal(() => plan(machine([disk(changes)]))).message, why);
  });
}

test("a removable disk that is named may be used", () => {
  const of = machine([disk({ removable: true, transport: "usb" })]);
  assert.is(plan(of, { disk: { by: "serial", text: "ZS-0001" } }).disk.path, "/dev/vda");
});

test("no card, no tools, no disk: each says so", () => {
  const { card: _card, ...without } = machine();
  assert.match(
    refusal(() => plan({ ...without, cardTrouble: "no such partition" })).message,
    /no such partition/,
  );
  assert.match(refusal(() => plan({ ...machine(), missingTools: ["rsync"] })).message, /rsync/);
  assert.match(refusal(() => plan(machine([]))).message, /no disk to install on/);
});

test("without LVM's answer nothing is concluded", () => {
  const of = { ...machine(), groupsTrouble: "LVM could not be asked" };
  assert.match(refusal(() => plan(of)).message, /cannot be told: LVM could not be asked/);
});

test("golden larger than the root volume is refused", () => {
  const of = machine();
  const big = { ...description, golden: { ...description.golden, treeBytes: 5 * GIB } };
  const card = of.card && { ...of.card, description: big };
  assert.match(
    refusal(() => plan({ ...of, ...(card ? { card } : {}) })).message,
    /golden holds 5 GiB/,
  );
});

const foreign = disk({
  table: "dos",
  blank: "a dos partition table",
  signatures: [{ type: "LVM2_member", label: "", uuid: "x", offsetBytes: 536 }],
});

test("foreign content is asked about, and named in words", () => {
  const { asks, loses } = plan(machine([foreign]));
  assert.is(asks, true);
  assert.match(JSON.stringify(loses), /LVM2_member/);
});

test("foreign content with nobody there: refused unless its serial number is named", () => {
  assert.match(
    refusal(() => plan(machine([foreign]), { confirm: "no" })).message,
    /not blank and not ours/,
  );
  assert.is(plan(machine([foreign]), { confirm: "no", erase: "ZS-0001" }).asks, false);
  assert.match(
    refusal(() => plan(machine([foreign]), { confirm: "no", erase: "ZS-0002" })).message,
    /is not the disk that zshield\.erase=ZS-0002 names/,
  );
});

test("an empty serial number gives nothing up", () => {
  const of = machine([{ ...foreign, serial: "" }]);
  assert.instance(
    refusal(() => plan(of, { confirm: "no", erase: "" })),
    Refusal,
  );
});

function withInstalled(freeBytes: number): Machine {
  const { disk: found, group } = installed(freeBytes);
  return machine([found], [group]);
}

test("installed, with room: a new root beside the old one; user and audit stay", () => {
  const made = plan(withInstalled(5 * GIB));
  assert.equal(kinds(made).includes("write-table"), false);
  assert.equal(made.keeps, [
    { kind: "user", mount: "/user", sizeBytes: 4 * GIB },
    { kind: "audit", mount: "/audit", sizeBytes: 2 * GIB },
  ]);
  assert.is(made.asks, true);
  const order = made.steps.flatMap((step) =>
    "name" in step && step.kind !== "take-backup" ? [`${step.kind} ${step.name}`] : [],
  );
  assert.equal(order, [
    "make-volume lv-root-new",
    "switch-root lv-root-new",
    "remove-volume snap0",
    "remove-volume lv-root-old",
  ]);
});

test("installed, a snapshot of root that is not ours goes with it, and it is said", () => {
  const { disk: found, group } = installed(5 * GIB);
  const [, snapshot, ...others] = group.volumes;
  if (!snapshot) throw new Error("the example has no backup");
  const volumes = [
    ...group.volumes.slice(0, 2),
    ...others,
    { ...snapshot, name: "before-migration" },
  ];
  const { loses } = plan(machine([found], [{ ...group, volumes }]));
  assert.equal(
    loses.map(({ kind }) => kind),
    ["system", "backup", "snapshot"],
  );
  assert.equal(loses.at(-1), { kind: "snapshot", name: "before-migration", sizeBytes: 4 * GIB });
});

test("installed, nothing is lost before the switch when there is room", () => {
  const made = plan(withInstalled(5 * GIB));
  const first = made.steps.findIndex(({ destroys }) => destroys !== undefined);
  assert.is(made.steps[first]?.kind, "switch-root");
});

test("installed, room only without the backup: the backup goes first and it is said", () => {
  const made = plan(withInstalled(GIB));
  const first = made.steps.find(({ destroys }) => destroys !== undefined);
  assert.is(first?.kind === "remove-volume" ? first.name : "", "snap0");
});

test("installed, room only without the old root: said to be lost before the new one is complete", () => {
  const { disk: found, group } = installed(GIB);
  const small = { ...group, volumes: group.volumes.filter(({ name }) => name !== "snap0") };
  const made = plan(machine([found], [small]));
  assert.match(
    made.steps.find(({ destroys }) => destroys)?.destroys ?? "",
    /before the new one is complete/,
  );
});

test("installed, no room for a backup in the end: refused before anything is given up", () => {
  const { disk: found, group } = installed(0);
  const volumes = group.volumes.filter(({ name }) => name !== "snap0");
  for (const freeBytes of [0, 12 * MIB]) {
    const of = machine([found], [{ ...group, volumes, freeBytes }]);
    const { message, hint } = refusal(() => plan(of));
    assert.match(message, /no room for a backup afterwards: .* free, and at least 16 MiB/);
    assert.match(hint, /remove or shrink a volume of vgroup.*zshield\.keep=nothing/);
    assert.ok(kinds(plan(of, { keep: "nothing" })).includes("write-table"));
  }
  const some = plan(machine([found], [{ ...group, volumes, freeBytes: 16 * MIB }]));
  const backup = some.steps.find((step) => step.kind === "take-backup");
  assert.is(backup?.kind === "take-backup" && backup.sizeBytes, 16 * MIB);
});

/** An earlier recovery was cut between the two renamings, and its new root is not to be had any more. */
function orphaned(freeBytes: number, without: readonly string[] = []): Plan {
  const { disk: found, group } = installed(freeBytes);
  const volumes = group.volumes
    .filter(({ name }) => !without.includes(name))
    .map((volume) => ({
      ...volume,
      name: volume.name === "lv-root" ? "lv-root-old" : volume.name,
      origin: volume.origin === "lv-root" ? "lv-root-old" : volume.origin,
    }));
  return plan(machine([found], [{ ...group, volumes }]));
}

test("an old root without a root: it is the system that is lost, and its room counts", () => {
  const removed = (of: Plan) =>
    of.steps.flatMap((step) => (step.kind === "remove-volume" ? [step.name] : []));
  const backup = (of: Plan) =>
    of.steps.flatMap((step) => (step.kind === "take-backup" ? [step.sizeBytes] : []));
  // Room beside it: it goes last, and the backup in the end may have what it had.
  const beside = orphaned(4 * GIB);
  assert.equal(removed(beside), ["snap0", "lv-root-old"]);
  assert.ok(kinds(beside).indexOf("switch-root") < kinds(beside).indexOf("remove-volume"));
  assert.equal(backup(beside), backup(plan(withInstalled(4 * GIB))));
  assert.equal(beside.loses[0], { kind: "system", sizeBytes: 4 * GIB });
  // No room for both: it goes first, as a root would, and it is said.
  const instead = orphaned(GIB, ["snap0"]);
  assert.equal(removed(instead), ["lv-root-old"]);
  assert.ok(kinds(instead).indexOf("remove-volume") < kinds(instead).indexOf("make-volume"));
  const first = instead.steps.find(({ destroys }) => destroys !== undefined);
  assert.match(first?.destroys ?? "", /before the new one is complete/);
});

test("installed, confirm=no: nobody is asked; keep=nothing: everything anew", () => {
  assert.is(plan(withInstalled(5 * GIB), { confirm: "no" }).asks, false);
  assert.ok(kinds(plan(withInstalled(5 * GIB), { keep: "nothing" })).includes("write-table"));
});

for (const [title, changes] of [
  ["the group has another name", { name: "vg0" }],
  ["it lacks the audit volume", { volumes: "lv-audit" }],
] as const) {
  test(`ours, but the data cannot be kept, ${title}: asked about, and refused with nobody there`, () => {
    const { disk: found, group } = installed(9 * GIB);
    const volumes = group.volumes.filter(
      ({ name }) => !("volumes" in changes) || name !== changes.volumes,
    );
    const name = "name" in changes ? changes.name : group.name;
    const interruptedState = interruptedAt(planOf(found, group), {});
    for (const state of [record(), interruptedState]) {
      const of = machine([{ ...found, state }], [{ ...group, name, volumes }]);
      const { message, hint } = refusal(() => plan(of, { confirm: "no" }));
      assert.match(message, /cannot be kept/);
      assert.match(hint, /zshield\.keep=nothing/);
      const asked = plan(of);
      assert.is(asked.asks, true);
      assert.match(JSON.stringify(asked.loses), /lv-user/);
      assert.is(plan(of, { confirm: "no", keep: "nothing" }).asks, false);
    }
  });
}

function planOf(found: Disk, group: VolumeGroup, keep: Wish["keep"] = "data"): Plan {
  return plan(machine([found], [group]), { keep });
}

/** As a cut in the middle leaves it. */
function interruptedAt(of: Plan, changes: Partial<StateRecord["document"]>): StateRecord {
  const journal = { ...freshJournal(of), next: 8, begun: 1 };
  const document = { ...record().document, ...changes, journal };
  return record({ phase: "recovering", document });
}

test("interrupted, and no group can be read: repair first, and a repair is possible", () => {
  const { disk: found, group } = installed(9 * GIB);
  const of = machine([{ ...found, state: interruptedAt(planOf(found, group), {}) }]);
  for (const confirm of ["yes", "no"] as const) {
    const { message, hint } = refusal(() => plan(of, { confirm }));
    assert.match(message, /cannot be read: the power failed/);
    assert.match(hint, /Repair the installed system/);
  }
  const { plan: repair } = decide(of, config, wish, ids, { operation: "repair", anew: false });
  assert.ok(kinds(repair).includes("restore-group"));
  assert.is(plan(of, { confirm: "no", keep: "nothing" }).asks, false);
});

test("interrupted while the backup is put back, and no group can be read: only that goes on", () => {
  const { disk: found, group } = installed(9 * GIB);
  const on = machine([found], [group]);
  const { plan: latest } = decide(on, config, wish, ids, { operation: "latest", anew: false });
  const of = machine([{ ...found, state: interruptedAt(latest, {}) }]);
  assert.match(refusal(() => plan(of)).hint, /without a choice.*latest/);
  const repair = () => decide(of, config, wish, ids, { operation: "repair", anew: false });
  assert.match(refusal(repair).message, /another recovery was interrupted/);
});

test("what has no data yet resumes with nobody there: a first installation, and one that keeps nothing", () => {
  const { disk: found, group } = installed(9 * GIB);
  for (const first of [plan(machine()), planOf(found, group, "nothing")]) {
    // Neither has a version before its end; without and with its group.
    for (const [groupUuid, groups] of [
      ["", []],
      [group.uuid, []],
      [group.uuid, [group]],
    ] as const) {
      const state = interruptedAt(first, { version: "", groupUuid });
      const of = machine([{ ...found, state }], groups);
      for (const anew of [false, true]) {
        for (const confirm of ["yes", "no"] as const) {
          const on = { ...wish, confirm };
          const decision = decide(of, config, on, ids, { operation: "default", anew });
          assert.is(decision.journal === undefined, anew);
          assert.is(anew && decision.plan.asks, false);
        }
      }
    }
  }
});

test("a partial group is not ours: asked about like foreign content", () => {
  const { disk: found, group } = installed(5 * GIB);
  const of = machine([found], [{ ...group, partial: true }]);
  assert.match(refusal(() => plan(of, { confirm: "no" })).message, /not blank and not ours/);
});

test("the state of another disk does not make this one ours", () => {
  const { disk: found, group } = installed(5 * GIB);
  const document = { ...record().document, disk: { ...record().document.disk, serial: "OTHER" } };
  const of = machine([{ ...found, state: record({ document }) }], [group]);
  assert.match(refusal(() => plan(of, { confirm: "no" })).message, /not blank and not ours/);
});

test("a group of the same name on another disk is refused", () => {
  const { disk: found, group } = installed(5 * GIB);
  const other = { ...found, path: "/dev/vdb", serial: "B", sizeBytes: GIB };
  const of = machine([disk(), other], [{ ...group, physicalVolumes: ["/dev/vdb3"] }]);
  assert.match(refusal(() => plan(of)).message, /could not tell the two apart/);
});

test("a claim: goes on without asking", () => {
  const claim = claimFor(disk(), "blank", 1);
  assert.is(plan(machine([disk({ blank: "data at 2 MiB", claim })])).asks, false);
});

test.run();
