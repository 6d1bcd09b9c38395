/*
 * The parts of the crash judge that need no installed disk: what a record promises, where LVM's metadata says
 * that a snapshot lies, which words of e2fsck tell of damage; and the damages of its control.
 */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { freshJournal } from "../../src/model/journal.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import type { StateRecord } from "../../src/model/state.ts";
import type { Plan } from "../../src/model/step.ts";
import { CORE_OFFSETS_BYTES } from "../../src/model/boot-sector.ts";
import { planFactory } from "../../src/plan/factory.ts";
import { ESP_BYTES, ESP_START_BYTES } from "../../src/plan/layout.ts";
import { command } from "../lab/command.ts";
import { DAMAGES, undetectedDamages } from "../lab/broken-disks.ts";
import { parseVolumes } from "../lab/inspect.ts";
import { commitsIn, complaintsOf, faultsOfFileSystem } from "../lab/judge-volumes.ts";
import { INSTALLED, NOTHING, promisesOf, type Promises } from "../lab/promises.ts";
import { withEnd } from "../lab/recording.ts";
import { readBytes, withOpen, writeBytes } from "../lab/sparse.ts";
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

test("e2fsck: a superblock that was torn in two is repaired, and hides no other damage", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-judge-"));
  const file = join(folder, "volume.img");
  try {
    writeFileSync(file, "");
    truncateSync(file, 32 * MIB);
    await command(["mkfs.ext4", "-q", "-b", "1024", file]);
    const volumes = [{ name: "lv-root", uuid: "", startBytes: 0, sizeBytes: 32 * MIB, tags: [] }];
    const judge = () => faultsOfFileSystem(file, volumes, "lv-root", folder);
    const spoil = (atBytes: number) =>
      withOpen(file, "r+", (handle) => writeBytes(handle, atBytes, Buffer.from("half")));
    assert.equal(await judge(), []);
    // s_wtime lies in the first sector, the checksum in the second.
    spoil(1024 + 0x30);
    assert.match((await command(["e2fsck", "-n", file], { accept: [4, 8] })).stdout, /checksum/);
    assert.equal(await judge(), []);
    const { stdout } = await command(["debugfs", "-c", "-R", "imap <2>", file]);
    const [, block, offset] = /block (\d+), offset (0x[0-9a-f]+)/.exec(stdout) ?? [];
    spoil(Number(block) * 1024 + Number(offset));
    assert.ok((await judge()).length > 0, "the root directory is not missed");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("e2fsck: a torn commit is none, if it is the last one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-judge-"));
  const [file, block, words] = ["volume.img", "block", "words"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  try {
    writeFileSync(file, "");
    truncateSync(file, 64 * MIB);
    writeFileSync(block, Buffer.alloc(4096));
    const twice = [9000, 9001].map((number) => `jo -c\njw -b ${number} ${block}\njc\n`);
    writeFileSync(words, twice.join(""));
    const volumes = [{ name: "lv-root", uuid: "", startBytes: 0, sizeBytes: 64 * MIB, tags: [] }];
    for (const [torn, faults] of [
      [undefined, 0],
      [2, 0],
      [1, 1],
    ] as const) {
      await command(["mkfs.ext4", "-q", "-F", "-b", "4096", file]);
      await command(["debugfs", "-w", "-f", words, file]);
      const { stdout } = await command(["debugfs", "-R", "blocks <8>", file]);
      const blocks = stdout.trim().split(/\s+/).map(Number);
      withOpen(file, "r+", (handle) => {
        const commits = blocks.filter(
          (at) => commitsIn(readBytes(handle, at * 4096, 4096)).length > 0,
        );
        assert.is(commits.length, 2);
        if (torn === undefined) return;
        writeBytes(handle, (commits[torn - 1] ?? NaN) * 4096 + 256, Buffer.from("torn"));
      });
      const found = await faultsOfFileSystem(file, volumes, "lv-root", folder);
      assert.is(found.length, faults, `${torn}: ${found.join("; ")}`);
      if (faults > 0) assert.match(found[0] ?? "", /Journal transaction 1 was corrupt/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
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
  for (const line of [
    "Block bitmap differences:  -(100--103)",
    "Free blocks count wrong for group #3 (32768, counted=2481).",
    "Directories count wrong for group #3 (0, counted=990).",
  ]) {
    assert.equal(complaintsOf(`${line}\nFix? yes\n`), [line]);
  }
});

const GROUP_BYTES = ESP_START_BYTES + ESP_BYTES;
const VOLUMES = [
  { name: "lv-root", startBytes: GROUP_BYTES + MIB, sizeBytes: 2 * MIB },
  { name: "snap0", startBytes: GROUP_BYTES + 3 * MIB, sizeBytes: MIB },
].map((volume) => ({ ...volume, uuid: "", tags: [] }));
const KERNEL_BYTES = ESP_START_BYTES + 8 * MIB;

/** What the damages look for, and nothing else. */
function sketchDisk(folder: string) {
  const base = { file: join(folder, "base.raw"), format: "raw" } as const;
  const logFile = join(folder, "disk.writes");
  const superblock = Buffer.alloc(512);
  superblock.writeBigUInt64LE(0x6a736677736872n, 0);
  superblock.writeBigUInt64LE(1n, 8);
  superblock.writeUInt32LE(512, 24);
  writeFileSync(logFile, superblock);
  writeFileSync(base.file, "");
  truncateSync(base.file, GROUP_BYTES + 8 * MIB);
  const sector0 = Buffer.alloc(512);
  sector0.writeBigUInt64LE(BigInt(CORE_OFFSETS_BYTES[0] / 512), 0x5c);
  const kernel = Buffer.alloc(3 * MIB, 7);
  kernel.set([0x55, 0xaa], 0x1fe);
  kernel.set(Buffer.from("HdrS"), 0x202);
  const group = Buffer.alloc(4096);
  group.writeUInt32LE(40, 8);
  const state = Buffer.from(`# GRUB Environment Block\nzs_sequence=1\nzs_phase=installed\n`);
  const parts: [number, Uint8Array][] = [
    [0, sector0],
    [ESP_START_BYTES + MIB, state],
    [ESP_START_BYTES + 2 * MIB, state],
    // As in GRUB's linux.mod.
    [ESP_START_BYTES + 4 * MIB, Buffer.from("HdrS")],
    [KERNEL_BYTES, kernel],
    [GROUP_BYTES + 8192, Buffer.from("lv-audit {} lv-audit {}")],
    [GROUP_BYTES + MIB + 4096, group],
    [GROUP_BYTES + MIB + 40 * 4096, Buffer.alloc(4096, 9)],
  ];
  withOpen(base.file, "r+", (file) => {
    for (const [at, bytes] of parts) writeBytes(file, at, bytes);
  });
  return { base, logFile };
}

test("the judge's control: each damage is one, in its place, and is taken back", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zs-broken-"));
  try {
    const recording = sketchDisk(folder);
    await withEnd(recording, folder, async (show) => {
      const places: number[][] = [];
      for (const { make } of DAMAGES) {
        const written: { at: number; before: Buffer; after: Uint8Array }[] = [];
        await show(async (disk) => {
          const write = (at: number, after: Uint8Array) => {
            written.push({ at, before: disk.read(at, after.length), after });
            disk.write(at, after);
          };
          make({ ...disk, write }, VOLUMES);
          for (const { before, after } of written) assert.not.equal(before, Buffer.from(after));
        });
        const held = await show(async (disk) =>
          written.map(({ at, before }) => disk.read(at, before.length)),
        );
        assert.equal(
          held,
          written.map(({ before }) => before),
        );
        places.push(written.map(({ at }) => at));
      }
      const group = GROUP_BYTES + 8192;
      assert.equal(places, [
        [1024],
        [ESP_START_BYTES + MIB + 40, ESP_START_BYTES + 2 * MIB + 40],
        [KERNEL_BYTES + 2 * MIB],
        [CORE_OFFSETS_BYTES[0] + 3000],
        [0, CORE_OFFSETS_BYTES[1] + 3000],
        [group, group + "lv-audit {} ".length],
        [GROUP_BYTES + 3 * MIB + 4],
        [GROUP_BYTES + MIB + 40 * 4096],
      ]);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the judge's control: what a judge does not notice, or calls something else, is told", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zs-broken-"));
  try {
    await withEnd(sketchDisk(folder), folder, async (show) => {
      const blind = await undetectedDamages(show, VOLUMES, async () => []);
      assert.equal(
        blind,
        DAMAGES.map(({ name }) => `${name}: good`),
      );
      let looks = 0;
      const vague = async () => ((looks += 1) > 1 ? ["something is wrong"] : []);
      assert.is((await undetectedDamages(show, VOLUMES, vague)).length, DAMAGES.length);
      const always = async () => ["GRUB's core is not whole"];
      const error = await undetectedDamages(show, VOLUMES, always).catch(
        (reason: unknown) => reason,
      );
      assert.match(String(error), /the disk is not good/);
      const store = VOLUMES[1]?.startBytes ?? 0;
      const left = await undetectedDamages(show, VOLUMES, async (disk) =>
        disk.read(store + 4, 1)[0] === 0 ? [] : ["the store of snap0: it is marked as not valid"],
      );
      assert.is(left.length, DAMAGES.length - 1);
      assert.not.ok(left.some((words) => words.startsWith("the backup's store")));
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
