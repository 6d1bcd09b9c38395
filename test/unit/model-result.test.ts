/*
 * The line that scripts read: whatever a disk calls itself, it is text that a terminal shows, and the same value.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { printResult, RESULT_MARK } from "../../src/model/result.ts";
import { visible } from "../../src/model/text.ts";
import { success } from "./screen-example.ts";

test("nothing in it moves a cursor, turns a line around or cannot be seen", () => {
  const { disk } = success;
  if (!disk) throw new Error("no disk");
  const model =
    '\u001b[2J\u007f\u009b2J\u202e\u2028\u200b\ufeff\ufffd\ud83d \u{e0041} 硬盘 😀 é \\u202e "';
  const result = { ...success, disk: { ...disk, model } };
  const line = printResult(result);
  assert.is(visible(line), line);
  assert.ok(line.startsWith(RESULT_MARK));
  assert.equal(JSON.parse(line.slice(RESULT_MARK.length)), result);
  assert.match(line, /\\u001b\[2J\\u007f\\u009b2J\\u202e.* 硬盘 😀 é /);
});

test.run();
