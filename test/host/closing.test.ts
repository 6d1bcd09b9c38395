/*
 * The end of a recovery on real file systems, on loop devices.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { closeRecovery } from "../../src/commands/close.ts";
import { writeReport } from "../../src/host/closing.ts";
import { mountRepaired } from "../../src/host/file-system.ts";
import { isMounted, mount, unmount, unmountAll } from "../../src/host/mounts.ts";
import { createStateFiles, readState, writeState } from "../../src/host/state-files.ts";
import { freshJournal } from "../../src/model/journal.ts";
import { AT } from "../../src/model/places.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import { STATE_DIRECTORY } from "../../src/model/state.ts";
import type { Plan } from "../../src/model/step.ts";
import { decide } from "../../src/plan/decide.ts";
import { english } from "../../src/words.ts";
import { command } from "../lab/command.ts";
import {
  dropFolder,
  forgetMount,
  forgetProcess,
  makeFolder,
  registerMount,
  registerProcess,
} from "../lab/scratch.ts";
import { config, disk, ids, installed, machine, record, wish } from "../unit/example.ts";

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

/** A disk as its steps have left it: everything done, the record still says that a recovery goes on. */
async function close(plan: Plan) {
  const state = join(AT.esp, STATE_DIRECTORY);
  createStateFiles(state);
  const open = record({ phase: "recovering", operation: "repair" });
  const journal = { ...freshJournal(plan), next: plan.steps.length };
  const begun = { ...open, document: { ...open.document, journal } };
  writeState(state, begun);
  const log: string[] = [];
  const told: string[] = [];
  try {
    const result = await closeRecovery(
      { plan, machine: machine(), disk: disk() },
      { steps: [], record: begun, resumedAt: undefined },
      {
        onReport: () => undefined,
        onWarning: (words) => void told.push(english(words)),
      },
      { line: (line) => void log.push(line), text: () => "a line that has room nowhere\n" },
    );
    return { result, told, log: log.join("\n"), state: readState(state) };
  } finally {
    rmSync(state, { recursive: true });
  }
}

const repair = (): Plan => {
  const on = installed(9 * GIB);
  const of = { operation: "repair", anew: false } as const;
  const { plan } = decide(machine([on.disk], [on.group]), config, wish, ids, of);
  return { ...plan, group, steps: plan.steps.filter(({ kind }) => kind !== "open-esp") };
};

test("of a report that has no room nothing is left, half a file least of all", async () => {
  const device = `/dev/${group}/lv-audit`;
  await fill(device);
  await close(repair());
  await onAudit(device, async () => assert.equal(readdirSync(join(AT.audit, "zshield")), []));
});

for (const [what, spoil, why] of [
  ["full", fill, /the volume is full/],
  ["broken", blankOut, /e2fsck ended with exit code/],
] as const) {
  test(`an audit volume that is ${what}: the recovery is closed without its report, and says so`, async () => {
    await spoil(`/dev/${group}/lv-audit`);
    const { result, told, log, state } = await close(repair());
    assert.is(result.outcome, "success");
    assert.is(result.warnings?.length, 1);
    assert.match(result.warnings?.[0] ?? "", /^the report is not on the audit volume: /);
    assert.match(result.warnings?.[0] ?? "", why);
    assert.equal(told, result.warnings);
    assert.match(log, /the report could not be written: /);
    if (!("record" in state)) throw new Error(state.trouble);
    assert.is(state.record.phase, "installed");
    assert.is(state.record.document.journal, undefined);
    assert.equal(state.record.document.lastResult, result);
    assert.not.ok(isMounted(AT.audit));
  });
}

async function fill(device: string): Promise<void> {
  await onAudit(device, async () => {
    // A report of this very second would be written over.
    rmSync(join(AT.audit, "zshield"), { recursive: true, force: true });
    mkdirSync(join(AT.audit, "zshield"));
    const all = ["dd", "if=/dev/zero", `of=${join(AT.audit, "all")}`, "conv=notrunc,fsync"];
    for (const how of [["bs=64K"], ["bs=1K", "oflag=append,dsync"]]) {
      const { code } = await command([...all, ...how], { accept: [1] });
      assert.is(code, 1, "the volume is not full");
    }
  });
}

async function onAudit(device: string, work: () => Promise<void>): Promise<void> {
  await mount(device, AT.audit, "ext4", "rw");
  registerMount(AT.audit);
  try {
    await work();
  } finally {
    await unmount(AT.audit);
    forgetMount(AT.audit);
  }
}

async function blankOut(device: string): Promise<void> {
  await command(["dd", "if=/dev/zero", `of=${device}`, "bs=1M", "count=16", "conv=fsync"]);
}

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
