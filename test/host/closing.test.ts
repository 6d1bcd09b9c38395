/*
 * The end of a recovery on real file systems, on loop devices.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeReport } from "../../src/host/closing.ts";
import { mountRepaired } from "../../src/host/file-system.ts";
import { mount, unmount, unmountAll } from "../../src/host/mounts.ts";
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

test("a file system with half a superblock, as a power cut leaves it, is repaired and mounted", async () => {
  const device = `/dev/${group}/lv-audit`;
  // s_wtime lies in the superblock's first sector, its checksum in the second.
  await writeAt(device, 1024 + 0x30, Buffer.from("half"));
  const once = () => mount(device, AT.audit, "ext4", "rw");
  const refused = await once().then(
    () => "",
    (error: unknown) => String(error),
  );
  assert.match(refused, /mount ended with exit code 32/, "the superblock is not damaged");
  const log: string[] = [];
  await mountRepaired(once, ["e2fsck", "-f", "-y", device], (line) => void log.push(line));
  registerMount(AT.audit);
  assert.match(log.join("\n"), /the file system cannot be mounted: /);
  assert.ok(readdirSync(AT.audit).includes("zshield"), "what was on it is gone");
  await unmount(AT.audit);
  forgetMount(AT.audit);
});

async function writeAt(device: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await open(device, "r+");
  try {
    await file.write(bytes, 0, bytes.length, offset);
    await file.sync();
  } finally {
    await file.close();
  }
}

test.run();
