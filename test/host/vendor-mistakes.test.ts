/*
 * What goes wrong for a vendor who is root: refused by name, and never a bug in zshield.
 */
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lockKey } from "../../src/bundle/secret-key.ts";
import { EXIT } from "../../src/errors.ts";
import { LEAST } from "../../src/model/minisign.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { keyOf } from "../unit/key-example.ts";
import { vendorIn } from "../unit/mistakes-example.ts";
import { needRoot } from "./need-root.ts";

needRoot();

const test = suite("vendor mistakes");
const folder = makeFolder("vendor-mistakes");
const { at, put, run } = vendorIn(folder);
const TREE = "tool-1.0.1-9.1-000000";
test.after(() => dropFolder(folder));

test.before(async () => {
  put(at("file"), "no directory");
  put(at("vendor.key"), await lockKey(keyOf(1), "a long password", LEAST));
  put(at("password"), "a long password\n");
  put(at(TREE, "__zshield/package.toml"), 'format = 1\nversion = "1"\n');
  put(at(TREE, "usr/bin/tool"), "tool");
});

const build = (project: string) => [
  ...["bundle", "build", at(project), "--key", at("vendor.key")],
  ...["--password-file", at("password")],
];

test("a harvest into a file is refused by name", async () => {
  put(at("root/opt/own"), "own");
  put(at("list"), "/opt/own\n");
  const words = ["package", "harvest", "--root", at("root"), "--files", at("list")];
  const { code, stderr } = await run([...words, "--name", "own", "--out", at("file")]);
  assert.is(code, EXIT.refused, stderr);
  assert.ok(stderr.includes(at("file")), stderr);
});

test("a full disk is told with what did not fit", async () => {
  put(at(TREE, "usr/large"), randomBytes(300_000));
  mkdirSync(at("small"));
  await run(["bundle", "new", at("fits")]);
  cpSync(at(TREE), at("fits/platform/x86_64/base", TREE), { recursive: true });
  mkdirSync(at("fits/cache"));
  const within = (place: string) => {
    const script = 'mount -t tmpfs -o size=100k none "$1" && shift && exec "$@"';
    return ["unshare", "--mount", "sh", "-c", script, "sh", place];
  };
  for (const [words, place, named] of [
    [["package", "pack", at(TREE), "--out", at("small/image")], at("small"), at("small/image")],
    [build("fits"), at("fits/cache"), at("fits/cache")],
    [[...build("fits"), "--out", at("small")], at("small"), at("small")],
  ] as [string[], string, string][]) {
    const { code, stderr } = await run(words, within(place));
    assert.is(code, EXIT.refused, stderr);
    assert.ok(stderr.startsWith(`zshield: ${named}`), stderr);
    assert.match(stderr, /: no space left on device/);
    assert.not.match(stderr, /part-/);
  }
  rmSync(at(TREE, "usr/large"));
});

test("a program that is not there or fails is told of, and no bug", async () => {
  const hide = 'mount --bind /dev/null $(command -v getfattr) && exec "$@"';
  const within = (script: string) => ["unshare", "--mount", "sh", "-c", script, "sh"];
  const words = ["package", "pack", at(TREE), "--out", at("hidden.img")];
  const { code, stderr } = await run(words, within(hide));
  assert.is(code, EXIT.refused, stderr);
  assert.match(stderr, /getfattr/);
  assert.not.match(stderr, /BUG/);
});

test.run();
