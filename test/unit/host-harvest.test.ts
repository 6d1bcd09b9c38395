/*
 * Harvests on a disk: a small root with a dpkg database, read, decided and copied; and this machine's own root, read only.
 */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runHarvest } from "../../src/commands/harvest-words.ts";
import {
  type Harvested,
  harvestLines,
  harvestRecipe,
  recipeOf,
} from "../../src/commands/harvest.ts";
import { checkPlaces, forbidServices } from "../../src/host/harvest/apt-root.ts";
import {
  essentialBase,
  readBase,
  readOther,
  readRoot,
  readSystem,
} from "../../src/host/harvest/root.ts";
import { viewDirectory } from "../../src/host/harvest/view.ts";
import { parseNumbers } from "../../src/model/accounts.ts";
import { planHarvest } from "../../src/plan/harvest/harvest.ts";
import { WISH } from "./harvest-example.ts";
import { DAY, makeRootAt, makeToolRootAt, recipe, stanza, write } from "./root-example.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-harvest-"));
test.after(() => rmSync(folder, { recursive: true }));

const makeRoot = (name: string) => makeRootAt(join(folder, name));
const makeToolRoot = (name: string) => makeToolRootAt(join(folder, name));

const base = makeRoot("base");
const root = makeRoot("root");
write(root, "usr/bin/tool", "#!/bin/sh\necho tool\n", 0o4755);
linkSync(join(root, "usr/bin/tool"), join(root, "usr/bin/tool-twin"));
write(root, "usr/share/doc/tool/copyright", "free\n");
write(root, "etc/tool.conf", "made\n");
utimesSync(join(root, "etc/tool.conf"), DAY + 5000, DAY + 5000);
write(
  root,
  "var/lib/dpkg/status",
  stanza("dash", "Essential: yes\n") + stanza("tool", "Depends: dash\n"),
);
write(
  root,
  "var/lib/dpkg/info/tool:amd64.list",
  "/.\n/bin\n/bin/tool\n/bin/tool-twin\n/usr\n/usr/share/doc/tool/copyright\n",
);

const options = {
  root,
  out: join(folder, "out"),
  base,
  others: [],
  apt: false,
  users: undefined,
};

test("a harvest is a package's directory, whole, and looks the same on any day", async () => {
  const done = await harvestRecipe(recipe, options);
  assert.is(done.name, "tool-1.5.12-9.3-00000A");
  assert.equal(
    done.harvest.take.map(({ path }) => path),
    [
      ...["/etc/tool.conf", "/usr/bin/tool", "/usr/bin/tool-twin", "/usr/share"],
      "/usr/share/doc/tool/copyright",
    ],
  );
  const at = (path: string) => join(done.directory, path);
  assert.is(
    readFileSync(at("__zshield/package.toml"), "utf8"),
    'format = 1\nversion = "1.5-2"\ndescription = "a tool"\nhealth = ["/usr/bin/tool"]\n',
  );
  assert.not.ok(existsSync(at("bin")));
  const tool = lstatSync(at("usr/bin/tool"));
  // What only root keeps is in test/host/harvest-owners.test.ts.
  assert.is(tool.mode & 0o777, 0o755);
  assert.is(tool.ino, lstatSync(at("usr/bin/tool-twin")).ino);
  for (const path of [".", "etc/tool.conf", "__zshield/harvest.json", "usr"]) {
    assert.is(lstatSync(at(path)).mtimeMs, DAY * 1000, path);
  }
  assert.equal(readdirSync(options.out), [done.name]);
  assert.equal([...readOther(done.directory).packages], ["tool"]);
});

test("what was taken and left is told, the many in one line", async () => {
  const done = await harvestRecipe(recipe, { ...options, out: join(folder, "told") });
  assert.equal(harvestLines(done).slice(0, -1), [
    "package  tool 1.5-2, 3 paths  (asked for)",
    "taken    2 paths, like /etc/tool.conf  (made by a script)",
    "left     package dash  (the base has it)",
    "left     /bin  (the base has it)",
    "left     2 paths, like /usr/share/doc  (documents)",
    "left     /var/lib/dpkg/info/tool:amd64.list  (state: made when it runs)",
  ]);
});

test("a system whose number fits into no name is refused", async () => {
  const strange = makeToolRoot("strange");
  write(strange, "etc/os-release", 'ID=debian\nVERSION_ID="20261126120000"\n');
  const out = join(folder, "strange-out");
  const said = await harvestRecipe(recipe, { ...options, root: strange, out }).catch(String);
  assert.match(String(said), /column \d+: expected PROGRAM\.BASE: a number from 0 to 999999/);
  assert.not.ok(existsSync(out));
});

test("the words of the command line make a recipe, or are refused", () => {
  const patterns = { keep: [], leave: [], without: [], enable: [], disable: [] };
  const none = {
    packages: [],
    list: undefined,
    name: undefined,
    sequence: undefined,
    revision: undefined,
    mask: undefined,
    patterns,
  };
  const made = recipeOf({ ...none, packages: ["tool", "more"], sequence: "7", mask: "00000A" });
  assert.is(made.name, "tool");
  assert.is(made.sequence, 7);
  assert.is(made.mask, 10);
  const list = join(folder, "list");
  writeFileSync(list, "# why\n/opt/own\n\n/etc/own*\n");
  assert.equal(recipeOf({ ...none, list, name: "own" }).wish.files, ["/opt/own", "/etc/own*"]);
  assert.throws(() => recipeOf({ ...none, list }), /needs a --name/);
  assert.throws(
    () => recipeOf({ ...none, packages: ["a"], sequence: "-1" }),
    /--sequence takes a number/,
  );
  assert.throws(() => recipeOf({ ...none, packages: ["a"], mask: "A" }), /six hexadecimal digits/);
  writeFileSync(list, "relative\n");
  assert.throws(() => recipeOf({ ...none, list, name: "own" }), /"relative" is no absolute path/);
  for (const [values, words, fault] of [
    [{}, ["a"], /needs --root/],
    [{ root: "/", recipe: "x" }, ["a"], /--recipe says it all/],
    [{ root: "/", recipe: "x", mask: "000000" }, [], /so no mask/],
  ] as [Record<string, string>, string[], RegExp][]) {
    assert.throws(() => runHarvest(values, words), fault);
  }
});

test("what is there already is not written over", async () => {
  const refused = await harvestRecipe(recipe, options).catch((error: unknown) => String(error));
  assert.match(String(refused), /tool-1\.5\.12-9\.3-00000A is there already/);
});

test("without a base the essential packages are one; a base can be empty", async () => {
  const facts = await readRoot(root);
  assert.equal(readSystem(facts), { id: "debian", version: "12" });
  const essential = essentialBase(facts);
  assert.equal([...essential.packages], ["dash"]);
  const wish = { ...WISH, packages: ["tool"] };
  assert.not.ok(
    planHarvest(facts, wish, [essential]).take.some(({ path }) => path === "/usr/bin/sh"),
  );
  const empty = join(folder, "empty");
  mkdirSync(empty);
  const whole = planHarvest(facts, wish, [await readBase(empty)]);
  assert.ok(whole.take.some(({ path }) => path === "/usr/bin/sh"));
});

test("a root without a database is refused", async () => {
  const refused = await readRoot(join(folder, "empty")).catch((error: unknown) => String(error));
  assert.match(String(refused), /holds no database of dpkg or rpm/);
});

test("nothing is followed out of the root", () => {
  symlinkSync("/etc/passwd", join(root, "etc/escape"));
  const view = viewDirectory(root);
  assert.is(view.text("/etc/escape"), undefined);
  assert.is(view.interpreter("/etc/escape"), undefined);
  assert.is(view.node("/etc/escape")?.target, "/etc/passwd");
  assert.is(view.node("/etc/passwd/below"), undefined);
  rmSync(join(root, "etc/escape"));
});

test("a name that is not UTF-8 is left, and told by name", async () => {
  const odd = join(folder, "odd");
  cpSync(root, odd, { recursive: true });
  const directory = Buffer.concat([Buffer.from(`${join(odd, "etc/tool")}-`), Buffer.from([0xe9])]);
  mkdirSync(directory);
  writeFileSync(Buffer.concat([directory, Buffer.from("/below")]), "");
  const out = join(folder, "out-odd");
  const done = await harvestRecipe(recipe, { ...options, root: odd, out });
  const [path, why] = ["/etc/tool-\ufffd", "its name is not UTF-8"];
  assert.equal(
    done.harvest.leave.filter((left) => left.why === why),
    [{ path, why }],
  );
  assert.ok(harvestLines(done).some((line) => line.startsWith(`note     ${path} is left`)));
  assert.equal(readdirSync(join(done.directory, "etc")), ["tool.conf"]);
  const silent = { ...recipe, wish: { ...recipe.wish, leave: ["/etc/tool-*"] } };
  const again = await harvestRecipe(silent, { ...options, root: odd, out: `${out}-silent` });
  assert.equal(again.harvest.notices, []);
});

test("a link in the middle of a path leads no further out", async () => {
  const outside = join(folder, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "of this machine");
  const hostile = makeRoot("hostile");
  // Seen from the root it points to itself; seen from here, to this machine's own.
  const [top = ""] = tmpdir().split("/").filter(Boolean);
  symlinkSync(`/${top}`, join(hostile, top));
  const view = viewDirectory(hostile);
  assert.is(view.node(join(outside, "secret")), undefined);
  assert.is(view.text(join(outside, "secret")), undefined);
  assert.equal(view.names(outside), []);
  const files = [join(outside, "secret")];
  const wish = { ...recipe, wish: { ...recipe.wish, packages: [], files } };
  const refused = await harvestRecipe(wish, { ...options, root: hostile }).catch(String);
  assert.match(String(refused), /the root has no .*secret/);
});

test("nothing is mounted on or written to where a link leads out of the throw-away root", () => {
  const places = ["proc", "dev", "tmp", "run", "usr", "usr/sbin", "var", "var/lib/dpkg", "var/log"];
  for (const [index, place] of places.entries()) {
    for (const target of [folder, join(folder, "nowhere"), "../".repeat(30) + folder]) {
      const hostile = join(folder, `places-${index}`);
      mkdirSync(dirname(join(hostile, place)), { recursive: true });
      symlinkSync(target, join(hostile, place));
      assert.throws(() => checkPlaces(hostile), new RegExp(`^/${place} of the root is a link to `));
      rmSync(hostile, { recursive: true });
    }
  }
  const merged = join(folder, "places");
  for (const directory of ["usr/bin", "var/tmp"]) {
    mkdirSync(join(merged, directory), { recursive: true });
  }
  symlinkSync("bin", join(merged, "usr/sbin"));
  symlinkSync("var/tmp", join(merged, "tmp"));
  checkPlaces(merged);
  symlinkSync(join(folder, "started"), join(merged, "usr/bin/policy-rc.d"));
  forbidServices(merged);
  assert.not.ok(existsSync(join(folder, "started")));
  assert.match(readFileSync(join(merged, "usr/bin/policy-rc.d"), "utf8"), /exit 101/);
});

test("nothing is written through a link that was harvested", async () => {
  const outside = join(folder, "beside");
  mkdirSync(outside);
  for (const link of ["__zshield", "__zshield/package.toml"]) {
    const hostile = makeRoot(`through-${link.length}`);
    mkdirSync(dirname(join(hostile, link)), { recursive: true });
    symlinkSync(link.includes("/") ? join(outside, "file") : outside, join(hostile, link));
    const wish = { ...recipe, wish: { ...recipe.wish, packages: [], files: ["/__zshield"] } };
    const out = join(folder, `out-${link.length}`);
    const done = await harvestRecipe(wish, { ...options, root: hostile, out }).catch(String);
    if (link === "__zshield") assert.match(String(done), /__zshield is no directory/);
    else assert.ok(lstatSync(join((done as Harvested).directory, link)).isFile(), String(done));
    assert.equal(readdirSync(outside), []);
    assert.not.ok(readdirSync(out).some((name) => name.includes(".part")));
  }
});

test("a relative --out is one of this process's directory, not of the programs'", async () => {
  const before = process.cwd();
  const [away, name] = [join(folder, "away"), "relative-1.5.12-9.3-00000A"];
  mkdirSync(away);
  process.chdir(away);
  try {
    for (const out of [".", "sub/deeper"]) {
      const done = await harvestRecipe({ ...recipe, name: "relative" }, { ...options, out });
      assert.is(done.directory, join(away, out, name));
      assert.ok(existsSync(join(away, out, name, "usr/bin/tool")), out);
    }
    assert.equal(
      readdirSync("/").filter((there) => there.includes("relative-1.5.12")),
      [],
    );
  } finally {
    process.chdir(before);
  }
});

test("the umask is as it was afterwards, also where it is refused, and where two go on at once", async () => {
  const before = process.umask(0o027);
  try {
    const none = { ...recipe, versionOf: "no-such-package" };
    const work = [recipe, none].map((one, index) =>
      harvestRecipe(one, { ...options, out: join(folder, `umask-${index}`) }).catch(String),
    );
    for (const done of work) await done;
    assert.is(process.umask(), 0o027);
  } finally {
    process.umask(before);
  }
});

test("neither the umask nor a directory whose group is passed on decides over a harvest's modes and owners", async () => {
  const enabled = makeRoot("modes");
  write(enabled, "usr/lib/systemd/system/svc.service", "[Install]\nWantedBy=a.target\n");
  write(enabled, "var/lib/dpkg/status", stanza("dash", "Essential: yes\n") + stanza("svc"));
  write(enabled, "var/lib/dpkg/info/svc.list", "/usr/lib/systemd/system/svc.service\n");
  write(
    enabled,
    "var/lib/dpkg/info/svc.postinst",
    "deb-systemd-helper was-enabled 'svc.service'\n",
  );
  const svc = { ...recipe, versionOf: "svc", wish: { ...recipe.wish, packages: ["svc"] } };
  const seen = async (name: string, umask: number, mode: number): Promise<string[]> => {
    const out = join(folder, name);
    mkdirSync(out);
    if (process.getuid?.() === 0) chownSync(out, 0, 1);
    chmodSync(out, mode);
    const before = process.umask(umask);
    try {
      const { directory } = await harvestRecipe(svc, { ...options, root: enabled, out });
      return ["", ...readdirSync(directory, { recursive: true }).map(String)].sort().map((path) => {
        const { mode: made, uid, gid } = lstatSync(join(directory, path));
        return `${made.toString(8)} ${uid}:${gid} ${path}`;
      });
    } finally {
      assert.is(process.umask(before), umask);
    }
  };
  const plain = await seen("plain", 0o022, 0o755);
  const own = `${process.getuid?.()}:${process.getgid?.()}`;
  const link = "etc/systemd/system/a.target.wants/svc.service";
  assert.ok(plain.includes(`120777 ${own} ${link}`), plain.join("\n"));
  for (const path of ["", "etc", dirname(link), "__zshield"]) {
    assert.ok(plain.includes(`40755 ${own} ${path}`), path);
  }
  assert.ok(plain.includes(`100644 ${own} __zshield/package.toml`));
  assert.equal(await seen("closed", 0o077, 0o755), plain);
  assert.equal(await seen("passed-on", 0o002, 0o2775), plain);
});

test("a harvest that is stopped while it is copied leaves nothing behind", async () => {
  const [out, module] = [join(folder, "stopped"), "../../src/host/harvest/copy.ts"];
  const source = `
    import { copyHarvest } from ${JSON.stringify(new URL(module, import.meta.url).pathname)};
    const spawn = Bun.spawn;
    // An rsync that takes long.
    Bun.spawn = (argv, options) => spawn(argv.includes("--hard-links") ? ["sleep", "10"] : argv, options);
    const harvest = { take: [], links: [], packages: [] };
    const same = { uids: new Map(), gids: new Map() };
    await copyHarvest("/", process.argv[1], harvest, same, {});`;
  const child = Bun.spawn([process.execPath, "-e", source, out]);
  const isBegun = () => readdirSync(folder).some((name) => name.startsWith("stopped.part-"));
  while (child.exitCode === null && !isBegun()) await Bun.sleep(5);
  child.kill("SIGINT");
  await child.exited;
  assert.is(child.signalCode, "SIGINT");
  assert.not.ok(isBegun() || existsSync(out));
});

test("two harvests of one package at once: one is whole, the other refused", async () => {
  const [out, module] = [join(folder, "twice"), "../../src/host/harvest/copy.ts"];
  const source = `
    import { copyHarvest } from ${JSON.stringify(new URL(module, import.meta.url).pathname)};
    const spawn = Bun.spawn;
    const [out, own, ms] = process.argv.slice(1);
    const rsync = ["sh", "-c", 'echo > "$0/of-$1"; exec sleep "$2"'];
    Bun.spawn = (argv, options) =>
      spawn(argv.includes("--hard-links") ? [...rsync, argv.at(-1), own, ms] : argv, options);
    const harvest = { take: [], links: [], packages: [] };
    const same = { uids: new Map(), gids: new Map() };
    await copyHarvest("/", out, harvest, same, { a: own });`;
  const start = (own: string, seconds: string) =>
    Bun.spawn([process.execPath, "-e", source, out, own, seconds], { stderr: "ignore" });
  const first = start("first", "1.5");
  while (!readdirSync(folder).some((name) => name.startsWith("twice.part"))) await Bun.sleep(5);
  await Bun.sleep(500);
  const second = start("second", "2.5");
  const codes = await Promise.all([first.exited, second.exited]);
  assert.is(codes[0], 0);
  assert.is.not(codes[1], 0);
  assert.equal(readdirSync(out).toSorted(), ["a", "of-first"]);
  assert.not.ok(readdirSync(folder).some((name) => name.startsWith("twice.part")));
});

test("harvests at once give no number twice and lose none", async () => {
  const [file, module] = [join(folder, "users.txt"), "../../src/host/harvest/user-numbers.ts"];
  writeFileSync(file, "# ours\nzabbix 991");
  const source = `
    import { keepNumbers } from ${JSON.stringify(new URL(module, import.meta.url).pathname)};
    const [file, own] = process.argv.slice(1);
    for (let count = 0; count < 20; count += 1) await keepNumbers(file, [own + count]);`;
  const children = ["a", "b", "c"].map((own) =>
    Bun.spawn([process.execPath, "-e", source, file, own]),
  );
  assert.equal(await Promise.all(children.map(({ exited }) => exited)), [0, 0, 0]);
  const text = readFileSync(file, "utf8");
  assert.match(text, /^# ours\nzabbix 991\n/);
  assert.is(parseNumbers(text, file).size, 61);
  assert.not.ok(existsSync(`${file}.part`));
});

test("this machine's own zstd, with the library that it needs", async () => {
  const facts = await readRoot("/");
  const { take, missing } = planHarvest(facts, { ...WISH, packages: ["zstd"] }, [
    essentialBase(facts),
  ]);
  const found = take.map(({ path }) => path);
  assert.ok(found.includes("/usr/bin/zstd"));
  assert.ok(found.includes("/usr/share/doc/zstd/copyright"));
  assert.equal(
    missing.filter(({ path }) => path === "/usr/bin/zstd"),
    [],
  );
  const link = found.find((path) => path.endsWith("/unzstd"));
  assert.is(readlinkSync(link ?? ""), "zstd");
});

test.run();
