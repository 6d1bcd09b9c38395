/*
 * A FAT32 directory of which a power cut left out a sector: mtools stops there, as GRUB and UEFI firmware do, and sees what lies
 * behind it once the gap is closed. fsck.fat, which the agent runs before, does not help, and this shows it.
 */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { closeGaps, gapsOf } from "../../src/host/fat-gaps.ts";
import { command } from "../lab/command.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { needRoot } from "./need-root.ts";

needRoot();

const SECTOR = 512;
const ENTRY = 32;
const MODULES = Array.from(
  { length: 300 },
  (_, number) => `m${String(number).padStart(3, "0")}.mod`,
);
const test = suite("gaps in FAT directories");
const folder = makeFolder("fat-gaps");
let images = 0;

test.after(() => dropFolder(folder));

/** A FAT32 with 300 files in `zshield/grub/i386-pc`. */
async function makeImage(clusterSectors: number): Promise<string> {
  images += 1;
  const image = join(folder, `esp-${images}.img`);
  const size = `${(70_000 * clusterSectors) / 2}`;
  await command(["mkfs.fat", "-F", "32", "-s", String(clusterSectors), "-C", image, size]);
  for (const name of ["zshield", "zshield/grub", "zshield/grub/i386-pc"]) {
    await command(["mmd", "-i", image, `::${name}`]);
  }
  for (const name of MODULES) writeFileSync(join(folder, name), name);
  const files = MODULES.map((name) => join(folder, name));
  await command(["mcopy", "-i", image, ...files, "::zshield/grub/i386-pc/"]);
  return image;
}

/** Zeroes the sector of the directory that has this file's entry. */
function loseSector(image: string, file: string): void {
  const bytes = readFileSync(image);
  const at = bytes.indexOf(file.toUpperCase().replace(".", "    "));
  assert.ok(at > 0, `${file} has no entry`);
  const start = at - (at % SECTOR);
  assert.ok(bytes.subarray(start, start + SECTOR).some((byte) => byte !== 0));
  bytes.fill(0, start, start + SECTOR);
  writeFileSync(image, bytes);
}

async function seen(image: string): Promise<string[]> {
  const { stdout } = await command(["mdir", "-b", "-i", image, "::zshield/grub/i386-pc"], {
    accept: [0, 1],
  });
  return MODULES.filter((name) => stdout.toLowerCase().includes(`/${name}\n`));
}

async function assertFails(image: string, words: RegExp): Promise<void> {
  const found = await closeGaps(image).then(String, (error: Error) => error.message);
  assert.match(found, words);
}

for (const clusterSectors of [1, 2]) {
  test(`what lies behind a lost sector is found again, ${clusterSectors} sectors a cluster`, async () => {
    const image = await makeImage(clusterSectors);
    assert.is((await seen(image)).length, MODULES.length);
    assert.is(await closeGaps(image), 0);

    loseSector(image, "m050.mod");
    loseSector(image, "m200.mod");
    await command(["fsck.fat", "-a", "-w", image], { accept: [0, 1] });
    const before = await seen(image);
    assert.ok(!before.includes("m100.mod") && !before.includes("m299.mod"), "no gap was made");
    const damaged = readFileSync(image);

    assert.is(await closeGaps(image), (2 * SECTOR) / ENTRY);
    const after = await seen(image);
    assert.is(after.length, MODULES.length - (2 * SECTOR) / ENTRY);
    assert.ok(after.includes("m100.mod") && after.includes("m299.mod"));
    const closed = readFileSync(image);
    const changed: number[] = [];
    for (let at = 0; at < closed.length; at++) if (closed[at] !== damaged[at]) changed.push(at);
    assert.is(changed.length, (2 * SECTOR) / ENTRY);
    assert.ok(changed.every((at) => at % ENTRY === 0 && damaged[at] === 0 && closed[at] === 0xe5));

    assert.is(await closeGaps(image), 0);
    await command(["fsck.fat", "-n", image]);
    // What is put there now takes the place of what was lost, and all of it can be found.
    const lost = MODULES.filter((name) => !after.includes(name)).map((name) => join(folder, name));
    await command(["mcopy", "-i", image, ...lost, "::zshield/grub/i386-pc/"]);
    assert.is((await seen(image)).length, MODULES.length);
  });
}

test("the root directory too, and a directory behind a gap in its parent", async () => {
  const image = await makeImage(1);
  const files = MODULES.slice(0, 40).map((name) => join(folder, name));
  await command(["mcopy", "-i", image, ...files, "::/"]);
  await command(["mmd", "-i", image, "::late"]);
  await command(["mcopy", "-i", image, ...files, "::late/"]);
  const whole = readFileSync(image);
  // The root was written to last of those that hold m020.mod but for late: each of the three has one such entry.
  const entry = "M020    MOD";
  const places = [];
  for (let at = whole.indexOf(entry); at >= 0; at = whole.indexOf(entry, at + 1)) places.push(at);
  assert.is(places.length, 3);
  for (const at of places) {
    const start = at - (at % SECTOR);
    whole.fill(0, start, start + SECTOR);
  }
  writeFileSync(image, whole);
  assert.is(await closeGaps(image), (3 * SECTOR) / ENTRY);
  const { stdout } = await command(["mdir", "-/", "-b", "-i", image, "::"]);
  for (const directory of ["::/", "::/late/", "::/zshield/grub/i386-pc/"]) {
    assert.ok(stdout.toLowerCase().includes(`${directory}m039.mod\n`), directory);
  }
});

test("only what a used entry follows is a gap", () => {
  const [used, end, deleted] = [0x4d, 0, 0xe5];
  const gaps = (...firsts: number[]) =>
    gapsOf(Uint8Array.from(firsts.flatMap((first) => [first, ...Array<number>(31).fill(7)]))).map(
      (at) => at / ENTRY,
    );
  assert.equal(gaps(), []);
  assert.equal(gaps(end, end), []);
  assert.equal(gaps(used, deleted, used, end, end), []);
  assert.equal(gaps(used, end, deleted, end), []);
  assert.equal(gaps(end, used), [0]);
  assert.equal(gaps(used, end, deleted, end, used, end), [1, 3]);
});

test("FAT16, and a directory that leads round in a circle, are told", async () => {
  const small = join(folder, "fat16.img");
  await command(["mkfs.fat", "-F", "16", "-C", small, "20000"]);
  await assertFails(small, /is not FAT32/);
  const image = await makeImage(1);
  const round = join(folder, "round.img");
  copyFileSync(image, round);
  const bytes = readFileSync(round);
  const fat = bytes.readUInt16LE(14) * SECTOR;
  const root = bytes.readUInt32LE(44);
  bytes.writeUInt32LE(root, fat + 4 * root);
  writeFileSync(round, bytes);
  await assertFails(round, /do not end/);
  // A directory that has itself above it is looked at once.
  copyFileSync(image, round);
  const nested = readFileSync(round);
  nested.writeUInt16LE(root, nested.indexOf("ZSHIELD    ") + 26);
  writeFileSync(round, nested);
  assert.is(await closeGaps(round), 0);
});

test("opening the ESP closes them before it is mounted", async () => {
  const image = await makeImage(1);
  loseSector(image, "m050.mod");
  const [mounted, words] = [join(folder, "as-mounted.img"), join(folder, "words")];
  // The host's kernel may have no vfat: a stand-in keeps what would be mounted.
  const standIn = join(folder, "mount");
  writeFileSync(standIn, `#!/bin/sh\necho "$*" > ${words}\ncp "$5" ${mounted}\n`, { mode: 0o755 });
  const esp = join(import.meta.dir, "../../src/host/esp.ts");
  const program = `await (await import(${JSON.stringify(esp)})).openEsp("${image}", "${join(folder, "at")}");`;
  const script = 'mount --bind "$1" "$(command -v mount)" || exit 99; shift; exec "$@"';
  const argv = ["unshare", "--mount", "sh", "-c", script, "sh", standIn, process.execPath];
  await command([...argv, "-e", program]);
  assert.match(readFileSync(words, "utf8"), /^-t vfat -o rw,/);
  assert.ok((await seen(mounted)).includes("m299.mod"), "it was mounted with the gap");
  assert.is(await closeGaps(mounted), 0);
});

test.run();
