/*
 * Harvests with owners, which only root can copy; and the command that makes them.
 */
import { chmodSync, chownSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { harvestRecipe } from "../../src/commands/harvest.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { makeRootAt, makeToolRootAt, recipe, write } from "../unit/root-example.ts";
import { needRoot } from "./need-root.ts";

needRoot();

const test = suite("harvest owners");
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const folder = makeFolder("harvest-owners");
test.after(() => dropFolder(folder));
const base = makeRootAt(join(folder, "base"));
const options = { base, others: [], apt: false };

test("users get the numbers that their names have for ever, in the file, in sysusers.d and as owners", async () => {
  const owned = makeToolRootAt(join(folder, "owned"));
  write(
    owned,
    "etc/passwd",
    "root:x:0:0:root:/root:/bin/sh\ntool:x:101:102:Tool,,,:/var/lib/tool:/bin/sh\n",
  );
  write(owned, "etc/group", "root:x:0:\ntool:x:102:\n");
  chownSync(join(owned, "usr/bin/tool"), 101, 102);
  chmodSync(join(owned, "usr/bin/tool"), 0o4755);
  const users = join(folder, "users.txt");
  writeFileSync(users, "zabbix 400\n");
  for (const out of ["first", "again"]) {
    const wish = { ...options, root: owned, out: join(folder, `owned-${out}`), users };
    const { directory } = await harvestRecipe(recipe, wish);
    assert.match(readFileSync(users, "utf8"), /^zabbix 400\ntool 401\n$/);
    assert.is(
      readFileSync(join(directory, "usr/lib/sysusers.d/tool.conf"), "utf8"),
      'g tool 401\nu tool 401:tool "Tool" "/var/lib/tool" "/bin/sh"\n',
    );
    const { uid, gid, mode } = lstatSync(join(directory, "usr/bin/tool"));
    assert.equal([uid, gid, mode & 0o7777], [401, 401, 0o4755]);
  }
});

test("the command tells what is missing with its exit code, and asks for root", async () => {
  const whole = makeToolRootAt(join(folder, "whole"));
  const lacking = makeToolRootAt(join(folder, "lacking"), "#!/usr/bin/nobody\n");
  const argv = (from: string, out: string) => [
    ...[process.execPath, MAIN, "package", "harvest", "tool", "--root", from],
    ...["--base", base, "--out", join(folder, out)],
  ];
  const run = async (words: string[]) => {
    const child = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
    return { said: (await Promise.all(texts)).join(""), code: await child.exited };
  };
  const done = await run(argv(whole, "whole-out"));
  assert.is(done.code, 0, done.said);
  const missing = await run(argv(lacking, "lacking-out"));
  assert.is(missing.code, 1, missing.said);
  assert.match(missing.said, /^missing +interpreter \/usr\/bin\/nobody {2}\(\/usr\/bin\/tool\)$/m);
  const person = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const refused = await run([...person, ...argv(whole, "person-out")]);
  assert.is(refused.code, 3, refused.said);
  assert.match(refused.said, /only root can copy files with their owners/);
});

test.run();
