/*
 * `zshield package` as a vendor types it: from an empty directory to an image and what is said about it.
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runCommand } from "../../src/commands.ts";
import { Refusal, UsageError } from "../../src/errors.ts";
import { checkPackage } from "../../src/model/package-toml.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-package-"));
const older = join(folder, "zfs-1.0.8.1-7.2-000000");
const newer = join(folder, "zfs-1.0.8.1-7.3-000000");

/** What it printed, or the error. */
async function zshield(...words: string[]): Promise<string> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => void lines.push(line);
  try {
    await runCommand(["package", ...words]);
    return lines.join("\n");
  } catch (error) {
    if (error instanceof Refusal || error instanceof UsageError) return error.message;
    throw error;
  } finally {
    console.log = log;
  }
}

test("new makes what pack takes, and refuses what is there", async () => {
  for (const directory of [older, newer]) await zshield("new", directory);
  const text = readFileSync(join(older, "__zshield/package.toml"), "utf8");
  assert.is(checkPackage(Bun.TOML.parse(text)).version, "1.0");
  // Each line that waits for its # to be taken away is right as well.
  const whole = text.replaceAll(/^# /gm, "");
  assert.is(checkPackage(Bun.TOML.parse(whole)).seconds.start, 60);
  assert.match(await zshield("new", older), /is there already/);
  assert.match(await zshield("new", join(folder, "zfs")), /"zfs", column/);
});

test("a link to a directory gives it another name", async () => {
  const link = join(folder, "other-1.0.8.1-7.2-000000");
  symlinkSync(older, link);
  await zshield("pack", link, "--owner-root");
  // The owners, to whoever is not root.
  const same =
    /^(?:no difference|(?:~ \S+ {2}owner \d+:\d+ → 0:0\n){3}0 added, 0 removed, 3 changed)$/;
  assert.match(await zshield("diff", link, `${link}.img`), same);
  assert.is(await zshield("diff", older, link), "no difference");
});

test("what is wrong with an image is told with its name", async () => {
  const file = join(folder, "short.img");
  writeFileSync(file, "no image");
  assert.match(await zshield("inspect", file), /short\.img: /);
  assert.match(await zshield("diff", older, file), /short\.img: /);
});

test("an attribute whose name is not UTF-8 is refused", async () => {
  const tree = join(folder, "bytes-1.0.8.1-7.2-000000");
  await zshield("new", tree);
  // Bun would pass the byte on as U+FFFD.
  const script = `setfattr -n "$(printf 'user.\\377')" -v x "$1"`;
  assert.is(Bun.spawnSync(["sh", "-c", script, "sh", tree]).exitCode, 0);
  assert.match(
    await zshield("pack", tree, "--owner-root"),
    /the attribute .*its name is not UTF-8/,
  );
});

test("pack puts nothing in the place of a device or a directory", async () => {
  const device = join(folder, "null");
  symlinkSync("/dev/null", device);
  assert.match(await zshield("pack", older, "--out", device), /null is no file but a device/);
  assert.ok(lstatSync("/dev/null").isCharacterDevice());
  assert.match(await zshield("pack", older, "--out", folder), /is a directory, and stays/);
  assert.is(
    await zshield("pack", older, "--owner-root", "--out", join(folder, "no/x")),
    `${folder}/no/x: no such file or directory`,
  );
});

test("pack, inspect and diff say what is there", async () => {
  mkdirSync(join(older, "usr/bin"), { recursive: true });
  writeFileSync(join(older, "usr/bin/tool"), "version one");
  writeFileSync(join(older, "usr/bin/gone"), "old");
  writeFileSync(join(older, "usr/bin/same"), "same");
  mkdirSync(join(newer, "usr/bin"), { recursive: true });
  writeFileSync(join(newer, "usr/bin/tool"), "version number two");
  writeFileSync(join(newer, "usr/bin/same"), "same");
  writeFileSync(join(newer, "usr/new"), "");
  chmodSync(join(newer, "usr/bin/tool"), 0o700);
  chmodSync(join(older, "usr/bin/tool"), 0o755);
  assert.match(
    await zshield("pack", older, "--owner-root"),
    /^\S+\/zfs-1.0.8.1-7.2-000000.img: 12 KiB, root hash [0-9a-f]{64}$/,
  );
  const other = join(folder, "other.img");
  await zshield("pack", newer, "--owner-root", "--out", other);

  const said = await zshield("inspect", `${older}.img`);
  assert.match(said, /^package      zfs-1.0.8.1-7.2-000000$/m);
  assert.match(said, /^version      1.0$/m);
  assert.match(said, /^file system  EROFS, 2 blocks of 4096 bytes$/m);
  assert.match(said, /every block is right/);
  assert.match(said, /^ +11 B  \/usr\/bin\/tool$/m);
  assert.match(await zshield("inspect", other), /unknown: the file is not called as a package/);

  const differences = await zshield("diff", `${older}.img`, other);
  const [first, second, third, sum] = differences.split("\n");
  assert.is(first, "- /usr/bin/gone  3 bytes");
  assert.is(second, "~ /usr/bin/tool  content 11 → 18 bytes, mode 0755 → 0700");
  assert.is(third, "+ /usr/new  0 bytes");
  assert.match(sum ?? "", /^1 added, 1 removed, 1 changed/);
  assert.is(await zshield("diff", other, other), "no difference");
});

test("a damaged image is not looked into", async () => {
  const file = join(folder, "damaged.img");
  const bytes = readFileSync(`${older}.img`);
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  const reason = /block 1 of the image does not match its hash tree/;
  assert.match(await zshield("inspect", file), reason);
  assert.match(await zshield("diff", file, `${older}.img`), reason);
  assert.match(await zshield("mount", file, folder, "--no-verity"), reason);
  assert.match(await zshield("inspect", older), /is no file/);
});

test("mount asks for the right root hash and for an empty directory", async () => {
  const image = `${older}.img`;
  const hash = "0".repeat(64);
  assert.match(
    await zshield("mount", image, folder, "--no-verity", "--root-hash", hash),
    /has the root hash [0-9a-f]{64}, not 0{64}/,
  );
  assert.match(await zshield("mount", image, folder, "--root-hash", "12"), /64 small hexadecimal/);
  const before = readdirSync(folder);
  assert.match(
    await zshield("mount", image, folder, "--no-verity"),
    /is no empty directory|only root can mount/,
  );
  assert.equal(readdirSync(folder), before);
});

test("who is not root packs nothing with its owners", async () => {
  const main = new URL("../../src/main.ts", import.meta.url).pathname;
  const isRoot = process.getuid?.() === 0;
  const person = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  chmodSync(folder, 0o755);
  const words = [process.execPath, main, "package", "pack", older, "--out", "/dev/shm/no.img"];
  const child = Bun.spawn([...person, ...words], { stdout: "ignore", stderr: "pipe" });
  assert.match(
    await new Response(child.stderr).text(),
    /only root can pack a tree with its owners/,
  );
  assert.is(await child.exited, 3);
});

test("words that do not fit are refused", async () => {
  assert.match(await zshield("diff", "a"), /takes 2 words/);
  assert.match(await zshield("inspect", "a", "--out", "b"), /knows no --out/);
  assert.match(await zshield("unpack", "a"), /no "package unpack"/);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
