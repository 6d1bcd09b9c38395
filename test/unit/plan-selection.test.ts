/*
 * What a device takes of a bundle, and what differs between two.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type {
  BundleManifest,
  PackageRecord,
  PlatformRecord,
} from "../../src/model/bundle-manifest.ts";
import { isNeeded } from "../../src/model/mask.ts";
import { parsePackageName } from "../../src/model/package-name.ts";
import { diffBundles } from "../../src/plan/bundle-diff.ts";
import { selectPackages } from "../../src/plan/selection.ts";
import { exampleManifest, packageOf } from "./bundle-example.ts";

const contents = [100, 200, 300, 400].map((size) => new Uint8Array(size).fill(size));
const example = exampleManifest(contents);
const [arm, pc] = example.platforms as [PlatformRecord, PlatformRecord];
const [zfs, nvr, tools] = pc.packages as [PackageRecord, PackageRecord, PackageRecord];
const device = (mask: number, prefix = "") => ({ device: "BOX", mask, prefix, epoch: 1 });
const names = (list: readonly { package: PackageRecord }[]) =>
  list.map((choice) => choice.package.name.split("-")[0]);

test("the rule of masks decides, and the order is the manifest's", () => {
  for (const [mask, prefix, taken] of [
    [0, "", ["zfs"]],
    [1, "", ["zfs", "nvr"]],
    [0x400001, "", ["zfs", "nvr"]],
    [0x400001, "tools", ["zfs", "nvr", "tools"]],
    [0xffffff, "acme", ["zfs", "nvr", "tools"]],
  ] as const) {
    const found = selectPackages(pc, device(mask, prefix));
    assert.equal(names(found.taken), [...taken]);
    assert.is(found.taken.length + found.left.length, 3);
    for (const choice of [...found.taken, ...found.left]) {
      const name = parsePackageName(choice.package.name);
      const prefixes = { packagePrefix: name.prefix, systemPrefix: prefix };
      assert.is(isNeeded(mask, name.mask, prefixes), found.taken.includes(choice));
      assert.ok(choice.reason.length > 10);
    }
  }
});

test("a device that keeps its system leaves what was made on another, for that reason only", () => {
  const newer = { ...tools, name: "tools-1.0.8.2-9.1-000000" };
  const platform = { ...pc, packages: [zfs, nvr, newer] };
  assert.equal(names(selectPackages(platform, device(0)).taken), ["zfs", "tools"]);
  const old = selectPackages(platform, device(0), [8, 1]);
  assert.equal(names(old.taken), ["zfs"]);
  assert.equal(
    old.left.map(({ reason }) => reason),
    ["the device lacks bit 0 (video)", "it was made on system 8.2, and the device has 8.1"],
  );
  assert.equal(names(selectPackages(platform, device(0), [8, 2]).taken), ["tools"]);
  assert.equal(names(selectPackages(platform, device(0), [8]).taken), []);
  assert.ok(old.takenBytes < selectPackages(platform, device(0)).takenBytes);
  // What its mask leaves is left for its mask, whatever it was made on.
  const video = { ...tools, name: "tools-1.0.8.2-9.1-000001" };
  const { left } = selectPackages({ ...pc, packages: [video] }, device(0), [8, 1]);
  assert.equal(
    left.map(({ reason }) => reason),
    ["the device lacks bit 0 (video)"],
  );
});

test("bytes count each blob once, boot files too", () => {
  const { takenBytes, wholeBytes } = selectPackages(pc, device(1));
  assert.is(takenBytes, 400 + 100 + 200);
  assert.is(wholeBytes, 1000);
});

test("a package that needs one which the device leaves is told", () => {
  const odd = { ...tools, name: "tools-1.0.8.1-9.1-000000" };
  const { unmet } = selectPackages({ ...pc, packages: [zfs, nvr, odd] }, device(0));
  assert.equal(unmet, [{ name: odd.name, need: "nvr" }]);
  assert.equal(selectPackages(pc, device(1)).unmet, []);
});

const withPackages = (...packages: PackageRecord[]): BundleManifest => ({
  ...example,
  platforms: [arm, { ...pc, packages }],
});

test("two bundles differ in what was added, removed and changed, and in the bytes that are new", () => {
  assert.equal(diffBundles(example, example), {
    release: { before: 17, after: 17 },
    securityFloor: { before: 12, after: 12 },
    masks: [],
    changes: [],
    unchanged: 5,
    newBytes: 0,
    wholeBytes: 1000,
  });
  const newer = packageOf("nvr-1.1.8.1-7.4-000001", new Uint8Array(250).fill(9));
  const again = packageOf("again-1.0.8.1-9.1-000000", contents[2] ?? new Uint8Array());
  const diff = diffBundles(example, withPackages(zfs, newer, again));
  assert.equal(
    diff.changes.map(({ platform, before, after, bytes }) => [
      platform,
      before?.name,
      after?.name,
      bytes,
    ]),
    [
      ["x86_64", nvr.name, newer.name, 250],
      ["x86_64", tools.name, undefined, 0],
      // Its blob is that of the package that went.
      ["x86_64", undefined, again.name, 0],
    ],
  );
  assert.equal([diff.unchanged, diff.newBytes, diff.wholeBytes], [3, 250, 1050]);
  const moved = diffBundles(withPackages(zfs, nvr), withPackages(zfs, { ...nvr, kind: "extra" }));
  assert.equal([moved.changes.length, moved.newBytes], [1, 0]);
});

test("two bundles differ in the numbers that devices go by, and in the names of masks", () => {
  const [video] = pc.masks;
  const [renamed, fresh] = ["film", "onvif"].map((name, bit) => ({ bit, name, description: "x" }));
  if (!video || !renamed || !fresh) throw new Error("the example has no mask");
  const newer: BundleManifest = {
    ...example,
    release: 18,
    securityFloor: 13,
    platforms: [arm, { ...pc, masks: [renamed, fresh] }],
  };
  const { release, securityFloor, masks, changes } = diffBundles(example, newer);
  assert.equal(
    [release, securityFloor],
    [
      { before: 17, after: 18 },
      { before: 12, after: 13 },
    ],
  );
  assert.equal(masks, [
    { platform: "x86_64", bit: 0, before: video, after: renamed },
    { platform: "x86_64", bit: 1, before: undefined, after: fresh },
  ]);
  assert.equal(changes, []);
  const back = diffBundles(newer, example).masks;
  assert.equal(back[1], { platform: "x86_64", bit: 1, before: fresh, after: undefined });
});

test.run();
