/*
 * What a vendor's test mounts, in the chroot and the mount namespace that it really runs in: a root of memory, mounted
 * read-only, with a shell and mount of this machine.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Box } from "../../src/host/factory/box.ts";
import { runVendorTest } from "../../src/host/factory/vendor.ts";
import { VENDOR_TESTS } from "../../src/model/places.ts";
import { command } from "../lab/command.ts";
import { dropFolder, forgetMount, makeFolder, registerMount } from "../lab/scratch.ts";
import { disk, machine } from "../unit/example.ts";

const test = suite("enclosure");
const folder = makeFolder("enclosure");
const root = join(folder, "root");

const TESTS = {
  well: "touch /tmp/x && echo quiet",
  mounts: `mount -t tmpfs one /tmp && mkdir /tmp/deep && mount -t tmpfs two /tmp/deep &&
    mount -t tmpfs three / && mount --bind /proc/self/fd /mnt; echo mounted`,
  "over-root": "mount -t tmpfs three / && echo mounted",
  writes: "mount -o remount,rw / && echo x > /written && echo written",
} as const;

test.before(async () => {
  mkdirSync(root);
  await command(["mount", "-t", "tmpfs", "tmpfs", root]);
  registerMount(root);
  for (const name of ["dev", "proc", "sys", "run", "tmp", "mnt", VENDOR_TESTS]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  for (const program of ["sh", "mount", "touch", "mkdir"]) {
    const path = (await command(["sh", "-c", `command -v ${program}`])).stdout.trim();
    const { stdout } = await command(["ldd", path]);
    const libraries = stdout.match(/\/\S+(?= \()/g) ?? [];
    await command(["cp", "--dereference", "--parents", path, ...libraries, root]);
  }
  // Where the first line of a script looks for it.
  await command(["cp", "--dereference", "--parents", "/bin/sh", root]);
  for (const [name, text] of Object.entries(TESTS)) {
    writeFileSync(join(root, VENDOR_TESTS, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  await command(["mount", "-o", "remount,ro", root]);
});

test.after(async () => {
  await command(["umount", "--recursive", root]);
  forgetMount(root);
  dropFolder(folder);
});

const mounts = () =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${root}`));

const box: Box = {
  ...{ machine: machine(), disk: disk(), root, scratch: folder, esp: folder },
  plan: { steps: [] } as unknown as Box["plan"],
  log: () => undefined,
};
const outcomeOf = async (name: keyof typeof TESTS) => {
  const { outcome, output } = await runVendorTest(name, box, 30);
  return [outcome.outcome, outcome.reason, output];
};

test("what a test mounts is gone with it, also what it mounts over its own root", async () => {
  const before = mounts();
  assert.is(before.length, 1);
  for (const [name, last] of [
    ["well", "quiet"],
    ["over-root", "mounted"],
    ["mounts", "mounted"],
  ] as const) {
    assert.equal(await outcomeOf(name), ["pass", last, `${last}\n`]);
    assert.equal(mounts(), before, name);
  }
});

test("a root that a test has made writable is read-only again, and the test has failed", async () => {
  const before = mounts();
  const [outcome, reason] = await outcomeOf("writes");
  assert.is(outcome, "fail");
  assert.match(reason ?? "", /uses .*\/root, which it had made writable$/);
  assert.equal(mounts(), before);
  assert.throws(() => writeFileSync(join(root, "more"), "x"), /EROFS/);
  assert.is((await outcomeOf("well"))[0], "pass", "the next one is not blamed for it");
});

test.run();
