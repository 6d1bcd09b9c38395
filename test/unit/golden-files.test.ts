/*
 * What the golden system brings beside the executable: the actions file of dnf 5, read by the rules of
 * libdnf5-actions(8): five items between colons, arguments between spaces, a space inside one escaped.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const ACTIONS = "../../build/golden/zshield/usr/share/zshield/dnf/zshield.actions";
const text = readFileSync(new URL(ACTIONS, import.meta.url), "utf8");
const actions = text
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split(":"));

const words = (command: string) =>
  command.split(/(?<!\\) /).map((word) => word.replaceAll("\\ ", " "));

for (const [callback, moment, code] of [
  ["pre_transaction", "begin", 3],
  ["post_transaction", "end", 0],
] as const) {
  test(`dnf 5, ${callback}: nothing on the standard output, and the exit code`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "zs-dnf-"));
    try {
      const program = join(folder, "zshield");
      writeFileSync(program, `#!/bin/sh\necho "$*"\nexit ${code}\n`);
      chmodSync(program, 0o755);
      const [action, ...more] = actions.filter(([name]) => name === callback);
      assert.is(more.length, 0);
      assert.is(action?.length, 5);
      const argv = words((action?.[4] ?? "").replaceAll("/usr/bin/zshield", program));
      const child = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe" });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      assert.equal([stdout, stderr], ["", `upgrade-guard ${moment} dnf\n`]);
      assert.is(await child.exited, code);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test("dnf 5 stops where there is no backup", () => {
  const [before] = actions.filter(([name]) => name === "pre_transaction");
  assert.is(before?.[3], "raise_error=1");
});

test.run();
