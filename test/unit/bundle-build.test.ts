/*
 * From a vendor's project to a bundle and what one can ask of it, as the command line has it: the same bytes on every
 * machine and day, only what changed is packed, and nothing is signed that must not be.
 */
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { buildBundle, type BuildOptions } from "../../src/bundle/build.ts";
import { writeErofs } from "../../src/bundle/erofs-write.ts";
import { sealImage } from "../../src/bundle/pack.ts";
import { readPackageTree } from "../../src/bundle/package-tree.ts";
import { lockKey } from "../../src/bundle/secret-key.ts";
import { filePieces } from "../../src/bundle/pieces.ts";
import { readSigned } from "../../src/bundle/read.ts";
import { Refusal } from "../../src/errors.ts";
import { ownerName } from "../../src/host/owner-name.ts";
import { chainOf, extendChain, printChain } from "../../src/model/chain.ts";
import type { Entry } from "../../src/model/manifest.ts";
import { LEAST, printPublicKeyFile, type SecretKey } from "../../src/model/minisign.ts";
import { MIB } from "../../src/model/size.ts";
import { signRecord } from "../../src/model/signed-record.ts";
import { keyOf } from "./key-example.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const scratch = mkdtempSync(join(tmpdir(), "zshield-build-"));
const KEYS = {
  vendor: keyOf(1),
  next: keyOf(2),
  development: { ...keyOf(3), id: "DE57000000000003" },
} as const;
const at = (...parts: string[]) => join(scratch, ...parts);

async function zshield(
  words: readonly string[],
  options: { environment?: Readonly<Record<string, string>>; stdin?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    cwd: scratch,
    env: { ...process.env, SOURCE_DATE_EPOCH: "", ...options.environment },
    stdin: options.stdin === undefined ? "ignore" : Bun.file(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

async function done(words: readonly string[], options = {}): Promise<string> {
  const { code, stdout, stderr } = await zshield(words, options);
  assert.is(code, 0, stderr);
  return stdout;
}

async function refused(words: readonly string[], options = {}): Promise<string> {
  const { code, stdout, stderr } = await zshield(words, options);
  assert.is(code, 3, `${stdout}\n${stderr}`);
  return stderr;
}

const buildWords = (project: string, ...more: string[]) => [
  ...["bundle", "build", at(project), "--key", at("vendor.key"), "--owner-root"],
  ...["--password-file", at("password"), ...more],
];

/** A file of a fixed day. */
function put(path: string, content: string | Uint8Array, day = "2026-11-20"): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, 0o644);
  const time = new Date(`${day}T12:00:00Z`);
  utimesSync(path, time, time);
}

function putPackage(directory: string, toml = "", content = directory.slice(-20)): void {
  put(join(directory, "__zshield/package.toml"), `format = 1\nversion = "1.2"\n${toml}`);
  put(join(directory, "usr/bin/program"), content.repeat(5000));
  put(join(directory, "etc/program.conf"), "x = 1\n");
}

function putProject(name: string): void {
  const platforms = at(name, "platform");
  put(
    at(name, "product.toml"),
    'format = 1\nvendor = "acme"\nproduct = "video"\nmajor = 4\nrelease = 17\nsecurity-floor = 12\n',
    "2026-11-22",
  );
  for (const platform of ["aarch64", "x86_64"]) {
    put(join(platforms, platform, "mask.txt"), "0 video records video\n");
    put(join(platforms, platform, "boot/vmlinuz"), "kernel ".repeat(9000));
    putPackage(join(platforms, platform, "base/zfs-1.0.8.1-7.2-000000"), "", "zfs");
    mkdirSync(join(platforms, platform, "extra"), { recursive: true });
  }
  putPackage(
    join(platforms, "x86_64/extra/nvr-1.0.8.1-7.3-000001"),
    'needs = ["zfs"]\nstart = ["/usr/bin/program", "start"]\nstart-seconds = 90\n',
  );
}

/** For a build in this process. */
const HERE: BuildOptions = {
  key: KEYS.vendor,
  chain: chainOf(KEYS.vendor),
  isRelease: false,
  out: undefined,
  ownerRoot: true,
  say: () => undefined,
};

const BUNDLE = "video-4.5.1122.upt";
const signedOf = (path: string) =>
  readSigned(filePieces(path), { name: path, keys: "whoever-signed" });

test.before(async () => {
  writeFileSync(at("password"), "a long password\n");
  for (const [name, key] of Object.entries(KEYS) as [string, SecretKey][]) {
    writeFileSync(at(`${name}.key`), await lockKey(key, "a long password", LEAST));
    writeFileSync(at(`${name}.pub`), printPublicKeyFile(key));
  }
  putProject("first");
  await done(buildWords("first"));
});
test.after(() => rmSync(scratch, { recursive: true }));

test("a project becomes a bundle, which is verified from a file and from a pipe", async () => {
  const file = at("first/out", BUNDLE);
  const { manifest, layout } = await signedOf(file);
  assert.is(manifest.label, "video-4.5.1122");
  assert.equal([manifest.release, manifest.securityFloor], [17, 12]);
  assert.equal(
    manifest.platforms.map(({ name, boot, packages }) => [
      name,
      ...[...boot, ...packages].map((item) => item.name),
    ]),
    [
      ["aarch64", "vmlinuz", "zfs-1.0.8.1-7.2-000000"],
      ["x86_64", "vmlinuz", "zfs-1.0.8.1-7.2-000000", "nvr-1.0.8.1-7.3-000001"],
    ],
  );
  const nvr = manifest.platforms[1]?.packages[1];
  assert.equal(nvr?.start, ["/usr/bin/program", "start"]);
  assert.equal(
    manifest.platforms.flatMap(({ packages }) => packages.map(({ kind }) => kind)),
    ["base", "base", "extra"],
  );
  assert.equal(nvr?.seconds, { start: 90, stop: 60, health: 60 });
  assert.is(layout.blobs.length, 3, "what platforms share is there once");
  assert.match(
    await done(["bundle", "verify", file, "--key", at("vendor.pub")]),
    /3 blobs, .* all right/,
  );
  assert.match(
    await done(["bundle", "verify", "-", "--key", at("vendor.pub")], { stdin: file }),
    /standard input is video-4\.5\.1122, release 17, security floor 12/,
  );
  assert.match(await refused(["bundle", "verify", file]), /without a public key/);
  assert.match(
    await refused(["bundle", "verify", file, "--key", at("next.pub")]),
    /does not lead here/,
  );
  const cut = at("cut.upt");
  writeFileSync(cut, readFileSync(file).subarray(0, -1));
  assert.match(await refused(["bundle", "verify", cut, "--key", at("vendor.pub")]), /cut off/);
});

test("another folder, umask, time zone and day give the same bytes", async () => {
  cpSync(at("first/platform"), at("elsewhere/deep/second/platform"), {
    recursive: true,
    preserveTimestamps: true,
  });
  cpSync(at("first/product.toml"), at("elsewhere/deep/second/product.toml"), {
    preserveTimestamps: true,
  });
  const before = process.umask(0o077);
  try {
    const words = buildWords("elsewhere/deep/second", "--out", at("elsewhere/out"));
    await done(words, { environment: { TZ: "Pacific/Kiritimati", LC_ALL: "C", HOME: "/" } });
  } finally {
    process.umask(before);
  }
  const file = at("elsewhere/out", BUNDLE);
  assert.ok(readFileSync(file).equals(readFileSync(at("first/out", BUNDLE))));
  assert.is(statSync(file).mode & 0o777, 0o644);
});

test("what is unchanged is not packed again; one file changes one blob and the manifest", async () => {
  putProject("changing");
  await done(buildWords("changing"));
  const again = await done(buildWords("changing"));
  assert.not.match(again, /^packing/m);
  assert.is(again.match(/^unchanged/gm)?.length, 5);
  const before = await signedOf(at("changing/out", BUNDLE));
  const [old, now] = ["nvr-1.0.8.1-7.3-000001", "nvr-1.0.8.1-7.4-000001"].map((name) =>
    at("changing/platform/x86_64/extra", name),
  ) as [string, string];
  renameSync(old, now);
  put(join(now, "etc/program.conf"), "x = 2\n");
  put(at("changing/platform/x86_64/mask.txt"), "0 film records films\n3 onvif finds cameras\n");
  const product = readFileSync(at("changing/product.toml"), "utf8");
  put(
    at("changing/product.toml"),
    product.replace("= 17", "= 18").replace("= 12", "= 13"),
    "2026-11-22",
  );
  const built = await done(buildWords("changing"));
  assert.equal(built.match(/^packing.*$/gm), ["packing    nvr-1.0.8.1-7.4-000001"]);
  const newer = at("changing/out/video-4.6.1122.upt");
  const after = await signedOf(newer);
  const digests = ({ layout }: typeof before) => layout.blobs.map(({ sha256 }) => sha256);
  assert.is(digests(after).filter((digest) => !digests(before).includes(digest)).length, 1);
  const diff = await done(["bundle", "diff", at("changing/out", BUNDLE), newer]);
  assert.match(
    diff,
    /^~ x86_64 {2}nvr-1\.0\.8\.1-7\.3-000001 → nvr-1\.0\.8\.1-7\.4-000001 {2}\d+ bytes$/m,
  );
  assert.match(diff, /^1 changed, 4 the same; /m);
  for (const line of [
    "~ release  17 → 18",
    "~ security floor  12 → 13",
    "~ x86_64  mask bit 0  video: records video → film: records films",
    "+ x86_64  mask bit 3  onvif: finds cameras",
  ]) {
    assert.ok(diff.split("\n").includes(line), `${line} is not in\n${diff}`);
  }
  assert.match(await done(["bundle", "clean", at("changing"), "--released"]), /cache.*out/);
  assert.equal(readdirSync(at("changing")), ["platform", "product.toml"]);
});

test("clean keeps what a key for releases signed, unless it is told not to", async () => {
  putProject("cleaned");
  const out = at("cleaned/out");
  const clean = (...more: string[]) => done(["bundle", "clean", at("cleaned"), ...more]);
  await done(buildWords("cleaned"));
  mkdirSync(join(out, "older/deep"), { recursive: true });
  renameSync(join(out, BUNDLE), join(out, "older/deep/of-2025"));
  put(at("cleaned/platform/x86_64/mask.txt"), "0 video records films\n");
  await done(buildWords("cleaned"));
  // Of another zshield, for all that this one knows.
  writeFileSync(join(out, "video-4.9.1122.upt"), "no bundle that is known");
  writeFileSync(join(out, "x.upd"), "a difference can be made again");
  // What a build was killed at begins as a bundle does.
  cpSync(join(out, BUNDLE), join(out, `${BUNDLE}.part-${ownerName()}-abcdef`));
  mkdirSync(join(out, "empty"));
  const development = [...buildWords("cleaned", "--out", join(out, "tried"))];
  development[development.indexOf("--key") + 1] = at("development.key");
  await done(development);

  const said = await clean();
  assert.match(said, /^removed: .*cleaned\/cache, .*out\/x\.upd$/m);
  const kept = [BUNDLE, "older/deep/of-2025", "video-4.9.1122.upt"];
  const files = () =>
    readdirSync(out, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1));
  assert.equal(files().toSorted(), kept.toSorted());
  assert.equal(readdirSync(out).toSorted(), ["older", BUNDLE, "video-4.9.1122.upt"].toSorted());
  assert.is(said.match(/^kept: /gm)?.length, 3, said);
  const { id } = KEYS.vendor;
  assert.ok(said.includes(`kept: ${join(out, BUNDLE)}, release 17, signed by ${id}\n`), said);
  assert.match(said, /video-4\.9\.1122\.upt, which is called a bundle and cannot be read as one$/m);
  assert.match(said, /--released removes them too$/m);
  await signedOf(join(out, BUNDLE));

  const again = await clean();
  assert.match(again, /^there is nothing else to remove$/m);
  assert.is(again.match(/^kept: /gm)?.length, 3, again);
  assert.match(await clean("--released"), /^removed: .*cleaned\/out$/m);
  assert.not.ok(existsSync(out));
  assert.is(await clean(), "there is nothing to remove\n");
});

test("a build that is stopped leaves nothing behind", async () => {
  putProject("stopped");
  put(at("stopped/platform/x86_64/boot/vmlinuz"), randomBytes(24 * MIB));
  const child = Bun.spawn([process.execPath, MAIN, ...buildWords("stopped")], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  const cache = at("stopped/cache");
  const isBegun = () => existsSync(cache) && readdirSync(cache).some((name) => /^part-/.test(name));
  while (child.exitCode === null && !isBegun()) await Bun.sleep(5);
  child.kill("SIGINT");
  await child.exited;
  assert.is(child.signalCode, "SIGINT");
  assert.not.ok(isBegun());
  assert.not.ok(existsSync(at("stopped/out")));
});

test("a cache that was damaged is not believed", async () => {
  putProject("damaged");
  await done(buildWords("damaged"));
  const cache = at("damaged/cache");
  const records = readdirSync(cache).filter((name) => name.endsWith(".json"));
  for (const name of records) writeFileSync(join(cache, name), '{"image":');
  assert.is((await done(buildWords("damaged"))).match(/^packing/gm)?.length, 3);
  // A blob that a power cut has shortened is made again.
  const [cut = ""] = readdirSync(cache).filter((name) => name.endsWith(".zst"));
  writeFileSync(join(cache, cut), readFileSync(join(cache, cut)).subarray(1));
  assert.match(await done(buildWords("damaged")), /^packing/m);
  rmSync(at("damaged/out"), { recursive: true });
  const blob = readdirSync(cache).find((name) => name.endsWith(".zst")) ?? "";
  const bytes = readFileSync(join(cache, blob));
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(join(cache, blob), bytes);
  assert.match(
    await refused(buildWords("damaged")),
    // `clean` would take the bundles in out/ along.
    /the blob of .* has not the digest .*\n.*remove its cache\//,
  );
  assert.equal(readdirSync(at("damaged/out")), [], "no half of a bundle is left");
});

test("a record of the cache that is another one is not signed", async () => {
  putProject("flipped");
  const build = () => buildBundle(at("flipped"), { ...HERE, level: 1 });
  const { identity } = (await build()).bundle;
  const cache = at("flipped/cache");
  const records = readdirSync(cache).filter((name) => name.endsWith(".json"));
  for (const damage of [
    (text: string) => text.replace(/"rootHash":"./, '"rootHash":"z'),
    (text: string) => text.replace(/"sizeBytes":\d/, '"sizeBytes":7'),
    () => "{}\n",
    () => "null",
  ]) {
    for (const name of records) {
      writeFileSync(join(cache, name), damage(readFileSync(join(cache, name), "utf8")));
    }
    assert.is((await build()).bundle.identity, identity);
  }
});

test("clean works on a project that cannot be built", async () => {
  putProject("broken");
  for (const made of ["cache", "out"]) mkdirSync(at("broken", made));
  put(at("broken/product.toml"), "format = ");
  assert.match(await done(["bundle", "clean", at("broken")]), /removed: .*cache, .*out/);
});

test("a chain that ends with another key is refused before anything is packed", async () => {
  putProject("early");
  const chain = extendChain(chainOf(KEYS.vendor), KEYS.vendor, KEYS.next);
  const packed: string[] = [];
  const options = { ...HERE, chain, say: (line: string) => void packed.push(line) };
  const why = await buildBundle(at("early"), options).then(() => "", String);
  assert.match(why, /the last key of the chain is/);
  assert.equal(packed, []);
});

test("a package that needs a missing one is refused before anything is packed, with the manifest's words", async () => {
  putProject("lacking");
  const extra = at("lacking/platform/x86_64/extra");
  const name = "nvr-1.0.8.1-7.3-000001";
  const whyNot = async (): Promise<string> => {
    const packed: string[] = [];
    const options = { ...HERE, say: (line: string) => void packed.push(line) };
    const why = await buildBundle(at("lacking"), options).then(() => "", String);
    assert.equal(packed, [], why);
    return why;
  };
  putPackage(join(extra, name), 'needs = ["ghost", "zfs"]\n');
  const told = "manifest: platforms.1.packages.1.needs: ";
  assert.ok((await whyNot()).includes(`${told}${name} needs "ghost", which is not there`));
  // Packed already it says so too.
  await done(["package", "pack", join(extra, name), "--owner-root"]);
  renameSync(`${join(extra, name)}.img`, at("lacking.img"));
  rmSync(join(extra, name), { recursive: true });
  renameSync(at("lacking.img"), join(extra, `${name}.img`));
  assert.ok((await whyNot()).includes(`${told}${name} needs "ghost", which is not there`));
  rmSync(join(extra, `${name}.img`));
  putPackage(join(extra, name));
  const base = at("lacking/platform/x86_64/base/zfs-1.0.8.1-7.2-000000");
  putPackage(base, 'needs = ["nvr"]\n', "zfs");
  assert.match(await whyNot(), /zfs-.* needs nvr, which is extra, but is base itself/);
  putPackage(base, "needs = [\n", "zfs");
  assert.match(await whyNot(), /zfs-.*package\.toml is not TOML/);
});

const WHITEOUT: Entry = {
  ...{ path: "", type: "character", mode: 0o600, uid: 0, gid: 0, device: "0:0" },
};
const byPath = (a: Entry, b: Entry) => (a.path < b.path ? -1 : 1);

test("an image that is packed already gives the same bundle as its tree", async () => {
  putProject("packed");
  const tree = at("packed/platform/x86_64/extra/nvr-1.0.8.1-7.3-000001");
  await done(["package", "pack", tree, "--owner-root", "--out", at("nvr.img")]);
  rmSync(tree, { recursive: true });
  renameSync(at("nvr.img"), `${tree}.img`);
  await done(buildWords("packed"));
  assert.ok(readFileSync(at("packed/out", BUNDLE)).equals(readFileSync(at("first/out", BUNDLE))));
  // Packed by somebody who does not keep the rules.
  const { entries } = await readPackageTree(
    at("first/platform/x86_64/extra", basename(tree)),
    HERE,
  );
  const rogue = [...entries, { ...WHITEOUT, path: "/usr/hidden" }].toSorted(byPath);
  const handle = openSync(at("rogue.img"), "w+");
  const content = { root: at("first/platform/x86_64/extra", basename(tree)), entries: rogue };
  const { blocks } = await writeErofs(handle, { ...content, epoch: 2 ** 31 }, (hex) =>
    hex.slice(0, 32),
  );
  await sealImage(handle, blocks);
  closeSync(handle);
  const honest = readFileSync(`${tree}.img`);
  writeFileSync(`${tree}.img`, readFileSync(at("rogue.img")));
  assert.match(await refused(buildWords("packed")), /\/usr\/hidden is a whiteout of an overlay/);
  writeFileSync(`${tree}.img`, honest);
  const image = readFileSync(`${tree}.img`);
  image[image.length >> 1]! ^= 1;
  writeFileSync(`${tree}.img`, image);
  assert.match(await refused(buildWords("packed")), /does not match its hash tree/);
});

test("the label has the day of SOURCE_DATE_EPOCH, or of the newest input", async () => {
  putProject("days");
  const environment = { SOURCE_DATE_EPOCH: "1700000000" };
  assert.match(await done(buildWords("days"), { environment }), /video-4\.5\.1114\.upt/);
  // Another day gives other times in the images: what is in the cache is not theirs.
  const next = await done(buildWords("days"), { environment: { SOURCE_DATE_EPOCH: "1700086400" } });
  assert.match(next, /^packing {4}nvr-/m);
  assert.match(next, /video-4\.5\.1115\.upt/);
  put(at("days/platform/x86_64/extra/nvr-1.0.8.1-7.3-000001/etc/more"), "x", "2026-12-24");
  assert.match(await done(buildWords("days")), /video-4\.5\.1224\.upt/);
  const absurd = { SOURCE_DATE_EPOCH: "999999999999" };
  const said = await refused(buildWords("days"), { environment: absurd });
  assert.match(said, /has the time @999999999999, which is no day/);
});

test("a SOURCE_DATE_EPOCH that is no day is refused before anything is packed", async () => {
  putProject("no-day");
  const environment = { SOURCE_DATE_EPOCH: "999999999999" };
  const { code, stdout, stderr } = await zshield(buildWords("no-day"), { environment });
  assert.is(code, 3, stderr);
  assert.match(stderr, /which is no day/);
  assert.is(stdout, "");
});

test("with --release no development key signs, and no release twice", async () => {
  putProject("released");
  const words = (key: string, ...more: string[]) => [
    ...["bundle", "build", at("released"), "--key", at(`${key}.key`), "--owner-root", "--release"],
    ...["--password-file", at("password"), ...more],
  ];
  assert.match(await refused(words("development")), /is a development key/);
  writeFileSync(at("unmarked.key"), await lockKey(KEYS.vendor, "12345", LEAST));
  writeFileSync(at("12345"), "12345\n");
  const unmarked = words("unmarked").map((word) => (word === at("password") ? at("12345") : word));
  assert.match(await refused(unmarked), /has the development keys' password/);
  assert.not.ok(existsSync(at("released/out")), "nothing is made for it");
  const fromDevelopment = extendChain(chainOf(KEYS.development), KEYS.development, KEYS.vendor);
  writeFileSync(at("bad.chain"), printChain(fromDevelopment));
  assert.match(await refused(words("vendor", "--chain", at("bad.chain"))), /is a development key/);
  await done(words("vendor"));
  await done(words("vendor"));
  put(at("released/platform/x86_64/boot/vmlinuz"), "another kernel", "2026-11-23");
  assert.match(await refused(words("vendor")), /is release 17 already, and another one/);
  for (const path of [BUNDLE, `${BUNDLE}.jpg`].map((name) => at("released/out", name))) {
    if (!existsSync(path)) renameSync(at("released/out", BUNDLE), path);
    assert.match(await refused(words("vendor")), new RegExp(`${basename(path)} is release 17`));
  }
  assert.match(await done(buildWords("released")), /release {4}17/);
});

test("a bundle that may have been shipped is not replaced by another one of its label", async () => {
  const words = (project: string, key: string) => [
    ...["bundle", "build", at(project), "--key", at(`${key}.key`), "--owner-root"],
    ...["--password-file", at("password")],
  ];
  const nextRelease = (project: string) => {
    const file = at(project, "product.toml");
    put(file, readFileSync(file, "utf8").replace("= 17", "= 18"), "2026-11-22");
  };
  putProject("shipped");
  await done([...words("shipped", "vendor"), "--release"]);
  const file = at("shipped/out", BUNDLE);
  const before = readFileSync(file);
  put(at("shipped/platform/x86_64/boot/vmlinuz"), "another kernel");
  nextRelease("shipped");
  for (const more of [["--release"], []]) {
    const said = await refused([...words("shipped", "vendor"), ...more]);
    assert.match(said, /out\/video-4\.5\.1122\.upt is release 17, .*, and another bundle/);
    assert.match(said, /SOURCE_DATE_EPOCH.*revision.*elsewhere/);
    assert.ok(readFileSync(file).equals(before));
  }
  assert.equal(readdirSync(at("shipped/out")), [BUNDLE]);
  const environment = { SOURCE_DATE_EPOCH: "1795651200" };
  assert.match(
    await done([...words("shipped", "vendor"), "--release"], { environment }),
    /video-4\.5\.1126\.upt/,
  );
  // Nobody has one that a development key signed.
  putProject("tried");
  await done(words("tried", "development"));
  put(at("tried/platform/x86_64/boot/vmlinuz"), "another kernel");
  await done(words("tried", "development"));
  await done(words("tried", "vendor"));
  assert.match(await refused(words("tried", "development")), /and another bundle/);
});

test("a key that has followed another one signs with its chain", async () => {
  putProject("rotated");
  writeFileSync(
    at("good.chain"),
    printChain(extendChain(chainOf(KEYS.vendor), KEYS.vendor, KEYS.next)),
  );
  const words = (key: string) => [
    ...["bundle", "build", at("rotated"), "--key", at(`${key}.key`), "--owner-root"],
    ...["--chain", at("good.chain"), "--password-file", at("password")],
  ];
  assert.match(await refused(words("vendor")), /the last key of the chain is/);
  await done(words("next"));
  for (const key of ["vendor", "next"]) {
    await done(["bundle", "verify", at("rotated/out", BUNDLE), "--key", at(`${key}.pub`)]);
  }
});

test("whoever leaves out the chain is no other vendor, and escapes no release", async () => {
  putProject("forgotten");
  writeFileSync(
    at("forgotten.chain"),
    printChain(extendChain(chainOf(KEYS.vendor), KEYS.vendor, KEYS.next)),
  );
  const words = (key: string, ...more: string[]) => [
    ...["bundle", "build", at("forgotten"), "--key", at(`${key}.key`), "--owner-root", "--release"],
    ...["--password-file", at("password"), ...more],
  ];
  await done(words("next", "--chain", at("forgotten.chain")));
  for (const more of [[], ["--chain", at("forgotten.chain")]]) {
    put(at("forgotten/platform/x86_64/boot/vmlinuz"), `kernel ${more.length}`, "2026-11-23");
    const said = await refused(words("next", ...more));
    assert.match(
      said,
      more.length === 0
        ? /signed by a chain of 2 keys that ends with 0{15}2\n.*name it with --chain/
        : /is release 17 already/,
    );
  }
  // Without --release too: devices that know the first key only would not take it.
  const plain = words("next").filter((word) => word !== "--release");
  assert.match(await refused(plain), /name it with --chain/);
  // The vendor of before, by the first key: the chain has it in common.
  assert.match(await refused(words("vendor")), /is release 17 already/);
  const other = extendChain(chainOf(keyOf(8)), keyOf(8), KEYS.next);
  writeFileSync(at("other.chain"), printChain(other));
  assert.match(await refused(words("next", "--chain", at("other.chain"))), /is release 17 already/);
  await done([...words("next", "--chain", at("forgotten.chain")), "--out", at("forgotten-out")]);
});

test("inspect tells what a device takes, in which order and why", async () => {
  const file = at("first/out", BUNDLE);
  for (const [name, mask] of [
    ["with", 1],
    ["without", 0],
  ] as const) {
    const record = { device: `BOX-${name}`, mask, prefix: "acme", epoch: 3 };
    writeFileSync(at(`${name}.record`), signRecord(record, KEYS.vendor));
  }
  const words = ["bundle", "inspect", file, "--platform", "x86_64", "--key", at("vendor.pub")];
  const text = await done([
    ...words,
    "--device",
    at("with.record"),
    "--device",
    at("without.record"),
  ]);
  assert.match(text, /BOX-with .* takes 2 of 2 packages/);
  assert.match(text, /BOX-without .* takes 1 of 2 packages/);
  assert.match(text, /nvr-1\.0\.8\.1-7\.3-000001 {2}the device lacks bit 0 \(video\)/);
  const json = JSON.parse(await done([...words, "--json", "--device", at("without.record")]));
  assert.is(json.isSignerKnown, true);
  assert.equal(
    [json.devices[0].taken[0].name, json.devices[0].left[0].name],
    ["zfs-1.0.8.1-7.2-000000", "nvr-1.0.8.1-7.3-000001"],
  );
  const based = (base: string) => [...words, "--device", at("with.record"), "--base", base];
  assert.match(await done(based("8.1")), /takes 2 of 2 packages/);
  assert.match(
    await done(based("8")),
    /takes 0 of 2 [^]*was made on system 8\.1, and the device has 8$/m,
  );
  assert.match(await refused(based("8.x")), /"8\.x", column 3: expected BASE: a number/);
  assert.match(
    await refused([...words.slice(0, 3), "--device", at("with.record")]),
    /one platform/,
  );
  assert.match(await refused([...words.slice(0, 3), "--platform", "mips"]), /is not for mips/);
  const unknown = await done(words.slice(0, 3));
  assert.match(unknown, /whom nobody has confirmed: no --key/);
  writeFileSync(
    at("foreign.record"),
    signRecord({ device: "BOX", mask: 1, prefix: "", epoch: 1 }, KEYS.next),
  );
  assert.match(await refused([...words, "--device", at("foreign.record")]), /not known here/);
});

test("inspect takes no device record of a key that another one has followed", async () => {
  const file = at("rotated/out", BUNDLE);
  const words = ["bundle", "inspect", file, "--platform", "x86_64", "--key", at("vendor.pub")];
  const record = { device: "BOX", mask: 1, prefix: "", epoch: 1 };
  writeFileSync(at("old.record"), signRecord(record, KEYS.vendor));
  writeFileSync(at("new.record"), signRecord({ ...record, epoch: 2 }, KEYS.next));
  assert.match(await done([...words, "--device", at("new.record")]), /BOX .* takes 2 of 2/);
  assert.match(
    await refused([...words, "--device", at("old.record")]),
    new RegExp(`old\\.record is signed by ${KEYS.vendor.id}, and the key ${KEYS.next.id}`),
  );
});

test("import makes the same bytes of a layout in another order, and nothing of half of one", async () => {
  const file = at("first/out", BUNDLE);
  const layout = at("layout");
  mkdirSync(layout);
  const untar = Bun.spawnSync(["tar", "--extract", "--file", file, "--directory", layout]);
  assert.is(untar.exitCode, 0);
  await done(["bundle", "import", layout, at("again.upt"), "--key", at("vendor.pub")]);
  assert.ok(readFileSync(at("again.upt")).equals(readFileSync(file)));
  for (const format of ["gnu", "pax"]) {
    const tar = at(`${format}.tar`);
    const words = ["--sort=name", `--format=${format}`, "--directory", layout, "--file", tar];
    assert.is(
      Bun.spawnSync(["tar", "--create", ...words, "blobs", "index.json", "oci-layout"]).exitCode,
      0,
    );
    await done(["bundle", "import", tar, at(`${format}.upt`)]);
    assert.ok(readFileSync(at(`${format}.upt`)).equals(readFileSync(file)), format);
  }
  assert.match(await refused(["bundle", "import", layout, at("again.upt")]), /is there already/);
  const { layout: planned } = await signedOf(file);
  const blob = join(layout, "blobs/sha256", planned.blobs[1]?.sha256 ?? "");
  const content = readFileSync(blob);
  chmodSync(blob, 0o644);
  content[5]! ^= 1;
  writeFileSync(blob, content);
  assert.match(await refused(["bundle", "import", layout, at("half.upt")]), /has not the digest/);
  rmSync(blob);
  assert.match(await refused(["bundle", "import", layout, at("half.upt")]), /has no blob of/);
  assert.not.ok(existsSync(at("half.upt")) || existsSync(at("half.upt.part")));
});

test("what does not belong into a project is refused by name", async () => {
  const cases: readonly [(root: string) => void, RegExp][] = [
    [(root) => rmSync(join(root, "product.toml")), /holds no product\.toml/],
    [
      (root) => put(join(root, "product.toml"), "format = 1\n"),
      /product\.toml: vendor: is missing/,
    ],
    [(root) => put(join(root, "product.toml"), "format ="), /product\.toml is not TOML/],
    [
      (root) => {
        rmSync(join(root, "product.toml"));
        Bun.spawnSync(["mkfifo", join(root, "product.toml")]);
      },
      /product\.toml is no file/,
    ],
    [(root) => rmSync(join(root, "platform"), { recursive: true }), /platform cannot be read/],
    [(root) => mkdirSync(join(root, "platform/X86")), /platform\/X86: a platform is called by/],
    [(root) => rmSync(join(root, "platform/x86_64/mask.txt")), /mask\.txt is missing/],
    [
      (root) => put(join(root, "platform/x86_64/mask.txt"), "21 a b\n"),
      /mask\.txt: line 1, column 1/,
    ],
    [(root) => put(join(root, "platform/x86_64/notes"), "x"), /notes does not belong there/],
    [
      (root) => put(join(root, "platform/x86_64/boot/initrd"), ""),
      /initrd is no file, or is empty/,
    ],
    [(root) => mkdirSync(join(root, "platform/x86_64/boot/dtb")), /dtb is no file, or is empty/],
    [
      (root) => put(join(root, "platform/x86_64/boot/a kernel"), "x"),
      /a kernel: a boot file is called by/,
    ],
    [(root) => rmSync(join(root, "platform"), { recursive: true }), /platform cannot be read/],
    [
      (root) => {
        rmSync(join(root, "platform"), { recursive: true });
        mkdirSync(join(root, "platform"));
      },
      /has no platform/,
    ],
    [(root) => put(join(root, "platform/x86_64/base/notes"), "x"), /notes is no package/],
    [(root) => mkdirSync(join(root, "platform/x86_64/base/zfs")), /base\/zfs: "zfs", column/],
    [
      (root) => putPackage(join(root, "platform/x86_64/base/zfs-2.0.8.1-7.2-000000")),
      /are the same package/,
    ],
    [
      (root) => putPackage(join(root, "platform/x86_64/extra/zfs-2.0.8.1-7.2-000000")),
      /extra\/zfs-2\.0\.8\.1-7\.2-000000 and .*base\/zfs-1.* are the same package/,
    ],
    [
      (root) =>
        rmSync(join(root, "platform/x86_64/base/zfs-1.0.8.1-7.2-000000"), { recursive: true }),
      /nvr-.* needs "zfs", which is not there/,
    ],
    [
      (root) =>
        rmSync(join(root, "platform/x86_64/extra/nvr-1.0.8.1-7.3-000001/__zshield"), {
          recursive: true,
        }),
      /nvr-1\.0\.8\.1-7\.3-000001 holds no __zshield\/package\.toml/,
    ],
  ];
  for (const [index, [change, reason]] of cases.entries()) {
    const name = `strange-${index}`;
    putProject(name);
    change(at(name));
    const why = await buildBundle(at(name), HERE).then(
      () => "nothing was refused",
      (error: unknown) => {
        if (error instanceof Refusal) return error.message;
        throw error;
      },
    );
    assert.match(why, reason);
    assert.not.ok(existsSync(at(name, "out", BUNDLE)));
  }
});

test("a new project says what goes where, and needs a place of its own", async () => {
  await done(["bundle", "new", at("fresh")]);
  const names = readdirSync(at("fresh"), { recursive: true }).map(String).toSorted();
  assert.equal(
    names.filter((name) => !name.includes(".git")),
    [
      "README.md",
      "platform",
      "platform/x86_64",
      "platform/x86_64/base",
      "platform/x86_64/boot",
      "platform/x86_64/extra",
      "platform/x86_64/mask.txt",
      "product.toml",
    ],
  );
  assert.match(readFileSync(at("fresh/product.toml"), "utf8"), /product = "fresh"/);
  // Where the line that makes the key puts it is where the line that builds looks for it.
  const readme = readFileSync(at("fresh/README.md"), "utf8");
  const [, made] = /key new --out (\S+)/.exec(readme) ?? [];
  for (const [, used] of readme.matchAll(/--key (\S+)\.(?:key|pub)/g)) assert.is(used, made);
  assert.match(await refused(["bundle", "new", at("fresh")]), /is not empty/);
  // As it is, it can be built: a bundle of nothing.
  await done(buildWords("fresh"));
});

test("words that fit nothing are refused as such", async () => {
  for (const words of [
    ["bundle", "bake", "x"],
    ["bundle", "build", "x"],
    ["bundle", "build", "x", "--key", "a", "--key", "b"],
    ["bundle", "verify", "x", "--release"],
    ["bundle", "diff", "x"],
    ["bundle", "new", "x", "y"],
  ]) {
    const { code, stderr } = await zshield(words);
    assert.is(code, 2, stderr);
  }
});

test.run();
