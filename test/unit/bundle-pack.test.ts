/*
 * Packages as images: equal bytes from equal trees, everything of a tree kept or refused by name, and nothing taken
 * from a damaged file. erofs-utils read what we write.
 */
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compressBlob, compressFile, compressPieces, expandBlob } from "../../src/bundle/blob.ts";
import { decodeSuperblock, encodeSuperblock, splitDirectory } from "../../src/bundle/erofs.ts";
import { checkFrame, faultOfFrame } from "../../src/bundle/frame.ts";
import { openErofs, readSuperblock } from "../../src/bundle/erofs-read.ts";
import { writeErofs } from "../../src/bundle/erofs-write.ts";
import { hashTreeOf, identifyImage, openImage } from "../../src/bundle/image.ts";
import { checkEntries, checkUnchanged, readPackageTree } from "../../src/bundle/package-tree.ts";
import { sha256Of } from "../../src/bundle/oci.ts";
import { type PackedPackage, packTree, readOwnFile } from "../../src/bundle/pack.ts";
import { Refusal } from "../../src/errors.ts";
import { readTree } from "../../src/host/tree.ts";
import { type Entry, printManifest, whyNotSameEntry } from "../../src/model/manifest.ts";
import { KIB, MIB } from "../../src/model/size.ts";
import { command } from "../lab/command.ts";
import { peakOf } from "./peak.ts";

const NAME = "zfs-1.0.8.1-7.2-000000";
const EPOCH = 1_700_000_000;
const RULES = { ownerRoot: true, epoch: EPOCH };
const folder = fs.mkdtempSync(join(tmpdir(), "zshield-pack-"));
let count = 0;

function place(parent = folder): string {
  return join(parent, `tree-${(count += 1)}`, NAME);
}

/** Text is a file, `→ …` a symbolic link, `= …` another name of a file, null an empty directory. */
type Files = Readonly<Record<string, string | Buffer | null>>;

const SMALL: Files = {
  "__zshield/package.toml": 'format = 1\nversion = "2.1"\n',
  "usr/sbin/zfs": "a program",
};

function makeTree(files: Files, tree = place()): string {
  fs.mkdirSync(tree, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const file = join(tree, name);
    fs.mkdirSync(content === null ? file : dirname(file), { recursive: true });
    if (content === null) continue;
    const text = String(content);
    if (text.startsWith("→ ")) fs.symlinkSync(text.slice(2), file);
    else if (text.startsWith("= ")) fs.linkSync(join(tree, text.slice(2)), file);
    else fs.writeFileSync(file, content);
  }
  return tree;
}

function pack(tree: string, rules = RULES): Promise<PackedPackage> {
  return packTree(tree, NAME, `${tree}.img`, rules);
}

async function refusal(act: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof act === "function" ? act() : act);
  } catch (error) {
    assert.instance(error, Refusal);
    return (error as Refusal).message;
  }
  return "nothing was refused";
}

const digestOf = (file: string) => createHash("sha256").update(fs.readFileSync(file)).digest("hex");

/** All that a package may hold. */
const RICH: Files = {
  ...SMALL,
  "usr/empty": "",
  "usr/block": Buffer.alloc(4096, "b"),
  "usr/more": Buffer.alloc(4097, "m"),
  "usr/nearly": Buffer.alloc(4095, "n"),
  "usr/large": Buffer.alloc(3 * MIB + 77, "large "),
  "usr/alone": null,
  "usr/lib/python3/__init__.py": "",
  [`usr/${"n".repeat(255)}`]: "a long name",
  [`usr/${"€".repeat(85)}`]: "a long name of other letters",
  'usr/a b\\c\n="d': "blanks and quotes",
  "usr/-rf": "a dash",
  "etc/absolute": "→ /etc/shadow",
  "etc/escaping": "→ ../../../../etc/shadow",
  "etc/dangling": `→ ${"x/".repeat(2000)}`,
  "usr/other": "= usr/large",
  "usr/zz/third": "= usr/large",
  ...Object.fromEntries(
    Array.from({ length: 700 }, (_, index) => [`many/file ${index}`, `${index}`]),
  ),
};

test("an image holds what the tree holds, and erofs-utils find the same in it", async () => {
  const tree = makeTree(RICH);
  fs.chmodSync(join(tree, "usr/sbin/zfs"), 0o4755);
  fs.chmodSync(join(tree, "usr/alone"), 0o1777);
  const packed = await pack(tree);
  assert.is(digestOf(`${tree}.img`), packed.image.sha256);
  assert.is(fs.statSync(`${tree}.img`).size, packed.image.sizeBytes);
  assert.is(packed.description.version, "2.1");

  const image = await openImage(`${tree}.img`, packed.image.verity.rootHash);
  assert.equal(image.verity, packed.image.verity);
  const found = await image.files.readEntries({ hash: true });
  image.close();
  const wanted = (await readTree(tree, { hash: true })).map((entry) => ({
    ...entry,
    ...{ uid: 0, gid: 0 },
    ...(entry.mtime === undefined ? {} : { mtime: Math.min(entry.mtime, EPOCH) }),
  }));
  assert.is(printSorted(found), printSorted(wanted));
  assert.is(found.find(({ path }) => path === "/usr/zz/third")?.link, "/usr/large");

  const out = `${tree}.extracted`;
  await command([
    "fsck.erofs",
    "--no-preserve-owner",
    "--preserve-perms",
    `--extract=${out}`,
    `${tree}.img`,
  ]);
  const extracted = (await readTree(out, { hash: true })).map(({ mtime: _, ...entry }) => ({
    ...entry,
    ...{ uid: 0, gid: 0 },
  }));
  // fsck.erofs makes a file of its own of each hard link.
  const digest = (entry: Entry) => found.find(({ path }) => path === entry.link)?.sha256;
  const plain = found.map(({ mtime: _, link, ...entry }) =>
    link === undefined ? entry : { ...entry, sha256: digest({ ...entry, link }) ?? "" },
  );
  assert.is(printSorted(extracted), printSorted(plain));
});

/** Keys in one order. */
function printSorted(entries: readonly Entry[]): string {
  const sorted = entries.map(
    (entry) => Object.fromEntries(Object.entries(entry).sort()) as unknown as Entry,
  );
  return printManifest(sorted.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
}

test("what only root can make is kept: owners, devices, capabilities, lists of access, times", async () => {
  const tree = makeTree({ ...SMALL, "bin/a": "a", "bin/b": Buffer.alloc(5000, "b") });
  const xattrs = {
    "security.capability": Buffer.from("0100000200040000000000000000000000000000", "hex").toString(
      "base64",
    ),
    "system.posix_acl_access": Buffer.from("02000000", "hex").toString("base64"),
    "trusted.note": "",
    "user.long": Buffer.alloc(4000, "x").toString("base64"),
  };
  const special = [
    { path: "/dev-a", type: "character", mode: 0o600, device: "1:3" },
    { path: "/dev-b", type: "block", mode: 0o660, device: "259:1048575" },
    { path: "/pipe", type: "fifo", mode: 0o644 },
  ] as const;
  const read = await readPackageTree(tree, RULES);
  const entries: Entry[] = [
    ...read.entries.map((entry) =>
      entry.path.startsWith("/bin/")
        ? { ...entry, uid: 70_000, gid: 5, mode: 0o2711, mtime: 5_000_000_000, xattrs }
        : entry,
    ),
    ...special.map((entry) => ({ ...entry, uid: 3, gid: 4_000_000_000 })),
  ].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const file = join(folder, "special.img");
  const handle = fs.openSync(file, "w+");
  await writeErofs(handle, { root: tree, entries, epoch: EPOCH }, (digest) => digest.slice(0, 32));
  const found = await openErofs(handle, readSuperblock(handle)).readEntries({ hash: false });
  assert.is(printSorted(found), printSorted(entries));
  fs.closeSync(handle);
  await command(["fsck.erofs", "--extract", file]);
  const { stdout } = await command(["dump.erofs", "--path=/bin/b", file]);
  assert.match(stdout, /Uid: 70000\s+Gid: 5\s+Access: 0711/);
});

test("the same bytes from ext4 and tmpfs, in whatever order and under whatever umask it was made", async () => {
  const order = Object.entries(RICH).filter(([, content]) => !String(content).startsWith("= "));
  const links = Object.entries(RICH).filter(([, content]) => String(content).startsWith("= "));
  const first = makeTree(RICH);
  const memory = fs.mkdtempSync("/dev/shm/zshield-pack-");
  const mask = process.umask(0o077);
  try {
    const second = makeTree(Object.fromEntries([...order.toReversed(), ...links]), place(memory));
    process.umask(mask);
    // The tree's own modes and times are the tree's; the root and __zshield are zshield's.
    for (const { path, type, mode } of await readTree(first, { hash: false })) {
      if (path === "/" || path.startsWith("/__zshield")) continue;
      if (type !== "symlink") fs.chmodSync(second + path, mode);
    }
    const zone = process.env["TZ"];
    const one = await pack(first);
    process.env["TZ"] = "Asia/Tokyo";
    const other = await pack(second);
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
    assert.equal(other.image, one.image);
    assert.is(digestOf(`${first}.img`), digestOf(`${second}.img`));
  } finally {
    process.umask(mask);
    fs.rmSync(memory, { recursive: true, force: true });
  }
});

test("the last nanosecond of a second is in that second, as a copy in whole seconds has it", async () => {
  const tree = makeTree(SMALL);
  const mtimes = async (time: string) => {
    await command(["touch", "-d", time, join(tree, "usr/sbin/zfs")]);
    const entries = await readTree(tree, { hash: false });
    return entries.find(({ path }) => path === "/usr/sbin/zfs")?.mtime;
  };
  for (const [time, seconds] of [
    ["@1600000000.999999999", 1_600_000_000],
    ["@1600000001", 1_600_000_001],
    ["@-1.000000001", -2],
    ["@-1", -1],
  ] as const) {
    assert.is(await mtimes(time), seconds, time);
  }
});

test("one changed byte gives another salt and root hash; a time before the epoch counts", async () => {
  const tree = makeTree(SMALL);
  const time = (seconds: number) => fs.utimesSync(join(tree, "usr/sbin/zfs"), seconds, seconds);
  time(1_000_000_000);
  const before = await pack(tree);
  fs.writeFileSync(join(tree, "usr/sbin/zfs"), "a Program");
  time(1_000_000_000);
  const after = await pack(tree);
  assert.is.not(after.image.verity.salt, before.image.verity.salt);
  assert.is.not(after.image.verity.rootHash, before.image.verity.rootHash);
  time(1_000_000_001);
  assert.is.not((await pack(tree)).image.sha256, after.image.sha256);
  // After the epoch it is the epoch.
  time(EPOCH + 5);
  const late = await pack(tree);
  time(EPOCH + 500);
  assert.is((await pack(tree)).image.sha256, late.image.sha256);
  // Before 1970 it is 1970.
  time(0);
  const first = await pack(tree);
  // Bun's own utimes takes it for now.
  await command(["touch", "--date=@-5", join(tree, "usr/sbin/zfs")]);
  assert.is((await pack(tree)).image.sha256, first.image.sha256);
  time(EPOCH + 500);
  const earlier = await pack(tree, { ...RULES, epoch: EPOCH - 1 });
  assert.is.not(earlier.image.verity.salt, late.image.verity.salt);
});

test("what must not be packed is refused by name, and nothing is left", async () => {
  for (const [change, reason] of [
    [(tree: string) => fs.writeFileSync(join(tree, "__start"), ""), /^\/__start begins with __/],
    [
      (tree: string) => fs.rmSync(join(tree, "__zshield/package.toml")),
      /holds no __zshield\/package.toml/,
    ],
    [
      (tree: string) => fs.writeFileSync(join(tree, "__zshield/package.toml"), "format ="),
      /is not TOML/,
    ],
    [
      (tree: string) => fs.writeFileSync(join(tree, "__zshield/package.toml"), "format = 2"),
      /format: must be 1/,
    ],
    [
      (tree: string) =>
        fs.writeFileSync(
          join(tree, "__zshield/package.toml"),
          Buffer.from('format = 1\nversion = "1"\nstart = ["/usr/sbin/zfs", "\xff"]\n', "latin1"),
        ),
      /is not TOML: /,
    ],
    [
      (tree: string) =>
        fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.of(0xff)]), ""),
      /not UTF-8: \/\\xff/,
    ],
    [deepTree, /too long to be opened: \/d\/d\/d.{1,90}$/],
    [
      (tree: string) =>
        fs.mkdirSync(
          join(tree, "x".repeat(200), ...Array.from({ length: 5 }, () => "y".repeat(200))),
          { recursive: true },
        ),
      /^\/x{30,40}…y{30,40} is a path of more than 1024 bytes/,
    ],
  ] as [(tree: string) => unknown, RegExp][]) {
    // In memory: a disk takes long to remove 10,000 directories.
    const memory = fs.mkdtempSync("/dev/shm/zshield-pack-");
    const tree = makeTree(SMALL, place(memory));
    change(tree);
    assert.match(await refusal(pack(tree)), reason);
    assert.equal(fs.readdirSync(dirname(tree)), [NAME]);
    await command(["rm", "-rf", memory]);
  }
  const tree = makeTree(SMALL);
  assert.match(await refusal(packTree(tree, "zfs", `${tree}.img`, RULES)), /"zfs", column/);
  assert.match(
    await refusal(packTree(tree, NAME, join(tree, "x.img"), RULES)),
    /in the tree itself/,
  );
  assert.match(
    await refusal(packTree(`${tree}.none`, NAME, `${tree}.img`, RULES)),
    /is no directory/,
  );
});

/** 10,000 directories in each other, more than a path can say: made from the inside, 1,000 at a time. */
function deepTree(tree: string): void {
  const made = `${tree}/d`;
  fs.mkdirSync(made);
  for (let turn = 0; turn < 10; turn += 1) {
    const around = `${tree}/around`;
    const inner = join(around, ...Array.from({ length: 999 }, () => "d"));
    fs.mkdirSync(inner, { recursive: true });
    fs.renameSync(made, join(inner, "d"));
    fs.renameSync(around, made);
  }
}

test("something mounted in the tree is found, also behind a link that leads to the tree", async () => {
  const link = join(folder, "link");
  fs.symlinkSync("/", link);
  // Every Linux has something mounted there.
  assert.match(await refusal(readPackageTree(join(link, "dev"), RULES)), /is mounted at \/dev\//);
});

test("a socket is refused", async () => {
  const tree = makeTree(SMALL);
  const server = createServer().listen(join(tree, "s"));
  await new Promise((resolve) => server.once("listening", resolve));
  assert.match(await refusal(pack(tree)), /^\/s is a socket/);
  server.close();
});

const entry = { path: "/x", type: "file", mode: 0o644, uid: 0, gid: 0 } as const;
for (const [wrong, reason] of [
  [{ ...entry, type: "character", device: "0:0" }, /\/x is a whiteout/],
  [{ ...entry, xattrs: { "trusted.overlay.opaque": "eQ==" } }, /an order to an overlay/],
  [{ ...entry, xattrs: { "user.overlay.redirect": "eQ==" } }, /an order to an overlay/],
  [{ ...entry, xattrs: { "btrfs.compression": "eQ==" } }, /EROFS cannot hold it/],
  [{ ...entry, xattrs: { "user.x": Buffer.alloc(40_000).toString("base64") } }, /more than 32768/],
  [{ ...entry, path: `/${"€".repeat(342)}` }, /is a path of more than 1024 bytes/],
  [{ ...entry, xattrs: { [`user.${"x".repeat(256)}`]: "eQ==" } }, /its name is too long/],
  [{ ...entry, xattrs: { "user.x": Buffer.alloc(65_536).toString("base64") } }, /its value is too/],
  [{ ...entry, path: "/__zshield" }, /must be a directory/],
  [{ ...entry, path: "/__zshield/package.toml", type: "symlink" }, /package\.toml must be a file/],
] as [Entry, RegExp][]) {
  test(`an entry is refused: ${reason.source}`, async () => {
    assert.match(await refusal(() => checkEntries([wrong])), reason);
  });
}

test("what SELinux says of the machine that packs is left out", async () => {
  checkEntries([{ ...entry, xattrs: { "security.selinux": "eA==" } }]);
});

test("a file that changes while it is read, and a tree that gets another file, are noticed", async () => {
  const tree = makeTree({ ...SMALL, large: Buffer.alloc(64 * MIB, "l") });
  const meanwhile = async (act: () => void): Promise<string> => {
    const state = { isDone: false };
    const packing = refusal(pack(tree)).finally(() => (state.isDone = true));
    while (!state.isDone) {
      act();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return packing;
  };
  let second = 0;
  const touch = () => fs.utimesSync(join(tree, "large"), 1, (second += 1));
  assert.match(await meanwhile(touch), /large.* changed while it was packed|\/large has mtime/);
  let added = 0;
  const add = () => fs.writeFileSync(join(tree, `new-${(added += 1)}`), "");
  assert.match(await meanwhile(add), /the tree changed while it was packed: \/new-\d+ is new/);
  assert.equal(fs.readdirSync(dirname(tree)), [NAME]);
  // Without anybody at it, it is packed.
  assert.is(await refusal(pack(tree)), "nothing was refused");
  fs.rmSync(tree, { recursive: true });

  const short = makeTree(SMALL);
  const { entries } = await readPackageTree(short, RULES);
  const longer = entries.map((known) =>
    known.path === "/usr/sbin/zfs" ? { ...known, sizeBytes: 9000 } : known,
  );
  const handle = fs.openSync(join(folder, "short.img"), "w+");
  const write = writeErofs(handle, { root: short, entries: longer, epoch: EPOCH }, () =>
    "0".repeat(32),
  );
  assert.match(await refusal(write), /usr\/sbin\/zfs changed while it was packed/);
  // Nor is a file that has grown cut off.
  const shorter = entries.map((known) =>
    known.path === "/usr/sbin/zfs" ? { ...known, sizeBytes: 3 } : known,
  );
  const content = { root: short, entries: shorter, epoch: EPOCH };
  assert.match(
    await refusal(writeErofs(handle, content, () => "0".repeat(32))),
    /usr\/sbin\/zfs changed while it was packed/,
  );
  fs.closeSync(handle);
});

test("a file with the size and the time of before, and other bytes, is noticed; and one too large", async () => {
  const tree = makeTree({ ...SMALL, large: Buffer.alloc(64 * MIB, "l") });
  const large = join(tree, "large");
  fs.utimesSync(large, 1, 1);
  const { entries } = await readPackageTree(tree, RULES);
  const content = { root: tree, entries, epoch: EPOCH };
  const write = async (changed = content, act = () => undefined as void) => {
    const handle = fs.openSync(`${tree}.img`, "w+");
    const state = { isDone: false };
    const writing = refusal(writeErofs(handle, changed, () => "0".repeat(32)));
    void writing.finally(() => (state.isDone = true));
    while (!state.isDone) {
      act();
      await new Promise((resolve) => setImmediate(resolve));
    }
    fs.closeSync(handle);
    return writing;
  };
  const file = fs.openSync(large, "r+");
  const change = () => {
    fs.writeSync(file, "x", 0);
    fs.futimesSync(file, 1, 1);
  };
  assert.match(await write(content, change), /large changed while it was packed/);
  fs.closeSync(file);
  assert.is(await write(), "nothing was refused");
  const most = entries.map((one) => (one.path === "/large" ? { ...one, sizeBytes: 2 ** 44 } : one));
  assert.match(await write({ ...content, entries: most }), /the tree is larger than 16 TiB/);
  fs.rmSync(tree, { recursive: true });
});

test("a tree that is another one behind the packing is noticed, whatever of it changed", async () => {
  const place = makeTree({ ...SMALL, "etc/link": "→ there", "etc/other": "= usr/sbin/zfs" });
  const at = (name: string) => join(place, name);
  for (const [change, reason] of [
    [() => fs.chmodSync(at("usr/sbin/zfs"), 0o600), /\/(usr\/sbin\/zfs|etc\/other) has mode/],
    [() => fs.utimesSync(at("usr/sbin/zfs"), 5, 5), /has mtime/],
    [() => fs.appendFileSync(at("usr/sbin/zfs"), "x"), /has size/],
    [() => (fs.rmSync(at("etc/link")), fs.symlinkSync("here", at("etc/link"))), /link has target/],
    [() => fs.rmSync(at("etc/link")), /\/etc\/link is gone/],
    [
      () => (fs.rmSync(at("etc/other")), fs.mkdirSync(at("etc/other"))),
      /other is a directory, not a file/,
    ],
    [() => fs.writeFileSync(at("etc/new"), ""), /\/etc\/new is new/],
  ] as readonly (readonly [() => unknown, RegExp])[]) {
    const tree = await readPackageTree(place, RULES);
    await checkUnchanged(tree);
    change();
    assert.match(await refusal(checkUnchanged(tree)), reason);
  }
});

/** Somebody at the other end of a pipe, so late that one sees who waits for him. */
function lateWriter(path: string) {
  const [began, seconds] = [performance.now(), 20];
  const words = ["sh", "-c", `test -p "$0" && sleep ${seconds} && exec 3>"$0"`, path];
  const writer = Bun.spawn(words, { stdio: ["ignore", "ignore", "ignore"] });
  return { writer, isInTime: () => performance.now() - began < (seconds - 1) * 1000 };
}

test("a link, a pipe or a directory that takes the place of a file is neither packed nor waited for", async () => {
  const file = "usr/sbin/zfs";
  for (const replace of [
    (path: string) => fs.symlinkSync("/etc/passwd", path),
    (path: string) => fs.symlinkSync(`${path}.same`, path),
    (path: string) => Bun.spawnSync(["mkfifo", path]),
    (path: string) => fs.mkdirSync(path),
    () => undefined,
  ]) {
    const tree = makeTree(SMALL);
    const { entries } = await readPackageTree(tree, RULES);
    const path = join(tree, file);
    fs.renameSync(path, `${path}.same`);
    replace(path);
    const { writer, isInTime } = lateWriter(path);
    const handle = fs.openSync(`${tree}.img`, "w+");
    const writing = writeErofs(handle, { root: tree, entries, epoch: EPOCH }, () => "0".repeat(32));
    assert.match(await refusal(writing), /usr\/sbin\/zfs changed while it was packed/);
    assert.ok(isInTime(), "a pipe was waited for");
    fs.closeSync(handle);
    writer.kill("SIGKILL");
    await writer.exited;
  }
});

test("a blob gives the same image again, is the same each time, and nothing else is taken", async () => {
  const tree = makeTree(RICH);
  const { image } = await pack(tree);
  const blob = `${tree}.zst`;
  const record = await compressBlob(`${tree}.img`, blob);
  assert.is(record.sizeBytes, fs.statSync(blob).size);
  assert.is(record.sha256, digestOf(blob));
  assert.equal(await compressBlob(`${tree}.img`, `${blob}2`), record);
  await command(["zstd", "--quiet", "--test", "--memory=8MB", blob]);

  const wanted = { image, blob: record };
  await expandBlob({ name: blob, path: blob }, `${tree}.again`, wanted);
  assert.is(digestOf(`${tree}.again`), image.sha256);

  const bytes = fs.readFileSync(blob);
  const other = (await pack(makeTree(SMALL))).image;
  const away = `${tree}.away`;
  const flipped = bytes.map((byte, index) => (index === 5000 ? byte ^ 1 : byte));
  const { verity } = image;
  for (const [content, record, sentence] of [
    [bytes.subarray(0, -1), wanted, /cannot be unpacked|not the blob/],
    [bytes.subarray(0, 100), wanted, /cannot be unpacked/],
    [Buffer.concat([bytes, bytes]), wanted, /cannot be unpacked: something lies behind its frame/],
    [Buffer.concat([bytes, Buffer.of(0)]), wanted, /cannot be unpacked|not the blob/],
    [flipped, wanted, /cannot be unpacked|not the blob/],
    [bytes, { ...wanted, blob: { ...wanted.blob, sha256: "0".repeat(64) } }, /not the blob/],
    [bytes, { ...wanted, image: other }, /cannot be unpacked: its frame has \d+ bytes of content/],
    [bytes, { ...wanted, image: { ...image, sha256: "0".repeat(64) } }, /does not hold the image/],
    [bytes, withVerity({ rootHash: "0".repeat(64) }), /does not hold the image/],
    [bytes, withVerity({ salt: "0".repeat(64) }), /with the salt/],
  ] as const) {
    fs.writeFileSync(`${blob}3`, content);
    assert.match(
      await refusal(expandBlob({ name: "x", path: `${blob}3` }, away, record)),
      sentence,
    );
    assert.not.ok(fs.existsSync(away) || fs.existsSync(`${away}.part`));
  }
  function withVerity(change: Partial<typeof verity>) {
    return { ...wanted, image: { ...image, verity: { ...verity, ...change } } };
  }
});

test("the head of a blob: one frame of that size, without extras, within the window", () => {
  const size = 9 * MIB;
  const head = (flags: number, ...rest: number[]) =>
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, flags, ...rest]);
  const [small, large] = [Buffer.alloc(4), Buffer.alloc(8)];
  small.writeUInt32LE(size);
  large.writeBigUInt64LE(BigInt(size));
  const window = (log: number, part = 0) => ((log - 10) << 3) | part;
  for (const good of [
    head(0x80, window(23), ...small),
    head(0xc0, window(10, 7), ...large),
    head(0x80, window(22, 7), ...small),
  ]) {
    assert.is(faultOfFrame(good, size), undefined);
  }
  assert.is(faultOfFrame(head(0x20, 200), 200), undefined);
  assert.is(faultOfFrame(head(0x60, 0, 1), 512), undefined);
  for (const [bad, fault] of [
    [head(0x80, window(24), ...small), /asks for a window of 16 MiB, and 8 are granted/],
    [head(0x80, window(23, 1), ...small), /asks for a window of 9 MiB/],
    [head(0x80, window(41, 7), ...small), /asks for a window of \d+ MiB/],
    [head(0xa0, ...small), /asks for a window of 9 MiB/],
    [head(0x84, window(20), ...small), /a checksum or a dictionary/],
    [head(0x81, window(20), 1, ...small), /a checksum or a dictionary/],
    [head(0x88, window(20), ...small), /a checksum or a dictionary/],
    [head(0x00, window(20), 1, 2), /does not tell its size/],
    [head(0x80, window(20), 1, 2, 3), /does not tell its size/],
    [head(0x80, window(20), 1, 2, 3, 4), /has \d+ bytes of content/],
    [head(0x80), /no zstd frame/],
    [Buffer.from("no frame at all"), /no zstd frame/],
  ] as const) {
    assert.match(faultOfFrame(bad, size) ?? "", fault);
  }
});

test("a blob is one frame, whole, with nothing behind it, however it comes", async () => {
  const file = join(folder, "frame");
  // A block that is one byte many times, blocks that are compressed, and one that is not.
  const parts = [
    Buffer.alloc(300_000, "x"),
    Buffer.from("abc".repeat(70_000)),
    randomBytes(150_000),
  ];
  const content = Buffer.concat(parts);
  fs.writeFileSync(file, content);
  await compressFile(file, content.length, `${file}.zst`);
  const frame = fs.readFileSync(`${file}.zst`);
  const judge = async (bytes: Buffer, pieceBytes: number, size = content.length) => {
    const { write, end } = checkFrame(size);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      await write(bytes.subarray(at, at + pieceBytes));
    }
    await end();
  };
  const why = (...words: Parameters<typeof judge>) => judge(...words).then(() => "", String);
  const empty = zstdCompressSync(Buffer.alloc(0));
  const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0]);
  for (const pieceBytes of [1, 2, 3, 1000, MIB]) {
    assert.is(await why(frame, pieceBytes), "");
    for (const tail of [frame, empty, skipped, Buffer.alloc(1)]) {
      assert.match(await why(Buffer.concat([frame, tail]), pieceBytes), /lies behind its frame/);
    }
    assert.match(await why(frame.subarray(0, -1), pieceBytes), /its frame is cut off/);
  }
  for (let length = 0; length < 40; length += 1) {
    assert.match(await why(frame.subarray(0, length), MIB), /no zstd|its size|is cut off/);
  }
  const small = zstdCompressSync(Buffer.from("small"));
  assert.is(await why(small, 1, 5), "");
  small[6]! |= 6;
  assert.match(await why(small, 1, 5), /a block of its frame is damaged/);
  // No block is larger than 128 KiB.
  const block = Buffer.alloc(3);
  block.writeUIntLE((128 * KIB + 1) * 8 + 1, 0, 3);
  const large = Buffer.concat([small.subarray(0, 6), block, Buffer.alloc(128 * KIB + 1)]);
  assert.match(await why(large, MIB, 5), /a block of its frame is damaged/);
});

test("a frame that lies of its size is not expanded further, and a file that is another one not taken", async () => {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x80, (20 - 10) << 3, 200, 0, 0, 0]);
  /** One byte, so many times. */
  const blockOf = (count: number, isLast: boolean) => {
    const block = Buffer.alloc(4, "x");
    block.writeUIntLE(count * 8 + 2 + (isLast ? 1 : 0), 0, 3);
    return block;
  };
  const blocks = (count: number, sizeBytes: number) =>
    Array.from({ length: count }, (_, at) => blockOf(sizeBytes, at + 1 === count));
  const file = join(folder, "lying");
  const zeros = "0".repeat(64);
  for (const [frame, sha256, reason] of [
    [[head, ...blocks(2, 100)], sha256Of(Buffer.alloc(200, "x")), /^nothing/],
    [[head, ...blocks(2, 100)], zeros, /^x does not hold the file that was wanted/],
    [[head, ...blocks(2, 99)], zeros, /^x cannot be unpacked/],
    [[head, ...blocks(3, 100)], zeros, /^x cannot be unpacked/],
    // 32 MiB in 1 KiB.
    [[head, ...blocks(256, 128 * KIB)], zeros, /^x cannot be unpacked/],
    // All is there, but no end.
    [
      [head, blockOf(200, false)],
      sha256Of(Buffer.alloc(200, "x")),
      /^x cannot be unpacked: its frame is cut off/,
    ],
  ] as const) {
    const bytes = Buffer.concat(frame);
    fs.writeFileSync(file, bytes);
    const blob = { sha256: sha256Of(bytes), sizeBytes: bytes.length };
    const wanted = { sha256, sizeBytes: 200, blob };
    const out = join(folder, "lying.out");
    assert.match(await refusal(expandBlob({ name: "x", path: file }, out, wanted)), reason);
    assert.is(fs.existsSync(out), reason.source.startsWith("^nothing"));
    fs.rmSync(out, { force: true });
    // The same behind 4 GiB of a bundle, with more behind it.
    const handle = fs.openSync(file, "w");
    const position = 2 ** 32 + 512;
    fs.writeSync(handle, Buffer.concat([bytes, bytes]), 0, 2 * bytes.length, position);
    fs.closeSync(handle);
    const far = { name: "x", path: file, position };
    assert.match(await refusal(expandBlob(far, out, wanted)), reason);
    fs.rmSync(out, { force: true });
  }
});

test("a blob is the same however short the reads are", async () => {
  const file = join(folder, "pieces");
  const bytes = Buffer.from(
    Array.from({ length: 200_000 }, (_, at) => `${(at * 7919) % 1013} `).join(""),
  );
  fs.writeFileSync(file, bytes);
  const whole = await compressFile(file, bytes.length, `${file}.zst`);
  for (const length of [5000, 65_536, 3 * MIB]) {
    const cut = async function* () {
      for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
    };
    assert.equal(await compressPieces(cut(), bytes.length, `${file}.cut`), whole, `${length}`);
  }
});

test("a damaged image is refused whatever the byte, and its reader never falls over", async () => {
  const tree = makeTree({
    ...SMALL,
    "a/b/c": "→ d",
    "a/e": Buffer.alloc(9000, "e"),
    "a/f": "= a/e",
  });
  await pack(tree);
  const whole = fs.readFileSync(`${tree}.img`);
  const wanted = (await openImage(`${tree}.img`)).verity.rootHash;
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * below);
  };
  const file = `${tree}.damaged`;
  let taken = 0;
  for (let round = 0; round < 600; round += 1) {
    const bytes = Buffer.from(whole);
    // The superblock and the inodes are the first two blocks.
    const at = random(round % 2 === 0 ? bytes.length : 4096) + (round % 2 === 0 ? 0 : 4096);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    fs.writeFileSync(file, bytes);
    assert.is.not(await refusal(openImage(file, wanted)), "nothing was refused", `byte ${at}`);
    // As if somebody had made a hash tree for it.
    const handle = fs.openSync(file, "r");
    try {
      const files = openErofs(handle, readSuperblock(handle));
      await files.readEntries({ hash: true });
      files.readFile("__zshield/package.toml", 4096);
      taken += 1;
    } catch (error) {
      assert.instance(error, Refusal, `byte ${at}: ${String(error)}`);
    } finally {
      fs.closeSync(handle);
    }
  }
  assert.ok(taken > 100 && taken < 590, `${taken} were taken`);
  for (const length of [0, 1, 1024, 4096, whole.length - 4096, whole.length - 1]) {
    fs.writeFileSync(file, whole.subarray(0, length));
    assert.is.not(await refusal(openImage(file)), "nothing was refused", `${length} bytes`);
  }
  fs.writeFileSync(file, Buffer.concat([whole, Buffer.alloc(4096)]));
  assert.match(await refusal(openImage(file)), /bytes where its superblock asks for/);
});

test("sizes that point outside cost neither time nor memory", async () => {
  const file = join(folder, "huge.img");
  const superblock = {
    uuid: "0".repeat(32),
    rootNode: 128,
    inodes: 1,
    epoch: 0,
    blocks: 2 ** 32 - 1,
  };
  fs.writeFileSync(file, Buffer.concat([encodeSuperblock(superblock), Buffer.alloc(4096)]));
  assert.match(await refusal(openImage(file)), /has 8192 bytes where/);
  const handle = fs.openSync(file, "r");
  const files = openErofs(handle, readSuperblock(handle));
  assert.match(await refusal(files.readEntries({ hash: true })), /unknown type/);
  fs.closeSync(handle);
});

/** What its reader says of an image, whatever its hash tree says. */
async function entriesOf(bytes: Buffer): Promise<string> {
  const file = join(folder, "changed.img");
  fs.writeFileSync(file, bytes);
  const handle = fs.openSync(file, "r");
  const said = await refusal(() =>
    openErofs(handle, readSuperblock(handle)).readEntries({ hash: false }),
  );
  fs.closeSync(handle);
  return said;
}

test("an image in another form is refused: tails, types, counts, places, what is spare, the root hash", async () => {
  const tree = makeTree({
    ...SMALL,
    "usr/aa": null,
    "usr/bb": null,
    "usr/link": "→ where it leads",
    "usr/large": "l".repeat(20_000),
    "usr/older": "an older one",
    "usr/tail": "the tail of it",
  });
  fs.utimesSync(join(tree, "usr/tail"), EPOCH, EPOCH);
  fs.utimesSync(join(tree, "usr/older"), EPOCH, EPOCH - 5);
  const { image } = await pack(tree);
  const whole = fs.readFileSync(`${tree}.img`);
  assert.is(await entriesOf(whole), "nothing was refused");
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(whole);
    change(bytes);
    return entriesOf(bytes);
  };
  // A compact inode is 32 bytes, right in front of its tail.
  const inode = whole.indexOf("the tail of it") - 32;
  for (const size of [0, 4000, 4096]) {
    assert.match(
      await changed((bytes) => bytes.writeUInt32LE(size, inode + 8)),
      /the tail of a file lies in two blocks/,
      `${size}`,
    );
  }
  const number = Buffer.alloc(8);
  number.writeUInt32LE(inode / 32);
  const entry = whole.indexOf(number);
  assert.is(whole[entry + 10], 1);
  for (const type of [2, 7]) {
    assert.match(
      await changed((bytes) => bytes.writeUInt8(type, entry + 10)),
      /a directory lies about a type/,
    );
  }
  const block = whole.subarray(0, 4096);
  const superblock = decodeSuperblock(block);
  for (const inodes of [superblock.inodes - 1, superblock.inodes + 1]) {
    const other = encodeSuperblock({ ...superblock, inodes });
    assert.match(await changed((bytes) => other.copy(bytes)), /it counts its files wrongly/);
  }
  for (const [rootNode, reason] of [
    [0, /it points outside of itself/],
    [inode / 32, /a directory is none/],
  ] as const) {
    const other = encodeSuperblock({ ...superblock, rootNode });
    assert.match(await changed((bytes) => other.copy(bytes)), reason);
  }
  const names = whole.indexOf("...aabblargelinkoldersbintail");
  const start = names - 9 * 12;
  const aa = whole.subarray(start + 2 * 12, start + 2 * 12 + 8);
  for (const [change, reason] of [
    [(bytes) => aa.copy(bytes, start + 3 * 12), /a directory lies in two places/],
    [(bytes) => bytes.writeUInt16LE(12 * 100, start + 8), /a directory is damaged/],
    // Two names, and no room for the second.
    [(bytes) => bytes.writeUInt32LE(20, aa.readUInt32LE(0) * 32 + 8), /a directory is damaged/],
    [(bytes) => bytes.writeUInt8(0xff, names + 3), /a name is not UTF-8/],
    [(bytes) => bytes.writeUInt8(1, start + 11), /a directory is damaged, or another program/],
    [(bytes) => bytes.writeUInt8(1, 0), /its superblock is damaged/],
    // An inode with a time of its own has 64 bytes.
    [
      (bytes) => bytes.writeUInt32LE(2 ** 28, whole.indexOf("an older one") - 64 + 36),
      /a number is too large/,
    ],
    [(bytes) => bytes.writeUInt8(0xff, whole.indexOf("where it leads")), /a name is not UTF-8/],
  ] as readonly (readonly [(bytes: Buffer) => void, RegExp])[]) {
    assert.match(await changed(change), reason);
  }
  const handle = fs.openSync(`${tree}.img`, "r");
  const files = openErofs(handle, superblock);
  assert.is(files.readFile("usr/large", 20_000)?.length, 20_000);
  assert.match(await refusal(() => files.readFile("usr/large", 19_999)), /is too large/);
  fs.closeSync(handle);
  // A content behind 4 GiB.
  const largeNode = whole.readUInt32LE(start + 4 * 12);
  const far = Buffer.from(whole.subarray(0, superblock.blocks * 4096));
  const [from, to] = [far.readUInt32LE(largeNode * 32 + 16), 2 ** 20 + 10];
  far.writeUInt32LE(to, largeNode * 32 + 16);
  const wide = { ...superblock, blocks: 2 ** 20 + 100 };
  encodeSuperblock(wide).copy(far);
  const sparse = fs.openSync(join(folder, "far.img"), "w+");
  fs.writeSync(sparse, far, 0, far.length, 0);
  fs.writeSync(sparse, whole, from * 4096, 5 * 4096, to * 4096);
  fs.ftruncateSync(sparse, wide.blocks * 4096);
  const content = openErofs(sparse, readSuperblock(sparse)).readFile("usr/large", 20_000);
  assert.ok(content?.equals(Buffer.alloc(20_000, "l")));
  fs.closeSync(sparse);
  assert.is(hashTreeOf(wide).hashOffsetBytes, wide.blocks * 4096);
  // What a kernel does not look at.
  assert.match(await changed((bytes) => bytes.writeUInt8(1, inode + 28)), /an inode is damaged/);
  const { rootHash } = image.verity;
  assert.equal(identifyImage(`${tree}.img`, rootHash), image.verity);
  assert.match(
    await refusal(() => identifyImage(`${tree}.img`, "0".repeat(64))),
    /has the root hash .*, not 0{64}/,
  );
});

test("names lie in the order of their bytes, and paths have an end", async () => {
  const names = ["\u{1f4f7}", "\uff21", "a"];
  assert.equal(splitDirectory(names), [["a", "\uff21", "\u{1f4f7}"]]);
  const deep = Array.from({ length: 17 }, (_, at) => `/${"d".repeat(250)}`.repeat(at));
  const entries = deep.map((path): Entry => {
    return { path: path || "/", type: "directory", mode: 0o755, uid: 0, gid: 0 };
  });
  const file = join(folder, "deep.img");
  for (const [count, reason] of [
    [17, "nothing was refused"],
    [18, "a path is too long"],
  ] as const) {
    const more = { ...entries[0]!, path: `/${"d".repeat(250)}`.repeat(17) };
    const handle = fs.openSync(file, "w+");
    const content = { root: folder, entries: [...entries, more].slice(0, count), epoch: EPOCH };
    await writeErofs(handle, content, () => "0".repeat(32));
    fs.closeSync(handle);
    assert.ok((await entriesOf(fs.readFileSync(file))).includes(reason));
  }
});

test("an image cannot hold more than its size: neither names nor bytes count twice", async () => {
  const tree = makeTree({
    ...SMALL,
    ...Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`one/a name of a file ${at}`, ""]),
    ),
    ...Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`two/a name of a file ${at}`, ""]),
    ),
    "three/large": Buffer.alloc(9 * 4096, "l"),
    "three/other": Buffer.alloc(9 * 4096, "o"),
  });
  await pack(tree);
  const whole = fs.readFileSync(`${tree}.img`);
  assert.is(await entriesOf(whole), "nothing was refused");
  // Every compact inode of a large file says that all of the image is its own.
  const blocks = whole.readUInt32LE(1024 + 36);
  const claimed = Buffer.from(whole);
  let changed = 0;
  for (let at = 4096; at < blocks * 4096; at += 32) {
    if (whole.readUInt16LE(at) !== 0 || whole.readUInt32LE(at + 8) !== 9 * 4096) continue;
    claimed.writeUInt32LE(blocks * 4096, at + 8);
    claimed.writeUInt32LE(0, at + 16);
    changed += 1;
  }
  assert.is(changed, 2);
  assert.match(await entriesOf(claimed), /it holds more than its size/);
  // A name with a NUL in it, where it stands in the right order all the same.
  const name = "a name of a file 290";
  const cut = Buffer.from(whole);
  cut[whole.indexOf(name) + name.length - 1] = 0;
  assert.match(await entriesOf(cut), /a name is no name/);
});

test("tails of files share blocks: the image is hardly larger than what it holds", async () => {
  const sizes = Array.from({ length: 400 }, (_, index) => 200 + ((index * 977) % 3500));
  const files = Object.fromEntries(
    sizes.map((size, index) => [`file ${index}`, Buffer.alloc(size, "s")]),
  );
  const { image } = await pack(makeTree({ ...SMALL, ...files }));
  const bytes = sizes.reduce((sum, size) => sum + 64 + size, 0);
  const room = image.verity.hashOffsetBytes / bytes;
  assert.ok(room < 1.12, `${room} times as large`);
});

test("a tree with nothing but package.toml is a package", async () => {
  const tree = makeTree({ "__zshield/package.toml": 'format = 1\nversion = "1"\n' });
  await pack(tree);
  const image = await openImage(`${tree}.img`);
  const paths = (await image.files.readEntries({ hash: false })).map(({ path }) => path);
  image.close();
  assert.equal(paths, ["/", "/__zshield", "/__zshield/package.toml"]);
});

test("what takes the place of package.toml is neither opened nor waited for", async () => {
  for (const replace of [
    (path: string) => Bun.spawnSync(["mkfifo", path]),
    (path: string) => fs.symlinkSync("/dev/zero", path),
    (path: string) => fs.symlinkSync("package.toml.same", path),
    (path: string) => fs.mkdirSync(path),
    () => undefined,
  ]) {
    const path = join(makeTree(SMALL), "__zshield/package.toml");
    fs.renameSync(path, `${path}.same`);
    replace(path);
    const { writer, isInTime } = lateWriter(path);
    assert.match(await refusal(() => readOwnFile(path, "x")), /changed while it was packed/);
    assert.ok(isInTime(), "a pipe was waited for");
    writer.kill("SIGKILL");
    await writer.exited;
  }
});

test("package.toml may be as large as whoever reads it takes, and no larger", async () => {
  const text = 'format = 1\nversion = "1"\n';
  const most = makeTree({ "__zshield/package.toml": text.padEnd(65_536, "#") });
  await pack(most);
  (await openImage(`${most}.img`)).close();
  const more = makeTree({ "__zshield/package.toml": text.padEnd(65_537, "#") });
  assert.match(await refusal(pack(more)), /package\.toml has more than 65536 bytes/);
  assert.equal(fs.readdirSync(dirname(more)), [NAME]);
});

test("a sparse file of 256 MiB is packed; reading its image takes less than 128 MiB", async () => {
  const tree = makeTree(SMALL);
  const sparse = join(tree, "sparse");
  fs.writeFileSync(sparse, "begin");
  fs.truncateSync(sparse, 256 * MIB);
  const { image } = await pack(tree);
  assert.ok(image.sizeBytes > 256 * MIB);
  assert.ok(fs.statSync(`${tree}.img`).blocks * 512 < 32 * MIB, "the image has no holes");
  const { stdout, mib } = await peakOf(["package", "inspect", `${tree}.img`]);
  assert.match(stdout, new RegExp(image.verity.rootHash));
  assert.ok(mib < 128, `${mib} MiB`);
  fs.rmSync(tree, { recursive: true });
  fs.rmSync(`${tree}.img`);
});

test("whyNotSameEntry and the reader agree that an image is its tree", async () => {
  const tree = makeTree(SMALL);
  await pack(tree);
  const image = await openImage(`${tree}.img`);
  const found = await image.files.readEntries({ hash: true });
  image.close();
  const { entries } = await readPackageTree(tree, RULES);
  for (const [index, wanted] of entries.entries()) {
    assert.is(whyNotSameEntry({ ...found[index], sha256: undefined } as Entry, wanted), undefined);
  }
});

test.after(() => fs.rmSync(folder, { recursive: true, force: true }));
test.run();
