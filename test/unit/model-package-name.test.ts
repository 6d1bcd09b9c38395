/*
 * Names of packages and labels of bundles: read from the right, refused with the column.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import {
  bundleFileName,
  comparePackages,
  parseBundleFileName,
  parseBase,
  parsePackageName,
  parseVersionLabel,
  printPackageName,
  versionLabel,
} from "../../src/model/package-name.ts";
import { randomFrom } from "./fuzz.ts";

/** `column: what was expected`. */
function refusalOf(parse: (text: string) => unknown, text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const match = /^"[^]*", column (\d+: )expected ([^]*)$/.exec(error.message);
    assert.ok(match, error.message);
    return `${match[1]}${match[2]}`;
  }
  return "";
}

test("the seed's own example, field by field", () => {
  assert.equal(parsePackageName("zfs-1.0.8.1-7.2-000000"), {
    name: "zfs",
    program: [1, 0], // 1.0:表示程序的主版本号为1.0
    base: [8, 1], // 8.1:表示基于8.1系统制作
    sequence: 7, // 7:包的序号
    revision: 2, // 2:表示第二个版本
    mask: 0x000000, // 000000:表示权限信息
    prefix: "zfs",
    text: "zfs-1.0.8.1-7.2-000000",
  });
});

for (const [text, name, prefix, base, mask] of [
  ["driver-wireless-5.10.8.1-3.4-C00001", "driver-wireless", "driver", [8, 1], 0xc00001],
  ["ntfs-3g-2022.10.12-30.1-000000", "ntfs-3g", "ntfs", [12], 0],
  ["x264-0.164.8.1.2-30.1-FFFFFF", "x264", "x264", [8, 1, 2], 0xffffff],
  ["a-1.0.8.1-7.2-000000-1.0.8.1-7.2-00000A", "a-1.0.8.1-7.2-000000", "a", [8, 1], 10],
  ["lib.so.6_x+y-0.0.0-0.0-000000", "lib.so.6_x+y", "lib.so.6_x+y", [0], 0],
  ["a--1.0.8-7.2-000000", "a-", "a", [8], 0],
  [
    `${"n".repeat(64)}-999999.999999.1-999999.999999-000000`,
    "n".repeat(64),
    "n".repeat(64),
    [1],
    0,
  ],
] as [string, string, string, number[], number][]) {
  test(`taken: ${text}`, () => {
    const found = parsePackageName(text);
    assert.equal([found.name, found.prefix, found.base, found.mask], [name, prefix, base, mask]);
    assert.is(printPackageName(found), text);
  });
}

for (const [text, ...wanted] of [
  // The mask
  ["", "1: ", /the mask: six hexadecimal digits/],
  ["-", "2: ", /the mask/],
  ["zfs", "1: ", /the mask/],
  ["zfs-1.0.8.1-7.2", "13: ", /the mask/],
  ["zfs-1.0.8.1-7.2-", "17: ", /the mask/],
  ["zfs-1.0.8.1-7.2-0000000", "17: ", /the mask/],
  ["zfs-1.0.8.1-7.2-00000", "17: ", /the mask/],
  ["zfs-1.0.8.1-7.2-00000a", "22: ", /the mask.*0-9 and A-F/],
  ["zfs-1.0.8.1-7.2-0O0000", "18: ", /the mask/],
  ["zfs-1.0.8.1-7.2-000000 ", "17: ", /the mask/],
  ["zfs-1.0.8.1-7.2-000000\n", "17: ", /the mask/],
  ["zfs-1.0.8.1-7.2-００００００", "17: ", /the mask/],
  ["000000", "1: ", /a name and "-" before the mask/],
  // Sequence and revision
  ["zfs-1.0.8.1-7-000000", "14: ", /SEQ\.REV: "\." and another number/],
  ["zfs-1.0.8.1-7.-000000", "15: ", /SEQ\.REV: a number from 0 to 999999/],
  ["zfs-1.0.8.1-.2-000000", "13: ", /SEQ\.REV: a number/],
  ["zfs-1.0.8.1--000000", "13: ", /SEQ\.REV: a number/],
  ["zfs-1.0.8.1-7.2.1-000000", "16: ", /the end of SEQ\.REV/],
  ["zfs-1.0.8.1-07.2-000000", "13: ", /without leading zeros/],
  ["zfs-1.0.8.1-7.1000000-000000", "15: ", /a number from 0 to 999999/],
  ["zfs-1.0.8.1-7.2b-000000", "16: ", /SEQ\.REV/],
  ["zfs-1.0.8.1-7.2-2-000000", "18: ", /SEQ\.REV: "\."/],
  ["7.2-000000", "1: ", /a name and "-" before SEQ\.REV/],
  // Versions
  ["zfs-1.0-7.2-000000", "8: ", /PROGRAM\.BASE: "\." and another number/],
  ["zfs-1-7.2-000000", "6: ", /PROGRAM\.BASE: "\." and another number/],
  ["zfs-1.0.8.1.2.3-7.2-000000", "14: ", /the end of PROGRAM\.BASE/],
  ["zfs-1.0.8.1.-7.2-000000", "13: ", /PROGRAM\.BASE: a number/],
  ["zfs-1..8.1-7.2-000000", "7: ", /PROGRAM\.BASE: a number/],
  ["zfs-1.0.8.01-7.2-000000", "11: ", /leading zeros/],
  ["zfs-1.0.8.x1-7.2-000000", "11: ", /PROGRAM\.BASE/],
  ["zfs-v1.0.8.1-7.2-000000", "5: ", /PROGRAM\.BASE/],
  ["zfs_1.0.8.1-7.2-000000", "1: ", /PROGRAM\.BASE/],
  ["1.0.8.1-7.2-000000", "1: ", /a name and "-" before PROGRAM\.BASE/],
  ["zfs-٣.0.8.1-7.2-000000", "5: ", /PROGRAM\.BASE/],
  // The name
  ["-1.0.8.1-7.2-000000", "1: ", /the name: 1 to 64 of/],
  ["--1.0.8.1-7.2-000000", "1: ", /a letter or digit first/],
  [".zfs-1.0.8.1-7.2-000000", "1: ", /the name/],
  ["../zfs-1.0.8.1-7.2-000000", "1: ", /the name/],
  ["__zfs-1.0.8.1-7.2-000000", "1: ", /the name/],
  ["a/b-1.0.8.1-7.2-000000", "2: ", /the name/],
  ["z\0fs-1.0.8.1-7.2-000000", "2: ", /the name/],
  ["zfs 2-1.0.8.1-7.2-000000", "4: ", /the name/],
  ["zé-1.0.8.1-7.2-000000", "2: ", /the name/],
  // A character of two UTF-16 units counts once.
  ["z\u{1f4f7}-1.0.8.1-7.2-00000G", "21: ", /the mask/],
  [`${"n".repeat(65)}-1.0.8.1-7.2-000000`, "65: ", /the name/],
  [`${"n".repeat(65)}/-1.0.8.1-7.2-000000`, "65: ", /the name/],
] as [string, string, RegExp][]) {
  const [column, expected] = wanted;
  test(`refused: ${JSON.stringify(text)}`, () => {
    const refusal = refusalOf(parsePackageName, text);
    assert.ok(refusal.startsWith(column), refusal);
    assert.match(refusal, expected);
  });
}

test("BASE by itself: one to three numbers, as in a name", () => {
  for (const text of ["8", "8.1", "22.4.5"]) assert.is(parseBase(text).join("."), text);
  for (const text of ["", "8.", ".8", "8.x", "08", "8-1", "8.1 ", "1.2.3.4", "1000000"]) {
    assert.match(refusalOf(parseBase, text), /^\d+: (the end of )?BASE/, text);
  }
});

test("a name without end is quoted up to a line", () => {
  try {
    parsePackageName("x".repeat(1_000_000));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, Refusal);
    assert.ok((error as Refusal).message.length < 300);
  }
});

test("round trip of random fields; every single character changed is another name or none", () => {
  const seed = Number(process.env["ZSHIELD_FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const number = () => below(10 ** below(7));
  const letters = "abcxyzABCXYZ0189";
  const pick = (text: string) => text[below(text.length)] ?? "";
  for (let round = 0; round < 5000; round++) {
    const rest = Array.from({ length: below(64) }, () => pick(`${letters}._+-`)).join("");
    const fields = {
      name: pick(letters) + rest,
      program: [number(), number()] as const,
      base: Array.from({ length: 1 + below(3) }, number),
      sequence: number(),
      revision: number(),
      mask: below(2 ** 24),
    };
    const text = printPackageName(fields);
    const { prefix, text: whole, ...parsed } = parsePackageName(text);
    assert.equal(parsed, fields, `seed ${seed}`);
    assert.is(whole, text);
    assert.is(prefix, fields.name.replace(/-.*/, ""));
    const at = below(text.length);
    const changed = text.slice(0, at) + pick("-.0a/ G") + text.slice(at + 1);
    if (refusalOf(parsePackageName, changed) === "") {
      assert.is(printPackageName(parsePackageName(changed)), changed, `seed ${seed}`);
    }
  }
});

test("order: lower sequence first, equal ones in reverse order of the name", () => {
  // 序号小的先解压先启动,序号相同时按名称逆序排序
  const inOrder = [
    "system-1.0.8.1-0.1-000000",
    "zfs-1.0.8.1-2.9-000000",
    "nginx-ext-1.0.8.1-7.2-000000",
    "nginx-1.0.8.2-7.2-000000",
    "nginx-1.0.8.1-7.2-000000",
    "a-1.0.8.1-7.2-000000",
    "Z-1.0.8.1-7.2-000000",
    "zfs-1.0.8.1-10.0-000000",
  ];
  const sorted = inOrder.toSorted().map(parsePackageName).sort(comparePackages);
  assert.equal(
    sorted.map(({ text }) => text),
    inOrder,
  );
  for (const a of sorted) {
    for (const b of sorted) {
      assert.is(Math.sign(comparePackages(a, b)) + Math.sign(comparePackages(b, a)), 0);
    }
    assert.is(comparePackages(a, a), 0);
  }
});

test("a label: the sum of the revisions between major version and day", () => {
  const parts = { product: "xiaozhi", major: 4, date: new Date("2022-11-22T23:59:59Z") };
  assert.is(versionLabel({ ...parts, revisions: [90, 3, 1] }), "xiaozhi-4.94.1122");
  assert.is(versionLabel({ ...parts, revisions: [] }), "xiaozhi-4.0.1122");
  const newYear = new Date("2026-01-01T00:00:00Z");
  assert.is(
    bundleFileName(versionLabel({ ...parts, date: newYear, revisions: [7] })),
    "xiaozhi-4.7.0101.upt",
  );
  assert.throws(
    () => versionLabel({ ...parts, product: "a b", revisions: [] }),
    (error: unknown) => error instanceof Refusal,
  );
});

for (const [text, label] of [
  ["xiaozhi-4.94.1122.upt", "xiaozhi-4.94.1122"],
  ["xiaozhi-4.94.1122.upt.jpg", "xiaozhi-4.94.1122"],
  ["my-video.2-0.0.0229.upt", "my-video.2-0.0.0229"],
] as [string, string][]) {
  test(`taken: ${text}`, () => {
    assert.equal(parseBundleFileName(text), parseVersionLabel(label));
    assert.is(parseBundleFileName(text).text, label);
  });
}

test("the parts of a label", () => {
  assert.equal(parseBundleFileName("my-video-4.94.1122.upt.jpg"), {
    product: "my-video",
    major: 4,
    sum: 94,
    month: 11,
    day: 22,
    text: "my-video-4.94.1122",
  });
});

for (const [text, column, expected] of [
  ["xiaozhi-4.94.1122", "18: ", /the ending "\.upt"/],
  ["xiaozhi-4.94.1122.jpg", "22: ", /the ending/],
  ["xiaozhi-4.94.1122.upt.upt", "19: ", /MMDD/],
  ["xiaozhi-4.94.1322.upt", "14: ", /MMDD/],
  ["xiaozhi-4.94.0230.upt", "14: ", /MMDD/],
  ["xiaozhi-4.94.0100.upt", "14: ", /MMDD/],
  ["xiaozhi-4.94.0022.upt", "14: ", /MMDD/],
  ["xiaozhi-4.94.122.upt", "14: ", /MMDD/],
  ["xiaozhi-4.1122.upt", "10: ", /MAJOR\.SUM: "\."/],
  ["xiaozhi-1122.upt", "9: ", /MAJOR\.SUM/],
  ["xiaozhi-4.x.1122.upt", "11: ", /MAJOR\.SUM/],
  ["xiaozhi-04.94.1122.upt", "9: ", /leading zeros/],
  ["xiaozhi-4.9007199254740992.1122.upt", "11: ", /MAJOR\.SUM/],
  ["xiaozhi-4.5.94.1122.upt", "12: ", /the end of MAJOR\.SUM/],
  ["4.94.1122.upt", "1: ", /a name and "-"/],
  ["-4.94.1122.upt", "1: ", /the product/],
  ["Xiaozhi-4.94.1122.upt", "1: ", /the product/],
  ["a/b-4.94.1122.upt", "1: ", /the product/],
] as [string, string, RegExp][]) {
  test(`refused: ${text}`, () => {
    const refusal = refusalOf(parseBundleFileName, text);
    assert.ok(refusal.startsWith(column), refusal);
    assert.match(refusal, expected);
  });
}

test.run();
