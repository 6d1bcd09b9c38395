/*
 * A root of a bundle is what this machine's kernel shows of an overlay of the same packages: owners, modes, times,
 * attributes, hard links, devices, and who hides whom. What is wrong with a package leaves it out, or leaves nothing.
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { sha256Of } from "../../src/bundle/oci.ts";
import { expandContent, openBundle } from "../../src/bundle/open.ts";
import { filePieces } from "../../src/bundle/pieces.ts";
import { openSigned, signBundle } from "../../src/bundle/signed.ts";
import { writeBundle } from "../../src/bundle/write.ts";
import { readTree } from "../../src/host/tree.ts";
import { chainOf } from "../../src/model/chain.ts";
import type { Entry } from "../../src/model/manifest.ts";
import { whyNotSameEntry } from "../../src/model/manifest.ts";
import { printPublicKey } from "../../src/model/minisign.ts";
import { command } from "../lab/command.ts";
import { dropFolder, forgetMount, makeFolder, registerMount } from "../lab/scratch.ts";
import { of } from "../unit/bundle-example.ts";
import { KERNEL, KEY, library, put, rootExample } from "./root-example.ts";

const folder = makeFolder("bundle-root");
const at = (...parts: string[]) => join(folder, ...parts);
const test = suite("bundle root");
const [BASE, NVR, SKIN, ONVIF] = [
  "base-1.0.8.1-1.1-000000",
  "nvr-1.0.8.1-7.2-000001",
  "skin-1.0.8.1-7.2-000000",
  "onvif-1.0.8.1-8.1-000002",
] as const;
let bundle = "";

const example = rootExample(folder);
const { make } = example;

test.before(async () => {
  const base = example.package("base", BASE);
  put(base(`usr/lib/modules/${KERNEL}/modules.dep`), "");
  put(base("usr/lib/sysusers.d/nvr.conf"), 'u nvr 812 "records" /\n');
  put(base("etc/ld.so.conf"), "/usr/lib/own\n");
  put(base("usr/lib/own/libdl.so.2"), await library());
  put(base("etc/fstab"), "of base", "2026-03-05");
  put(base("boot/vmlinuz-6.1.0-1"), "the kernel of the distribution");
  put(base("opt/hidden/deep/file"), "never seen");
  put(base("var/log/merged/of-base"), "x");
  for (const [target, link] of [
    ["usr/lib", base("lib")],
    ["/nowhere/at/all", base("opt/escape")],
  ] as const) {
    symlinkSync(target, link);
    lutimesSync(link, new Date("2026-02-02"), new Date("2026-02-02"));
  }
  const program = put(base("usr/bin/program"), Buffer.alloc(3_000_005, "program "));
  linkSync(program, base("usr/bin/a-name"));
  linkSync(program, base("usr/bin/z-name"));
  chownSync(program, 70_000, 5);
  chmodSync(program, 0o4711);
  const capability = "0x0100000200200000000000000000000000000000";
  const list =
    "0x0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000500ffffffff";
  await command(["setfattr", "-n", "security.capability", "-v", capability, program]);
  await command(["setfattr", "-n", "user.a=b", "-v", "x".repeat(3000), program]);
  await command(["setfattr", "-n", "system.posix_acl_access", "-v", list, base("usr")]);
  await command(["setfattr", "-n", "system.posix_acl_default", "-v", list, base("usr")]);
  put(base("etc/with=sign and \\ backslash"), "x");
  await command(["setfattr", "-n", "user.x", "-v", "1", base("etc/with=sign and \\ backslash")]);
  mkdirSync(base("dev"));
  await command(["mknod", base("dev/null"), "c", "1", "3"]);
  await command(["mknod", base("dev/disk"), "b", "259", "1048575"]);
  await command(["mkfifo", base("pipe")]);
  chownSync(base("dev/disk"), 0, 6);
  put(base("zeros"), Buffer.alloc(2 * 1024 * 1024 + 7));

  const nvr = example.package("base", NVR);
  put(nvr("etc/fstab"), "of nvr", "2026-01-01");
  put(nvr("usr/bin/a-name"), "another program");
  put(nvr("opt/hidden"), "a file");
  put(nvr("var/log/merged/of-nvr"), "x");
  chmodSync(nvr("var/log/merged"), 0o1770);
  chownSync(nvr("var/log/merged"), 812, 812);
  put(nvr("opt/escape/inside"), "where a link was");

  // The same sequence: in reverse order of the names, so skin lies below nvr, both above base.
  put(example.package("extra", SKIN)("etc/fstab"), "of skin");
  put(example.package("extra", ONVIF)("usr/share/onvif"), "finds cameras");

  bundle = await example.build();
});
test.after(() => dropFolder(folder));

/** What the kernel shows of these packages, the lowest first. */
async function overlayOf(names: readonly string[]): Promise<Entry[]> {
  const open = await openBundle(bundle, [printPublicKey(KEY)]);
  const packages = open.signed.manifest.platforms[0]?.packages ?? [];
  const mounts: string[] = [];
  const mount = async (words: readonly string[], target: string) => {
    mkdirSync(target);
    await command(["mount", ...words, target]);
    registerMount(target);
    mounts.unshift(target);
  };
  try {
    for (const [number, name] of names.entries()) {
      const item = packages.find((one) => one.name === name);
      if (!item) throw new Error(`there is no ${name}`);
      await expandContent(open, { item }, at(`layer-${number}.img`));
      await mount(
        ["-t", "erofs", "-o", "loop,ro", at(`layer-${number}.img`)],
        at(`layer-${number}`),
      );
    }
    const lower = names.map((_, number) => at(`layer-${number}`)).toReversed();
    await mount(["-t", "overlay", "-o", `ro,lowerdir=${lower.join(":")}`, "overlay"], at("merged"));
    return await readTree(at("merged"), { hash: true });
  } finally {
    for (const target of mounts) {
      await command(["umount", target]);
      forgetMount(target);
      rmSync(target, { recursive: true });
    }
  }
}

/** Made here, or not shown by the overlay of the packages alone. */
const OURS =
  /^\/(boot(\/.*)?|__zshield(\/.*)?|usr\/lib\/zshield(\/.*)?|etc\/(passwd|group|g?shadow|ld\.so\.cache))$/;

test("it is what the kernel shows of an overlay of the packages that the device takes", async () => {
  mkdirSync(at("root"));
  const said = await make(bundle, at("root"));
  assert.match(said, /takes 3 of 4 packages/);
  assert.match(said, new RegExp(`/opt/escape: a directory of ${NVR} hides what ${BASE} has there`));
  const wanted = await overlayOf([BASE, NVR, SKIN]);
  const found = new Map(
    (await readTree(at("root"), { hash: true })).map((entry) => [entry.path, entry]),
  );
  const differences = wanted
    .filter(({ path }) => !OURS.test(path))
    .flatMap((entry) => {
      const why = whyNotSameEntry(found.get(entry.path), entry);
      found.delete(entry.path);
      return why === undefined ? [] : [`${entry.path} ${why}`];
    });
  assert.equal(differences, []);
  assert.equal(
    [...found.keys()].filter((path) => !OURS.test(path)),
    [],
  );
  // The comparison sees what it should.
  const paths = wanted.map(({ path }) => path);
  for (const path of ["/usr/bin/z-name", "/opt/escape/inside", "/pipe"]) {
    assert.ok(paths.includes(path), path);
  }
  assert.not.ok(paths.some((path) => path.startsWith("/opt/hidden/")));
  assert.is(readFileSync(at("root/etc/fstab"), "utf8"), "of skin");
  const program = statSync(at("root/usr/bin/program"));
  assert.is(program.ino, statSync(at("root/usr/bin/z-name")).ino);
  assert.is(program.nlink, 2);
});

test("boot files, what packages say of themselves, users, the cache, and times of its own are there", () => {
  const text = (path: string) => readFileSync(at("root", path), "utf8");
  assert.is(text(`boot/vmlinuz-${KERNEL}`), "the kernel");
  assert.is(text(`boot/initrd.img-${KERNEL}`), "the initramfs");
  for (const name of [BASE, NVR, SKIN]) {
    assert.match(text(`usr/lib/zshield/packages/${name}/package.toml`), /format = 1/);
  }
  assert.not.ok(existsSync(at("root/__zshield")));
  assert.not.ok(existsSync(at("root/usr/share/onvif")));
  const about = JSON.parse(text("usr/lib/zshield/bundle.json"));
  assert.is(about.label, "video-1.6.0305");
  assert.equal(
    about.packages.map(({ name, kind }: { name: string; kind: string }) => `${kind} ${name}`),
    [`base ${BASE}`, `base ${NVR}`, `extra ${SKIN}`],
  );
  assert.match(text("etc/passwd"), /^nvr:x:812:812:records:/m);
  assert.match(text("etc/ld.so.cache"), "/usr/lib/own/libdl.so.2");
  const etc = ["fstab", "group", "gshadow", "ld.so.cache", "ld.so.conf", "passwd", "shadow"];
  assert.equal(readdirSync(at("root/etc")).sort(), [...etc, "with=sign and \\ backslash"].sort());
  const newest = Date.parse("2026-03-05T12:00:00Z");
  const paths = readdirSync(at("root"), { recursive: true }) as string[];
  const later = paths.filter((path) => lstatSync(at("root", path)).mtimeMs > newest);
  assert.equal(later, []);
});

test("a second time it is the same, and another device's record brings the other package", async () => {
  await make(bundle, at("again"));
  const print = async (root: string) => JSON.stringify(await readTree(root, { hash: true }));
  assert.is(await print(at("again")), await print(at("root")));
  assert.match(await make(bundle, at("other"), 3), /takes 4 of 4 packages/);
  assert.is(readFileSync(at("other/usr/share/onvif"), "utf8"), "finds cameras");
});

test("of another machine's libraries is no cache of this machine's, and the package's own stays", async () => {
  const other = rootExample(at("foreign"), "another");
  const base = other.package("base", BASE);
  put(base(`usr/lib/modules/${KERNEL}/modules.dep`), "");
  put(base("etc/ld.so.conf"), "/usr/lib/own\n");
  put(base("usr/lib/own/libdl.so.2"), await library(true));
  const extra = other.package("extra", ONVIF);
  put(extra("etc/ld.so.cache"), "made elsewhere");
  const file = await other.build();
  assert.match(await other.make(file, at("of-foreign")), "NO cache of the loader");
  assert.equal(readdirSync(at("of-foreign/etc")), ["ld.so.conf"]);
  await other.make(file, at("with-cache"), 3);
  assert.is(readFileSync(at("with-cache/etc/ld.so.cache"), "utf8"), "made elsewhere");
  assert.equal(readdirSync(at("with-cache/etc")).sort(), ["ld.so.cache", "ld.so.conf"]);
});

/** The same bundle, but what is in the blob of one package is no image; rightly signed. */
async function withBroken(name: string, file: string): Promise<string> {
  const open = await openBundle(bundle, [printPublicKey(KEY)]);
  const garbage = Buffer.alloc(5000, "garbage ");
  const blob = { sha256: sha256Of(garbage), sizeBytes: garbage.length };
  const { manifest, layout } = open.signed;
  const platforms = manifest.platforms.map((platform) => ({
    ...platform,
    packages: platform.packages.map((one) => (one.name === name ? { ...one, blob } : one)),
  }));
  const parts = signBundle({ ...manifest, platforms }, KEY, chainOf(KEY));
  const signed = openSigned("broken", parts, [printPublicKey(KEY)]);
  const known = new Set(layout.blobs.map(({ sha256 }) => sha256));
  await writeBundle(file, signed.layout, ({ sha256, sizeBytes }) =>
    known.has(sha256)
      ? filePieces(bundle, { position: open.positions.get(sha256) ?? 0, sizeBytes })
      : of(garbage),
  );
  return file;
}

/** Nothing with this name, and nothing beside it. */
function checkNothing(name: string): void {
  assert.equal(
    readdirSync(folder).filter((entry) => entry.includes(name)),
    [],
  );
}

test("an extra package that is no image is left out and told, a base package refuses", async () => {
  const extra = await make(await withBroken(SKIN, at("skin.upt")), at("without-skin"));
  assert.match(extra, new RegExp(`LEFT OUT: ${SKIN}: the blob of ${SKIN} .* cannot be unpacked`));
  assert.is(readFileSync(at("without-skin/etc/fstab"), "utf8"), "of nvr");
  const base = await make(await withBroken(NVR, at("nvr.upt")), at("without-base"));
  assert.match(base, new RegExp(`REFUSED ${NVR} cannot be used: .*\n?`));
  checkNothing("without-base");
});

test("a changed byte, a directory that is not empty, and a mount refuse; nothing is left", async () => {
  const bytes = readFileSync(bundle);
  const open = await openBundle(bundle, [printPublicKey(KEY)]);
  const place = Math.max(...open.positions.values()) + 20;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(at("changed.upt"), bytes);
  assert.match(await make(at("changed.upt"), at("of-changed")), /REFUSED .* was changed/);
  checkNothing("of-changed");
  assert.match(await make(bundle, at("root")), /REFUSED .* is no empty directory/);
  mkdirSync(at("mounted"));
  await command(["mount", "-t", "tmpfs", "tmpfs", at("mounted")]);
  registerMount(at("mounted"));
  const said = await make(bundle, at("mounted"));
  await command(["umount", at("mounted")]);
  forgetMount(at("mounted"));
  assert.match(said, /REFUSED something is mounted at/);
});

test("a person who may not give owners is refused", async () => {
  const main = join(import.meta.dir, "../../src/main.ts");
  const argv = [process.execPath, main, ...example.words(bundle, at("nobody"))];
  chmodSync(folder, 0o755);
  const { code, stderr } = await command(
    ["setpriv", "--reuid=65534", "--clear-groups", "--", ...argv],
    { accept: [3] },
  );
  assert.is(code, 3);
  assert.match(stderr, /only root can give files their owners/);
});

test.run();
