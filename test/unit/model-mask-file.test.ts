/*
 * mask.txt: what is taken, and every fault with its line and column.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { parseMaskFile, printMaskFile } from "../../src/model/mask-file.ts";

function faultsOf(text: string): string[] {
  try {
    parseMaskFile(text);
  } catch (error) {
    if (error instanceof Refusal) return error.message.split("\n");
    throw error;
  }
  return [];
}

test("comments, empty lines, blanks, tabs and either line end; sorted by bit", () => {
  const text =
    "# bits of video\r\n\n  \t\n6\tonvif\t  finds ONVIF cameras \t\r\n" +
    "  0 video records video # and sound\n\t# 5 old no more\n20 last 最后";
  const names = parseMaskFile(text);
  assert.equal(names, [
    { bit: 0, name: "video", description: "records video # and sound" },
    { bit: 6, name: "onvif", description: "finds ONVIF cameras" },
    { bit: 20, name: "last", description: "最后" },
  ]);
  assert.is(
    printMaskFile(names.toReversed()),
    "0 video records video # and sound\n6 onvif finds ONVIF cameras\n20 last 最后\n",
  );
  assert.equal(parseMaskFile(printMaskFile(names)), names);
});

test("a file that names nothing", () => assert.equal(parseMaskFile(""), []));

test("as much as a file, a line and its parts may have", () => {
  const [name, description] = ["n".repeat(32), "d".repeat(200)];
  const line = `0 ${name}${" ".repeat(500 - 2 - 32 - 200)}${description}\n`;
  const text = `${line}${"#".repeat(65_536 - line.length)}`;
  assert.equal(parseMaskFile(text), [{ bit: 0, name, description }]);
});

for (const [text, ...wanted] of [
  ["video 0 records", "line 1, column 1: expected a bit, 0 to 20"],
  ["# ours\n  21 mine text", "line 2, column 3: bit 21 belongs to the rule of masks"],
  ["22 mine text", "line 1, column 1: bit 22 belongs to the rule"],
  ["23 mine text", "line 1, column 1: bit 23 belongs to the rule"],
  ["24 mine text", "line 1, column 1: expected a bit"],
  ["00 video text", "line 1, column 1: expected a bit"],
  ["-1 video text", "line 1, column 1: expected a bit"],
  ["0x1 video text", "line 1, column 1: expected a bit"],
  ["\ufeff0 video text", "line 1, column 1: begins with a byte order mark: save it"],
  ["\ufeff# ours\r\n0 video text\r\n", "line 1, column 1: begins with a byte order mark"],
  [
    "\ufeffx",
    "line 1, column 1: begins with a byte order mark",
    "line 1, column 1: expected a bit",
  ],
  ["\ufeff\ufeff0 video text", "line 1, column 1: begins with", "line 1, column 1: expected a bit"],
  ["0 video text\n\ufeff1 sound text", "line 2, column 1: expected a bit"],
  ["0", "line 1, column 2: expected a name"],
  ["0\t", "line 1, column 3: expected a name"],
  ["0 9lives text", "line 1, column 3: expected a name"],
  ["0 a/b text", "line 1, column 3: expected a name"],
  [`0 ${"n".repeat(33)} text`, "line 1, column 3: expected a name"],
  ["0 video", "line 1, column 8: expected a description"],
  ["0 video   ", "line 1, column 11: expected a description"],
  ["0 video a\u3000", "line 1, column 9: expected a description"],
  ["0 video a\u001b[31mb", "line 1, column 9: expected a description"],
  ["0 video a\u202eb", "line 1, column 9: expected a description"],
  ["0 video a\u2028b", "line 1, column 9: expected a description"],
  ["0 video a\ud800b", "line 1, column 9: expected a description"],
  [`0 video ${"d".repeat(201)}`, "line 1, column 9: expected a description"],
  [`0 video ${" ".repeat(600)}x`, "line 1, column 501: expected the end of the line"],
  ["0 video a\n0 other b", 'line 2, column 1: bit 0 is "video" already'],
  ["0 video a\n1 video b", 'line 2, column 3: "video" is bit 0 already'],
  ["0\n1 a b\nx", "line 1, column 2: ", "line 3, column 1: "],
  ["#".repeat(65_537), "is longer than 65536 characters"],
] as [string, ...string[]][]) {
  test(`refused: ${JSON.stringify(text).slice(0, 60)}`, () => {
    const faults = faultsOf(text);
    assert.is(faults.length, wanted.length, faults.join(" | "));
    for (const [index, words] of wanted.entries()) {
      assert.ok(faults[index]?.startsWith(`mask.txt: ${words}`), faults[index] ?? "");
    }
  });
}

test("the path that was given stands in front", () => {
  assert.throws(
    () => parseMaskFile("x", "platform/arm/mask.txt"),
    /^platform\/arm\/mask\.txt: line/,
  );
});

test.run();
