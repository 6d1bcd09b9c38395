/*
 * The manifest: printing, parsing, and every difference told in words.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  parseManifest,
  printManifest,
  whyNotSameEntry,
  type Entry,
} from "../../src/model/manifest.ts";

const file: Entry = {
  path: "/bin/ping",
  type: "file",
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 1_700_000_000,
  sizeBytes: 12,
  sha256: "a".repeat(64),
  xattrs: { "security.capability": "AQAAAgAgAAAAAAAAAAAAAAAAAAA=" },
};
const symlink: Entry = {
  path: "/lib",
  type: "symlink",
  mode: 0o777,
  uid: 0,
  gid: 0,
  mtime: 1,
  target: "usr/lib",
};
const device: Entry = {
  path: "/dev/null",
  type: "character",
  mode: 0o666,
  uid: 0,
  gid: 0,
  device: "1:3",
};

test("round trip, a line each", () => {
  const odd: Entry = { ...file, path: '/tmp/two\nlines "quoted" \x1b[2J 容量' };
  const text = printManifest([file, symlink, device, odd]);
  assert.is(text.split("\n").length, 5);
  assert.equal(parseManifest(text), [file, symlink, device, odd]);
  assert.equal(parseManifest(""), []);
});

test("a line that is no entry is told with its number", () => {
  const wrong = JSON.stringify({ ...file, type: "door" });
  assert.throws(() => parseManifest(`${printManifest([file])}${wrong}\n`), /line 2/);
  assert.throws(() => parseManifest(`${JSON.stringify({ ...file, extra: 1 })}\n`), /line 1/);
});

test("the same entry is the same", () => {
  assert.is(whyNotSameEntry({ ...file }, file), undefined);
});

const differences: [string, Partial<Entry>, string][] = [
  ["type", { type: "directory" }, "is a directory, not a file"],
  ["mode", { mode: 0o4755 }, "has mode 04755, not 0755"],
  ["owner", { uid: 1000 }, "belongs to 1000:0, not 0:0"],
  ["group", { gid: 5 }, "belongs to 0:5, not 0:0"],
  ["size", { sizeBytes: 13 }, "has sizeBytes 13, not 12"],
  ["content", { sha256: "b".repeat(64) }, `has sha256 ${"b".repeat(64)}, not ${"a".repeat(64)}`],
  ["time", { mtime: 1 }, "has mtime 1, not 1700000000"],
  ["hard link", { link: "/bin/other" }, "has link /bin/other, not undefined"],
  ["capability lost", { xattrs: {} }, "has extended attributes {}, not {"],
];
for (const [name, change, words] of differences) {
  test(`difference: ${name}`, () => {
    assert.match(whyNotSameEntry({ ...file, ...change }, file) ?? "", words);
  });
}

test("difference: missing, another target, another device", () => {
  assert.is(whyNotSameEntry(undefined, file), "is missing");
  assert.is(
    whyNotSameEntry({ ...symlink, target: "lib64" }, symlink),
    "has target lib64, not usr/lib",
  );
  assert.is(whyNotSameEntry({ ...device, device: "1:5" }, device), "has device 1:5, not 1:3");
});

test("an attribute too many is a difference, too; none and an empty list are the same", () => {
  const { xattrs: _, ...plain } = file;
  assert.ok(whyNotSameEntry(file, plain));
  assert.is(whyNotSameEntry({ ...plain, xattrs: {} }, plain), undefined);
});

test.run();
