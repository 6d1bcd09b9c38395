/*
 * Text from outside, shown so that it can neither hide anything nor talk to the terminal.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { printTime, visible } from "../../src/model/text.ts";

test("ordinary text of any language stays as it is", () => {
  for (const text of ["", "QEMU HARDDISK", "Größe, 容量, حجم", "a\\x1b", "👍", 'quo"te']) {
    assert.is(visible(text), text);
  }
});

test("C0, DEL and C1", () => {
  assert.is(visible("a\x1b[2Jb"), "a\\x1b[2Jb");
  assert.is(visible("\0\t\n\r\x7f\x9b"), "\\x00\\x09\\x0a\\x0d\\x7f\\x9b");
});

test("what turns text around, hides or breaks lines", () => {
  assert.is(visible("a\u202eb\u2066c\u200fd\u061c"), "a\\u202eb\\u2066c\\u200fd\\u061c");
  assert.is(visible("a\u200bb\ufeff\u2028"), "a\\u200bb\\ufeff\\u2028");
  assert.is(visible("\u{e0041}"), "\\u{e0041}");
});

test("what was no UTF-8, and half a character", () => {
  assert.is(visible(new TextDecoder().decode(new Uint8Array([0xff, 0x41]))), "\\ufffdA");
  assert.is(visible("\ud83d!"), "\\ud83d!");
});

test("a time, whatever a clock or a record says", () => {
  assert.is(printTime(1_795_575_600), "2026-11-25 03:00 UTC");
  assert.is(printTime(0), "a time that was not noted");
  assert.is(printTime(253_402_300_799), "9999-12-31 23:59 UTC");
  for (const absurd of [253_402_300_800, 8.64e12 + 1, -1, 1e300, Infinity, NaN]) {
    assert.is(printTime(absurd), `@${absurd}`);
  }
});

test.run();
