/*
 * What the kernel and LVM tell of snapshots and merges, and what makes a root able to start.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkBootable, kernelsIn } from "../../src/host/bootable.ts";
import { checkFileSystem } from "../../src/host/file-system.ts";
import { parseVolumeStates } from "../../src/host/lvm.ts";
import { isLeftBehind, parseMergePercent } from "../../src/host/merge.ts";
import { mapperName, parseSnapshotStatus } from "../../src/host/snapshot.ts";

test("progress of a merge", () => {
  assert.is(parseMergePercent("  vgroup/lv-root: Merged: 39.46%"), 39.46);
  assert.is(parseMergePercent('  Logical volume "snap0" successfully removed.'), undefined);
});

for (const [text, wanted] of [
  ["0 8388608 snapshot 2832/8454144 16\n", { kind: "valid", usedBytes: 2832 * 512 }],
  ["0 8388608 snapshot-merge 16/8454144 16", { kind: "valid", usedBytes: 16 * 512 }],
  ["0 8388608 snapshot Invalid", { kind: "bad", why: "Invalid" }],
  ["0 8388608 snapshot Overflow", { kind: "bad", why: "Overflow" }],
  ["0 8388608 snapshot-merge Merge failed", { kind: "bad", why: "Merge failed" }],
  ["0 8388608 linear", { kind: "none" }],
  ["0 8388608 error", { kind: "none" }],
] as const) {
  test(`the kernel's status: ${text.trim()}`, () =>
    assert.equal(parseSnapshotStatus(text), wanted));
}

test("device-mapper doubles dashes", () => {
  assert.is(mapperName("vgroup", "lv-root"), "vgroup-lv--root");
  assert.is(mapperName("v-g", "snap0-new"), "v--g-snap0--new");
});

test("a snapshot that is being merged is hidden, and its origin says so", () => {
  const lv = [
    { lv_name: "lv-root", origin: "", lv_merging: "1" },
    { lv_name: "[snap0]", origin: "lv-root", lv_merging: "1" },
  ];
  assert.equal(parseVolumeStates(JSON.stringify({ report: [{ lv }] })), [
    { name: "lv-root", origin: "", merging: true },
    { name: "snap0", origin: "lv-root", merging: true },
  ]);
});

test("what a merge leaves between LVM's last two commits is an ordinary volume", () => {
  const root = { name: "lv-root", origin: "", merging: false };
  const left = (origin: string, merging: boolean) =>
    isLeftBehind([root, { name: "snap0", origin, merging }], "snap0");
  assert.ok(left("", false));
  assert.not(left("lv-root", false));
  assert.not(left("lv-root", true));
  assert.not(isLeftBehind([root], "snap0"));
});

test("the newest kernel is first, by number", () => {
  const names = ["vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-56-amd64", "config-6.1.0-99-amd64"];
  assert.equal(kernelsIn(names), ["6.1.0-56-amd64", "6.1.0-9-amd64"]);
});

async function bootable(files: readonly string[]): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "zs-bootable-"));
  try {
    mkdirSync(join(root, "boot"));
    for (const file of files) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), "");
    }
    return await checkBootable(root).catch((error: Error) => error.message);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const GRUB = "boot/grub/grub.cfg";

test("a root that can start, with Debian's names and with Fedora's", async () => {
  const debian = [GRUB, "boot/vmlinuz-6", "boot/initrd.img-6", "lib/modules/6/modules.dep"];
  assert.is(await bootable(debian), "6");
  const fedora = ["boot/vmlinuz-5", "boot/initramfs-5.img", "usr/lib/modules/5/modules.dep"];
  assert.is(await bootable(["boot/grub2/grub.cfg", ...fedora]), "5");
});

test("what is missing is named", async () => {
  assert.match(await bootable(["boot/vmlinuz-6"]), /no GRUB configuration/);
  assert.match(await bootable([GRUB]), /no kernel in \/boot/);
  assert.match(await bootable([GRUB, "boot/vmlinuz-6"]), /kernel 6 has no initramfs/);
  const without = [GRUB, "boot/vmlinuz-6", "boot/initrd.img-6"];
  assert.match(await bootable(without), /kernel 6 has no modules/);
});

test("an older kernel that is whole does not help: GRUB starts the newest", async () => {
  const older = [GRUB, "boot/vmlinuz-5", "boot/initrd.img-5", "lib/modules/5/modules.dep"];
  const newer = ["boot/vmlinuz-6", "boot/initrd.img-6"];
  assert.match(await bootable([...older, ...newer]), /kernel 6 has no modules/);
});

async function check(lookCode: number, repairCode: number): Promise<string> {
  const end = (code: number) => ["sh", "-c", `exit ${code}`];
  let repaired = false;
  const outcome = await checkFileSystem(end(lookCode), end(repairCode), (line) => {
    repaired ||= line.startsWith("+ ");
  }).then(
    () => "good",
    () => "failed",
  );
  return `${repaired ? "repaired, " : ""}${outcome}`;
}

test("a file system is repaired only where the look found faults", async () => {
  assert.is(await check(0, 1), "good");
  assert.is(await check(4, 1), "repaired, good");
  assert.is(await check(4, 4), "repaired, failed");
  assert.is(await check(8, 0), "failed");
});

test.run();
