/*
 * Paths that cannot be what a vendor's command needs: refused by name, and never a bug in zshield.
 */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { lockKey } from "../../src/bundle/secret-key.ts";
import { EXIT, Refusal } from "../../src/errors.ts";
import { walkTree } from "../../src/host/tree.ts";
import { LEAST } from "../../src/model/minisign.ts";
import { exampleBundle } from "./bundle-example.ts";
import { keyOf } from "./key-example.ts";
import { vendorIn } from "./mistakes-example.ts";

const scratch = mkdtempSync(join(tmpdir(), "zshield-mistakes-"));
const { at, put, run } = vendorIn(scratch);
const TREE = "tool-1.0.1-9.1-000000";

test.before(async () => {
  chmodSync(scratch, 0o755);
  put(at("file"), "no directory");
  put(at("vendor.key"), await lockKey(keyOf(1), "a long password", LEAST));
  put(at("password"), "a long password\n");
  put(at("old.upt"), (await exampleBundle()).bytes);
  put(at(TREE, "__zshield/package.toml"), 'format = 1\nversion = "1"\n');
  put(at(TREE, "usr/bin/tool"), "tool");
  for (const [project, link] of [
    ["boot-link", "boot/vmlinuz"],
    ["base-link", `base/${TREE}`],
  ] as const) {
    await run(["bundle", "new", at(project)]);
    symlinkSync("/nonexistent", at(project, "platform/x86_64", link));
  }
});
test.before(async () => {
  await run(["bundle", "new", at("plain")]);
  await run([...build("plain"), "--out", at("out-plain")]);
  const [name = ""] = readdirSync(at("out-plain"));
  renameSync(at("out-plain", name), at("plain.upt"));
  await run(["bundle", "delta", at("plain.upt"), at("plain.upt"), at("plain.upd")]);
});
test.after(() => rmSync(scratch, { recursive: true }));

const build = (project: string) => [
  ...["bundle", "build", at(project), "--key", at("vendor.key")],
  ...["--password-file", at("password"), "--owner-root"],
];

test("a path that cannot be used is refused by name", async () => {
  const nowhere = "/nonexistent/x";
  for (const [words, path] of [
    [build("boot-link"), "/boot/vmlinuz"],
    [build("base-link"), `/base/${TREE}`],
    [["bundle", "new", at("file")], at("file")],
    [["package", "pack", at(TREE), "--owner-root", "--out", nowhere], "/nonexistent"],
    [["package", "new", at("file", TREE)], at("file", TREE)],
    [["package", "inspect", nowhere], nowhere],
    [["bundle", "import", at(TREE), nowhere], at(TREE)],
    [["bundle", "import", at("old.upt"), nowhere], "/nonexistent"],
    [["bundle", "clean", at("file")], at("file")],
    [["bundle", "delta", at("plain.upt"), at("plain.upt"), nowhere], "/nonexistent"],
    [["bundle", "apply-delta", at("plain.upt"), at("plain.upd"), "--out", nowhere], "/nonexistent"],
    [["key", "new", "--out", nowhere, "--password-file", at("password")], nowhere],
  ] as [string[], string][]) {
    const { code, stderr } = await run(words);
    assert.is(code, EXIT.refused, `${words.join(" ")}\n${stderr}`);
    assert.ok(stderr.includes(path), `${words.join(" ")}\n${stderr}`);
  }
});

test("a file that whoever packs cannot read is refused by name", async () => {
  const hidden = at(TREE, "usr/bin/hidden");
  put(hidden, "hidden");
  chmodSync(hidden, 0);
  mkdirSync(at("out"));
  chmodSync(at("out"), 0o777);
  const isRoot = process.getuid?.() === 0;
  const before = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const words = ["package", "pack", at(TREE), "--owner-root", "--out", at("out/image")];
  const { code, stderr } = await run(words, before);
  rmSync(hidden);
  assert.is(code, EXIT.refused, stderr);
  assert.ok(stderr.includes(hidden), stderr);
  assert.equal(readdirSync(at("out")), []);
});

test("a file that goes while the tree is read is named", async () => {
  const [tree, text] = [at("vanish-1.0.1-9.1-000000"), 'format = 1\nversion = "1"\n'];
  put(join(tree, "__zshield/package.toml"), text);
  const names = Array.from({ length: 600 }, (_, index) => join(tree, `f${index}`));
  for (const name of names) put(name, "");
  const entries = walkTree(tree, { hash: false });
  await entries.next();
  // The first ones' attributes are read, those of the last ones not yet.
  rmSync(names.at(-1) ?? "");
  const last = names.toSorted().at(-1) ?? "";
  rmSync(last, { force: true });
  let fault = "none";
  try {
    for await (const entry of entries) void entry;
  } catch (error) {
    fault = error instanceof Refusal ? error.message : String(error);
  }
  assert.match(fault, /^\/.*\/f\d+ is gone: the tree changed while it was read/);
});

test.run();
