/*
 * Mounting an image: what was begun for it is ended, whatever fails.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { workAndEnd } from "../../src/bundle/mount.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-mount-"));
test.after(() => rmSync(folder, { recursive: true }));

const whatFailed = (work: () => Promise<void>, endings: readonly (readonly string[])[]) =>
  workAndEnd(work, () => endings).then(() => "nothing", String);

test("each ending is run although the one before it failed, and the first error is told", async () => {
  const file = join(folder, "ended");
  const endings = [
    ["ls", join(folder, "one")],
    ["cat", join(folder, "two")],
    ["touch", file],
  ];
  const first = () => Promise.reject(new Error("the mount failed"));
  assert.match(await whatFailed(first, endings), /the mount failed/);
  assert.ok(existsSync(file));
  rmSync(file);
  assert.match(await whatFailed(() => Promise.resolve(), endings), /: ls ended with/);
  assert.ok(existsSync(file));
  assert.is(await whatFailed(() => Promise.resolve(), [["touch", file]]), "nothing");
});

test.run();
