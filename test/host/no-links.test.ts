/*
 * Keys and records on a stick: FAT has no links, by which a new file never takes another one's place, and it fills up. strace
 * keeps links from us as vfat does, since many a kernel has no vfat; a small file system in memory is full soon.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MIB } from "../../src/model/size.ts";
import { command } from "../lab/command.ts";
import { dropFolder, forgetMount, makeFolder, registerMount } from "../lab/scratch.ts";

const test = suite("without links");
const folder = makeFolder("no-links");
const stick = join(folder, "stick");
const MODULE = new URL("../../src/host/new-file.ts", import.meta.url).pathname;

test.before(async () => {
  mkdirSync(stick);
  await command(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", stick]);
  registerMount(stick);
});

test.after(async () => {
  await command(["umount", stick]);
  forgetMount(stick);
  dropFolder(folder);
});

interface Wish {
  readonly name: string;
  readonly text: string;
  readonly times?: number;
  readonly replaces?: boolean;
}

/** All at once, in a program that strace keeps links from: why each was not written, or "". */
async function writeWithout(error: string, ...wishes: Wish[]): Promise<string[]> {
  const source = `
    import { writeNewFile } from ${JSON.stringify(MODULE)};
    const write = ({ name, text, times = 1, replaces = false }) =>
      writeNewFile(${JSON.stringify(stick)} + "/" + name, { text: text.repeat(times), mode: 0o600, replaces });
    const all = ${JSON.stringify(wishes)}.map((wish) => write(wish).then(() => "", String));
    console.log(JSON.stringify(await Promise.all(all)));`;
  const log = join(folder, "log");
  const inject = ["-e", "trace=link,linkat", "-e", `inject=link,linkat:error=${error}`];
  const { stdout } = await command([
    ...["strace", "--follow-forks", "--quiet=all", "--output", log, ...inject],
    ...[process.execPath, "-e", source],
  ]);
  const wasKept =
    wishes.some(({ replaces }) => replaces) || /INJECTED/.test(readFileSync(log, "utf8"));
  assert.ok(wasKept || !stdout.includes('""'), "a link was made");
  return JSON.parse(stdout) as string[];
}

const textOf = (name: string) => readFileSync(join(stick, name), "utf8");

// The second is what a FUSE file system says; Bun calls it ENOTSUP.
for (const error of ["EPERM", "EOPNOTSUPP"]) {
  const write = (...wishes: Wish[]) => writeWithout(error, ...wishes);

  test(`${error}: a new file is written, and takes no other one's place unless that is wanted`, async () => {
    assert.equal(await write({ name: "vendor.key", text: "one" }), [""]);
    const [why] = await write({ name: "vendor.key", text: "two" });
    assert.match(why ?? "", /vendor\.key is there already/);
    assert.is(textOf("vendor.key"), "one");
    assert.equal(await write({ name: "vendor.key", text: "two", replaces: true }), [""]);
    assert.is(textOf("vendor.key"), "two");
    assert.equal(readdirSync(stick), ["vendor.key"]);
  });

  test(`${error}: of two at once one wins, and is whole`, async () => {
    const outcomes = await write(
      { name: "both", text: "a", times: 9000 },
      { name: "both", text: "b" },
    );
    assert.is(outcomes.filter((why) => why === "").length, 1, outcomes.join("\n"));
    assert.match(textOf("both"), /^(?:a{9000}|b)$/);
    assert.equal(readdirSync(stick).toSorted(), ["both", "vendor.key"]);
  });

  test(`${error}: what finds no room is not there`, async () => {
    // Once there is room, beside; not twice.
    for (const bytes of [3 * MIB, MIB / 2 + 4096]) {
      const [why] = await write({ name: "large", text: "x", times: bytes });
      assert.match(why ?? "", bytes > MIB ? /large cannot be written: .*ENOSPC/ : /^$/);
      assert.equal(readdirSync(stick).includes("large"), bytes < MIB);
    }
    for (const name of readdirSync(stick)) rmSync(join(stick, name));
  });
}

test.run();
