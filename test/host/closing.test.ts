/*
 * The end of a recovery on real file systems, on loop devices.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeReport } from "../../src/host/closing.ts";
import { mount, unmountAll } from "../../src/host/mounts.ts";
import { AT } from "../../src/model/places.ts";
import { MIB } from "../../src/model/size.ts";
import { command } from "../lab/command.ts";
import {
  dropFolder,
  forgetMount,
  forgetProcess,
  makeFolder,
  registerMount,
  registerProcess,
} from "../lab/scratch.ts";

const test = suite("closing");
const folder = makeFolder("closing");
/** Looks like a volume group, below /dev. */
const group = `zs-test-${process.pid}`;
const loops: string[] = [];

test.before(async () => {
  mkdirSync(`/dev/${group}`);
  for (const volume of ["lv-root", "lv-audit"]) {
    const file = join(folder, volume);
    writeFileSync(file, "");
    truncateSync(file, 16 * MIB);
    await command(["mkfs.ext4", "-q", file]);
    const loop = (await command(["losetup", "--find", "--show", file])).stdout.trim();
    loops.push(loop);
    symlinkSync(loop, `/dev/${group}/${volume}`);
  }
});

test.after(async () => {
  for (const loop of loops.splice(0)) await command(["losetup", "--detach", loop]);
  rmSync(`/dev/${group}`, { recursive: true });
  dropFolder(folder);
});

test("a test that cannot be ended and holds the root does not keep the result from the audit volume", async () => {
  await mount(`/dev/${group}/lv-root`, AT.root, "ext4", "ro");
  registerMount(AT.root);
  await mount(`/dev/${group}/lv-audit`, AT.audit, "ext4", "rw");
  registerMount(AT.audit);
  const holder = spawn("sleep", ["60"], { cwd: AT.root, stdio: "ignore" });
  const { pid = 0 } = holder;
  registerProcess(pid);
  try {
    await writeReport(
      { group, reportVolume: "lv-audit" },
      {
        ...{ schema: 1, operation: "test", outcome: "failed", changed: true, version: "1" },
        ...{ steps: [], peakMemoryBytes: 0 },
      },
      "log",
    );
    await mount(`/dev/${group}/lv-audit`, AT.audit, "ext4", "ro");
    const names = readdirSync(join(AT.audit, "zshield"));
    assert.is(names.filter((name) => /^recovery-.*\.json$/.test(name)).length, 1);
  } finally {
    holder.kill("SIGKILL");
    await new Promise((resolve) => holder.once("close", resolve));
    forgetProcess(pid);
    await unmountAll();
    forgetMount(AT.root);
    forgetMount(AT.audit);
  }
});

test.run();
