/*
 * What the vendor's commands make is on the disk, with all directories on the way to it: strace sees each one flushed.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lockKey } from "../../src/bundle/secret-key.ts";
import { LEAST } from "../../src/model/minisign.ts";
import { command } from "../lab/command.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { buildExample, KEY, NEW, OLD } from "../unit/delta-example.ts";

const test = suite("flushed directories");
const folder = makeFolder("flushed");
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
test.after(() => dropFolder(folder));

test("apply-delta flushes the new directories of --images, and the one above them", async () => {
  const at = (name: string) => join(folder, name);
  const older = await buildExample(at("old"), 17, OLD);
  const newer = await buildExample(at("new"), 18, NEW);
  const zshield = [process.execPath, MAIN, "bundle"];
  await command([...zshield, "delta", older, newer, at("video.upd")]);
  mkdirSync(at("there"));
  const strace = [
    ...["strace", "--follow-forks", "--decode-fds=path", "--quiet=all", "--trace=fsync"],
    ...["--output", at("log")],
  ];
  const words = ["apply-delta", older, at("video.upd"), "--images", at("there/first/second")];
  await command([...strace, ...zshield, ...words]);
  const flushed = readFileSync(at("log"), "utf8");
  for (const name of ["there", "there/first", "there/first/second"]) {
    assert.ok(flushed.includes(`<${at(name)}>)`), `${name} was not flushed:\n${flushed}`);
  }
});

/** What one command flushed, and which names it gave, in order. */
async function durably(words: readonly string[]): Promise<string[]> {
  const calls = "fsync,rename,renameat,renameat2,link,linkat";
  const strace = [
    ...["strace", "--follow-forks", "--decode-fds=path", "--quiet=all", `--trace=${calls}`],
    ...["--string-limit=4096", "--output", join(folder, "log")],
  ];
  await command([...strace, process.execPath, MAIN, ...words]);
  return readFileSync(join(folder, "log"), "utf8").split("\n");
}

/** The content is on the disk before the name is given, and its directory behind it. */
function checkDurable(lines: readonly string[], path: string): void {
  const named = lines.findIndex(
    (line) => / (rename|link)/.test(line) && line.includes(`"${path}"`),
  );
  assert.ok(named >= 0, `${path} got no name:\n${lines.join("\n")}`);
  const [, from = ""] = /"([^"]*)"/.exec(lines[named] ?? "") ?? [];
  const flushes = (file: string) => (line: string) => line.includes(`<${file}>)`);
  assert.ok(lines.slice(0, named).some(flushes(from)), `${path} was named before it was flushed`);
  assert.ok(lines.slice(named).some(flushes(dirname(path))), `${dirname(path)} was not flushed`);
}

test("whatever the vendor's commands make is on the disk before it has its name", async () => {
  const at = (name: string) => join(folder, name);
  const tree = at("new/platform/x86_64/base/zfs-1.0.8.1-7.3-000000");
  checkDurable(
    await durably(["package", "pack", tree, "--owner-root", "--out", at("x.img")]),
    at("x.img"),
  );
  writeFileSync(at("key"), await lockKey(KEY, "a long password", LEAST));
  writeFileSync(at("password"), "a long password\n");
  const words = ["--key", at("key"), "--password-file", at("password"), "--owner-root"];
  const built = await durably(["bundle", "build", at("new"), ...words, "--out", at("out")]);
  const [bundle = ""] = readdirSync(at("out"));
  checkDurable(built, at(`out/${bundle}`));
  for (const line of built.filter((one) => / rename/.test(one) && one.includes(at("new/cache")))) {
    const [, from = ""] = /"([^"]*)"/.exec(line) ?? [];
    const isFlushed = built.slice(0, built.indexOf(line)).some((one) => one.includes(`<${from}>)`));
    assert.ok(isFlushed || from.endsWith(".part"), line);
  }
  const older = at(`old/out/${readdirSync(at("old/out"))[0]}`);
  const newer = at(`out/${bundle}`);
  checkDurable(await durably(["bundle", "delta", older, newer, at("y.upd")]), at("y.upd"));
  const applied = await durably([
    "bundle",
    "apply-delta",
    older,
    at("y.upd"),
    "--out",
    at("y.upt"),
  ]);
  checkDurable(applied, at("y.upt"));
  const record = ["--id", "BOX", "--mask", "000000", "--prefix", "", "--epoch", "1"];
  const signing = ["--key", at("key"), "--password-file", at("password"), "--out", at("box")];
  checkDurable(await durably(["device", "record", ...record, ...signing]), at("box"));
});

test.run();
