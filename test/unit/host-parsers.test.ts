/*
 * What the tools print, recorded from the real ones (util-linux 2.38, LVM 2.03.16; disks and volumes of
 * a virtual machine, images on loop devices; the ZFS and md marks written by hand), and what we read in it.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CommandError } from "../../src/errors.ts";
import { parseMemory } from "../../src/host/firmware.ts";
import { parseLsblk } from "../../src/host/lsblk.ts";
import { markCopies, parseGroups } from "../../src/host/lvm.ts";
import { parseSfdisk, saysNoTable } from "../../src/host/sfdisk.ts";
import { addBlkid, parseBlkid, parseWipefs } from "../../src/host/signatures.ts";
import { describeUse, parseMountinfo, parseSwaps, type KernelDisk } from "../../src/host/usage.ts";
import { visible } from "../../src/model/text.ts";
import recorded from "./host-recorded.json";

const text = JSON.stringify;
const lsblk = text(recorded.lsblk);
const wipefs = (name: keyof typeof recorded.wipefs) => parseWipefs(text(recorded.wipefs[name]));
const blkid = (name: keyof typeof recorded.blkid) => parseBlkid(recorded.blkid[name]);
const types = (signatures: readonly { type: string }[]) => signatures.map(({ type }) => type);

test("lsblk: only disks that can be installed on, sorted by path", () => {
  const paths = parseLsblk(lsblk).map(({ path }) => path);
  assert.equal(paths, ["/dev/nvme0n1", "/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sdd", "/dev/vda"]);
});

test("lsblk: a loop device only where a test asks for it", () => {
  const paths = parseLsblk(lsblk, ["/dev/loop0"]).map(({ path }) => path);
  assert.ok(paths.includes("/dev/loop0"));
});

test("lsblk: identity, and an empty text where the disk tells none", () => {
  const disks = parseLsblk(lsblk);
  const sata = disks.find(({ path }) => path === "/dev/sda");
  assert.is(sata?.serial, "ZS-SATA-1");
  assert.is(sata?.wwn, "0x5000c500a1b2c3d4");
  assert.is(disks.find(({ path }) => path === "/dev/vda")?.model, "");
  assert.is(disks.find(({ path }) => path === "/dev/nvme0n1")?.logicalSectorBytes, 4096);
});

test("lsblk: a USB disk is removable, whatever it says of itself", () => {
  const found = parseLsblk(lsblk).filter(({ removable }) => removable);
  assert.equal(
    found.map(({ path }) => path),
    ["/dev/sdd"],
  );
});

test("lsblk: strings instead of numbers, as older versions print them; blanks and NULs are cut off", () => {
  const [first] = recorded.lsblk.blockdevices;
  const old = {
    ...first,
    size: "2147483648",
    rm: "0",
    ro: "1",
    "log-sec": "512",
    serial: "  S 1 \0\0",
  };
  const [disk] = parseLsblk(text({ blockdevices: [old] }));
  assert.is(disk?.sizeBytes, 2147483648);
  assert.is(disk?.readOnly, true);
  assert.is(disk?.serial, "S 1");
});

test("lsblk: a report of another shape is refused with the path of the fault", () => {
  assert.throws(() => parseLsblk(text({ blockdevices: [{ path: 1 }] })), /blockdevices\.0\.path/);
});

test("sfdisk: GPT in bytes, UUIDs in lower case, a name with an escape sequence kept as it is", () => {
  const table = parseSfdisk(text(recorded.sfdisk.gpt), 512);
  assert.is(table.kind, "gpt");
  assert.equal(
    table.partitions.map(({ number, startBytes, sizeBytes }) => [number, startBytes, sizeBytes]),
    [
      [1, 1048576, 1048576],
      [2, 2097152, 20971520],
      [3, 25165824, 40894464],
    ],
  );
  assert.is(table.partitions[1]?.name, "w\x1b[31mred");
  assert.is(visible(table.partitions[1]?.name ?? ""), "w\\x1b[31mred");
  assert.match(table.partitions[0]?.uuid ?? "", /^[0-9a-f-]{36}$/);
});

test("sfdisk: dos, with the PARTUUIDs that the kernel makes up", () => {
  const table = parseSfdisk(text(recorded.sfdisk.dos), 512);
  assert.is(table.kind, "dos");
  assert.equal(
    table.partitions.map(({ number, typeUuid, uuid }) => [number, typeUuid, uuid]),
    [
      [1, "83", "2655e8e3-01"],
      [2, "5", "2655e8e3-02"],
      [5, "8e", "2655e8e3-05"],
    ],
  );
});

test("sfdisk: sectors of 4096 bytes", () => {
  const device = "/dev/nvme0n1";
  const partitions = [{ node: "/dev/nvme0n1p2", start: 512, size: 131072, type: "U" }];
  const table = { label: "gpt", id: "X", device, unit: "sectors", sectorsize: 4096, partitions };
  const [esp] = parseSfdisk(text({ partitiontable: table }), 512).partitions;
  assert.equal([esp?.number, esp?.startBytes, esp?.sizeBytes], [2, 2097152, 536870912]);
});

test("sfdisk: a table that it knows and we do not is `other`", () => {
  const table = { label: "sun", device: "/dev/sda", unit: "sectors" };
  assert.is(parseSfdisk(text({ partitiontable: table }), 512).kind, "other");
});

test("sfdisk: no table and a disk that cannot be read end with the same code; only one is `none`", () => {
  const error = (words: string) => new CommandError(["sfdisk"], { kind: "exit", code: 1 }, words);
  assert.ok(
    saysNoTable(error("sfdisk: /dev/loop1: does not contain a recognized partition table\n")),
  );
  assert.not(saysNoTable(error("sfdisk: cannot open /dev/vda: Input/output error\n")));
});

test("wipefs: what each kind of content is called", () => {
  assert.equal(types(wipefs("gpt")), ["PMBR", "gpt"]);
  assert.equal(types(wipefs("dos")), ["dos"]);
  assert.equal(types(wipefs("lvm")), ["LVM2_member"]);
  assert.equal(types(wipefs("luks")), ["crypto_LUKS"]);
  assert.equal(types(wipefs("swap")), ["swap"]);
  assert.equal(types(wipefs("iso")), ["iso9660"]);
  assert.equal(types(wipefs("zfs")), ["zfs_member"], "sixty marks, told once");
  assert.equal(wipefs("empty"), []);
  assert.equal(parseWipefs(""), []);
});

test("wipefs: an md member whose mark lies at the end", () => {
  const [md] = wipefs("md");
  assert.is(md?.type, "linux_raid_member");
  assert.is(md?.label, "host:md0x");
  assert.is(md?.offsetBytes, 0x1ffe000);
});

test("wipefs: hostile labels are kept, and can be seen when shown", () => {
  assert.is(wipefs("hostile")[0]?.label, "\x1b[2Jb");
  assert.is(visible(wipefs("hostile")[0]?.label ?? ""), "\\x1b[2Jb");
  assert.is(visible(wipefs("noUtf8")[0]?.label ?? ""), '\\ufffd\\ufffd\\u202eA"');
});

test("blkid: values without their escapes", () => {
  assert.is(blkid("lvm").get("VERSION"), "LVM2 001");
  assert.is(blkid("iso").get("LABEL"), "CDTEST");
  assert.is(blkid("empty").size, 0);
});

test("blkid adds only what wipefs did not list", () => {
  for (const name of ["gpt", "lvm", "md", "luks", "dos", "swap", "empty", "iso", "zfs"] as const) {
    assert.equal(addBlkid(wipefs(name), blkid(name)), wipefs(name), name);
  }
  const alone = addBlkid([], parseBlkid("LABEL=x\nTYPE=befs\nPTTYPE=mac\nPTUUID=u\n"));
  assert.equal(types(alone), ["befs", "mac"]);
});

test("lvm: active volumes, a full snapshot, a volume that is not active", () => {
  const [group] = parseGroups(text(recorded.lvm.active));
  assert.is(group?.name, "vgroup");
  assert.equal(group?.tags, ["zshield"]);
  assert.equal(group?.physicalVolumes, ["/dev/vda3"]);
  assert.is(group?.partial, false);
  const volume = (name: string) => group?.volumes.find((candidate) => candidate.name === name);
  assert.is(volume("lv-root")?.active, true);
  assert.is(volume("lv-root")?.merging, false);
  assert.equal(
    [volume("snap0")?.origin, volume("snap0")?.dataPercent, volume("snap0")?.invalid],
    ["lv-root", 66.93, false],
  );
  assert.is(volume("tiny")?.invalid, true);
  assert.is("dataPercent" in (volume("lv-user") ?? {}), false);
});

test("lvm: a merge that is going on; the hidden snapshot without its brackets", () => {
  const [group] = parseGroups(text(recorded.lvm.merging));
  const merging = group?.volumes.filter((volume) => volume.merging).map(({ name }) => name);
  assert.equal(merging, ["lv-root"]);
  assert.ok(group?.volumes.some(({ name, origin }) => name === "snap0" && origin === "lv-root"));
});

test("lvm: two groups of one name, an exported one, one with a volume missing", () => {
  const groups = parseGroups(text(recorded.lvm.odd));
  const found = groups.map(({ name, partial, trouble }) => [name, partial, trouble ?? ""]);
  assert.equal(found, [
    ["vgroup", false, ""],
    ["vgmiss", true, "the physical volume n9KdCq-j6cw-v3yf-zjgj-Lw1n-XSpa-M6bbRt is missing"],
    ["vgexp", true, "the group is exported"],
    ["vgroup", false, ""],
  ]);
  assert.equal(groups[1]?.physicalVolumes, ["/dev/loop12"], "`[unknown]` is no path");
});

test("lvm: a physical volume that is seen twice makes its group one that nobody relies on", () => {
  const groups = parseGroups(text(recorded.lvm.active));
  const uuid = groups[0]?.physicalVolumeUuids[0] ?? "";
  const [sound] = markCopies(groups, new Map([[uuid, ["/dev/vda3"]]]));
  assert.is(sound?.partial, false);
  const [copied] = markCopies(groups, new Map([[uuid, ["/dev/vda3", "/dev/vdb3"]]]));
  assert.is(copied?.partial, true);
  assert.match(copied?.trouble ?? "", "/dev/vda3, /dev/vdb3");
});

test("lvm: a volume that says to be larger than a number can be does not hide the groups", () => {
  const sizeOf = (lv_size: string) => {
    const whole = structuredClone(recorded.lvm.active);
    for (const { lv } of whole.report) for (const row of lv) Object.assign(row, { lv_size });
    return parseGroups(text(whole))[0]?.volumes[0]?.sizeBytes;
  };
  assert.is(sizeOf("9007199254740991"), Number.MAX_SAFE_INTEGER);
  assert.is(sizeOf("9007199254740992"), Number.MAX_SAFE_INTEGER);
  // The most that device-mapper can map.
  assert.is(sizeOf("9223372036854775296"), Number.MAX_SAFE_INTEGER);
  const whole = structuredClone(recorded.lvm.active);
  for (const { vg } of whole.report)
    for (const row of vg) Object.assign(row, { vg_free: "9007199254740992" });
  assert.throws(() => parseGroups(text(whole)), /vg_free/);
});

test("lvm: no group at all", () => {
  assert.equal(parseGroups(text({ report: [] })), []);
  assert.equal(parseGroups(text({ report: [{}] })), []);
});

const MOUNTINFO = `22 27 0:21 / /proc rw,relatime - proc proc rw
30 1 254:2 / /boot/my\\040esp rw,relatime shared:1 master:2 - vfat /dev/vda2 rw
31 1 0:44 /@ / rw - btrfs /dev/sda1 rw,subvol=/@
`;

test("mounts: optional fields, blanks in paths, part of a file system", () => {
  const mounts = parseMountinfo(MOUNTINFO);
  assert.is(mounts.length, 3);
  assert.equal(mounts[1], {
    device: "254:2",
    source: "/dev/vda2",
    root: "/",
    target: "/boot/my esp",
    type: "vfat",
  });
  assert.is(mounts[2]?.root, "/@");
});

test("swaps: devices, not files", () => {
  const swaps = parseSwaps(
    "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n/swap file 1 0 -3\n",
  );
  assert.equal(swaps, ["/dev/sda2"]);
});

test("use: mounts by number and by name, swap, and what is built on a partition", () => {
  const partition = (path: string, number: number, device: string, holders: string[] = []) => {
    return { path, number, device, holders, startBytes: 0, sizeBytes: 0 };
  };
  const disk: KernelDisk = {
    device: "254:0",
    holders: [],
    partitions: [
      partition("/dev/vda2", 2, "254:2"),
      partition("/dev/vda3", 3, "254:3", ["vgroup-lv--root"]),
      partition("/dev/vda4", 4, "254:4"),
    ],
  };
  const usage = { mounts: parseMountinfo(MOUNTINFO), swaps: ["/dev/vda4"] };
  assert.equal(describeUse("/dev/vda", disk, usage), [
    "/dev/vda2 is mounted at /boot/my esp",
    "/dev/vda3 is held by vgroup-lv--root",
    "/dev/vda4 is used as swap",
  ]);
  const btrfs = { ...disk, partitions: [partition("/dev/sda1", 1, "8:1")] };
  assert.equal(describeUse("/dev/sda", btrfs, usage), ["/dev/sda1 is mounted at /"]);
});

test("memory in bytes", () => {
  assert.is(parseMemory("MemTotal:       24684092 kB\nMemFree: 1 kB\n"), 24684092 * 1024);
  assert.is(parseMemory(""), 0);
});

test.run();
