/*
 * The parts of the crash judge that need no disk: what a record promises, where LVM's metadata says that a
 * snapshot lies, which words of e2fsck tell of damage.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { freshJournal } from "../../src/model/journal.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import type { StateRecord } from "../../src/model/state.ts";
import type { Plan } from "../../src/model/step.ts";
import { planFactory } from "../../src/plan/factory.ts";
import { parseVolumes } from "../lab/inspect.ts";
import { complaintsOf } from "../lab/judge-volumes.ts";
import { INSTALLED, NOTHING, promisesOf, type Promises } from "../lab/promises.ts";
import { config, ids, installed, machine, record, wish } from "./example.ts";

function atStep(plan: Plan, next: number): StateRecord {
  const { document } = record();
  const journal = { ...freshJournal(plan), next };
  return record({ phase: "recovering", document: { ...document, journal } });
}

const sorted = (promises: Promises) => ({
  ...promises,
  volumes: promises.volumes.toSorted(),
  fileSystems: promises.fileSystems.toSorted(),
});

test("a blank disk: promises grow step by step, nothing is promised of the step at work", () => {
  const plan = planFactory(machine(), config, wish, ids);
  const place = (kind: string, index = 0) => {
    const places = [...plan.steps.keys()].filter((at) => plan.steps[at]?.kind === kind);
    const at = places[index];
    if (at === undefined) throw new Error(`the plan has no ${kind}`);
    return at;
  };
  const after = (at: number) => promisesOf(atStep(plan, at + 1));
  assert.equal(promisesOf(atStep(plan, 0)), NOTHING);
  assert.equal(promisesOf(atStep(plan, place("make-group"))), NOTHING);
  assert.equal(after(place("make-group")), { ...NOTHING, group: true });
  assert.equal(after(place("make-volume", 1)).volumes, ["lv-root", "lv-user"]);
  assert.equal(promisesOf(atStep(plan, place("make-filesystem", 0))).fileSystems, []);
  assert.equal(after(place("make-filesystem", 1)).fileSystems, ["lv-user", "lv-audit"]);
  assert.not(promisesOf(atStep(plan, place("install-boot"))).boot);
  assert.ok(after(place("install-boot")).boot);
  assert.equal(sorted(after(plan.steps.length - 1)), sorted(INSTALLED));
  // The journal is closed: everything holds.
  assert.equal(promisesOf(record()), INSTALLED);
});

test("a new root beside the old one: what was there stays promised until it is renamed or removed", () => {
  const { disk: own, group } = installed(15 * GIB);
  const plan = planFactory(machine([own], [group]), config, wish, ids);
  const rename = plan.steps.findIndex(({ kind }) => kind === "rename-volumes");
  const at = (next: number) => promisesOf(atStep(plan, next), INSTALLED);
  assert.equal(sorted(at(0)), sorted(INSTALLED));
  const copied = at(plan.steps.findIndex(({ kind }) => kind === "install-boot"));
  assert.ok(copied.boot && copied.volumes.includes("lv-root"));
  assert.ok(copied.fileSystems.includes("lv-root-new"));
  assert.not(at(rename).volumes.includes("lv-root"));
  assert.not(at(rename).volumes.includes("lv-root-new"));
  assert.ok(at(rename + 1).fileSystems.includes("lv-root"));
  assert.equal(sorted(at(plan.steps.length)), sorted(INSTALLED));
});

/** As lvm 2.03.16 writes it. */
const metadata = (store: string) => `
vgroup {
id = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg"
extent_size = 8192
physical_volumes {
pv0 {
pe_start = 2048
}
}
logical_volumes {

lv-root {
id = "root-uuid"
status = ["READ", "WRITE", "VISIBLE"]
tags = ["zshield"]
segment_count = 1

segment1 {
start_extent = 0
extent_count = 16

type = "striped"
stripe_count = 1

stripes = [
"pv0", 0
]
}
}

snap0 {
id = "snap-uuid"
status = ["READ", "WRITE", "VISIBLE"]
segment_count = 1

segment1 {
start_extent = 0
extent_count = 8

type = "striped"
stripe_count = 1

stripes = [
"pv0", 16
]
}
}

snapshot0 {
id = "hidden-uuid"
status = ["READ", "WRITE", "VISIBLE"]
segment_count = 1

segment1 {
start_extent = 0
extent_count = 16

type = "snapshot"
chunk_size = 128
origin = "lv-root"
${store} = "snap0"
}
}
}
}
`;

test("LVM's metadata: a volume, a snapshot's store, and whether it is being merged", () => {
  const root = {
    ...{ name: "lv-root", uuid: "root-uuid", tags: ["zshield"] },
    ...{ startBytes: MIB, sizeBytes: 64 * MIB },
  };
  const snapshot = { origin: "lv-root", chunkBytes: 64 * 1024, isMerging: false };
  const snap0 = {
    ...{ name: "snap0", uuid: "snap-uuid", tags: [] },
    ...{ startBytes: 65 * MIB, sizeBytes: 32 * MIB },
  };
  assert.equal(parseVolumes(metadata("cow_store")), [root, { ...snap0, snapshot }]);
  assert.equal(parseVolumes(metadata("merging_store")), [
    root,
    { ...snap0, snapshot: { ...snapshot, isMerging: true } },
  ]);
});

test("e2fsck: what a replayed journal leaves is no damage, everything else is", () => {
  const harmless = `e2fsck 1.47.0 (5-Feb-2023)
lv-root: recovering journal
Clearing orphaned inode 12 (uid=0, gid=0, mode=0100644, size=5)
Pass 1: Checking inodes, blocks, and sizes
Pass 5: Checking group summary information
Free blocks count wrong (5, counted=249189).
Fix? yes

lv-root: ***** FILE SYSTEM WAS MODIFIED *****
lv-root: 11/65536 files (0.0% non-contiguous), 12955/262144 blocks
`;
  assert.equal(complaintsOf(harmless), []);
  const damage = "Inode 14, i_blocks is 8, should be 0.  Fix? yes";
  assert.equal(complaintsOf(`${harmless}${damage}\n`), [damage]);
  assert.equal(complaintsOf("Block bitmap differences:  -(100--103)\nFix? yes\n").length, 1);
});

test.run();
