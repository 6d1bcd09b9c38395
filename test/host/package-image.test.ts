/*
 * Packages as this machine's kernel sees them: mounted, each entry is what it is in the tree, with owners, devices,
 * capabilities and lists of access; and an overlay of the tree gives the same bytes as the tree.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mountImage } from "../../src/bundle/mount.ts";
import { packTree } from "../../src/bundle/pack.ts";
import { readPackageTree } from "../../src/bundle/package-tree.ts";
import { mountPackage } from "../../src/commands/package.ts";
import { Refusal } from "../../src/errors.ts";
import { readTree } from "../../src/host/tree.ts";
import { printManifest } from "../../src/model/manifest.ts";
import { MIB } from "../../src/model/size.ts";
import { command } from "../lab/command.ts";
import { dropFolder, forgetMount, makeFolder, registerMount } from "../lab/scratch.ts";
import { needRoot } from "./need-root.ts";

needRoot();

const NAME = "zfs-1.0.8.1-7.2-000000";
const RULES = { ownerRoot: false };
const folder = makeFolder("package");
const tree = join(folder, NAME);
const image = `${tree}.img`;
const test = suite("package image");

test.before(async () => {
  for (const directory of ["__zshield", "usr/bin", "dev", "many"]) {
    mkdirSync(join(tree, directory), { recursive: true });
  }
  writeFileSync(join(tree, "__zshield/package.toml"), 'format = 1\nversion = "1"\n');
  const program = join(tree, "usr/bin/program");
  writeFileSync(program, Buffer.alloc(3 * MIB + 5, "program "));
  linkSync(program, join(tree, "usr/bin/other"));
  for (let number = 0; number < 2000; number += 1) {
    writeFileSync(join(tree, `many/a file with the number ${number}`), `${number}`);
  }
  chownSync(program, 70_000, 5);
  chmodSync(program, 0o4711);
  const capability = "0x0100000200200000000000000000000000000000";
  const list =
    "0x0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000500ffffffff";
  await command(["setfattr", "-n", "security.capability", "-v", capability, program]);
  await command(["setfattr", "-n", "user.note", "-v", "x".repeat(3000), program]);
  await command(["setfattr", "-n", "system.posix_acl_access", "-v", list, join(tree, "usr")]);
  await command(["setfattr", "-n", "system.posix_acl_default", "-v", list, join(tree, "usr")]);
  await command(["mknod", join(tree, "dev/null"), "c", "1", "3"]);
  await command(["mknod", join(tree, "dev/disk"), "b", "259", "1048575"]);
  await command(["mkfifo", join(tree, "pipe")]);
  await packTree(tree, NAME, image, RULES);
});

test.after(() => dropFolder(folder));

test("what is mounted is the tree", async () => {
  const at = join(folder, "mounted");
  mkdirSync(at);
  const { log } = console;
  console.log = () => undefined;
  try {
    await mountPackage(image, at, { noVerity: true, rootHash: undefined });
  } finally {
    console.log = log;
  }
  registerMount(at);
  const [found, wanted] = [
    await readTree(at, { hash: true }),
    await readTree(tree, { hash: true }),
  ];
  await command(["umount", at]);
  forgetMount(at);
  assert.is(printManifest(found), printManifest(wanted));
  // The loop device went with the mount.
  const { stdout } = await command(["losetup", "--associated", image]);
  assert.is(stdout, "");
});

test("what takes the image's place while it is checked is not mounted", async () => {
  const at = join(folder, "swapped");
  mkdirSync(at);
  // So large that others get a turn while it is checked.
  const large = join(folder, "large", NAME);
  cpSync(join(tree, "__zshield"), join(large, "__zshield"), { recursive: true });
  writeFileSync(join(large, "content"), Buffer.alloc(40 * MIB, "c"));
  const file = `${large}.img`;
  const { image: wanted } = await packTree(large, NAME, file, RULES);
  const other = `${file}.other`;
  cpSync(image, other);
  const mounting = mountPackage(file, at, { noVerity: true, rootHash: wanted.verity.rootHash });
  renameSync(other, file);
  const said = await mounting.then(() => "mounted", String);
  if (said === "mounted") await command(["umount", at]);
  assert.match(said, /is not the file any more that was checked/);
  const { stdout } = await command(["losetup", "--associated", file]);
  assert.is(stdout, "");
});

test("what the kernel does not mount is told in its words, and leaves no loop device", async () => {
  const file = join(folder, "zeros.img");
  const at = join(folder, "not-mounted");
  writeFileSync(file, Buffer.alloc(MIB));
  mkdirSync(at);
  const handle = openSync(file, "r");
  const hash = "0".repeat(64);
  const blocks = { hashOffsetBytes: MIB, blockBytes: 4096, dataBlocks: 256 } as const;
  const verity = { rootHash: hash, salt: hash, ...blocks };
  const error = await mountImage(file, at, verity, handle).catch((thrown) => thrown);
  closeSync(handle);
  assert.instance(error, Refusal);
  assert.match(error.message, /zeros\.img could not be mounted: .*mount: /);
  assert.match(error.hint, /nothing is mounted/);
  assert.not.match((await command(["losetup", "--list"])).stdout, /zeros\.img/);
});

test("an overlay of the tree gives the same bytes", async () => {
  const at = join(folder, "overlay");
  const layers = { lowerdir: tree, upperdir: join(folder, "upper"), workdir: join(folder, "work") };
  for (const directory of [at, layers.upperdir, layers.workdir]) mkdirSync(directory);
  const options = Object.entries(layers).map(([key, value]) => `${key}=${value}`);
  await command(["mount", "-t", "overlay", "-o", options.join(","), "overlay", at]);
  registerMount(at);
  // One file is copied up, and so has another inode in another layer.
  const [file] = ["many/a file with the number 7"];
  await command(["cp", "--archive", join(at, file ?? ""), join(at, "copy")]);
  await command(["mv", join(at, "copy"), join(at, file ?? "")]);
  const other = join(folder, "other.img");
  await packTree(at, NAME, other, RULES);
  await command(["umount", at]);
  forgetMount(at);
  assert.ok(readFileSync(image).equals(readFileSync(other)), "the images differ");
});

test("files are other names of one another by the whole of a number of 64 bits", async () => {
  const [lower, at] = [join(folder, "lower"), join(folder, "xino")];
  for (const directory of [lower, at]) mkdirSync(directory);
  await command(["mount", "-t", "tmpfs", "tmpfs", lower]);
  registerMount(lower);
  mkdirSync(join(lower, "tree"));
  for (const name of ["a", "b", "c"]) {
    writeFileSync(join(lower, "tree", name), name);
    linkSync(join(lower, "tree", name), join(lower, "tree", `${name}-too`));
  }
  // The two layers are of two file systems: the lower one's numbers get high bits.
  const layers = { lowerdir: join(lower, "tree"), upperdir: join(folder, "x-upper") };
  for (const directory of [layers.upperdir, join(folder, "x-work")]) mkdirSync(directory);
  const options = `lowerdir=${layers.lowerdir},upperdir=${layers.upperdir},workdir=${join(folder, "x-work")},xino=on`;
  await command(["mount", "-t", "overlay", "-o", options, "overlay", at]);
  registerMount(at);
  const { ino } = lstatSync(join(at, "a"), { bigint: true });
  const links = (await readTree(at, { hash: true })).map(({ path, link }) => [path, link]);
  for (const place of [at, lower]) {
    await command(["umount", place]);
    forgetMount(place);
  }
  assert.ok(BigInt.asUintN(64, ino) > 2n ** 53n, "the numbers are small");
  assert.equal(links, [
    ["/", undefined],
    ...["a", "b", "c"].flatMap((name) => [
      [`/${name}`, undefined],
      [`/${name}-too`, `/${name}`],
    ]),
  ]);
});

test("attributes that only root sees are left with --owner-root, which anybody may use, and kept without", async () => {
  const small = join(folder, "small", NAME);
  cpSync(join(tree, "__zshield"), join(small, "__zshield"), { recursive: true });
  mkdirSync(join(small, "usr/sbin"), { recursive: true });
  writeFileSync(join(small, "usr/sbin/zfs"), "a program");
  const forAnybody = { ownerRoot: true, epoch: 1_700_000_000 };
  const pack = () => packTree(small, NAME, `${small}.img`, forAnybody);
  const plain = await pack();
  for (const path of ["usr/sbin", "usr/sbin/zfs"]) {
    await command(["setfattr", "--name=trusted.note", "--value=x", join(small, path)]);
    await command(["setfattr", "--name=user.note", "--value=y", join(small, path)]);
    // What this machine says of its own is nobody's.
    for (const name of ["security.evm", "security.selinux"]) {
      await command(["setfattr", `--name=${name}`, "--value=0x0102", join(small, path)]);
    }
  }
  const namesOf = async (ownerRoot: boolean) => {
    const { entries } = await readPackageTree(small, { ...forAnybody, ownerRoot });
    return entries.flatMap(({ xattrs }) => Object.keys(xattrs ?? {}));
  };
  assert.equal(await namesOf(true), ["user.note", "user.note"]);
  assert.equal(await namesOf(false), ["trusted.note", "user.note", "trusted.note", "user.note"]);
  for (const path of ["usr/sbin", "usr/sbin/zfs"]) {
    await command(["setfattr", "--remove=user.note", join(small, path)]);
  }
  assert.equal((await pack()).image, plain.image);
});

test("something mounted in the tree is refused", async () => {
  const copy = join(folder, "copy", NAME);
  cpSync(join(tree, "__zshield"), join(copy, "__zshield"), { recursive: true });
  const at = join(copy, "a b");
  mkdirSync(at);
  await command(["mount", "-t", "tmpfs", "tmpfs", at]);
  registerMount(at);
  const said = await packTree(copy, NAME, join(folder, "no.img"), RULES).catch(String);
  await command(["umount", at]);
  forgetMount(at);
  assert.match(String(said), /something is mounted at .*a b: a package is one file system/);
});

test.run();
