/*
 * Which installation is this system's own: by the UUIDs of the volume that is mounted as `/`, never by a name
 * or by the order of the disks.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseMappingUuid, readRunningRoot } from "../../src/host/running.ts";
import type { Disk, Machine, VolumeGroup } from "../../src/model/machine.ts";
import { parseMachine } from "../../src/model/machine-schema.ts";
import { GIB } from "../../src/model/size.ts";
import { planBackup } from "../../src/plan/backup.ts";
import { findingsOf } from "../../src/plan/findings.ts";
import { findInstallation, isInstallation } from "../../src/plan/installation.ts";
import { config, facts, installed, machine, record } from "./example.ts";

const OTHER_UUID = "ZZZZZZ-BBBB-CCCC-DDDD-EEEE-FFFF-GGGGGG";
const own = installed(5 * GIB);

/** Another disk of ours, which comes first. */
function other(name: string): { disk: Disk; group: VolumeGroup } {
  const { document, ...rest } = record();
  const serial = "ZS-0002";
  const state = {
    ...rest,
    document: { ...document, groupUuid: OTHER_UUID, disk: { ...document.disk, serial } },
  };
  const partitions = own.disk.partitions.map((part) => ({
    ...part,
    path: part.path.replace("vda", "sdz"),
  }));
  return {
    disk: { ...own.disk, path: "/dev/sdz", serial, state, partitions },
    group: {
      ...own.group,
      name,
      uuid: OTHER_UUID,
      physicalVolumes: ["/dev/sdz3"],
      volumes: own.group.volumes.map((volume) => ({ ...volume, uuid: `other-${volume.name}` })),
    },
  };
}

const both = (name: string, runsFrom?: Machine["runsFrom"]): Machine => {
  const { disk, group } = other(name);
  const here = machine([disk, own.disk], [group, own.group]);
  return runsFrom === undefined ? here : { ...here, runsFrom };
};
const bare = (uuid: string) => uuid.replaceAll("-", "");
const running = { groupUuid: bare(own.group.uuid), volumeUuid: bare("uuid-lv-root") };

function pathOf(found: ReturnType<typeof findInstallation>): string {
  return isInstallation(found) ? found.disk.path : found.join("; ");
}

test("of two disks the one that this system runs from, whatever comes first", () => {
  assert.is(pathOf(findInstallation(both("other", running))), "/dev/vda");
  assert.is(
    planBackup(both("other", running), config, {
      nowSeconds: 1,
      reason: "nightly",
      boot: "b",
    }).plan.disk.serial,
    "ZS-0001",
  );
  const theirs = { groupUuid: bare(OTHER_UUID), volumeUuid: bare("other-lv-root") };
  assert.is(pathOf(findInstallation(both("other", theirs))), "/dev/sdz");
});

test("the right group but another volume, or no group of ours: none, with the reason", () => {
  for (const runsFrom of [
    { ...running, volumeUuid: "uuidlvuser" },
    { ...running, groupUuid: "x" },
  ]) {
    const found = findInstallation(both("other", runsFrom));
    assert.not.ok(isInstallation(found));
    assert.match(pathOf(found), /does not run from vgroup\/lv-root on \/dev\/vda/);
  }
});

test("the rescue system and golden on a card run from no volume: the first one", () => {
  assert.is(pathOf(findInstallation(both("other"))), "/dev/sdz");
});

test("two groups of one name: no backup, and a finding", () => {
  const wish = { nowSeconds: 1, reason: "nightly", boot: "b" };
  const there = both("vgroup", running);
  assert.throws(() => planBackup(there, config, wish), /is called "vgroup" too[^]*ZZZZZZ/);
  assert.ok(findingsOf(there, facts).some(({ name }) => name === "same-name"));
});

test("what a machine runs from is kept in its JSON", () => {
  const there = both("other", running);
  assert.equal(parseMachine(JSON.stringify(there)).runsFrom, running);
});

test("device-mapper's UUID of a volume, and of what is none", () => {
  const group = "a".repeat(32);
  const volume = "B1".repeat(16);
  assert.equal(parseMappingUuid(`LVM-${group}${volume}\n`), {
    groupUuid: group,
    volumeUuid: volume,
  });
  for (const text of [
    `LVM-${group}${volume}-real`,
    `LVM-${group}${volume}-cow`,
    "CRYPT-LUKS2-x",
    `LVM-${group}`,
    "",
  ]) {
    assert.is(parseMappingUuid(text), undefined, text);
  }
  assert.is(readRunningRoot(0x1, "/nowhere"), undefined);
});

test.run();
