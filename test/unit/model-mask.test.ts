/*
 * The rule of masks: a table from seed 2's own sentences, all package masks against a second statement of the rule,
 * and the sentences that explain.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { explainMask, isNeeded, printMask } from "../../src/model/mask.ts";
import { randomFrom } from "./fuzz.ts";

const SAME = { packagePrefix: "acme", systemPrefix: "acme" };
const OTHER = { packagePrefix: "tools", systemPrefix: "acme" };
const ALL_MASKS = 2 ** 24;

const NAMES = [
  { bit: 0, name: "video", description: "records video" },
  { bit: 6, name: "onvif", description: "finds ONVIF cameras" },
];

// System mask, package mask, needed with the same prefix, with another one, and why.
for (const [system, wanted, same, other, reason] of [
  // 最高位 0: (m&(b&0x5FFFFF))==(b&0x5FFFFF)
  [0x000000, 0x000000, true, true, "it asks for no bit"],
  [0xffffff, 0x000000, true, true, "it asks for no bit"],
  [0x000041, 0x000001, true, true, "the device has all that it asks for: bit 0 (video)"],
  [0x000041, 0x000041, true, true, "all that it asks for: bits 0 (video), 6 (onvif)"],
  [0x000001, 0x000043, false, false, "the device lacks bits 1, 6 (onvif)"],
  [0x000000, 0x100000, false, false, "the device lacks bit 20"],
  [0x1fffff, 0x1fffff, true, true, "bits 0 (video), 1, 2, 3, 4, 5, 6 (onvif), 7, 8"],
  // The device's own highest bit says nothing.
  [0x800001, 0x000003, false, false, "the device lacks bit 1"],
  // 最高位 1: (m&(b&0x5FFFFF))!=0
  [
    0x000041,
    0x800003,
    true,
    true,
    "bit 23 (any bit) wants one bit in common, and the device has bit 0",
  ],
  [0x000041, 0x800006, false, false, "but the device has none of bits 1, 2"],
  [0xffffff, 0x800000, false, false, "but it asks for none: nobody needs it"],
  [0x800000, 0x800001, false, false, "but the device has none of bit 0 (video)"],
  // 次高位: both have it, so the prefix must be the same. It is one of the bits that are compared (0x5FFFFF).
  [0x400000, 0x400000, true, false, 'the prefix "acme" is the device\'s'],
  [0x400001, 0x400001, true, false, "bits 0 (video), 22 (same prefix); "],
  [0x000001, 0x400001, false, false, "the device lacks bit 22 (same prefix)"],
  [0x400001, 0x000001, true, true, "the device has all that it asks for: bit 0 (video)"],
  [0x400000, 0xc00000, true, false, "the device has bit 22 (same prefix); "],
  [0x400000, 0xc00001, true, false, "the device has bit 22 (same prefix); "],
  [0x000001, 0xc00001, true, true, "no prefix is compared, as the device lacks bit 22"],
  [0x400001, 0x400003, false, false, "the device lacks bit 1"],
  // 次次高位: either has it, and the prefix counts as the same. It is not compared itself.
  [0x000000, 0x200000, true, true, "it asks for no bit"],
  [0x600000, 0x400000, true, true, "no prefix is compared, as the device has bit 21 (any prefix)"],
  [0x400000, 0x600000, true, true, "no prefix is compared, as the package has bit 21 (any prefix)"],
  [0x600000, 0x600000, true, true, "as the package and the device has bit 21 (any prefix)"],
  [0x200000, 0x600000, false, false, "the device lacks bit 22 (same prefix)"],
  [0x200000, 0xa00000, false, false, "nobody needs it"],
  [0x600000, 0xe00000, true, true, "the device has bit 22 (same prefix); no prefix"],
] as [number, number, boolean, boolean, string][]) {
  test(`device ${printMask(system)}, package ${printMask(wanted)}`, () => {
    assert.is(isNeeded(system, wanted, SAME), same, "same prefix");
    assert.is(isNeeded(system, wanted, OTHER), other, "other prefix");
    const explained = explainMask(system, wanted, SAME, NAMES);
    assert.is(explained.needed, same);
    assert.ok(explained.reason.includes(reason), explained.reason);
  });
}

test("a prefix is the same only if each of its letters is", () => {
  for (const other of ["Acme", "acm", "acme1", ""]) {
    const prefixes = [
      { packagePrefix: "acme", systemPrefix: other },
      { packagePrefix: other, systemPrefix: "acme" },
    ];
    for (const both of prefixes) assert.is(isNeeded(0x400000, 0x400000, both), false, other);
  }
});

test("the other prefix is named on both sides", () => {
  assert.equal(explainMask(0x400000, 0x400000, OTHER), {
    needed: false,
    reason:
      "the device has all that it asks for: bit 22 (same prefix); " +
      'but both have bit 22 (same prefix), and the prefix "tools" is not the device\'s "acme"',
  });
});

const LACKS = 1;
const SHARES = 2;
const ONE_IS_ENOUGH = 4;
const WISHES = 8;
const SPARES = 16;

/**
 * The rule once more, from the seed's text, a bit at a time: for each package mask what its bits mean to this device.
 * 0x5FFFFF is bits 0 to 20 and bit 22.
 */
function factsOfAll(system: number): Uint8Array {
  const digits = system.toString(2).padStart(24, "0").split("").reverse();
  const facts = new Uint8Array(ALL_MASKS);
  for (let bit = 0; bit < 24; bit++) {
    const deviceHasIt = digits[bit] === "1";
    let fact = 0;
    if (bit <= 20 || bit === 22) fact |= deviceHasIt ? SHARES : LACKS;
    if (bit === 21) fact |= SPARES;
    if (bit === 22) fact |= WISHES;
    if (bit === 23) fact |= ONE_IS_ENOUGH;
    // The masks with this bit highest are those without it, and the bit.
    const count = 2 ** bit;
    for (let lower = 0; lower < count; lower++) facts[count + lower] = facts[lower]! | fact;
  }
  return facts;
}

/** What those facts decide: at 0 to 31 with another prefix, from 32 on with the same. */
function verdicts(system: number): Uint8Array {
  const digits = system.toString(2).padStart(24, "0");
  const [, deviceWishes, deviceSpares] = [digits[0], digits[1], digits[2]].map((d) => d === "1");
  const verdicts = new Uint8Array(64);
  for (let fact = 0; fact < 32; fact++) {
    const has = (flag: number) => (fact & flag) !== 0;
    const passes = has(ONE_IS_ENOUGH) ? has(SHARES) : !has(LACKS);
    const headIsAsked = has(WISHES) && deviceWishes && !has(SPARES) && !deviceSpares;
    verdicts[fact] = passes && !headIsAsked ? 1 : 0;
    verdicts[32 + fact] = passes ? 1 : 0;
  }
  return verdicts;
}

test("all 2^24 package masks against random devices: the rule, and a second statement of it", () => {
  const seed = Number(process.env["ZSHIELD_FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  // Bits 21 and 22 in each combination; bit 23 and the vendor's own as they come.
  for (const high of [0x000000, 0x200000, 0x400000, 0x600000]) {
    const system = high | (Math.floor(random() * ALL_MASKS) & 0x9fffff);
    const facts = factsOfAll(system);
    const expected = verdicts(system);
    let needed = 0;
    for (let mask = 0; mask < ALL_MASKS; mask++) {
      const fact = facts[mask]!;
      const [other, same] = [isNeeded(system, mask, OTHER), isNeeded(system, mask, SAME)];
      if (other !== (expected[fact] === 1) || same !== (expected[32 + fact] === 1)) {
        assert.unreachable(
          `device ${printMask(system)}, package ${printMask(mask)} (ZSHIELD_FUZZ_SEED=${seed}): ` +
            `${other} with another prefix, ${same} with the same`,
        );
      }
      if (same) needed++;
    }
    assert.ok(needed > 0 && needed < ALL_MASKS, `ZSHIELD_FUZZ_SEED=${seed}`);
  }
});

test("what is explained is what is decided, and names the bits that decide", () => {
  const seed = Number(process.env["ZSHIELD_FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  const has = (mask: number, bit: number) => Math.floor(mask / 2 ** bit) % 2 === 1;
  const compared = Array.from({ length: 23 }, (_, bit) => bit).filter((bit) => bit !== 21);
  for (let round = 0; round < 20_000; round++) {
    const system = Math.floor(random() * ALL_MASKS);
    // As they come hardly any package is needed: half of them ask only for what the device has.
    const any = Math.floor(random() * ALL_MASKS);
    const mask = random() < 0.5 ? any : any & (system | 0xe00000);
    const prefixes = random() < 0.5 ? SAME : OTHER;
    const { needed, reason } = explainMask(system, mask, prefixes);
    const where = `${printMask(system)} ${printMask(mask)} seed ${seed}: ${reason}`;
    assert.is(needed, isNeeded(system, mask, prefixes), where);
    assert.is(needed, !/lacks bits? [^;]*$|none|but/.test(reason.split("; no prefix")[0]!), where);
    const asked = compared.filter((bit) => has(mask, bit));
    const [shared, lacking] = [
      asked.filter((bit) => has(system, bit)),
      asked.filter((bit) => !has(system, bit)),
    ];
    const named = /(?:lacks|none of|device has|asks for:) bits? ([^;]*)/
      .exec(reason)?.[1]
      ?.split(", ")
      .map((word) => Number.parseInt(word, 10));
    const wanted = has(mask, 23)
      ? shared.length > 0
        ? shared
        : asked
      : lacking.length > 0
        ? lacking
        : asked;
    assert.equal(named ?? [], wanted, where);
  }
});

test.run();
