/*
 * What `package mount` asks of losetup, dmsetup and mount, and what it takes back, in which order: on a machine whose kernel
 * has no device-mapper too, since the programs are stand-ins that write down their words.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mountImage } from "../../src/bundle/mount.ts";
import { packTree } from "../../src/bundle/pack.ts";
import { EXIT, messageOf } from "../../src/errors.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { needRoot } from "./need-root.ts";

needRoot();

const test = suite("package mount");
const MAIN = join(import.meta.dir, "../../src/main.ts");
const NAME = "zfs-1.0.8.1-7.2-000000";
const LOOP = "loop77";
const PROGRAMS = ["losetup", "dmsetup", "udevadm", "mount"];
const folder = makeFolder("package-mount");
const at = (...parts: string[]) => join(folder, ...parts);
const LOG = at("log");
const IMAGE = at("image");
test.after(() => dropFolder(folder));

let rootHash = "";
let salt = "";
let dataBlocks = 0;

test.before(async () => {
  for (const program of PROGRAMS) {
    const lines = [
      "#!/bin/sh",
      `echo "${program} $*" >> ${LOG}`,
      `if grep -q "^${program} $1\\$" ${at("failing")}; then echo "it is broken" >&2; exit 32; fi`,
      ...(program === "losetup" ? [`[ "$1" != --find ] || echo /dev/${LOOP}`] : []),
    ];
    writeFileSync(at(program), `${lines.join("\n")}\n`, { mode: 0o755 });
  }
  mkdirSync(at(NAME, "__zshield"), { recursive: true });
  mkdirSync(at("place"));
  writeFileSync(at(NAME, "__zshield/package.toml"), 'format = 1\nversion = "1"\n');
  writeFileSync(at(NAME, "content"), "x".repeat(20_000));
  const { image } = await packTree(at(NAME), NAME, IMAGE, { ownerRoot: true });
  ({ rootHash, salt, dataBlocks } = image.verity);
});

/** `failing`: a program and its first word. */
async function mounted(words: readonly string[], failing = "") {
  rmSync(LOG, { force: true });
  writeFileSync(at("failing"), `${failing}\n`);
  const script =
    `for name in ${PROGRAMS.join(" ")}; do mount --bind "$1/$name" "$(command -v $name)" || exit 99; done; ` +
    'shift; exec "$@"';
  const argv = ["unshare", "--mount", "sh", "-c", script, "sh", folder, process.execPath, MAIN];
  const child = Bun.spawn([...argv, "package", "mount", IMAGE, ...words], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, HOME: folder },
  });
  const stderr = await new Response(child.stderr).text();
  const log = existsSync(LOG) ? readFileSync(LOG, "utf8").trimEnd().split("\n") : [];
  return { code: await child.exited, stderr, log };
}

const mapping = () => `zshield-package-${rootHash.slice(0, 16)}-${LOOP}`;
const begun = () => [
  "dmsetup version",
  `losetup --find --show --read-only ${IMAGE}`,
  `dmsetup create ${mapping()} --readonly --table 0 ${dataBlocks * 8} verity 1 /dev/${LOOP} /dev/${LOOP} 4096 4096 ` +
    `${dataBlocks} ${dataBlocks} sha256 ${rootHash} ${salt || "-"}`,
];
const mountWords = () => [
  "udevadm settle --timeout=30",
  `mount -t erofs -o ro,nodev,nosuid /dev/mapper/${mapping()} ${at("place")}`,
];
const ended = () => [`dmsetup remove --deferred ${mapping()}`, `losetup --detach /dev/${LOOP}`];

test("the kernel checks each block of the image that was meant, and nobody can write", async () => {
  const { code, stderr, log } = await mounted([at("place"), "--root-hash", rootHash]);
  assert.is(code, 0, stderr);
  assert.equal(log, [...begun(), ...mountWords(), ...ended()]);
});

test("what was begun is taken back when a step fails", async () => {
  const failed = await mounted([at("place")], "mount -t");
  assert.is(failed.code, EXIT.refused);
  assert.match(failed.stderr, /image could not be mounted: it is broken/);
  assert.equal(failed.log, [...begun(), ...mountWords(), ...ended()]);
  const unmapped = await mounted([at("place")], "dmsetup create");
  assert.is(unmapped.code, EXIT.refused);
  assert.match(unmapped.stderr, /it is broken/);
  assert.equal(unmapped.log, [...begun(), ended()[1]]);
});

test("nothing is begun for another image, without device-mapper, or over files", async () => {
  const other = await mounted([at("place"), "--root-hash", "0".repeat(64)]);
  assert.is(other.code, EXIT.refused);
  assert.match(other.stderr, new RegExp(rootHash));
  assert.equal(other.log, ["dmsetup version"]);
  const unchecked = await mounted([at("place"), "--root-hash", "0".repeat(64), "--no-verity"]);
  assert.is(unchecked.code, EXIT.refused);
  assert.equal(unchecked.log, []);
  const none = await mounted([at("place")], "dmsetup version");
  assert.is(none.code, EXIT.refused);
  assert.match(none.stderr, /no device-mapper(.|\n)*--no-verity/);
  assert.equal(none.log, ["dmsetup version"]);
  for (const place of [at("nowhere"), at(NAME)]) {
    const { code, stderr, log } = await mounted([place]);
    assert.is(code, EXIT.refused);
    assert.match(stderr, new RegExp(`${basename(place)} is no empty directory`));
    assert.equal(log, ["dmsetup version"]);
  }
});

test("without verity the loop device is mounted only if it has the file that was checked", async () => {
  // The stand-in says nothing of the file behind the device.
  const { code, stderr, log } = await mounted([at("place"), "--no-verity"]);
  assert.is(code, EXIT.refused);
  assert.match(stderr, /is not the file any more that was checked/);
  assert.equal(
    log.map((line) => line.split(" ").slice(0, 2).join(" ")),
    ["losetup --find", "losetup --list", "losetup --detach"],
  );
});

test("only root can mount", async () => {
  const { getuid } = process;
  process.getuid = () => 1000;
  try {
    const verity = {
      ...{ rootHash, salt, dataBlocks },
      ...{ hashOffsetBytes: dataBlocks * 4096, blockBytes: 4096 as const },
    };
    const said = await mountImage(at("nowhere"), dirname(IMAGE), verity, undefined).catch(
      messageOf,
    );
    assert.is(said, "only root can mount");
  } finally {
    if (getuid) process.getuid = getuid;
  }
});

test.run();
