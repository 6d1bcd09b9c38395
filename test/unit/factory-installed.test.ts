/*
 * The factory tests of what was installed: boot files against the card's description, byte by byte, and golden's
 * manifest, which has to be the one of the plan.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { testBootLoader, testRoot } from "../../src/host/factory/installed.ts";
import { outcomeOf, type Box } from "../../src/host/factory/box.ts";
import { readMountCount } from "../../src/host/file-system.ts";
import { CORE_OFFSETS_BYTES, patchBootImage, patchCoreImage } from "../../src/model/boot-sector.ts";
import { bootDirectoryOf, digestOfCard, type CardDescription } from "../../src/model/card.ts";
import { MIB } from "../../src/model/size.ts";
import { description, disk, machine } from "./example.ts";

const folder = mkdtempSync(join(tmpdir(), "zs-installed-"));
let boxes = 0;

const bootImage = new Uint8Array(512);
bootImage.set([0x55, 0xaa], 0x1fe);
bootImage[0x66] = 0xeb;
const coreImage = new Uint8Array(2000).fill(7);
new DataView(coreImage.buffer).setUint16(512 - 2, 0x820, true);

const CONTENT = {
  "grub.cfg": "menu",
  vmlinuz: "kernel",
  "initramfs.img": "image",
  "boot.img": bootImage,
  "core.img": coreImage,
  "BOOTX64.EFI": "efi",
} as const;
const digest = (name: keyof typeof CONTENT) => ({
  sha256: createHash("sha256").update(CONTENT[name]).digest("hex"),
  sizeBytes: CONTENT[name].length,
});
const card: CardDescription = {
  ...description,
  rescue: {
    ...description.rescue,
    files: { vmlinuz: digest("vmlinuz"), "initramfs.img": digest("initramfs.img") },
  },
  grub: { ...description.grub, files: { "grub.cfg": digest("grub.cfg") } },
  boot: {
    "boot.img": digest("boot.img"),
    "core.img": digest("core.img"),
    "BOOTX64.EFI": digest("BOOTX64.EFI"),
  },
};
const boot = bootDirectoryOf(card);
const FILES = {
  grub: `zshield/${card.grub.directory}/grub.cfg`,
  kernel: `zshield/${card.rescue.directory}/vmlinuz`,
  image: `zshield/${card.rescue.directory}/initramfs.img`,
  boot: `zshield/${boot}/boot.img`,
  core: `zshield/${boot}/core.img`,
  copy: `zshield/${boot}/BOOTX64.EFI`,
  description: `zshield/${boot}/card.json`,
  efi: "EFI/BOOT/BOOTX64.EFI",
};

/** An ESP and the first two MiB of a disk, as install-boot leaves them. */
function box(sectorBytes = 512): Box {
  const here = join(folder, String(boxes++));
  const esp = join(here, "esp");
  for (const path of Object.values(FILES)) {
    mkdirSync(dirname(join(esp, path)), { recursive: true });
    const name = path.slice(path.lastIndexOf("/") + 1) as keyof typeof CONTENT;
    writeFileSync(join(esp, path), CONTENT[name] ?? JSON.stringify(card));
  }
  const image = new Uint8Array(2 * MIB);
  const [at] = CORE_OFFSETS_BYTES;
  image.set(patchBootImage(bootImage, image.subarray(0, 512), at / 512));
  image.set(patchCoreImage(coreImage, at / 512), at);
  writeFileSync(join(here, "disk"), image);
  return {
    machine: machine(),
    disk: disk({ path: join(here, "disk") }),
    plan: { steps: [] } as unknown as Box["plan"],
    root: join(here, "root"),
    scratch: here,
    esp,
    boot: {
      card: digestOfCard(card),
      grub: card.grub.directory,
      rescue: card.rescue.directory,
      ...{ boot, sectorBytes },
    },
    log: () => undefined,
  };
}

/** What is known of the root's file system; returns its place. */
function superblock(of: Box, mounts: number): string {
  const bytes = new Uint8Array(2048);
  const view = new DataView(bytes.buffer);
  view.setUint16(1024 + 0x34, mounts, true);
  view.setUint16(1024 + 0x38, 0xef53, true);
  const path = join(of.scratch, "root-device");
  writeFileSync(path, bytes);
  return path;
}

const forget = async () => undefined;
const judge = (of: Box) =>
  outcomeOf({ name: "boot-loader", origin: "built-in" }, () => testBootLoader(of, forget));

/** Changes one bit. */
function spoil(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

test("boot loader: whole", async () => {
  for (const sectorBytes of [512, 4096]) {
    const { outcome, reason } = await judge(box(sectorBytes));
    assert.is(outcome, "pass", reason);
  }
});

test("boot loader: it is read from the disk, not from what is cached", async () => {
  const of = box();
  const asked: (readonly string[])[] = [];
  await testBootLoader(of, async (devices) => void asked.push(devices));
  assert.equal(asked, [[of.disk.path]]);
});

for (const [what, path] of Object.entries(FILES)) {
  test(`boot loader: one bit changed, or nothing there: ${what}`, async () => {
    const changed = box();
    // In the description, of a digest: elsewhere it might be no JSON any more.
    const at = what === "description" ? readFileSync(join(changed.esp, path)).indexOf("aaaa") : 1;
    spoil(join(changed.esp, path), at);
    assert.is((await judge(changed)).outcome, "fail");
    const gone = box();
    rmSync(join(gone.esp, path));
    assert.is((await judge(gone)).outcome, "fail");
  });
}

for (const [what, at, reason] of [
  ["the code of the boot sector", 5, /boot sector/],
  ["where the boot sector looks for the core", 0x5c, /does not name/],
  ["the core", CORE_OFFSETS_BYTES[0] + 1500, /core/],
] as const) {
  test(`boot loader: one bit of the disk changed: ${what}`, async () => {
    const of = box();
    spoil(of.disk.path, at);
    const outcome = await judge(of);
    assert.is(outcome.outcome, "fail");
    assert.match(outcome.reason, reason);
    // Only UEFI starts from a disk of such sectors, and nothing was written there.
    assert.is((await judge({ ...box(4096), disk: of.disk })).outcome, "pass");
  });
}

test("root: the manifest has to be there, and to be that of the plan", async () => {
  const of = box();
  const proof = {
    ...{ manifest: { path: "manifest.zst", sha256: "0".repeat(64) }, files: [], mayDiffer: [] },
    ...{ bytes: 1, device: superblock(of, 7), mounts: 7 },
  };
  const judgeRoot = (more: Partial<Box> = { proof }) =>
    outcomeOf({ name: "root", origin: "built-in" }, () =>
      testRoot({ ...of, ...more }, of.scratch, forget),
    );
  assert.is((await judgeRoot({})).outcome, "skip", "nothing to compare with");
  assert.match((await judgeRoot()).reason, /manifest is not there/);
  writeFileSync(join(of.scratch, "manifest.zst"), "another");
  const outcome = await judgeRoot();
  assert.is(outcome.outcome, "fail");
  assert.match(outcome.reason, /does not have its digest/);
  superblock(of, 8);
  const started = await judgeRoot();
  assert.is(started.outcome, "skip");
  assert.match(started.reason, /has been started since/);
});

test("how often a file system was mounted for writing is what mke2fs and the kernel put there", async () => {
  const of = box();
  const image = join(of.scratch, "ext4");
  writeFileSync(image, new Uint8Array(8 * MIB));
  const made = Bun.spawnSync(["mke2fs", "-q", "-F", "-t", "ext4", image]);
  assert.is(made.exitCode, 0);
  assert.is(await readMountCount(image), 0);
  assert.is(Bun.spawnSync(["tune2fs", "-C", "4242", image]).exitCode, 0);
  assert.is(await readMountCount(image), 4242);
  const none = await readMountCount(of.disk.path).catch((error: unknown) => String(error));
  assert.match(String(none), /holds no ext4/);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
