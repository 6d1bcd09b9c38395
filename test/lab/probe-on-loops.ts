/*
 * Looks at real disks with the real probe: files behind loop devices, on this host, as root.
 *   bun test/lab/probe-on-loops.ts [NAME]      (only the checks whose name holds it)
 * Proves what unit tests cannot: that each kind of content is recognised by the tools that are installed,
 * that the ESP is found by its place without a partition table, and that looking changes no byte.
 * Needs no device-mapper and no loop partitions. Ends with `N passed, N failed`.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { messageOf } from "../../src/errors.ts";
import { findTool, query, run } from "../../src/host/command.ts";
import { readMachine, type ProbeOptions } from "../../src/host/probe.ts";
import { createStateFiles, writeState } from "../../src/host/state-files.ts";
import { claimFor, CLAIM_OFFSET_BYTES, printClaim } from "../../src/model/claim.ts";
import { parseMachine } from "../../src/model/machine-schema.ts";
import { identityOf, type Disk, type Machine } from "../../src/model/machine.ts";
import { MIB } from "../../src/model/size.ts";
import { STATE_BYTES } from "../../src/model/state.ts";
import { description, record } from "../unit/example.ts";
import { dropFolder, makeFolder } from "./scratch.ts";

const folder = makeFolder("probe");
const only = process.argv[2] ?? "";
const loops: string[] = [];
let files = 0;
let passed = 0;
let failed = 0;

interface Image {
  readonly file: string;
  readonly device: string;
}

async function makeImage(sizeBytes: number): Promise<Image> {
  const file = `${folder}/${files++}.img`;
  writeFileSync(file, "");
  truncateSync(file, sizeBytes);
  const device = (await query(["losetup", "--find", "--show", file])).trim();
  loops.push(device);
  return { file, device };
}

async function dropImages(): Promise<void> {
  for (const device of loops.splice(0)) await run(["losetup", "--detach", device]);
}

function write(image: Image, offset: number, bytes: Uint8Array): void {
  const file = openSync(image.device, "r+");
  writeSync(file, bytes, 0, bytes.length, offset);
  fsyncSync(file);
  closeSync(file);
}

/** The machine as the probe sees it; the images must be the same afterwards, byte for byte. */
async function look(images: readonly Image[], options: ProbeOptions = {}): Promise<Machine> {
  await run(["sync"]);
  const before = images.map(digest);
  const includeLoops = images.map(({ device }) => device);
  const machine = await readMachine({ wantCard: false, ...options, includeLoops });
  await run(["sync"]);
  deepEqual(images.map(digest), before, "looking changed the disk");
  equal(
    readFileSync("/proc/mounts", "utf8").includes("/run/zshield/look"),
    false,
    "a mount was left",
  );
  const text = JSON.stringify(machine);
  deepEqual(parseMachine(text), JSON.parse(text), "what is seen is a machine");
  return machine;
}

async function lookAt(image: Image): Promise<Disk> {
  const disk = (await look([image])).disks.find(({ path }) => path === image.device);
  ok(disk, "the disk was not seen");
  return disk;
}

function digest({ file }: Image): bigint {
  return Bun.hash.xxHash3(readFileSync(file));
}

async function check(
  name: string,
  needs: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  if (!name.includes(only)) return;
  const missing = needs.filter((tool) => findTool(tool) === undefined);
  try {
    if (missing.length > 0) throw new Error(`this host has no ${missing.join(", ")}`);
    await work();
    passed++;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}: ${messageOf(error)}`);
  } finally {
    await dropImages();
  }
}

const types = (disk: Disk) => disk.signatures.map(({ type }) => type);
const GPT = "label: gpt\nstart=2048,size=2048\nstart=4096,size=1048576,type=U\n";

/** An ESP at the fixed place; what lies in `content` is copied into it. Needs no FAT in this kernel. */
async function makeEsp(image: Image, label: string, content?: string): Promise<void> {
  await run([
    "mkfs.vfat",
    "-F",
    "32",
    "-n",
    label,
    "--offset",
    "4096",
    image.file,
    String(512 * 1024),
  ]);
  if (content === undefined) return;
  await run(["mcopy", "-i", `${image.file}@@2M`, "-s", content, "::/"]);
}

/** Whether this kernel can mount an ESP at all; a build host need not. */
async function knowsFat(): Promise<boolean> {
  await run(["modprobe", "-q", "vfat"]).catch(() => undefined);
  return readFileSync("/proc/filesystems", "utf8").includes("\tvfat\n");
}

await check("a blank disk", [], async () => {
  equal((await lookAt(await makeImage(600 * MIB))).blank, true);
});

await check("one byte in the last sector", [], async () => {
  const image = await makeImage(600 * MIB);
  write(image, 600 * MIB - 1, new Uint8Array([1]));
  equal((await lookAt(image)).blank, `there is data at byte ${600 * MIB - 1}`);
});

await check("a claim, and one that was copied to another disk", [], async () => {
  const image = await makeImage(64 * MIB);
  const disk = await lookAt(image);
  write(image, CLAIM_OFFSET_BYTES, printClaim(claimFor(disk, "blank", 2)));
  const claimed = await lookAt(image);
  deepEqual([claimed.claim?.attempts, claimed.blank], [2, true]);
  write(image, CLAIM_OFFSET_BYTES, printClaim(claimFor({ ...disk, serial: "other" }, "blank", 2)));
  const copied = await lookAt(image);
  deepEqual(
    [copied.claim, copied.blank],
    [undefined, `there is data at byte ${CLAIM_OFFSET_BYTES}`],
  );
});

await check("GPT with ext4 whose label is an escape sequence", [], async () => {
  const image = await makeImage(600 * MIB);
  await run(["sfdisk", "--quiet", image.device], { stdin: GPT });
  const place = ["-E", `offset=${2 * MIB}`];
  await run(["mkfs.ext4", "-q", ...place, "-L", "a\x1b[2J", image.file, "100M"]);
  const disk = await lookAt(image);
  equal(disk.table, "gpt");
  equal(disk.blank, "it has a partition table (gpt) with 2 partitions");
  deepEqual(
    disk.partitions[1]?.signatures.map(({ type }) => type),
    ["ext4"],
  );
});

await check("a dos table with a logical partition", [], async () => {
  const image = await makeImage(64 * MIB);
  await run(["sfdisk", "--quiet", image.device], { stdin: "label: dos\n2048,20480\n,,5\n,8192\n" });
  const disk = await lookAt(image);
  deepEqual([disk.table, disk.partitions.map(({ number }) => number)], ["dos", [1, 2, 5]]);
});

await check(
  "an ext4 on the whole disk, swap, iso9660's and LUKS's marks",
  ["cryptsetup", "mkswap"],
  async () => {
    const [ext4, swap, luks] = [
      await makeImage(64 * MIB),
      await makeImage(64 * MIB),
      await makeImage(64 * MIB),
    ];
    await run(["mkfs.ext4", "-q", "-F", ext4.device]);
    await run(["mkswap", swap.device]);
    const quick = ["--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
    await run(["cryptsetup", "luksFormat", "--batch-mode", ...quick, luks.file, "-"], {
      stdin: "secret",
    });
    const machine = await look([ext4, swap, luks]);
    const found = (image: Image) => machine.disks.find(({ path }) => path === image.device)?.blank;
    equal(found(ext4), "it holds ext4");
    equal(found(swap), "it holds swap");
    equal(found(luks), "it holds crypto_LUKS");
  },
);

await check("an md member whose mark lies at the end (written by hand)", [], async () => {
  const image = await makeImage(64 * MIB);
  const offset = 64 * MIB - 8192;
  const mark = Buffer.alloc(4096);
  mark.writeUInt32LE(0xa92b4efc, 0);
  mark.writeUInt32LE(1, 4);
  mark.write("nas:0", 32);
  mark.writeBigUInt64LE(BigInt(offset / 512), 0x90);
  write(image, offset, mark);
  const disk = await lookAt(image);
  deepEqual([types(disk), disk.signatures[0]?.label], [["linux_raid_member"], "nas:0"]);
});

await check("a ZFS member (written by hand)", [], async () => {
  const image = await makeImage(64 * MIB);
  for (let slot = 0; slot < 16; slot++) {
    const mark = Buffer.alloc(1024);
    mark.writeBigUInt64LE(0xbab10cn, 0);
    mark.writeBigUInt64LE(5000n, 8);
    mark.writeBigUInt64LE(BigInt(slot + 1), 16);
    write(image, 128 * 1024 + slot * 1024, mark);
  }
  deepEqual(types(await lookAt(image)), ["zfs_member"]);
});

await check("a volume group, and a copy of its disk", [], async () => {
  const image = await makeImage(64 * MIB);
  const filter = `devices { use_devicesfile=0 filter=["a|^${image.device}$|","r|.*|"] }`;
  const lvm = async (...argv: string[]) =>
    run(["lvm", ...argv, "--driverloaded", "n", "--config", filter]);
  await lvm("pvcreate", image.device);
  await lvm("vgcreate", "--addtag", "zshield", "zsprobe", image.device);
  await lvm("lvcreate", "-an", "-Zn", "-n", "lv-root", "-L", "8M", "zsprobe");
  const groupIn = (machine: Machine) => machine.groups.find(({ name }) => name === "zsprobe");
  const group = groupIn(await look([image]));
  deepEqual(
    [group?.partial, group?.tags, group?.physicalVolumes, group?.volumes.map(({ name }) => name)],
    [false, ["zshield"], [image.device], ["lv-root"]],
  );
  const copy = await makeImage(64 * MIB);
  write(copy, 0, readFileSync(image.device).subarray(0, 16 * MIB));
  const doubled = groupIn(await look([image, copy]));
  equal(doubled?.partial, true);
  match(doubled?.trouble ?? "", /is there more than once/);
});

const hasFat = await knowsFat();
if (!hasFat)
  console.log(
    "note  this kernel has no FAT: instead of the content, the refusal to read it is checked",
  );

await check(
  "state on an ESP without a partition table, then with one, then damaged",
  ["mcopy"],
  async () => {
    const image = await makeImage(600 * MIB);
    const wanted = record({
      document: { ...record().document, disk: identityOf(await lookAt(image)) },
    });
    createStateFiles(`${folder}/state`);
    writeState(`${folder}/state`, wanted);
    await makeEsp(image, "ZS-DISK", `${folder}/state`);
    const found = await lookAt(image);
    if (!hasFat)
      match(
        found.stateTrouble ?? "",
        /its ESP cannot be read: mount ended with exit code 32 \(.*\)/,
      );
    else deepEqual(found.state, wanted);
    await run(["sfdisk", "--quiet", "--no-reread", image.device], { stdin: GPT });
    const disk = await lookAt(image);
    deepEqual([disk.table, disk.state?.sequence], ["gpt", hasFat ? wanted.sequence : undefined]);
    const bytes = readFileSync(image.device);
    let damaged = 0;
    for (
      let at = bytes.indexOf("zs_sequence");
      at >= 0;
      at = bytes.indexOf("zs_sequence", at + STATE_BYTES)
    ) {
      write(image, at, new TextEncoder().encode("ZS"));
      damaged++;
    }
    equal(damaged, 2);
    const { state, stateTrouble } = await lookAt(image);
    equal(state, undefined);
    if (hasFat) match(stateTrouble ?? "", /copy a does not match its digest; copy b/);
  },
);

await check("an ESP of somebody else at that place", [], async () => {
  const image = await makeImage(600 * MIB);
  await makeEsp(image, "EFI");
  const disk = await lookAt(image);
  deepEqual([disk.state, disk.stateTrouble], [undefined, undefined]);
});

await check("the card, two cards, a card of another golden, no card", ["mcopy"], async () => {
  const goldenFile = `${folder}/golden.json`;
  writeFileSync(goldenFile, JSON.stringify(description.golden));
  const card = await makeImage(600 * MIB);
  const table = `${GPT}size=2048,uuid=${description.golden.partitionUuid}\n`;
  await run(["sfdisk", "--quiet", card.device], { stdin: table });
  const write = async (text: string) => {
    mkdirSync(`${folder}/zshield`, { recursive: true });
    writeFileSync(`${folder}/zshield/card.json`, text);
    await makeEsp(card, "ZS-CARD", `${folder}/zshield`);
  };
  const options = { wantCard: true, goldenFile };
  const trouble = async (...images: Image[]) => (await look(images, options)).cardTrouble ?? "";
  match(await trouble(card), /no FAT file system labelled ZS-CARD/);
  await write(JSON.stringify(description));
  const found = await look([card], options);
  if (!hasFat) match(found.cardTrouble ?? "", /mount ended/);
  else deepEqual([found.card?.disk, found.card?.description], [card.device, description]);
  await write(JSON.stringify({ ...description, golden: { ...description.golden, entries: 1 } }));
  if (hasFat) match(await trouble(card), /describes another golden/);
  await write("{");
  if (hasFat) match(await trouble(card), /not JSON/);
  const second = await makeImage(600 * MIB);
  await run(["sfdisk", "--quiet", second.device], { stdin: table });
  match(await trouble(card, second), /more than one partition carries/);
  match(await trouble(), /no partition carries golden's UUID/);
  const nowhere = await look([card], { ...options, goldenFile: "/nowhere" });
  match(nowhere.cardTrouble ?? "", /not the rescue system of a card/);
});

dropFolder(folder);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
