/*
 * The manifest of a bundle: one form, and the rules between its parts.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  listBlobs,
  listContents,
  parseBundleManifest,
  printBundleManifest,
  sumOfRevisions,
  type BundleManifest,
  type PackageRecord,
  type PlatformRecord,
} from "../../src/model/bundle-manifest.ts";
import { exampleManifest, packageOf } from "./bundle-example.ts";
import { refusalOf } from "./key-example.ts";

const contents = [10, 20, 30, 40].map((size) => new Uint8Array(randomBytes(size)));
const example = exampleManifest(contents);
const [arm, pc] = example.platforms as [PlatformRecord, PlatformRecord];
const [zfs, nvr, tools] = pc.packages as [PackageRecord, PackageRecord, PackageRecord];
const text = printBundleManifest(example);

const withPc = (change: Partial<PlatformRecord>): BundleManifest => ({
  ...example,
  platforms: [arm, { ...pc, ...change }],
});
const withPackages = (...packages: PackageRecord[]) => withPc({ packages });

test("what is printed is parsed, and is the one form", () => {
  assert.equal(parseBundleManifest(text), example);
  assert.is(printBundleManifest(parseBundleManifest(text)), text);
  assert.ok(text.startsWith('{"format":1,"vendor":"'), "format stands first");
  // Keys in another order come from a program, never from a file.
  const { format, ...rest } = example;
  assert.is(printBundleManifest({ ...rest, format }), text);
});

test("the format page's manifest", () => {
  const page = readFileSync(new URL("../../src/bundle/README.md", import.meta.url), "utf8");
  const json = /```json\n(.*?)```/s.exec(page)?.[1] ?? "";
  let digests = 0;
  const shown = json
    .replaceAll(/ \/\/ .*/g, "")
    .replaceAll(/"[0-9a-f]*…"/g, () => `"${String((digests += 1)).padStart(64, "0")}"`)
    // The sum of one package's revision: the page shows one of many.
    .replace("video-4.94.1122", "video-4.2.1122");
  const text = JSON.stringify(JSON.parse(shown));
  assert.is(printBundleManifest(parseBundleManifest(text)), text);
});

test("a text in any other form is refused", () => {
  const others: readonly [string, RegExp][] = [
    [`${text} `, /one form/],
    [`${text}\n`, /one form/],
    [` ${text}`, /one form/],
    [text.slice(0, -1), /is not JSON/],
    [`${text}{}`, /is not JSON/],
    [text.replace('"release":17', '"release":17,"release":17'), /one form/],
    [text.replace('"release":17', '"release":17.0'), /one form/],
    [text.replace('"release":17', '"release":1.7e1'), /one form/],
    [text.replace('"product":"video","major":4', '"major":4,"product":"video"'), /one form/],
    [text.replace('"video"', '"\\u0076ideo"'), /one form/],
    [text.replace('"format":1', '"format":1,"extra":1'), /extra: there is no such key/],
    [text.replace('"format":1', '"format":1,"__proto__":{}'), /./],
    [text.replace('"format":1', '"format":2'), /format: must be 1/],
    [text.replace('"securityFloor":12,', ""), /securityFloor: is missing/],
    [text.replace('"securityFloor":12', '"securityFloor":18'), /above this release itself/],
    [text.replace('"release":17', '"release":9007199254740992'), /release: must be/],
    [text.replace('"release":17', '"release":0'), /release: must be/],
    [text.replace('"release":17', '"release":"17"'), /release: must be a number/],
    [text.replace('"major":4', '"major":5'), /label: has the major number 4, not 5/],
    [text.replace('"product":"video"', '"product":"voice"'), /label: is of video, not of voice/],
    [text.replace("video-4.6.1122", "video-4.7.1122"), /has the sum 7, but the revisions give 6/],
    [text.replace("video-4.6.1122", "video-4.6.1332"), /label: .*MMDD/],
    ["null", /manifest/],
    ["[]", /manifest/],
    ["", /is not JSON/],
  ];
  for (const [other, reason] of others) {
    assert.is.not(other, text);
    assert.match(
      refusalOf(() => parseBundleManifest(other)),
      reason,
      other.slice(0, 80),
    );
  }
});

test("what is against the rules is neither parsed nor printed", () => {
  const twoKernels = [...pc.boot, ...pc.boot];
  const cases: readonly [BundleManifest, RegExp][] = [
    [{ ...example, platforms: [] }, /at least one platform/],
    [{ ...example, platforms: [pc, arm] }, /aarch64 stands behind x86_64/],
    [{ ...example, platforms: [pc, pc] }, /x86_64 is there twice/],
    [{ ...example, vendor: "A".repeat(64) }, /vendor: must be 64 hexadecimal/],
    [withPc({ name: "../x" }), /platforms\.1\.name/],
    [withPc({ name: "X86" }), /platforms\.1\.name/],
    [withPc({ name: "x".repeat(65) }), /platforms\.1\.name/],
    [withPc({ boot: twoKernels }), /boot\.1: vmlinuz is there twice/],
    [
      withPc({ boot: twoKernels.map((file) => ({ ...file, name: "../vmlinuz" })) }),
      /boot\.0\.name/,
    ],
    [withPc({ masks: [...pc.masks, ...pc.masks] }), /masks\.1: 0 is there twice/],
    [
      withPc({ masks: [...pc.masks, { bit: 1, name: "video", description: "x" }] }),
      /masks\.1: video is there twice/,
    ],
    [withPc({ masks: [{ bit: 21, name: "a", description: "x" }] }), /must be 0 to 20/],
    [withPc({ masks: [{ bit: -1, name: "a", description: "x" }] }), /masks\.0\.bit/],
    [withPc({ masks: [{ bit: 0.5, name: "a", description: "x" }] }), /masks\.0\.bit/],
    [withPackages(nvr, zfs, tools), /zfs-.* stands behind nvr-.*, but comes before it/],
    [withPackages(zfs, nvr, { ...tools, name: "nvr-2.0.8.1-9.1-000000" }), /nvr is there twice/],
    [
      withPackages(
        zfs,
        { ...nvr, kind: "extra", needs: [] },
        { ...tools, kind: "base", needs: [] },
      ),
      /tools-.* is base, but stands behind an extra one/,
    ],
    [withPackages({ ...zfs, name: "zfs-1.0.8.1-7.2-00000g" }), /packages\.0\.name: .*mask/],
    [withPackages({ ...zfs, name: "../../etc/passwd" }), /packages\.0\.name/],
    [
      withPackages(zfs, nvr, { ...tools, needs: ["ghost"] }),
      /tools-.* needs "ghost", which is not/,
    ],
    [withPackages(zfs, nvr, { ...tools, needs: ["tools-oem"] }), /tools-.* needs itself/],
    [
      withPackages(zfs, { ...nvr, needs: ["tools-oem"] }, { ...tools, needs: [] }),
      /nvr-.* needs tools-oem, which is extra, but is base itself/,
    ],
    [withPackages({ ...zfs, start: ["rm"] }), /start: must begin with the whole path/],
    [withPackages({ ...zfs, seconds: { ...zfs.seconds, stop: 0 } }), /seconds\.stop/],
    [withPackages({ ...zfs, blob: { ...zfs.blob, sizeBytes: 0 } }), /blob\.sizeBytes/],
    [withPackages({ ...zfs, blob: { ...zfs.blob, sizeBytes: 2 ** 53 } }), /blob\.sizeBytes/],
    [
      withPackages({ ...zfs, blob: { ...zfs.blob, sizeBytes: 11 } }, nvr, tools),
      /the blob of zfs-.* is another one elsewhere/,
    ],
    [
      withPackages(zfs, nvr, { ...tools, blob: nvr.blob }),
      /the blob of tools-.* is another one elsewhere/,
    ],
    [
      withPackages(zfs, nvr, { ...tools, image: nvr.image }),
      /what is in the blob of tools-.* is in another one elsewhere/,
    ],
    [
      withPackages(zfs, nvr, { ...tools, image: { ...tools.image, sha256: nvr.image.sha256 } }),
      /what is in the blob of tools-.* is in another one elsewhere/,
    ],
    [
      withPc({ boot: pc.boot.map((file) => ({ ...file, sha256: zfs.image.sha256 })) }),
      /what is in the blob of zfs-.* is in another one elsewhere/,
    ],
    [
      withPackages({ ...zfs, image: { ...zfs.image, sizeBytes: 4 * 4096 } }),
      /image\.sizeBytes: is 16384, but its blocks give 12288/,
    ],
    [
      withPackages({
        ...zfs,
        image: { ...zfs.image, verity: { ...zfs.image.verity, dataBlocks: 3 } },
      }),
      /3 blocks and the hash tree at 8192 do not fit together/,
    ],
    [
      withPackages({
        ...zfs,
        // @ts-expect-error: another version may have such blocks
        image: { ...zfs.image, verity: { ...zfs.image.verity, blockBytes: 512 } },
      }),
      /verity\.blockBytes: must be 4096/,
    ],
    [
      // @ts-expect-error: another version may have such images
      withPackages({ ...zfs, image: { ...zfs.image, fileSystem: "squashfs" } }),
      /fileSystem: must be erofs: made by a newer zshield/,
    ],
    // @ts-expect-error: another version may have such packages
    [withPackages({ ...zfs, kind: "spare" }), /kind: must be base or extra/],
    // Which would have no hash tree at all.
    [
      withPackages({
        ...zfs,
        image: {
          ...zfs.image,
          sizeBytes: 4096,
          verity: { ...zfs.image.verity, dataBlocks: 1, hashOffsetBytes: 4096 },
        },
      }),
      /1 blocks and the hash tree at 4096 do not fit together/,
    ],
  ];
  for (const [manifest, reason] of cases) {
    const why = refusalOf(() => printBundleManifest(manifest));
    assert.match(why, reason);
    // Of what a stranger may have made the first fault is enough.
    const parsed = refusalOf(() => parseBundleManifest(JSON.stringify(manifest)));
    assert.ok(why === parsed || why.startsWith(`${parsed}\n`), parsed);
  }
});

test("64 platforms, and no more; 20 faults are told, and no more", () => {
  const platforms = Array.from({ length: 65 }, (_, index) => ({ ...arm, name: `p${index + 10}` }));
  const most = { ...example, label: "video-4.2.1122", platforms: platforms.slice(0, 64) };
  assert.equal(parseBundleManifest(printBundleManifest(most)), most);
  assert.match(
    refusalOf(() => printBundleManifest({ ...most, platforms })),
    /must have at most 64 platforms/,
  );
  const faults = refusalOf(() =>
    printBundleManifest({ ...most, platforms: platforms.slice(0, 64).toReversed() }),
  );
  assert.is(faults.split("\n").length, 20);
});

test("the size of an image is that of its blocks and its hash tree, also far above 4 GiB", () => {
  // 2^31 blocks of 4 KiB: 8 TiB, with levels of 2^24, 2^17, 2^10, 8 and 1 blocks.
  const dataBlocks = 2 ** 31;
  const levels = 2 ** 24 + 2 ** 17 + 2 ** 10 + 8 + 1;
  const image = {
    ...zfs.image,
    sizeBytes: (dataBlocks + levels) * 4096,
    verity: { ...zfs.image.verity, dataBlocks, hashOffsetBytes: dataBlocks * 4096 },
  };
  const large = {
    ...example,
    label: "video-4.2.1122",
    platforms: [
      { ...arm, packages: [{ ...zfs, image, blob: { ...zfs.blob, sizeBytes: 2 ** 42 } }] },
    ],
  };
  assert.equal(parseBundleManifest(printBundleManifest(large)), large);
});

test("a package that several platforms have counts once, and its blob is there once", () => {
  assert.is(sumOfRevisions(["a-1.0.8-1.5-000000", "a-1.0.8-1.5-000000", "b-1.0.8-1.7-000000"]), 12);
  assert.equal(
    listBlobs(example).map(({ what }) => what),
    ["zfs-1.0.8.1-7.2-000000", "vmlinuz", "nvr-1.0.8.1-7.3-000001", "tools-oem-1.0.8.1-9.1-400001"],
  );
});

test("two names for the same tree share a blob", () => {
  const again = packageOf("zzz-1.0.8.1-9.1-000000", contents[0] ?? new Uint8Array(), {
    kind: "extra",
  });
  const manifest = withPackages(zfs, nvr, again);
  const blobs = listBlobs(parseBundleManifest(printBundleManifest(manifest)));
  assert.is(blobs.length, 3);
  assert.is(blobs[0]?.what, zfs.name, "called as the first one");
  // So is a content, with the first platform that has it.
  const [first] = listContents(manifest);
  assert.equal([first?.platform, first?.item.name], ["aarch64", zfs.name]);
});

test.run();
