/*
 * Which stick a report goes to: exactly one that is plainly meant for it, and nothing else is ever written to.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { identityOf, type Disk, type Machine } from "../../src/model/machine.ts";
import { MIB } from "../../src/model/size.ts";
import { chooseStick, reportName } from "../../src/plan/stick.ts";
import { disk, installed, machine } from "./example.ts";

function stick(changes: Partial<Disk> = {}, type = "vfat", label = "ZS-REPORTS"): Disk {
  const path = changes.path ?? "/dev/sdc";
  const signatures = [{ type, label, uuid: "", offsetBytes: 0 }];
  const where = { startBytes: MIB, sizeBytes: 100 * MIB, typeUuid: "", uuid: "", name: "" };
  return disk({
    path,
    model: "STICK",
    serial: "STICK-1",
    transport: "usb",
    removable: true,
    table: "dos",
    blank: "a partition table",
    partitions: [{ path: `${path}1`, number: 1, ...where, signatures }],
    ...changes,
  });
}

const planned = disk();

/** What a person reads; "" where a stick is chosen. */
function refusal(found: Machine): string {
  try {
    chooseStick(found, planned);
    return "";
  } catch (error) {
    if (error instanceof Refusal) return `${error.message}\n${error.hint}`;
    throw error;
  }
}

test("a stick with a partition, FAT or ext4", () => {
  for (const fileSystem of ["vfat", "ext4"]) {
    const found = stick({}, fileSystem);
    const chosen = chooseStick(machine([planned, found]), planned);
    assert.is(chosen.disk.path, "/dev/sdc");
    assert.is(chosen.device, "/dev/sdc1");
    assert.is(chosen.fileSystem, fileSystem);
  }
});

test("a stick without a partition table", () => {
  const signatures = [{ type: "vfat", label: "ZS-REPORTS", uuid: "", offsetBytes: 0 }];
  const found = stick({ table: "none", partitions: [], signatures });
  assert.is(chooseStick(machine([found]), undefined).device, "/dev/sdc");
});

test("one that a recovery set read-only is taken", () => {
  assert.is(chooseStick(machine([stick({ readOnly: true })]), planned).device, "/dev/sdc1");
});

test("none: what to put in", () => {
  const words = refusal(machine([planned, stick({}, "vfat", "OTHER")]));
  assert.match(words, /^there is no stick labelled ZS-REPORTS\n/);
  assert.match(words, /FAT or ext4 and the label ZS-REPORTS/);
});

test("two: both are listed", () => {
  const words = refusal(machine([stick(), stick({ path: "/dev/sdd", serial: "STICK-2" })]));
  assert.match(words, /there are 2 file systems labelled ZS-REPORTS/);
  assert.match(words, /\/dev\/sdc1 on STICK, serial STICK-1.*could be used/);
  assert.match(words, /\/dev\/sdd1 on STICK, serial STICK-2.*could be used/);
});

const ours = installed(0);
const labelled = stick({ path: "/dev/vda" }).partitions;

for (const [title, found, wanted] of [
  ["the planned disk", machine([stick({ path: planned.path })]), /on the disk of this recovery/],
  [
    "the planned disk under another name",
    machine([stick({ ...identityOf(planned), path: "/dev/sdx" })]),
    /on the disk of this recovery/,
  ],
  [
    "another disk of ours",
    machine([{ ...ours.disk, path: "/dev/vdb", serial: "OTHER", partitions: labelled }]),
    /on a disk with an installation of zshield/,
  ],
  [
    "a disk with a damaged state of ours",
    machine([stick({ stateTrouble: "both copies are damaged" })]),
    /on a disk with an installation of zshield/,
  ],
  [
    "a member of a volume group",
    machine([stick({ path: "/dev/vdb" })], [{ ...ours.group, physicalVolumes: ["/dev/vdb1"] }]),
    /on a disk with an installation of zshield/,
  ],
  ["a disk in use", machine([stick({ inUse: ["/dev/sdc1 is mounted at /x"] })]), /is mounted at/],
  ["another file system", machine([stick({}, "exfat")]), /it is exfat, not FAT or ext4/],
] as const) {
  test(`never: ${title}`, () => {
    assert.match(refusal(found), wanted);
    assert.match(refusal(found), /no report was saved/);
  });
}

test("never: the card", () => {
  const found = machine();
  const [card] = found.disks;
  const { partitions } = stick({ path: "/dev/sda" });
  assert.match(refusal({ ...found, disks: [{ ...(card as Disk), partitions }] }), /on the card/);
});

test("a good stick is taken beside one that must not be", () => {
  const found = machine([stick({ path: planned.path, serial: planned.serial }), stick()]);
  assert.is(chooseStick(found, planned).device, "/dev/sdc1");
});

const NOW = new Date("2026-07-27T10:15:00.123Z");

for (const [serial, wanted] of [
  ["BOX-1", "zshield-report-BOX-1-20260727T101500Z"],
  ["", "zshield-report-unknown-20260727T101500Z"],
  ["../../etc/passwd", "zshield-report-etc-passwd-20260727T101500Z"],
  ["a\x1b[2J\nb\xff", "zshield-report-a-2J-b-20260727T101500Z"],
  ["\u202e", "zshield-report-unknown-20260727T101500Z"],
  ["x".repeat(300), `zshield-report-${"x".repeat(40)}-20260727T101500Z`],
] as const) {
  test(`a report of the machine ${JSON.stringify(serial).slice(0, 30)}`, () => {
    assert.is(reportName(serial, NOW, []), wanted);
  });
}

test("a name that is taken, also in FAT's eyes, is not used again", () => {
  const name = reportName("BOX-1", NOW, []);
  assert.is(reportName("BOX-1", NOW, [name.toUpperCase(), `${name}-2`]), `${name}-3`);
});

test.run();
