/*
 * Small files: there whole or not at all, and never more of one is read than a small file has.
 */
import { lstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ownerName } from "../../src/host/owner-name.ts";
import { readSmallFile, writeNewFile } from "../../src/host/new-file.ts";

test("what has no size and no end is refused", async () => {
  assert.match(await readSmallFile("/dev/zero").catch(String), /\/dev\/zero .*it is too large/);
});

test("what has no size is read up to its end", async () => {
  assert.match(await readSmallFile("/proc/self/status"), /^Name:/);
});

test("what is not UTF-8 is refused", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-new-file-"));
  const path = join(folder, "password");
  writeFileSync(path, Buffer.from("p\xe4ssword", "latin1"));
  assert.match(await readSmallFile(path).then(() => "read", String), /UTF-8/);
  writeFileSync(path, "five5");
  assert.is(await readSmallFile(path, 5), "five5");
  assert.match(await readSmallFile(path, 4).then(() => "read", String), /it is too large/);
  rmSync(folder, { recursive: true });
});

test("nobody else can read a secret file, not even while it is written; a public one all can", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-new-file-"));
  const before = process.umask(0);
  try {
    for (const [mask, mode] of [
      [0o000, 0o600],
      [0o077, 0o644],
    ] as const) {
      process.umask(mask);
      const name = mode.toString(8);
      const text = "x".repeat(16 * 1024 * 1024);
      const seen = new Set<number>();
      let isDone = false;
      const writing = writeNewFile(join(folder, name), { text, mode, replaces: false });
      void writing.finally(() => (isDone = true));
      while (!isDone) {
        for (const found of readdirSync(folder)) {
          const stats = lstatSync(join(folder, found), { throwIfNoEntry: false });
          if (stats && found.startsWith(name)) seen.add(stats.mode & 0o777);
        }
        await new Promise((resolve) => void setImmediate(resolve));
      }
      await writing;
      assert.equal(
        [...seen].map((one) => one & ~mode),
        [...seen].map(() => 0),
      );
      assert.is(lstatSync(join(folder, name)).mode & 0o777, mode);
    }
  } finally {
    process.umask(before);
  }
  rmSync(folder, { recursive: true });
});

test("what a killed one left beside goes with the next", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-new-file-"));
  const path = join(folder, "vendor.key");
  writeFileSync(`${path}.part-${ownerName().replace(/\d+$/, "1")}-abcdef`, "half");
  await writeNewFile(path, { text: "one", mode: 0o600, replaces: false });
  assert.equal(readdirSync(folder), ["vendor.key"]);
  rmSync(folder, { recursive: true });
});

test("what is replaced is a file: no device, no directory", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-new-file-"));
  symlinkSync("/dev/null", join(folder, "null"));
  const file = { text: "one", mode: 0o644, replaces: true };
  const faultOf = (path: string) => writeNewFile(path, file).then(() => "written", String);
  assert.match(await faultOf(join(folder, "null")), /no file but a device/);
  assert.match(await faultOf(folder), /is a directory/);
  assert.ok(lstatSync("/dev/null").isCharacterDevice());
  symlinkSync("nowhere", join(folder, "dangling"));
  await writeNewFile(join(folder, "dangling"), file);
  assert.is(await readSmallFile(join(folder, "dangling")), "one");
  rmSync(folder, { recursive: true });
});

test.run();
