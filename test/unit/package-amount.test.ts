/*
 * The memory that looking into a package takes whose image holds as much as it may, and that what holds more is refused, by
 * whoever packs and whoever reads.
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { writeErofs } from "../../src/bundle/erofs-write.ts";
import { sealImage } from "../../src/bundle/pack.ts";
import { checkEntries } from "../../src/bundle/package-tree.ts";
import type { Entry } from "../../src/model/manifest.ts";
import { peakOf } from "./peak.ts";

const scratch = mkdtempSync(join(tmpdir(), "zshield-amount-"));
test.after(() => rmSync(scratch, { recursive: true }));
const IMAGE = join(scratch, "big-1.0.8.1-7.2-000000.img");
const OWNER = { uid: 0, gid: 0 };
const MOST_NAMES = 60_000;
mkdirSync(join(scratch, "__zshield"));
writeFileSync(join(scratch, "__zshield/package.toml"), 'format = 1\nversion = "2.1"\n');
writeFileSync(join(scratch, "a"), "");

const folder = (path: string): Entry => ({ path, type: "directory", mode: 0o755, ...OWNER });
const file = (path: string, sizeBytes: number): Entry => {
  return { path, type: "file", mode: 0o644, ...OWNER, mtime: 1, sizeBytes };
};

/** So many names of one file, beside the four that every tree here has. */
function treeOf(names: number, nameBytes: number, xattrs: Entry["xattrs"] = undefined): Entry[] {
  const own = { ...file("/a", 0), ...(xattrs === undefined ? {} : { xattrs }) };
  const more = Array.from({ length: names }, (_, index) => {
    const name = String(index).padStart(7, "0").padEnd(nameBytes, "x");
    return { ...own, path: `/d/${name}`, link: "/a" };
  });
  const toml = file("/__zshield/package.toml", 27);
  return [folder("/"), folder("/__zshield"), toml, own, folder("/d"), ...more];
}

async function inspect(entries: readonly Entry[]) {
  const handle = openSync(IMAGE, "w+");
  const tree = { root: scratch, found: entries, entries, epoch: 1 };
  const { blocks } = await writeErofs(handle, tree, (digest) => digest.slice(0, 32));
  await sealImage(handle, blocks);
  closeSync(handle);
  return peakOf(["package", "inspect", IMAGE]);
}

test("an image with as many names as it may have is looked into within 256 MiB", async () => {
  const entries = treeOf(MOST_NAMES - 5, 160);
  checkEntries(entries);
  const { stdout, stderr, mib } = await inspect(entries);
  assert.match(stdout, /^holds +60000 names, 2 files/m, stderr);
  assert.ok(mib < 256, `${mib} MiB`);
});

test("more names, longer ones, attributes at each of them, or targets: refused", async () => {
  const large = { "user.x": Buffer.alloc(30_000, "x").toString("base64") };
  const links = Array.from({ length: 2700 }, (_, index): Entry => {
    const path = `/s${String(index).padStart(7, "0")}`;
    return { path, type: "symlink", mode: 0o777, ...OWNER, mtime: 1, target: "t".repeat(4000) };
  });
  const cases: [Entry[], RegExp][] = [
    [treeOf(MOST_NAMES - 4, 8), /more than 60000 names/],
    [treeOf(2 * MOST_NAMES, 8), /a directory has more than 6000. names/],
    [treeOf(MOST_NAMES - 5, 180), /need more than 10 MiB/],
    [treeOf(2000, 8, large), /need more than 10 MiB/],
    [[...treeOf(0, 8), ...links], /need more than 10 MiB/],
  ];
  for (const [entries, reason] of cases) {
    assert.throws(() => checkEntries(entries), /the tree is too large for one package: it/);
    const { code, stderr, mib } = await inspect(entries);
    assert.is(code, 3, stderr);
    assert.match(stderr, reason);
    assert.ok(mib < 256, `${mib} MiB`);
  }
});

test.run();
