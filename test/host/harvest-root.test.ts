/*
 * The throw-away root of a harvest: what could not be unmounted is not emptied.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { removeScratch } from "../../src/host/harvest/apt-root.ts";
import { command } from "../lab/command.ts";
import { dropFolder, forgetMount, makeFolder, registerMount } from "../lab/scratch.ts";

const folder = makeFolder("harvest");
const test = suite("harvest root");
test.after(() => dropFolder(folder));

test("what is still mounted keeps its files, and all else goes", async () => {
  const scratch = join(folder, ".harvest-x");
  const at = join(scratch, "root/dev");
  mkdirSync(at, { recursive: true });
  writeFileSync(join(scratch, "upper"), "");
  await command(["mount", "-t", "tmpfs", "tmpfs", at]);
  registerMount(at);
  writeFileSync(join(at, "null"), "");
  removeScratch(scratch);
  const [isKept, isGone] = [existsSync(join(at, "null")), !existsSync(join(scratch, "upper"))];
  await command(["umount", at]);
  forgetMount(at);
  assert.ok(isKept, "a file of another file system was removed");
  assert.ok(isGone);
  removeScratch(scratch);
  assert.not.ok(existsSync(scratch));
});

test.run();
