/*
 * Whether an initramfs holds dm-snapshot: archives as the distributions' tools put them together, whole,
 * packed, cut off, and what is none.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packFiles } from "../../build/cpio.ts";
import { findTool } from "../../src/host/command.ts";
import { readInitramfs } from "../../src/host/initramfs.ts";
import { isSnapshotModule, unpackerOf, walkNames } from "../../src/model/cpio-names.ts";

const folder = mkdtempSync(join(tmpdir(), "zs-initramfs-"));
const MODULE = "/usr/lib/modules/6.1.0/kernel/drivers/md/dm-snapshot.ko";
const OTHER = "/usr/lib/modules/6.1.0/kernel/drivers/md/dm-mod.ko";

const zeros = (sizeBytes: number) => new Uint8Array(sizeBytes);
const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
/** Content that does not pack well. */
const noise = (sizeBytes: number) =>
  Uint8Array.from({ length: sizeBytes }, (_, index) => (index * index * 7919) >>> 7);

const archive = (...names: string[]) =>
  packFiles(
    Object.fromEntries(
      names.map((name, index) => [name, { bytes: noise(1001 + index), mode: 0o644 }]),
    ),
  );
const main = (...names: string[]) => archive("/init", "/bin/sh", OTHER, ...names);
/** As dracut and initramfs-tools put it in front: padded to whole sectors. */
const early = (...names: string[]) => {
  const bytes = archive("/kernel/x86/microcode/GenuineIntel.bin", ...names);
  return joined(bytes, zeros(512 - (bytes.length % 512)));
};

const gzip = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes));
const zstd = (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes));

function namesOf(bytes: Uint8Array, pieceBytes = bytes.length) {
  const names: string[] = [];
  const walk = walkNames((name) => void names.push(name));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    walk.add(bytes.subarray(at, at + pieceBytes));
  }
  return { names, foreign: walk.foreign(), why: walk.whyNotWhole() };
}

async function look(image: Uint8Array): Promise<string> {
  const root = mkdtempSync(join(folder, "root-"));
  mkdirSync(join(root, "boot"));
  writeFileSync(join(root, "boot/vmlinuz-6.1.0"), "");
  writeFileSync(join(root, "boot/initrd.img-6.1.0"), image);
  const { without, unknown } = await readInitramfs(root, "6.1.0");
  rmSync(root, { recursive: true });
  const [why] = unknown;
  if (why !== undefined) return why.replace(/^.*initrd\.img-6\.1\.0: /, "");
  return without.length > 0 ? "without" : "with";
}

test("names of two archives with zeros between and behind, however the stream is cut into pieces", () => {
  const image = joined(early(), main(MODULE), zeros(700));
  const names = ["kernel/x86/microcode/GenuineIntel.bin", "bin/sh", "init", OTHER, MODULE].map(
    (name) => name.replace(/^\//, ""),
  );
  for (const pieceBytes of [1, 7, 110, 512, image.length]) {
    assert.equal(namesOf(image, pieceBytes), { names, foreign: undefined, why: undefined });
  }
});

test("what is no archive is told with its place; nothing is read on", () => {
  const front = early();
  const packed = zstd(main());
  for (const pieceBytes of [1, 512, 100_000]) {
    const { foreign } = namesOf(joined(front, packed), pieceBytes);
    assert.equal(foreign, { at: front.length, magic: packed.slice(0, 6) });
  }
});

test("an archive that was cut off anywhere is not whole", () => {
  const image = main();
  for (let end = 1; end < image.length; end += 37) {
    assert.is(namesOf(image.subarray(0, end)).why, "it ends within an archive", String(end));
  }
  assert.is(namesOf(zeros(0)).why, "it holds no archive");
  assert.is(namesOf(zeros(1024)).why, "it holds no archive");
});

test("an archive that goes on with something else, and a header that is damaged", () => {
  const image = main();
  const second = image.slice();
  second[Buffer.from(image).indexOf("070701", 1)] = 0x31;
  assert.throws(() => namesOf(second), /an archive holds what is no entry/);
  const damaged = image.slice();
  damaged[100] = 0x7a;
  assert.throws(() => namesOf(damaged), /damaged header/);
});

test("the module by its name, packed or not; what merely contains it is another", () => {
  const path = "lib/modules/6.1.0/kernel/drivers/md";
  const module = ["dm-snapshot.ko", "dm-snapshot.ko.xz", "dm-snapshot.ko.zst", "dm-snapshot.ko.gz"];
  for (const name of [...module, "dm_snapshot.ko"]) {
    assert.ok(isSnapshotModule(`${path}/${name}`), name);
    assert.ok(isSnapshotModule(name), name);
  }
  const others = ["dm-snapshot", "dm-snapshot.ko.sig", "xdm-snapshot.ko", "dm-snapshot-x.ko", ""];
  for (const name of [...others, "dm-snapshot.ko/x", "dm-snapshotxko"]) {
    assert.not.ok(isSnapshotModule(`${path}/${name}`), name);
  }
});

test("compressions by their first bytes", () => {
  assert.is(unpackerOf(gzip(zeros(9)))?.[0], "gzip");
  assert.is(unpackerOf(zstd(zeros(9)))?.[0], "zstd");
  assert.is(unpackerOf(Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0))?.[0], "xz");
  assert.is(unpackerOf(Uint8Array.of(0x5d, 0, 0, 0x80, 0, 0))?.[0], "xz");
  assert.is(unpackerOf(new TextEncoder().encode("\x7fELF\x02\x01")), undefined);
});

test("an image with and without the module, nothing packed", async () => {
  assert.is(await look(main(MODULE)), "with");
  assert.is(await look(main()), "without");
  assert.is(await look(joined(early(), main(`${MODULE}.xz`))), "with");
  assert.is(await look(joined(early(), main(`${MODULE}.sig`))), "without");
});

test("an image whose main archive is packed, behind one that is not", async () => {
  const packers = { gzip, zstd };
  for (const [program, pack] of Object.entries(packers)) {
    if (findTool(program) === undefined) {
      assert.match(await look(pack(main())), `${program} could not be started: there is no such`);
      continue;
    }
    assert.is(await look(pack(main(MODULE))), "with", program);
    assert.is(await look(joined(early(), pack(main(MODULE)))), "with", program);
    assert.is(await look(joined(early(), early(), pack(main()))), "without", program);
    // Ubuntu: the modules lie in front, where they are not packed again.
    assert.is(await look(joined(early(), early(MODULE), pack(main()))), "with", program);
    const packed = pack(joined(main(), main(MODULE)));
    assert.is(await look(packed), "with", `${program}, two archives in one`);
  }
});

test("the rest of an image is not unpacked once the module is found", async () => {
  const tail = new Uint8Array(3_000_000);
  // What follows would be called damaged.
  assert.is(await look(gzip(joined(main(MODULE), noise(1000), tail))), "with");
});

test("an image that is cut off is unknown, wherever the cut is", async () => {
  for (const [name, image] of Object.entries({
    plain: joined(early(), main()),
    packed: joined(early(), gzip(main())),
    zstd: joined(early(), zstd(main())),
  })) {
    for (const part of [0.1, 0.3, 0.5, 0.6, 0.8, 0.95]) {
      const said = await look(image.subarray(0, Math.floor(image.length * part)));
      assert.not.match(said, /^with/, `${name} ${part}`);
    }
  }
  assert.is(await look(early()), "it holds no init, so it is not all there");
  assert.is(await look(zeros(0)), "it holds no archive");
});

test("what is no initramfs is unknown, and why", async () => {
  const text = new TextEncoder().encode("#!/bin/sh\n");
  assert.is(await look(text), "what begins at byte 0 is no archive");
  assert.is(await look(gzip(text)), "what was packed is no archive");
  assert.is(await look(gzip(gzip(main(MODULE)))), "what was packed is no archive");
  // More behind what is packed: the kernel would read it, we do not.
  const more = await look(joined(gzip(main()), main(MODULE)));
  assert.match(more, "gzip ended with exit code 2");
});

test("a module that is built in counts, a kernel without an image cannot be told", async () => {
  const root = join(folder, "root");
  const modules = join(root, "lib/modules/6.2.0");
  mkdirSync(modules, { recursive: true });
  mkdirSync(join(root, "boot"), { recursive: true });
  writeFileSync(join(root, "boot/vmlinuz-6.2.0"), "");
  writeFileSync(join(root, "boot/vmlinuz-6.1.0"), "");
  assert.equal(await readInitramfs(root, "6.1.0"), {
    without: [],
    unknown: ["kernel 6.2.0 has no initramfs", "kernel 6.1.0 has no initramfs"],
  });
  writeFileSync(join(modules, "modules.builtin"), "kernel/drivers/md/dm-snapshot.ko\n");
  assert.equal(await readInitramfs(root, "other"), { without: [], unknown: [] });
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

test.run();
