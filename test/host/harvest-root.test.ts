/*
 * The throw-away root of a harvest: what could not be unmounted is not emptied.
 */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { removeScratch, withInstalled } from "../../src/host/harvest/apt-root.ts";
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

test("a root is refused before anything is mounted where its link leads", async () => {
  const [root, outside] = [join(folder, "hostile"), join(folder, "outside")];
  for (const directory of [outside, join(root, "usr/sbin"), join(root, "var/lib/dpkg")]) {
    mkdirSync(directory, { recursive: true });
  }
  writeFileSync(join(root, "var/lib/dpkg/status"), "");
  writeFileSync(join(outside, "seen"), "");
  const options = { scratch: join(folder, "scratch"), cache: undefined, configuration: undefined };
  const isSeen = () =>
    withInstalled(root, [], options, async () => existsSync(join(outside, "seen")));
  assert.is(await isSeen(), true);
  symlinkSync(outside, join(root, "tmp"));
  assert.match(
    String(await isSeen().catch(String)),
    /\/tmp of the root is a link to .*outside, which leads/,
  );
});

test.run();
