/*
 * Device records: the one form, and nothing else.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { parseDeviceRecord, printDeviceRecord } from "../../src/model/device-record.ts";

const RECORD = { device: "BOX-0017", mask: 0x000041, prefix: "acme", epoch: 3 };
const TEXT = '{"format":1,"device":"BOX-0017","mask":"000041","prefix":"acme","epoch":3}';

test("the format page's record, both ways", () => {
  const page = readFileSync(new URL("../../src/bundle/README.md", import.meta.url), "utf8");
  assert.ok(page.includes(`\`${TEXT}\``));
  assert.equal(parseDeviceRecord(TEXT), RECORD);
  assert.is(printDeviceRecord(RECORD), TEXT);
});

test("every bit flipped gives another record that says so, or none", () => {
  const bytes = Buffer.from(TEXT);
  let others = 0;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    try {
      const found = parseDeviceRecord(flipped.toString("latin1"));
      assert.not.equal(found, RECORD);
      others++;
    } catch (error) {
      assert.instance(error, Refusal);
    }
  }
  assert.ok(others > 0);
});

test("cut off anywhere it is none", () => {
  for (let length = 0; length < TEXT.length; length++) {
    assert.throws(() => parseDeviceRecord(TEXT.slice(0, length)), /is not JSON, or is cut off/);
  }
});

for (const [what, text, fault] of [
  ["a line end", `${TEXT}\n`, /one form/],
  ["a blank", TEXT.replace(",", ", "), /one form/],
  ["bytes behind it", `${TEXT}x`, /not JSON/],
  ["a key twice", TEXT.replace('"epoch":3', '"epoch":2,"epoch":3'), /one form/],
  ["another order", TEXT.replace('{"format":1,', "{").replace("}", ',"format":1}'), /one form/],
  ["an escape", TEXT.replace("acme", "\\u0061cme"), /one form/],
  ["another number", TEXT.replace(":3}", ":3.0}"), /one form/],
  ["a key too many", TEXT.replace("}", ',"x":1}'), /x: there is no such key/],
  ["a key too few", TEXT.replace(',"epoch":3', ""), /epoch: is missing/],
  ["another format", TEXT.replace(":1", ":2"), /format: must be 1/],
  ["small letters in the mask", TEXT.replace("000041", "00004a"), /mask: must be six/],
  ["a mask that is too short", TEXT.replace("000041", "41"), /mask: must be six/],
  ["a mask that is a number", TEXT.replace('"000041"', "41"), /mask: must be a text/],
  ["a prefix that no package can have", TEXT.replace("acme", "ac-me"), /prefix: must be a prefix/],
  ["a device with a blank", TEXT.replace("BOX-", "BOX "), /device: must be 1 to 64/],
  ["no device", TEXT.replace("BOX-0017", ""), /device: must be 1 to 64/],
  ["epoch 0", TEXT.replace(":3}", ":0}"), /epoch: must be 1 or more/],
  ["half an epoch", TEXT.replace(":3}", ":0.5}"), /epoch: must be/],
  ["an epoch beyond 2^53", TEXT.replace(":3}", ":9007199254740992}"), /epoch: must be a whole/],
  ["a list", "[]", /device record: /],
  ["null", "null", /device record: /],
  ["a long text", `${TEXT}${" ".repeat(2000)}`, /longer than 1024/],
] as [string, string, RegExp][]) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => parseDeviceRecord(text),
      (error: unknown) => error instanceof Refusal && fault.test(error.message),
    );
  });
}

test("what is no record is not printed", () => {
  for (const changes of [{ device: "a b" }, { mask: 2 ** 24 }, { mask: -1 }, { epoch: 0 }]) {
    assert.throws(() => printDeviceRecord({ ...RECORD, ...changes }), /device record: /);
  }
});

test.run();
