/*
 * The running system: the lock that dies with its process, hooks, and what its tools print.
 */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { changeAlarmMemory, raiseAlarm, readAlarmMemory } from "../../src/host/alarms.ts";
import { listHooks, runHook } from "../../src/host/hooks.ts";
import { withLock } from "../../src/host/lock.ts";
import { parseHealth, parseSnapshotFacts } from "../../src/host/running.ts";
import { CommandError, LockConflict, Refusal } from "../../src/errors.ts";
import { NO_MEMORY } from "../../src/model/alarm.ts";

const folder = mkdtempSync(join(tmpdir(), "zs-running-"));
const LOCK = new URL("../../src/host/lock.ts", import.meta.url).pathname;

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test("two look together; nobody changes meanwhile, and it is free afterwards", async () => {
  const lock = join(folder, "shared");
  await withLock("shared", 0, () => withLock("shared", 0, async () => undefined, lock), lock);
  const error = await failure(
    withLock("shared", 0, () => withLock("exclusive", 0, async () => undefined, lock), lock),
  );
  assert.instance(error, Refusal);
  assert.instance(error, LockConflict);
  assert.match(String(error), /another zshield is at work/);
  await withLock("exclusive", 0, async () => undefined, lock);
});

test("who waits in vain is told since when the lock is held", async () => {
  const lock = join(folder, "old");
  const error = await withLock(
    "exclusive",
    0,
    async () => {
      const since = new Date(Date.now() - 3600_000);
      utimesSync(join(lock, "lock"), since, since);
      return failure(withLock("shared", 0, async () => undefined, lock));
    },
    lock,
  );
  assert.ok(error instanceof LockConflict && Math.abs(error.heldSeconds - 3600) < 60);
  // Taken anew it is young again.
  const young = await withLock(
    "exclusive",
    0,
    () => failure(withLock("exclusive", 0, async () => undefined, lock)),
    lock,
  );
  assert.ok(young instanceof LockConflict && young.heldSeconds < 60);
});

test("a process that is killed with the lock leaves it free", async () => {
  const lock = join(folder, "killed");
  const script = `import { withLock } from "${LOCK}";
    await withLock("exclusive", 0, async () => { console.log("held"); await Bun.sleep(60_000); }, "${lock}");`;
  const file = join(folder, "holder.ts");
  writeFileSync(file, script);
  const child = Bun.spawn([process.execPath, file], { stdout: "pipe", stderr: "inherit" });
  const { value } = await child.stdout.getReader().read();
  assert.match(new TextDecoder().decode(value), /held/);
  assert.instance(await failure(withLock("exclusive", 0, async () => undefined, lock)), Refusal);
  child.kill("SIGKILL");
  await child.exited;
  await withLock("exclusive", 5, async () => undefined, lock);
});

function hooks(name: string, files: Readonly<Record<string, string>>): string {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(directory, file), `#!/bin/sh\n${text}\n`);
    if (!file.startsWith("no")) chmodSync(join(directory, file), 0o755);
  }
  return directory;
}

test("hooks: executables in the order of their names; no leftovers of editors and packages", () => {
  const directory = hooks("names", { "20-b": "", "10-a": "", "10-a.dpkg-old": "", "no-bit": "" });
  assert.equal(
    listHooks(directory).map((path) => path.slice(directory.length + 1)),
    ["10-a", "20-b"],
  );
  assert.equal(listHooks(join(folder, "nowhere")), []);
});

test("hooks: argument and output; one that fails, one that takes too long", async () => {
  const directory = hooks("run", { good: 'echo "$1"', bad: "exit 3", slow: "sleep 60" });
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  await runHook(join(directory, "good"), ["before"], { seconds: 5, log });
  assert.ok(lines.includes("before"));
  for (const name of ["bad", "slow"]) {
    const error = await failure(runHook(join(directory, name), [], { seconds: 1, log }));
    assert.instance(error, CommandError, name);
  }
});

test("an alarm reaches every program, also behind one that fails", async () => {
  const out = join(folder, "out");
  const directory = hooks("alarm", {
    "10-bad": "exit 1",
    "20-good": `{ echo "$1|$2"; cat; } > ${out}`,
  });
  const alarm = { name: "fill-70", text: "it is 70 % full", timeSeconds: 7 };
  const lines: string[] = [];
  await raiseAlarm(alarm, { hookSeconds: 5, log: (line) => lines.push(line) }, directory);
  assert.is(readFileSync(out, "utf8"), `fill-70|it is 70 % full\n${JSON.stringify(alarm)}\n`);
  assert.match(lines.join("\n"), /10-bad: .*exit code 1/);
});

test("what was told is remembered; nothing is remembered of a file that is not there", () => {
  const file = join(folder, "memory/alarms.json");
  assert.equal(readAlarmMemory(file), NO_MEMORY);
  const memory = { backup: "u", alarms: [{ name: "a", text: "b", timeSeconds: 1 }] };
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  changeAlarmMemory(() => memory, log, file);
  assert.equal(readAlarmMemory(file), memory);
  changeAlarmMemory((old) => ({ ...old, backup: "v" }), log, file);
  assert.equal(readAlarmMemory(file), { ...memory, backup: "v" });
  assert.equal(lines, []);
});

test("a memory that cannot be written is said, and stops no alarm", () => {
  writeFileSync(join(folder, "file"), "");
  const lines: string[] = [];
  const below = join(folder, "file/alarms.json");
  changeAlarmMemory(
    () => NO_MEMORY,
    (line) => void lines.push(line),
    below,
  );
  assert.match(lines.join(), /alarms\.json could not be written/);
});

test("LVM's words on a snapshot", () => {
  assert.equal(parseSnapshotFacts("  65536|monitored\n"), {
    chunkBytes: 65_536,
    monitor: "monitored",
  });
  assert.equal(parseSnapshotFacts("  4096|\n"), { chunkBytes: 4096, monitor: "" });
  assert.is(parseSnapshotFacts("  0|\n"), undefined);
  assert.is(parseSnapshotFacts(""), undefined);
});

test("SMART: its verdict, or none", () => {
  assert.is(parseHealth('{"smart_status":{"passed":true}}'), "good");
  assert.is(parseHealth('{"smart_status":{"passed":false}}'), "failing");
  for (const text of ["", "{}", "no JSON", '{"smart_status":null}']) {
    assert.is(parseHealth(text), "not told");
  }
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
