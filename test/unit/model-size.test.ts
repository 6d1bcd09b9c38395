/*
 * Sizes: as people write them, on a disk, and printed.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { GIB, KIB, MIB, parseSize, printSize, sizeOn, TIB } from "../../src/model/size.ts";

test("sizes in every unit, with and without a blank", () => {
  assert.equal(parseSize("512 B"), { bytes: 512 });
  assert.equal(parseSize("4KiB"), { bytes: 4 * KIB });
  assert.equal(parseSize(" 512 MiB "), { bytes: 512 * MIB });
  assert.equal(parseSize("1.5 GiB"), { bytes: 1.5 * GIB });
  assert.equal(parseSize("2 TiB"), { bytes: 2 * TIB });
});

test("shares", () => {
  assert.equal(parseSize("20 %"), { share: 0.2 });
  assert.equal(parseSize("100%"), { share: 1 });
});

test("what is no size is told in words", () => {
  for (const text of ["", "5", "5 GB", "-1 GiB", "1e3 MiB", "GiB", "5 GiB 3", "１ GiB"]) {
    assert.match(String(parseSize(text)), "is not a size", text);
  }
  assert.match(String(parseSize("0 %")), "more than 0 %");
  assert.match(String(parseSize("101 %")), "at most 100 %");
  assert.match(String(parseSize("0 MiB")), "above 0");
  assert.match(String(parseSize("0.3 B")), "whole number");
  assert.match(String(parseSize("99999999 TiB")), "whole number");
});

test("on a disk: rounded down to whole units", () => {
  assert.is(sizeOn({ bytes: 10 * MIB + 5 }, 0, 4 * MIB), 8 * MIB);
  assert.is(sizeOn({ share: 0.2 }, 20 * GIB, 4 * MIB), 4 * GIB);
  assert.is(sizeOn({ share: 0.2 }, 20 * GIB + 1, 4 * MIB), 4 * GIB);
});

test("printed with the largest unit that fits", () => {
  assert.is(printSize(0), "0 B");
  assert.is(printSize(1023), "1023 B");
  assert.is(printSize(20 * GIB), "20 GiB");
  assert.is(printSize(19.53 * GIB), "19.5 GiB");
  assert.is(printSize(500_107_862_016), "465.8 GiB");
  assert.is(printSize(3 * TIB), "3 TiB");
});

test("what is printed whole can be read again", () => {
  for (const bytes of [1, 4 * KIB, 512 * MIB, 20 * GIB, 2 * TIB]) {
    assert.equal(parseSize(printSize(bytes)), { bytes });
  }
});

test.run();
