/*
 * Cards written to real devices: loop devices over files, also one whose file system is full. What the devices hold
 * afterwards is read from the files behind them.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  openSync,
  closeSync,
  fsyncSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeAll, type Display } from "../../src/commands/write-cards.ts";
import { Refusal } from "../../src/errors.ts";
import { readCardDisks } from "../../src/host/card-disks.ts";
import { checkImage, type CardImage } from "../../src/host/card-image.ts";
import { moveBackupTable, writeCard } from "../../src/host/card-write.ts";
import { writePieces } from "../../src/host/dd.ts";
import type { CardDisk } from "../../src/model/card-disk.ts";
import { MIB } from "../../src/model/size.ts";
import { command } from "../lab/command.ts";
import { dropFolder, makeFolder, PROJECT, registerMount, forgetMount } from "../lab/scratch.ts";

const IMAGE_MIB = 24;
const folder = makeFolder("cards");
const raw = join(folder, "card.img");
const full = join(folder, "full");
const loops: string[] = [];
const test = suite("card write");
const SILENT: Display = { update() {}, changed() {}, end() {} };

test.before(async () => {
  mkdirSync(full);
  await command(["mount", "-t", "tmpfs", "-o", "size=16M", "tmpfs", full]);
  registerMount(full);
  writeFileSync(raw, "");
  truncateSync(raw, IMAGE_MIB * MIB);
  const script = "label: gpt\n1 : start=2048, size=2048\n2 : start=4096, size=16384\n";
  await command(["sfdisk", "--quiet", raw], { input: script });
  // Nothing of the image may look like what lay there before, nor like another part of it.
  const file = openSync(raw, "r+");
  writeSync(file, Buffer.alloc(440, "boot"), 0, 440, 0);
  for (let at = 2; at < 22; at++) {
    const block = createHash("sha512").update(String(at)).digest();
    writeSync(file, Buffer.alloc(MIB, block), 0, MIB, at * MIB);
  }
  closeSync(file);
  await command(["zstd", "--quiet", raw]);
  writeFileSync(`${raw}.sha256`, `${sha256(readFileSync(raw))}  card.img\n`);
});

test.after(async () => {
  for (const loop of loops.splice(0)) await command(["losetup", "--detach", loop]);
  await command(["umount", full]);
  forgetMount(full);
  dropFolder(folder);
});

let count = 0;

interface Device {
  readonly disk: CardDisk;
  readonly file: string;
}

/** A used card: full of what is no zero. */
async function makeDevice(mib: number, where = folder): Promise<Device> {
  const file = join(where, `device-${++count}`);
  if (where === folder) writeFileSync(file, Buffer.alloc(mib * MIB, 0xa5));
  else writeFileSync(file, "");
  truncateSync(file, mib * MIB);
  const path = (await command(["losetup", "--find", "--show", file])).stdout.trim();
  loops.push(path);
  const disk = (await readCardDisks([path])).find((disk) => disk.path === path);
  assert.ok(disk, "the loop device is seen as a disk");
  return { disk, file };
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const image = (path = raw) => checkImage(path, () => undefined);
const troubleOf = async (disk: CardDisk, checked: CardImage, limits?: { stallMs: number }) =>
  writeCard(checked, disk, () => undefined, limits).then(
    () => "",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

/** The image, but for both headers; and the backup table at the real end. */
async function assertWritten({ file, disk }: Device): Promise<void> {
  const wanted = readFileSync(raw);
  const found = readFileSync(file);
  const end = (IMAGE_MIB - 1) * MIB;
  assert.is(sha256(found.subarray(1024, end)), sha256(wanted.subarray(1024, end)));
  // The table of old times tells the size of the whole disk; the program before it is GRUB's.
  assert.is(sha256(found.subarray(0, 440)), sha256(wanted.subarray(0, 440)), "the boot sector");
  assert.is(found.readUInt32LE(446 + 12), disk.sizeBytes / 512 - 1);
  assert.is(found.toString("latin1", found.length - 512, found.length - 504), "EFI PART");
  const { stdout } = await command(["sfdisk", "--json", file]);
  const { partitiontable } = JSON.parse(stdout) as { partitiontable: { lastlba: number } };
  assert.is(partitiontable.lastlba, disk.sizeBytes / 512 - 34);
  await command(["sfdisk", "--verify", file]);
}

test("many at once, packed and not, of different sizes, one as large as the image", async () => {
  for (const path of [raw, `${raw}.zst`]) {
    const checked = await image(path);
    assert.equal(
      [checked.packed, checked.sizeBytes, checked.digestFile],
      [path !== raw, IMAGE_MIB * MIB, `${raw}.sha256`],
    );
    const devices = [await makeDevice(IMAGE_MIB), await makeDevice(32), await makeDevice(41)];
    const cards = await writeAll(
      checked,
      devices.map(({ disk }) => disk),
      SILENT,
    );
    for (const [at, device] of devices.entries()) {
      assert.is(cards[at]?.trouble, undefined);
      assert.is(cards[at]?.phase, "good");
      await assertWritten(device);
    }
  }
});

test("a device that cannot take everything fails with the place, the others do not", async () => {
  const [good, bad] = [await makeDevice(32), await makeDevice(32, full)];
  const cards = await writeAll(await image(), [bad.disk, good.disk], SILENT);
  assert.is(cards[0]?.phase, "bad");
  assert.match(
    cards[0]?.trouble ?? "",
    /it could not be written near 1\d(\.\d)? MiB: .*(Input\/output error|No space left)/,
  );
  assert.is(cards[1]?.phase, "good");
  await assertWritten(good);
  assert.ok(isBlank(bad.file), "a card that is not whole does not start");
});

/** The first MiB is zeros: nothing starts from it. */
function isBlank(file: string): boolean {
  return readFileSync(file)
    .subarray(0, MIB)
    .every((byte) => byte === 0);
}

test("nothing starts from a card before all of it was read back, nor after its table could not be moved", async () => {
  const checked = await image();
  const { disk, file } = await makeDevice(32);
  const blank: string[] = [];
  const work = writeCard(checked, disk, ({ phase, bytes }) => {
    if (phase === "check" && isBlank(file)) blank.push(`check ${bytes}`);
    if (phase !== "table") return;
    assert.not.ok(isBlank(file));
    // As a card would be that has lost the head of its table meanwhile, but not its boot sector.
    const table = openSync(disk.path, "r+");
    writeSync(table, new Uint8Array(512), 0, 512, 512);
    fsyncSync(table);
    closeSync(table);
  });
  const message = await work.then(() => "", String);
  assert.match(message, /its partition table is not right/);
  assert.is(blank.at(-1), `check ${IMAGE_MIB * MIB}`);
  assert.ok(isBlank(file));
});

test("a device smaller than the image", async () => {
  const { disk } = await makeDevice(20);
  assert.match(await troubleOf(disk, await image()), /could not be written near .*No space left/);
});

test("a bit that changed between writing and reading is found", async () => {
  const checked = await image();
  const { disk, file: path } = await makeDevice(32);
  for (const at of [MIB, 7 * MIB + 3, IMAGE_MIB * MIB - 1]) {
    const work = writeCard(checked, disk, ({ phase, bytes }) => {
      if (phase === "check" && bytes === 0) flipBit(disk.path, at);
    });
    const message = await work.then(
      () => "it was not found",
      (error: unknown) => String(error),
    );
    assert.match(message, /what it holds is not what was written/, `byte ${at}`);
    assert.ok(isBlank(path), `byte ${at}: a card that is bad does not start`);
  }
  assert.is(await troubleOf(disk, checked), "", "the same device without the change");
});

function flipBit(path: string, at: number): void {
  const file = openSync(path, "r+");
  const sector = readFileSync(path).subarray(at, at + 1);
  writeSync(file, Buffer.from([(sector[0] ?? 0) ^ 1]), 0, 1, at);
  closeSync(file);
}

test("a device that somebody else has is left alone", async () => {
  const { disk, file } = await makeDevice(32);
  await command(["mkfs.ext4", "-q", disk.path]);
  const at = join(folder, "mounted");
  mkdirSync(at);
  await command(["mount", disk.path, at]);
  registerMount(at);
  const before = sha256(readFileSync(file).subarray(2 * MIB));
  assert.is(await troubleOf(disk, await image()), "somebody else uses it");
  assert.is(sha256(readFileSync(file).subarray(2 * MIB)), before);
  const seen = (await readCardDisks([disk.path])).find(({ path }) => path === disk.path);
  assert.equal(seen?.mounts, [at]);
  // Named by its serial number such a disk is unmounted first.
  const cards = await writeAll(await image(), [seen ?? disk], SILENT);
  forgetMount(at);
  assert.equal([cards[0]?.phase, cards[0]?.trouble], ["good", undefined]);
  await assertWritten({ disk, file });
});

test("a card that was swapped for another one after the last look is left alone", async () => {
  const { disk, file } = await makeDevice(32);
  const before = sha256(readFileSync(file));
  assert.is(
    await troubleOf({ ...disk, serial: "CF-1" }, await image()),
    'it is another disk than a moment ago, and was not written to: its serial number is "", not "CF-1"',
  );
  assert.is(sha256(readFileSync(file)), before);
});

test("a writer that does not get on is given up", async () => {
  const { disk } = await makeDevice(32);
  const file = openSync(disk.path, "r+");
  const never = async function* () {
    yield new Uint8Array(MIB);
    await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
  };
  const started = Date.now();
  const message = await writePieces(file, 0, never(), () => undefined, { stallMs: 500 }).then(
    () => "",
    (error: unknown) => String(error),
  );
  closeSync(file);
  assert.match(message, /it does not answer: nothing moved for 0.5 s/);
  assert.ok(Date.now() - started < 10_000);
});

test("a card that does not answer while its table is moved is given up", async () => {
  // Whoever opens it waits.
  const path = join(folder, "silent");
  await command(["mkfifo", path]);
  const started = Date.now();
  const message = await moveBackupTable({ path, sizeBytes: 32 * MIB }, { stallMs: 500 }).then(
    () => "",
    String,
  );
  assert.match(message, /its partition table is not right: .*sfdisk.* 0.5 s/);
  assert.ok(Date.now() - started < 10_000);
});

test("an image that is damaged, cut off, not its digest's, or none is refused before", async () => {
  const refused = async (path: string) =>
    image(path).then(
      () => "it was not refused",
      (error: unknown) =>
        error instanceof Refusal ? error.message : `no refusal: ${String(error)}`,
    );
  const place = (name: string) => join(folder, "images", name);
  mkdirSync(join(folder, "images"));
  copyFileSync(raw, place("card.img"));
  copyFileSync(`${raw}.zst`, place("card.img.zst"));
  assert.is((await image(place("card.img"))).digestFile, undefined);
  writeFileSync(place("card.img.sha256"), `${"0".repeat(64)}  card.img\n`);
  assert.match(await refused(place("card.img")), /does not have the digest/);
  assert.match(await refused(place("card.img.zst")), /does not have the digest/);
  writeFileSync(place("card.img.sha256"), "nothing");
  assert.match(await refused(place("card.img")), /has no digest of card\.img/);

  copyFileSync(raw, place("cut.img"));
  truncateSync(place("cut.img"), 20 * MIB);
  assert.match(await refused(place("cut.img")), /no whole image of a card: it has 20971520 bytes/);
  const packed = readFileSync(`${raw}.zst`);
  writeFileSync(place("cut.zst"), packed.subarray(0, packed.length - 200));
  assert.match(await refused(place("cut.zst")), /no whole image|cannot be unpacked/);
  const damaged = Buffer.from(packed);
  damaged[packed.length >> 1] = (damaged[packed.length >> 1] ?? 0) ^ 0x10;
  writeFileSync(place("damaged.zst"), damaged);
  assert.match(await refused(place("damaged.zst")), /no whole image|cannot be unpacked/);
  writeFileSync(place("small"), "x");
  assert.match(await refused(place("small")), /does not begin with a GPT/);
  assert.match(await refused(place("nowhere")), /cannot be read/);
});

test("the verb refuses what is no disk, and asks nobody where there is nobody", async () => {
  const { disk, file } = await makeDevice(32);
  const before = sha256(readFileSync(file));
  const words = [process.execPath, join(PROJECT, "src/main.ts"), "card", "write", raw];
  const refused = async (...more: string[]) => {
    const { code, stderr } = await command([...words, ...more], { accept: [3] });
    return `${code} ${stderr}`;
  };
  assert.match(await refused(disk.path), /^3 .*is no disk, or there is no card in it/s);
  assert.match(await refused("/dev/nowhere", "--yes"), /^3 .*no such file/s);
  assert.match(await refused("--serial", "nobody has this"), /^3 .*no disk has the serial number/s);
  assert.is(sha256(readFileSync(file)), before);
});

test.run();
