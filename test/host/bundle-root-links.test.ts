/*
 * What a package's links lead to on this machine is neither written nor removed nor read when a root is made of it, and what
 * would be in the way of the root's own files leaves the package out.
 */
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readTree } from "../../src/host/tree.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { KERNEL, library, put, rootExample } from "./root-example.ts";

const folder = makeFolder("bundle-root-links");
const at = (...parts: string[]) => join(folder, ...parts);
const test = suite("links of packages");
const [BASE, ETC, SHADOW, LOCK] = [
  "base-1.0.8.1-1.1-000000",
  "etc-1.0.8.1-7.2-000000",
  "shadow-1.0.8.1-7.2-000000",
  "lock-1.0.8.1-7.2-000000",
] as const;
const example = rootExample(folder);
let bundle = "";

test.before(async () => {
  // What lies outside, as on a machine that a root is made on.
  for (const name of ["passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock"]) {
    put(at("outside/etc", name), "keep me");
  }
  put(at("outside/shadow"), "root:of-this-machine:20000::::::\n");
  put(at("outside/var/cache/ldconfig/aux-cache"), "keep me");
  put(at("outside/local/lib/sysusers.d/local.conf"), "u of-this-machine 700\n");

  const base = example.package("base", BASE);
  put(base(`usr/lib/modules/${KERNEL}/modules.dep`), "");
  put(base("usr/lib/sysusers.d/nvr.conf"), "u nvr 812\nu hidden 813\n");
  put(base("usr/lib/sysusers.d/of-base.conf"), "u of-base 814");
  put(base("etc/sysusers.d/nvr.conf"), "u nvr 815\n");
  put(base("etc/ld.so.conf"), "/usr/lib/own\n");
  put(base("usr/lib/own/libdl.so.2"), await library());
  symlinkSync("/dev/null", base("etc/sysusers.d/masked.conf"));
  put(base("usr/lib/sysusers.d/masked.conf"), "u masked 816\n");
  symlinkSync(at("outside/local/lib/sysusers.d/local.conf"), base("etc/sysusers.d/linked.conf"));
  symlinkSync(at("outside/local"), base("usr/local"));
  symlinkSync(at("outside/var"), base("var"));

  symlinkSync(at("outside/etc"), example.package("extra", ETC)("etc"));
  const shadow = example.package("extra", SHADOW);
  mkdirSync(shadow("etc"));
  symlinkSync(at("outside/shadow"), shadow("etc/shadow"));
  mkdirSync(example.package("extra", LOCK)("etc/.pwd.lock"), { recursive: true });
  bundle = await example.build();
});
test.after(() => dropFolder(folder));

const print = async () => JSON.stringify(await readTree(at("outside"), { hash: true }));

test("nothing outside is touched, and a package that leads there is left out and told", async () => {
  const before = await print();
  const said = await example.make(bundle, at("root"));
  assert.is(await print(), before);
  assert.match(
    said,
    new RegExp(`LEFT OUT: ${ETC}: /etc is a symlink in it, and has to be a directory`),
  );
  assert.match(
    said,
    new RegExp(`LEFT OUT: ${SHADOW}: /etc/shadow is a symlink in it, and has to be a file`),
  );
  assert.match(said, /^\/etc\/sysusers.d\/linked.conf is a symlink and not read$/m);
  assert.match(said, new RegExp(`LEFT OUT: ${LOCK}: /etc/.pwd.lock is a directory in it`));
});

test("users are those of the packages' own files, of equal names the first, and no others", () => {
  const users = readFileSync(at("root/etc/passwd"), "utf8").match(/^[^:]+:x:\d+/gm);
  assert.equal([...(users ?? [])].sort(), ["nvr:x:815", "of-base:x:814"]);
  assert.not.match(readFileSync(at("root/etc/shadow"), "utf8"), /of-this-machine/);
  const etc = ["group", "gshadow", "ld.so.cache", "ld.so.conf", "passwd", "shadow", "sysusers.d"];
  assert.equal(readdirSync(at("root/etc")).sort(), etc);
});

test("a base package with such a link refuses all", async () => {
  const other = rootExample(at("other"));
  const base = other.package("base", BASE);
  put(base(`usr/lib/modules/${KERNEL}/modules.dep`), "");
  put(base("usr/lib/sysusers.d/nvr.conf"), "u nvr 812\n");
  mkdirSync(at("target"));
  symlinkSync(at("target"), base("etc"));
  const said = await other.make(await other.build(), at("refused"));
  assert.match(said, new RegExp(`REFUSED ${BASE} cannot be used: /etc is a symlink in it`));
  assert.equal(readdirSync(at("target")), []);
  assert.equal(
    readdirSync(folder).filter((name) => name.includes("refused")),
    [],
  );
});

test("what the program that makes users says is told", async () => {
  const other = rootExample(at("wrong"));
  const base = other.package("base", BASE);
  put(base(`usr/lib/modules/${KERNEL}/modules.dep`), "");
  put(base("usr/lib/sysusers.d/wrong.conf"), "what is this\n");
  const said = await other.make(await other.build(), at("of-wrong"));
  assert.match(said, /REFUSED systemd-sysusers in the new root: .*:1: Unknown/);
});

test("an extra package with something else where the root's own files come stops nothing", async () => {
  const other = rootExample(at("reserved"));
  const base = other.package("base", BASE);
  put(base(`usr/lib/modules/${KERNEL}/modules.dep`), "");
  const name = (number: number) => `extra${number}-1.0.8.1-7.2-000000`;
  const extra = (number: number) => other.package("extra", name(number));
  symlinkSync("usr/boot", extra(1)("boot"));
  put(extra(2)("usr/lib/zshield"), "");
  mkdirSync(extra(3)(`boot/vmlinuz-${KERNEL}`), { recursive: true });
  mkdirSync(extra(4)("usr/lib/zshield/bundle.json"), { recursive: true });
  mkdirSync(extra(5)("usr/lib"), { recursive: true });
  symlinkSync("/opt/modules", extra(5)("usr/lib/modules"));
  const said = await other.make(await other.build(), at("of-reserved"));
  for (const number of [1, 2, 3, 4, 5]) assert.match(said, `LEFT OUT: ${name(number)}: /`);
  assert.is(readFileSync(at("of-reserved/boot", `vmlinuz-${KERNEL}`), "utf8"), "the kernel");
});

test.run();
