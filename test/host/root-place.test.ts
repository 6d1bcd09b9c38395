/*
 * Where a root is made: links to its directory and mounts on it, what it must not inherit, a power cut, a signal.
 */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withRoot } from "../../src/bundle/root-place.ts";
import { Refusal } from "../../src/errors.ts";
import { readTree } from "../../src/host/tree.ts";
import { command } from "../lab/command.ts";
import { dropFolder, forgetMount, makeFolder, registerMount } from "../lab/scratch.ts";

const folder = makeFolder("root-place");
const at = (...parts: string[]) => join(folder, ...parts);
const test = suite("root place");
test.after(() => dropFolder(folder));

/** Returns why it was refused, if so. */
async function make(directory: string, content = "x"): Promise<string | undefined> {
  try {
    await withRoot(directory, async ({ root }) => {
      mkdirSync(join(root, "etc"));
      writeFileSync(join(root, "etc/file"), content);
    });
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

async function withMount<T>(
  words: readonly string[],
  target: string,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(target, { recursive: true });
  await command(["mount", ...words, target]);
  registerMount(target);
  try {
    return await work();
  } finally {
    await command(["umount", target]);
    forgetMount(target);
  }
}

test("a link to a directory of another file system is no mount", async () => {
  await withMount(["-t", "tmpfs", "tmpfs"], at("elsewhere"), async () => {
    symlinkSync(at("elsewhere"), at("link"));
    mkdirSync(at("elsewhere/there"));
    assert.is(await make(at("link/there")), undefined);
    assert.is(await make(at("link/new")), undefined);
    assert.equal(readdirSync(at("elsewhere")).sort(), ["new", "there"]);
    assert.match(String(await make(at("link"))), /is no empty directory/);
  });
});

test("a mount is seen, of the same file system too; and a missing directory around it", async () => {
  mkdirSync(at("empty"));
  for (const words of [
    ["--bind", at("empty")],
    ["-t", "tmpfs", "tmpfs"],
  ]) {
    const said = await withMount(words, at("with a blank"), () => make(at("with a blank")));
    assert.match(String(said), /^something is mounted at/);
  }
  assert.match(String(await make(at("no/where"))), /^there is no directory/);
  assert.equal(readdirSync(folder).sort(), ["elsewhere", "empty", "link", "with a blank"]);
});

test("the group and the access list of the directory around it do not come in", async () => {
  mkdirSync(at("group"));
  chownSync(at("group"), 0, 5);
  chmodSync(at("group"), 0o2775);
  const list =
    "0x0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000500ffffffff";
  await command(["setfattr", "-n", "system.posix_acl_default", "-v", list, at("group")]);
  assert.is(await make(at("group/root")), undefined);
  const entries = await readTree(at("group/root"), { hash: false });
  assert.equal(
    entries.map(({ path, uid, gid, mode, xattrs }) => [path, uid, gid, mode & 0o7000, xattrs]),
    ["/", "/etc", "/etc/file"].map((path) => [path, 0, 0, 0, undefined]),
  );
});

test("what has its name is on the disk, all of it", async () => {
  const content = "content ".repeat(400_000);
  writeFileSync(at("disk.img"), "");
  truncateSync(at("disk.img"), 48 * 1024 * 1024);
  await command(["mkfs.ext4", "-q", at("disk.img")]);
  // Nothing is written by the clock while this runs.
  await withMount(["-o", "loop,commit=300", at("disk.img")], at("disk"), async () => {
    assert.is(await make(at("disk/root"), content), undefined);
    copyFileSync(at("disk.img"), at("cut.img"));
  });
  await withMount(["-o", "loop", at("cut.img")], at("cut"), async () => {
    assert.ok(existsSync(at("cut/root")), "the name is there");
    assert.is(statSync(at("cut/root/etc/file")).size, content.length);
    // No comparison of uvu's: it would print the difference of megabytes.
    assert.ok(readFileSync(at("cut/root/etc/file"), "utf8") === content, "the content is there");
  });
});

test("a terminal that goes away takes what is unfinished with it", async () => {
  const place = join(import.meta.dir, "../../src/bundle/root-place.ts");
  const program = `import { withRoot } from ${JSON.stringify(place)};
    await withRoot(${JSON.stringify(at("ended"))}, async () => {
      console.log("at work");
      await Bun.sleep(60_000);
    });`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
  await child.stdout.getReader().read();
  assert.ok(existsSync(at(".ended.zshield-part/root")));
  child.kill("SIGHUP");
  await child.exited;
  assert.is(child.signalCode, "SIGHUP");
  assert.equal(
    readdirSync(folder).filter((name) => name.includes("ended")),
    [],
  );
});

test.run();
