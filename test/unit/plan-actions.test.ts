/*
 * Step → commands, one line a case: the exact argv, and what must hold for every plan.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { quote } from "../../src/host/command.ts";
import type { Action } from "../../src/model/action.ts";
import { AT } from "../../src/model/places.ts";
import { GIB } from "../../src/model/size.ts";
import { Plan, type StepKind } from "../../src/model/step.ts";
import { actionsFor } from "../../src/plan/actions.ts";
import { decide } from "../../src/plan/decide.ts";
import { planFactory } from "../../src/plan/factory.ts";
import { describeAction } from "../../src/plan/describe.ts";
import { config, ids, installed, machine, wish } from "./example.ts";
import * as v from "valibot";

const fresh = planFactory(machine(), config, wish, ids);
const found = installed(9 * GIB);
const beside = planFactory(machine([found.disk], [found.group]), config, wish, ids);
const PV = "--devices /dev/disk/by-partuuid/d3000000-0000-4000-8000-000000000000";

function lines(plan: Plan, kind: StepKind, again = false): string[] {
  const step = plan.steps.find((candidate) => candidate.kind === kind);
  if (!step) throw new Error(`the plan has no ${kind}`);
  return actionsFor(step, plan, { disk: "/dev/vda", again, behind: false }).flatMap((action) =>
    action.do === "run" ? [quote(action.argv)] : [],
  );
}

for (const [kind, ...wanted] of [
  [
    "make-group",
    `lvm vgchange ${PV} --activate n vgroup`,
    "wipefs --all --force /dev/disk/by-partuuid/d3000000-0000-4000-8000-000000000000",
    `lvm pvcreate ${PV} -ff --yes --zero y /dev/disk/by-partuuid/d3000000-0000-4000-8000-000000000000`,
    `lvm vgcreate ${PV} --yes --physicalextentsize 4m --addtag zshield vgroup /dev/disk/by-partuuid/d3000000-0000-4000-8000-000000000000`,
  ],
  [
    "make-volume",
    `lvm lvremove ${PV} --force --yes vgroup/lv-root`,
    `lvm lvcreate ${PV} --yes --wipesignatures y --name lv-root --size 4294967296b --addtag zshield vgroup`,
  ],
  [
    "copy-tree",
    "rsync --archive --hard-links --acls --xattrs --sparse --numeric-ids --one-file-system --delete " +
      "--whole-file --exclude=/lost+found --info=progress2 --no-inc-recursive /run/zshield/golden/ /run/zshield/root/",
  ],
] as [StepKind, ...string[]][]) {
  test(`the commands of ${kind}`, () => assert.equal(lines(fresh, kind), wanted));
}

test("an interrupted copy trusts what is there only by its content", () => {
  assert.ok(lines(fresh, "copy-tree", true)[0]?.includes("--checksum"));
  assert.not.ok(lines(fresh, "copy-tree", false)[0]?.includes("--checksum"));
});

test("a merge counts as done without its snapshot only where it was begun before", () => {
  const on = machine([found.disk], [found.group]);
  const { plan } = decide(on, config, wish, ids, { operation: "latest", anew: false });
  const step = plan.steps.find(({ kind }) => kind === "merge-backup");
  const merges = (again: boolean) =>
    step ? actionsFor(step, plan, { disk: "/dev/vda", again, behind: false }) : [];
  for (const again of [false, true]) {
    const merge = merges(again).find((action) => action.do === "merge");
    assert.is(merge?.do === "merge" && merge.begunBefore, again);
  }
});

test("the table is written in one call, from a script with every UUID", () => {
  const step = fresh.steps.find(({ kind }) => kind === "write-table");
  const [first] = step
    ? actionsFor(step, fresh, { disk: "/dev/vda", again: false, behind: false })
    : [];
  assert.is(
    first?.do === "run" ? first.stdin : "",
    [
      "label: gpt",
      "label-id: d0000000-0000-4000-8000-000000000000",
      "unit: sectors",
      '1 : start=2048, size=2048, type=21686148-6449-6e6f-744e-656564454649, uuid=d1000000-0000-4000-8000-000000000000, name="zshield-bios-boot"',
      '2 : start=4096, size=1048576, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, uuid=d2000000-0000-4000-8000-000000000000, name="zshield-esp"',
      '3 : start=1052672, size=40888320, type=e6d6d379-f507-44c2-a23c-238f2a3df928, uuid=d3000000-0000-4000-8000-000000000000, name="zshield-group"',
      "",
    ].join("\n"),
  );
});

for (const [name, plan] of [
  ["fresh", fresh],
  ["beside", beside],
] as const) {
  const actions: Action[] = plan.steps.flatMap((step) =>
    actionsFor(step, plan, { disk: "/dev/vda", again: false, behind: false }),
  );

  test(`${name}: every LVM command sees our partition only`, () => {
    for (const action of actions) {
      if (action.do !== "run" || action.argv[0] !== "lvm") continue;
      assert.is(action.argv[2], "--devices", quote(action.argv));
      assert.is(action.argv[3], plan.physicalVolume);
    }
  });

  test(`${name}: the card is named by no command that writes`, () => {
    for (const action of actions) {
      if (action.do !== "run") continue;
      const harmless = ["blockdev", "rsync"].includes(action.argv[0] ?? "");
      assert.ok(
        harmless || !action.argv.some((word) => word.startsWith("/dev/sda")),
        quote(action.argv),
      );
    }
  });

  test(`${name}: what is mounted at the root's place is unmounted in the same step`, () => {
    for (const step of plan.steps) {
      const made = actionsFor(step, plan, { disk: "/dev/vda", again: false, behind: false });
      const mounts = made.filter((action) => action.do === "mount" && action.at === AT.root).length;
      const unmounts = made.filter(
        (action) => action.do === "unmount" && action.at === AT.root,
      ).length;
      assert.is(mounts, unmounts, step.kind);
    }
  });

  test(`${name}: the root is verified from the disk, mounted read-only, its cache forgotten first`, () => {
    const step = plan.steps.find(({ kind }) => kind === "verify-tree");
    const [forget, mount] = step
      ? actionsFor(step, plan, { disk: "/dev/vda", again: false, behind: false })
      : [];
    assert.is(forget?.do, "forget-cache");
    assert.is(mount?.do === "mount" ? mount.options : "", "ro");
  });

  test(`${name}: the plan survives the journal`, () => {
    assert.equal(v.parse(Plan, JSON.parse(JSON.stringify(plan))), plan);
  });
}

test("the other disks are protected together, and the plan shows the commands", () => {
  const [step] = fresh.steps;
  if (step?.kind !== "protect-disks") throw new Error("the first step is another one");
  const actions = actionsFor(step, fresh, { disk: "/dev/vda", again: false, behind: false });
  assert.equal(actions, [{ do: "protect", devices: ["/dev/sda"] }]);
  assert.equal(
    actions.flatMap((action) => describeAction(action, quote)),
    ["blockdev --setro /dev/sda"],
  );
});

test("renames that are done already are left alone", () => {
  const step = beside.steps.find(({ kind }) => kind === "rename-volumes");
  const [first] = step
    ? actionsFor(step, beside, { disk: "/dev/vda", again: true, behind: false })
    : [];
  if (first?.do !== "run") throw new Error("the first action is not a command");
  assert.is(first.onlyIf?.at(-1), "vgroup/lv-root");
  assert.is(first.unless?.at(-1), "vgroup/lv-root-old");
});

/** The volumes by name, after the step's commands; a volume keeps what it is under another name. */
function renamed(plan: Plan, volumes: Map<string, string>): Map<string, string> {
  const step = plan.steps.find(({ kind }) => kind === "rename-volumes");
  if (!step) throw new Error("the plan renames nothing");
  const isThere = (argv: readonly string[]) =>
    argv.filter((word) => word.startsWith("vgroup/")).every((word) => volumes.has(word.slice(7)));
  for (const action of actionsFor(step, plan, { disk: "/dev/vda", again: true, behind: false })) {
    if (action.do !== "run") continue;
    if (action.onlyIf && !isThere(action.onlyIf)) continue;
    if (action.unless && isThere(action.unless)) continue;
    const [from = "", to = ""] = action.argv.slice(-2);
    volumes.set(to, volumes.get(from) ?? "");
    volumes.delete(from);
  }
  return volumes;
}

const { group: full } = installed(0);
const noRoom = planFactory(
  machine(
    [found.disk],
    [{ ...full, volumes: full.volumes.filter(({ name }) => name !== "snap0"), freeBytes: GIB }],
  ),
  config,
  wish,
  ids,
);
const noRoot = planFactory(
  machine(
    [found.disk],
    [{ ...found.group, volumes: found.group.volumes.filter(({ name }) => name !== "lv-root") }],
  ),
  config,
  wish,
  ids,
);
const ofOlderVersion: Plan = {
  ...noRoom,
  steps: noRoom.steps.map((step) =>
    step.kind === "rename-volumes"
      ? {
          ...step,
          renames: [
            { from: "lv-root", to: "lv-root-old" },
            { from: "lv-root-new", to: "lv-root" },
          ],
        }
      : step,
  ),
};

for (const [title, plan, hasOld] of [
  ["the old root is there until then", beside, true],
  ["no room for both", noRoom, false],
  ["there was no root", noRoot, false],
  ["no room for both, by the journal of an older version", ofOlderVersion, false],
] as const) {
  test(`the new root keeps its name, however often the renaming is begun: ${title}`, () => {
    const volumes = new Map([["lv-root-new", "new"]]);
    if (hasOld) volumes.set("lv-root", "old");
    for (let times = 1; times <= 3; times++) {
      renamed(plan, volumes);
      assert.is(volumes.get("lv-root"), "new");
      assert.is(volumes.get("lv-root-old"), hasOld ? "old" : undefined);
    }
  });
}

test("what starts the machine is switched only when the files that it names are on the disk", () => {
  for (const plan of [fresh, beside]) {
    const step = plan.steps.find(({ kind }) => kind === "install-boot");
    if (!step) throw new Error("the plan installs nothing to start from");
    const made = actionsFor(step, plan, { disk: "/dev/vda", again: false, behind: false });
    const kinds = made.map((action) => action.do);
    const reopened = kinds.indexOf("reopen-esp");
    assert.ok(kinds.lastIndexOf("copy-directory") < reopened);
    assert.ok(kinds.indexOf("copy-description") < reopened);
    const checked = made.slice(reopened).findIndex(({ do: what }) => what === "replace-file");
    assert.equal(kinds.slice(reopened + 1, reopened + checked), [
      "check-files",
      "check-files",
      "check-files",
    ]);
    assert.ok(reopened + checked < kinds.indexOf("write-boot-images"));
    // What is switched is read back from the disk, too, before the state names it.
    assert.equal(kinds.slice(kinds.indexOf("write-boot-images") + 1), [
      "reopen-esp",
      "check-files",
      "use-boot",
    ]);
  }
});

test("an old root is renamed and removed only where there is one", () => {
  for (const plan of [noRoom, noRoot]) {
    assert.not.match(JSON.stringify(plan.steps), /lv-root-old/);
  }
});

test.run();
