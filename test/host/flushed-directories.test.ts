/*
 * What a difference makes is on the disk with all directories on the way to it: strace sees each one flushed.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { command } from "../lab/command.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { buildExample, NEW, OLD } from "../unit/delta-example.ts";

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

test.run();
