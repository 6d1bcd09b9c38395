/*
 * The shell side of "no way to a shell": dracut's break points and its last resort, as its scripts would
 * call them, with stopped.sh and sleep put in place by a path of our own.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";

const read = (name: string) =>
  readFileSync(new URL(`../../dracut/50zshield/${name}`, import.meta.url).pathname, "utf8");

/** Runs `line` after dracut's own two functions and ours, the programs replaced by words. */
async function run(line: string): Promise<string[]> {
  const ours = read("no-shell.sh")
    .replaceAll("/usr/lib/zshield/stopped.sh", "echo stopped")
    .replaceAll("sleep 3600", "{ echo waits; exit 0; }");
  const program = `emergency_shell() { echo SHELL; }\ndie() { echo SHELL; exit 1; }\n${ours}\n${line}\necho goes on`;
  const child = Bun.spawn(["sh", "-c", program], { stdout: "pipe", stderr: "pipe" });
  const lines = (await new Response(child.stdout).text()).trim().split("\n");
  return lines.map((line) => line.trimEnd());
}

test("a break point is passed by", async () => {
  assert.equal(await run('emergency_shell -n mount "Break before mount"'), ["goes on"]);
});

test("a boot that cannot go on ends in words", async () => {
  assert.equal(await run('emergency_shell "Could not boot."'), [
    "stopped boot Could not boot.",
    "waits",
  ]);
  assert.equal(await run('die "no root"'), ["stopped boot no root", "waits"]);
  assert.equal(await run("emergency_shell"), ["stopped boot", "waits"]);
});

test("the agent is started with the keys that kill switched off", () => {
  const lines = read("recover.sh").split("\n");
  const keys = lines.findIndex((line) => line.includes("echo 176 > /proc/sys/kernel/sysrq"));
  const agent = lines.findIndex((line) => line.startsWith("exec /usr/bin/zshield recover"));
  assert.ok(keys >= 0 && agent > keys);
});

test.run();
