/*
 * What is not done: gone after Ctrl-C, gone at the next run where a process was killed, and left alone where it lives.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withScratch, withUnfinished } from "../../src/host/unfinished.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-unfinished-"));
test.after(() => rmSync(folder, { recursive: true }));
const MODULE = new URL("../../src/host/unfinished.ts", import.meta.url).pathname;

/** Begins a scratch in `directory` and a file beside it, says so, and waits to be ended. `around`: what starts it. */
async function begin(directory: string, around: readonly string[] = []) {
  const source = `
    import { writeFileSync } from "node:fs";
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
  // As the number of a process that lives, but began at another time.
  mkdirSync(join(directory, `part-${process.pid}-1-abcdef`));
  for (const name of ["part-", "part-x", "department-1-1-abcdef"]) {
    writeFileSync(join(directory, name), "of somebody");
  }
  await withScratch(directory, async () => {
    assert.not.ok(existsSync(join(directory, `part-${process.pid}-1-abcdef`)));
    assert.is(readdirSync(directory).length, left.length + 4);
  });
  assert.is(readdirSync(directory).length, left.length + 3);
  living.kill("SIGTERM");
  await living.exited;
});

test("what fails leaves nothing, and signals are the program's own again", async () => {
  const path = join(folder, "x.part");
  const before = process.listenerCount("SIGINT");
  const failing = withUnfinished(path, async () => {
    writeFileSync(path, "half");
    assert.is(process.listenerCount("SIGINT"), before + 1);
    throw new Error("no");
  });
  assert.is(await failing.catch(String), "Error: no");
  assert.not.ok(existsSync(path));
  assert.is(process.listenerCount("SIGINT"), before);
});

test.run();
