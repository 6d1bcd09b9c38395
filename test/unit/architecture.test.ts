/*
 * The rooms of src/ and the one direction between them; `main → commands → execute → plan, host → model
 * → errors → words`, with `ui` beside, and `bundle` between commands and host. Held by this test, not by goodwill.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const SOURCE = new URL("../../src", import.meta.url).pathname;

/** Room → the rooms that its files may import from. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  words: [],
  errors: ["words"],
  version: [],
  model: ["model", "errors", "words"],
  plan: ["plan", "model", "errors", "words"],
  report: ["report", "model", "errors"],
  host: ["host", "model", "errors", "words"],
  bundle: ["bundle", "host", "model", "errors", "words"],
  ui: ["ui", "report", "model", "errors", "words", "version"],
  execute: ["plan", "host", "model", "errors"],
  commands: [
    "commands",
    "execute",
    "bundle",
    "plan",
    "report",
    "host",
    "ui",
    "model",
    "errors",
    "words",
    "version",
  ],
  main: ["commands", "host", "ui", "model", "errors"],
};

const files = (readdirSync(SOURCE, { recursive: true }) as string[]).filter((name) =>
  name.endsWith(".ts"),
);

const roomOf = (path: string) => (path.split("/")[0] ?? "").replace(/\.ts$/, "");

for (const file of files) {
  test(`imports of src/${file}`, () => {
    const text = readFileSync(join(SOURCE, file), "utf8");
    const allowed = MAY[roomOf(file)];
    assert.ok(allowed, `src/${file} is in no room that the architecture knows`);
    for (const [, target = ""] of text.matchAll(/from "(\.[^"]+)"/g)) {
      const path = relative(SOURCE, join(SOURCE, file, "..", target));
      if (path.startsWith("..")) continue;
      assert.ok(allowed.includes(roomOf(path)), `src/${file} imports ${path}`);
    }
  });
}

test("nothing but build/ and test/ imports from outside src/, package.json apart", () => {
  for (const file of files) {
    const text = readFileSync(join(SOURCE, file), "utf8");
    assert.not.match(text, /from "(\.\.\/)+(build|test)\//, file);
  }
});

test("plan/, report/ and model/ do no I/O", () => {
  for (const file of files.filter((name) => ["plan", "report", "model"].includes(roomOf(name)))) {
    const text = readFileSync(join(SOURCE, file), "utf8");
    assert.not.match(text, /node:(fs|child_process|net|http|os)|\bBun\.|process\./, file);
  }
});

test("what build/ has finished is on the disk before it gets its name", () => {
  const build = join(SOURCE, "../build");
  const renaming = (readdirSync(build, { recursive: true }) as string[])
    .filter((name) => name.endsWith(".ts"))
    .filter((name) => /\brename(Sync)?\(/.test(readFileSync(join(build, name), "utf8")))
    .sort();
  assert.equal(renaming, [
    // keepFile and keepTree.
    "cache.ts",
    // A note that a power cut has torn counts as none.
    "catalogue/make.ts",
    // Within a part, which keepTree keeps.
    "grub.ts",
    "rescue.ts",
  ]);
});

test("no test passes unseen where the process is not root: what needs root is in test/host and says so", () => {
  const tests = join(SOURCE, "../test");
  const returning = (readdirSync(tests, { recursive: true }) as string[])
    .filter((name) => name.endsWith(".test.ts"))
    .filter((name) =>
      /getuid\?\.\(\) !== 0\) return/.test(readFileSync(join(tests, name), "utf8")),
    );
  assert.equal(returning, []);
});

test.run();
