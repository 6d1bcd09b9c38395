/*
 * What is not done: gone after Ctrl-C, gone at the next run where a process was killed, and left alone where it lives.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isDead, OWNER, ownerName } from "../../src/host/owner-name.ts";
import { ENDING } from "../../src/host/signals.ts";
import { withScratch, withUnfinished, withUnfinishedOf } from "../../src/host/unfinished.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-unfinished-"));
test.after(() => rmSync(folder, { recursive: true }));
const MODULE = new URL("../../src/host/unfinished.ts", import.meta.url).pathname;

/** Begins a scratch in `directory` and a file beside it, says so, and waits to be ended. `around`: what starts it. */
async function begin(directory: string, around: readonly string[] = []) {
  const source = `
    import { writeFileSync } from "node:fs";
    import { ENDING } from "../../src/host/signals.ts";
import { withScratch, withUnfinished } from ${JSON.stringify(MODULE)};
    const [directory] = process.argv.slice(1);
    await withScratch(directory, (scratch) => withUnfinished(directory + "/x.part", async () => {
      for (const path of [scratch + "/half", directory + "/x.part"]) writeFileSync(path, "half");
      console.log("begun");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    }));`;
  const child = Bun.spawn([...around, process.execPath, "-e", source, directory], {
    stdout: "pipe",
  });
  const reader = child.stdout.getReader();
  assert.match(new TextDecoder().decode((await reader.read()).value), /begun/);
  return child;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} ends the process, and nothing unfinished is left`, async () => {
    const directory = join(folder, signal);
    const child = await begin(directory);
    assert.is(readdirSync(directory).length, 2);
    child.kill(signal);
    await child.exited;
    assert.is(child.signalCode, signal);
    assert.equal(readdirSync(directory), []);
  });
}

test("a signal that whoever started it had it ignore does not end it", async () => {
  const directory = join(folder, "ignored");
  const child = await begin(directory, ["sh", "-c", 'trap "" HUP INT; exec "$@"', "sh"]);
  for (const signal of ["SIGHUP", "SIGINT"] as const) child.kill(signal);
  await Bun.sleep(200);
  assert.is(child.signalCode, null);
  assert.is(readdirSync(directory).length, 2);
  child.kill("SIGTERM");
  await child.exited;
  assert.equal(readdirSync(directory), []);
});

test("the next run removes what the dead left, and nothing else", async () => {
  const directory = join(folder, "dead");
  const dead = await begin(directory);
  dead.kill("SIGKILL");
  await dead.exited;
  assert.is(readdirSync(directory).length, 2);
  const living = await begin(directory);
  const left = readdirSync(directory);
  assert.is(left.filter((name) => name.startsWith("part-")).length, 1, left.join(" "));
  for (const name of ["part-", "part-x", "department-1-1-abcdef"]) {
    writeFileSync(join(directory, name), "of somebody");
  }
  await withScratch(directory, async () => {
    assert.is(readdirSync(directory).length, left.length + 4);
  });
  assert.is(readdirSync(directory).length, left.length + 3);
  living.kill("SIGTERM");
  await living.exited;
});

test("who is dead, and of whom nothing can be known", async () => {
  const own = ownerName();
  assert.match(own, new RegExp(`^${OWNER}$`));
  const [place = "", boot = "", pid = "", start = ""] = own.split("-");
  const ended = Bun.spawn(["true"]);
  await ended.exited;
  const cases: [boolean, string[]][] = [
    [false, [place, boot, pid, start]],
    // As the number of a process that lives, but began at another time.
    [true, [place, boot, pid, "1"]],
    [true, [place, boot, String(ended.pid), start]],
    [true, [place, "00000000", pid, start]],
    // In another container or on another machine.
    [false, ["00000000", boot, String(ended.pid), start]],
    [false, ["00000000", "00000000", String(ended.pid), start]],
  ];
  // It ended, and its parent never asks: its number stays. It outlives the shell, which would ask.
  const parent = Bun.spawn(["sh", "-c", "sleep 0.5 & echo $!; exec sleep 20"], { stdout: "pipe" });
  const { value } = await parent.stdout.getReader().read();
  const unasked = new TextDecoder().decode(value).trim();
  const statOf = () => readFileSync(`/proc/${unasked}/stat`, "latin1").split(" ");
  while (statOf()[2] !== "Z") await Bun.sleep(10);
  cases.push([true, [place, boot, unasked, statOf()[21] ?? ""]]);
  const directory = join(folder, "owners");
  for (const [expected, parts] of cases) {
    assert.is(isDead(parts.join("-")), expected, parts.join("-"));
    mkdirSync(join(directory, `part-${parts.join("-")}-abcdef`), { recursive: true });
  }
  await withScratch(directory, async () => undefined);
  assert.is(readdirSync(directory).length, cases.filter(([dead]) => !dead).length);
  parent.kill();
  await parent.exited;
});

test("two at once make the same thing under two names; what a dead one left beside goes", async () => {
  const path = join(folder, "image");
  const owner = ownerName().replace(/\d+$/, "1");
  writeFileSync(`${path}.part-${owner}-abcdef`, "of a dead one");
  writeFileSync(`${path}x.part-${owner}-abcdef`, "of another name");
  const make = async (making: string) => {
    writeFileSync(making, "half", { flag: "wx" });
    await Bun.sleep(50);
    assert.is(readFileSync(making, "utf8"), "half");
  };
  await Promise.all([withUnfinishedOf(path, make), withUnfinishedOf(path, make)]);
  const left = readdirSync(folder).filter((name) => name.startsWith("image"));
  assert.equal(left, [`imagex.part-${owner}-abcdef`]);
});

test("what fails leaves nothing, and signals are the program's own again", async () => {
  const path = join(folder, "x.part");
  // A job in the background is started with SIGINT ignored, nohup's with SIGHUP: nobody listens for these.
  const count = () => ENDING.map((signal) => process.listenerCount(signal));
  const before = count();
  const failing = withUnfinished(path, async () => {
    writeFileSync(path, "half");
    assert.equal(
      count(),
      before.map((listeners) => listeners + 1),
    );
    throw new Error("no");
  });
  assert.is(await failing.catch(String), "Error: no");
  assert.not.ok(existsSync(path));
  assert.equal(count(), before);
});

test.run();
