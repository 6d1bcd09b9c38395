/*
 * The difference between two bundles: it carries what is new and no more, makes the very bytes that the vendor signed, and one
 * that was touched, or made by a liar, is refused by name and leaves nothing behind.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { applyDelta, type ApplyTargets } from "../../src/bundle/delta-apply.ts";
import { makeDelta } from "../../src/bundle/delta-make.ts";
import { readDelta, readDeltaFront, readParts } from "../../src/bundle/delta-read.ts";
import { sha256Of } from "../../src/bundle/oci.ts";
import { expandContent, openBundle } from "../../src/bundle/open.ts";
import { filePieces, makeReader } from "../../src/bundle/pieces.ts";
import { lockKey } from "../../src/bundle/secret-key.ts";
import { openSigned, signBundle, type SignedBundle } from "../../src/bundle/signed.ts";
import { entryBytes } from "../../src/bundle/tar.ts";
import { writeBundle } from "../../src/bundle/write.ts";
import { DELTA_FILE, newContents, printDelta } from "../../src/model/bundle-delta.ts";
import { listContents } from "../../src/model/bundle-manifest.ts";
import { chainOf, extendChain } from "../../src/model/chain.ts";
import { Refusal } from "../../src/errors.ts";
import { LEAST, printPublicKey, printPublicKeyFile } from "../../src/model/minisign.ts";
import { MIB } from "../../src/model/size.ts";
import { of, packageOf } from "./bundle-example.ts";
import {
  buildExample,
  deltaOf,
  entriesOf,
  KEY,
  listing,
  NEW,
  OLD,
  refusalWhile,
  tarOf,
  withPart,
} from "./delta-example.ts";
import { keyOf } from "./key-example.ts";
import { peakOf } from "./peak.ts";
import { makeDifference } from "../../src/bundle/zdiff/make.ts";
import { noise, programOfFunctions } from "./zdiff-example.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const scratch = mkdtempSync(join(tmpdir(), "zshield-delta-"));
test.after(() => rmSync(scratch, { recursive: true }));
const at = (...parts: string[]) => join(scratch, ...parts);
const UPD = at("video.upd");
const QUIET = { keys: undefined, onStart: () => undefined, onDecision: () => undefined };

const older = await buildExample(at("old"), 17, OLD);
const newer = await buildExample(at("new"), 18, NEW);
const made = await makeDelta(older, newer, UPD, QUIET);
const bytes = readFileSync(UPD);
const entries = entriesOf(bytes);
const frontBytes = entries
  .slice(0, 4)
  .reduce((sum, entry) => sum + entryBytes(entry.bytes.length), 0);
const options = { name: "x.upd", older: made.older, keys: undefined };

const read = (stream: Uint8Array) => readDelta(of(stream), options);
const whyRefused = (stream: Uint8Array) => refusalWhile(() => read(stream));

function apply(path: string, targets: Partial<ApplyTargets>, old = older): Promise<SignedBundle> {
  return applyDelta(
    old,
    path,
    { out: undefined, images: undefined, ...targets },
    { keys: undefined, onManifest: () => undefined, onContent: () => undefined },
  );
}

/** Applied from a file, to both targets: why not, and that there is nothing new then. */
async function whyNotApplied(stream: Uint8Array, old = older): Promise<string> {
  const folder = at("hostile");
  mkdirSync(join(folder, "there"), { recursive: true });
  writeFileSync(join(folder, "x.upd"), stream);
  const before = listing(folder);
  const targets = { out: join(folder, "made.upt"), images: join(folder, "there/and/deeper") };
  const why = await refusalWhile(() => apply(join(folder, "x.upd"), targets, old));
  assert.equal(listing(folder), before, why);
  rmSync(folder, { recursive: true });
  return why;
}

async function zshield(...words: readonly string[]) {
  const child = Bun.spawn([process.execPath, MAIN, "bundle", ...words], {
    cwd: scratch,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

test("what is new is carried, by a difference where that is smaller", () => {
  const found = made.decisions.map(({ name, before, method }) => [name, before, method]);
  assert.equal(found, [
    ["vmlinuz", "vmlinuz", "zdiff1"],
    ["zfs-1.0.8.1-7.3-000000", "zfs-1.0.8.1-7.2-000000", "zdiff1"],
    ["nvr-1.0.8.1-7.3-000001", undefined, "unchanged"],
    ["onvif-1.0.8.1-8.1-000040", undefined, "full"],
  ]);
  const [kernel, zfs, nvr, onvif] = made.decisions;
  assert.ok(kernel && kernel.carriedBytes < 200, JSON.stringify(kernel));
  assert.ok(zfs && zfs.carriedBytes < 300 && zfs.wholeBytes > 1000, JSON.stringify(zfs));
  assert.is(nvr?.carriedBytes, 0);
  assert.is(onvif?.carriedBytes, onvif?.wholeBytes);
  assert.is(made.sizeBytes, bytes.length);
  assert.not.ok(readdirSync(scratch).some((name) => name.includes(".part")));
});

test("the command line: the table, the same as JSON, the bundle byte for byte, images by digest", async () => {
  const again = at("again.upd");
  const table = await zshield("delta", older, newer, again);
  assert.is(table.code, 0, table.stderr);
  assert.match(
    table.stdout,
    /^ +\d+ +\d+ {2}zdiff1 {5}zfs-1\.0\.8\.1-7\.2-000000 → zfs-1\.0\.8\.1-7\.3-000000$/m,
  );
  assert.match(table.stdout, /^ +0 +\d+ {2}unchanged {2}nvr-1\.0\.8\.1-7\.3-000001$/m);
  assert.match(table.stdout, /^.*again\.upd: .*, [0-9.]+ % of the whole bundle's/m);
  assert.ok(readFileSync(again).equals(bytes), "the same inputs give the same difference");
  assert.match(table.stdout, /^signed by .*, to whom the old one's last key leads, which nobody/m);
  assert.match((await zshield("delta", older, newer, again)).stderr, /is there already/);
  rmSync(again);
  const json = JSON.parse((await zshield("delta", older, newer, again, "--json")).stdout);
  assert.equal(json.decisions, JSON.parse(JSON.stringify(made.decisions)));
  assert.equal([json.old.release, json.new.release, json.sizeBytes], [17, 18, bytes.length]);

  writeFileSync(at("vendor.pub"), printPublicKeyFile(KEY));
  const words = ["--out", at("applied.upt"), "--images", at("images"), "--key", at("vendor.pub")];
  const applied = await zshield("apply-delta", older, again, ...words);
  assert.is(applied.code, 0, applied.stderr);
  assert.ok(readFileSync(at("applied.upt")).equals(readFileSync(newer)));
  const contents = listContents(made.newer.manifest).map(({ sha256 }) => sha256);
  assert.equal(readdirSync(at("images")).toSorted(), contents.toSorted());
  for (const digest of contents) {
    assert.is(sha256Of(readFileSync(at("images", digest))), digest);
  }
  assert.is((await zshield("apply-delta", older, again)).code, 2);
  const strange = at("strange.pub");
  writeFileSync(strange, printPublicKeyFile(keyOf(9)));
  const refused = await zshield("apply-delta", older, again, "--out", "x.upt", "--key", strange);
  assert.is(refused.code, 3);
  assert.match(refused.stderr, /does not lead here/);
});

test("images that are there are kept; the bundle alone needs no directory", async () => {
  await apply(UPD, { images: at("twice") });
  const before = listing(at("twice"));
  await apply(UPD, { images: at("twice"), out: at("twice.upt") });
  assert.equal(listing(at("twice")), before);
  await apply(UPD, { out: at("alone.upt") });
  for (const name of ["twice.upt", "alone.upt"]) {
    assert.ok(readFileSync(at(name)).equals(readFileSync(newer)), name);
    assert.not.ok(readdirSync(scratch).some((file) => file.startsWith(`${name}.`)));
  }
  const image = at("twice", made.newer.manifest.platforms[0]?.packages[0]?.image.sha256 ?? "");
  writeFileSync(image, noise(1, 100));
  assert.match(
    await refusalWhile(() => apply(UPD, { images: at("twice") })),
    /is not what its name says/,
  );
});

test("what another run put there meanwhile is not replaced, and stays when this one fails", async () => {
  const folder = at("meanwhile");
  const images = join(folder, "images");
  mkdirSync(images, { recursive: true });
  const contents = listContents(made.newer.manifest);
  const theirs = async (index: number) => {
    const { sha256 = "" } = contents[index] ?? {};
    writeFileSync(join(images, sha256), readFileSync(at("images", sha256)));
  };
  const out = join(folder, "made.upt");
  const whileMaking = (act: (index: number) => Promise<void> | void) => {
    let count = 0;
    return applyDelta(
      older,
      UPD,
      { out, images },
      {
        ...{ keys: undefined, onManifest: () => undefined },
        onContent: () => void act(count++),
      },
    );
  };
  // One that is right is as good as our own; a bundle is nobody else's.
  const why = await refusalWhile(() =>
    whileMaking((index) => {
      if (index === 1) void theirs(1);
      if (index === 2) writeFileSync(out, "of another");
    }),
  );
  assert.match(why, /made\.upt is there already/);
  assert.is(readFileSync(out, "utf8"), "of another");
  assert.equal(readdirSync(images), [contents[1]?.sha256]);
  rmSync(out);
  // And one that is wrong is told of, and left.
  const wrong = join(images, contents[2]?.sha256 ?? "");
  const told = await refusalWhile(() =>
    whileMaking((index) => {
      if (index === 2) writeFileSync(wrong, "wrong");
    }),
  );
  assert.match(told, /is not what its name says/);
  assert.is(readFileSync(wrong, "utf8"), "wrong");
  assert.is(readdirSync(images).length, 2);
  assert.not.ok(existsSync(out));
  rmSync(folder, { recursive: true });
});

test("both ways one image at a time is worked on: what it needed is gone before the next", async () => {
  const folder = at("room");
  mkdirSync(folder);
  const helpers = () =>
    readdirSync(folder, { recursive: true })
      .map(String)
      .filter((name) => /\.(old|new|again|part)$|\/(content|blob)$/.test(name));
  const seen: string[][] = [];
  const look = () => void seen.push(helpers());
  const file = join(folder, "x.upd");
  await makeDelta(older, newer, file, { ...QUIET, onDecision: look });
  for (const target of ["images", "out"] as const) {
    await applyDelta(
      older,
      file,
      { out: undefined, images: undefined, [target]: join(folder, target) },
      { keys: undefined, onManifest: () => undefined, onContent: look },
    );
  }
  assert.is(seen.length, 12);
  assert.equal(seen.flat(), []);
  rmSync(folder, { recursive: true });
});

test("a directory that was made for images goes when it fails, and stays with what somebody else put there", async () => {
  const folder = at("whose");
  const images = join(folder, "deep", "images");
  mkdirSync(folder);
  const failing = (act: () => void) => {
    let count = 0;
    const onContent = () => {
      if (count++ === 0) act();
      else throw new Refusal("enough");
    };
    const asked = { keys: undefined, onManifest: () => undefined, onContent };
    return refusalWhile(() => applyDelta(older, UPD, { out: undefined, images }, asked));
  };
  assert.match(await failing(() => undefined), /enough/);
  assert.equal(readdirSync(folder), []);
  assert.match(await failing(() => writeFileSync(join(folder, "deep", "own"), "mine")), /enough/);
  assert.equal(listing(folder).length, 2);
  assert.is(readFileSync(join(folder, "deep", "own"), "utf8"), "mine");
  // One that was there with content: as it was, but for a time.
  mkdirSync(join(images, "own"), { recursive: true });
  writeFileSync(join(images, "own", "file"), "mine");
  symlinkSync("nowhere", join(images, "link"));
  const before = listing(folder);
  assert.match(await failing(() => undefined), /enough/);
  assert.equal(listing(folder), before);
  rmSync(folder, { recursive: true });
});

test("two at once do not spoil each other", async () => {
  const folder = at("both");
  mkdirSync(at("both"));
  const images = join(folder, "images");
  await Promise.all([
    apply(UPD, { images, out: join(folder, "a.upt") }),
    apply(UPD, { images, out: join(folder, "b.upt") }),
  ]);
  const makings = [1, 2].map(() => makeDelta(older, newer, join(folder, "a.upd"), QUIET));
  const outcomes = await Promise.all(makings.map((making) => making.then(() => "", String)));
  assert.match(outcomes.toSorted().join(" "), /^ Refusal: .*a\.upd is there already$/);
  for (const name of ["a.upt", "b.upt"]) {
    assert.ok(readFileSync(join(folder, name)).equals(readFileSync(newer)), name);
  }
  assert.ok(readFileSync(join(folder, "a.upd")).equals(bytes));
  assert.equal(readdirSync(folder).toSorted(), ["a.upd", "a.upt", "b.upt", "images"]);
  assert.is(readdirSync(images).length, listContents(made.newer.manifest).length);
  rmSync(folder, { recursive: true });
});

test("cut off at each byte: refused by name", async () => {
  const front = await readDeltaFront(makeReader(of(bytes)), options);
  for (let length = 0; length < bytes.length; length += 1) {
    // In front of the parts a whole reading; behind, what was read in front is always the same.
    const why =
      length < frontBytes
        ? await whyRefused(bytes.subarray(0, length))
        : await refusalWhile(() =>
            readParts(makeReader(of(bytes.subarray(frontBytes, length))), front, options),
          );
    assert.match(why, /x\.upd (is cut off|is empty)/, `after ${length} bytes`);
  }
});

test("a bit of each byte: refused by name", async () => {
  const front = await readDeltaFront(makeReader(of(bytes)), options);
  const rest = bytes.subarray(frontBytes);
  for (let index = 0; index < bytes.length; index += 1) {
    const bit = 1 << (index % 8);
    bytes[index]! ^= bit;
    const why =
      index < frontBytes
        ? await whyRefused(bytes)
        : await refusalWhile(() => readParts(makeReader(of(rest)), front, options));
    bytes[index]! ^= bit;
    assert.match(why, /x\.upd/, `byte ${index}`);
  }
});

test("damaged files leave nothing behind", async () => {
  for (let count = 0; count < 12; count += 1) {
    const index = Math.floor((bytes.length * (count + 0.5)) / 12);
    assert.match(await whyNotApplied(bytes.subarray(0, index)), /x\.upd is cut off/);
    const flipped = Buffer.from(bytes);
    flipped[index]! ^= 4;
    assert.match(await whyNotApplied(flipped), /x\.upd/);
  }
  for (const tail of [Buffer.alloc(1), Buffer.alloc(512), bytes]) {
    assert.match(await whyNotApplied(Buffer.concat([bytes, tail])), /goes on behind its end/);
  }
  const open = bytes.subarray(0, -1024);
  assert.match(
    await whyNotApplied(Buffer.concat([open, bytes])),
    /has "delta\.json" behind its last part/,
  );
});

test("entries that are missing, there twice, strange or in another order: refused by name", async () => {
  for (const [index, { name }] of entries.entries()) {
    const without = tarOf(entries.filter((_, other) => other !== index));
    assert.match(await whyRefused(without), /x\.upd/, `without ${name}`);
    const twice = tarOf(
      entries.flatMap((entry, other) => (other === index ? [entry, entry] : entry)),
    );
    assert.match(await whyRefused(twice), /x\.upd/, `${name} twice`);
    for (const strange of ["../../etc/passwd", "/etc/passwd", "blobs/sha256/../../x", "./x"]) {
      const extra = { name: strange, bytes: Buffer.from("x") };
      const why = await whyNotApplied(
        tarOf([...entries.slice(0, index), extra, ...entries.slice(index)]),
      );
      assert.ok(why.includes(JSON.stringify(strange)), `${strange} before ${name}: ${why}`);
      const renamed = await whyRefused(tarOf(entries.with(index, { ...extra })));
      assert.ok(renamed.includes(JSON.stringify(strange)), `${strange} for ${name}: ${renamed}`);
    }
    const [first, next] = [entries[index], entries[index + 1]];
    if (!first || !next) continue;
    const swapped = tarOf([...entries.slice(0, index), next, first, ...entries.slice(index + 2)]);
    assert.match(await whyRefused(swapped), /x\.upd/, `${name} behind the next one`);
  }
});

test("delta.json says what leads from the one to the other, or is refused", async () => {
  const delta = deltaOf(entries);
  const [kernel, zfs, onvif] = delta.parts;
  if (!kernel || !zfs || !onvif) throw new Error("three parts are needed");
  const zeros = "0".repeat(64);
  const cases: [unknown, RegExp][] = [
    [{ ...delta, old: zeros }, /is for another bundle/],
    [{ ...delta, format: 2 }, /made by a newer zshield/],
    [{ ...delta, parts: [kernel, zfs] }, /part 3, of onvif-.*, is missing/],
    [{ ...delta, parts: [zfs, kernel, onvif] }, /part 1, of vmlinuz, makes/],
    [{ ...delta, parts: [kernel, zfs, onvif, onvif] }, /has 4 parts, where 3 are needed/],
    [{ ...delta, parts: [...delta.parts, ...delta.parts] }, /longer than what it can have/],
    [{ ...delta, parts: [kernel, { ...zfs, from: zeros }, onvif] }, /the older bundle has not/],
    [
      { ...delta, parts: [kernel, { ...zfs, sizeBytes: 1e9 }, onvif] },
      /not smaller than the whole/,
    ],
    [
      { ...delta, parts: [kernel, { ...zfs, sizeBytes: made.decisions[1]?.wholeBytes }, onvif] },
      /not smaller than the whole/,
    ],
    [{ ...delta, parts: [kernel, zfs, { ...onvif, sha256: zeros }] }, /is not the blob/],
    [{ ...delta, parts: [kernel, zfs, { ...onvif, sizeBytes: 2 ** 52 }] }, /is not the blob/],
    [{ ...delta, parts: [kernel, zfs, { ...onvif, method: "xdelta3" }] }, /newer zshield/],
    [{ ...delta, parts: [kernel, zfs, { ...onvif, from: zeros }] }, /no such key/],
    [{ parts: delta.parts, format: 1, old: delta.old }, /one form/],
    [{ ...delta, more: 1 }, /no such key/],
    ["", /delta\.json/],
  ];
  for (const [value, reason] of cases) {
    const json = { name: DELTA_FILE, bytes: Buffer.from(JSON.stringify(value)) };
    assert.match(await whyRefused(tarOf(entries.with(0, json))), reason);
  }
  const long = { name: DELTA_FILE, bytes: Buffer.alloc(100_000, "[") };
  assert.match(await whyRefused(tarOf(entries.with(0, long))), /longer than what it can have/);
  const text = Buffer.concat([Buffer.from(printDelta(delta)), Buffer.from(" ")]);
  const spaced = tarOf(entries.with(0, { name: DELTA_FILE, bytes: text }));
  assert.match(await whyNotApplied(spaced), /one form/);
});

test("a part with right digests that makes something else is refused, and nothing is left", async () => {
  const [kernel, zfs] = [entries[4]?.bytes ?? bytes, entries[5]?.bytes ?? bytes];
  const old = listContents(made.older.manifest);
  const nvr = old.find(({ item }) => item.name.startsWith("nvr"))?.sha256 ?? "";
  const flipped = Buffer.from(zfs);
  flipped[flipped.length - 20]! ^= 1;
  for (const [part, content, change, reason] of [
    [1, kernel, {}, /the part of zfs-.* in .*x\.upd cannot be applied: it is for an old image/],
    [1, zfs, { from: nvr }, /the part of zfs-.* cannot be applied|makes [0-9a-f]{64}, not/],
    [1, noise(1, 300), {}, /the part of zfs-.* cannot be applied: it is no zdiff1/],
    [1, Buffer.from("x"), {}, /the part of zfs-.* cannot be applied: it is too short/],
    [1, flipped, {}, /the part of zfs-.* (cannot be applied|makes [0-9a-f]{64}, not)/],
    [0, zfs, {}, /the part of vmlinuz in .* cannot be applied/],
  ] as const) {
    assert.match(await whyNotApplied(withPart(entries, part, content, change)), reason);
  }
  // A whole difference, to another image of the same size.
  const [was, other] = [at("was.img"), at("other.img")];
  for (const [path, file] of [
    [older, was],
    [newer, other],
  ] as const) {
    const open = await openBundle(path, "whoever-signed");
    const found = listContents(open.signed.manifest).find(({ item }) => /^zfs/.test(item.name));
    if (!found) throw new Error("zfs is needed");
    await expandContent(open, found, file);
  }
  const image = readFileSync(other);
  image[image.length - 5000]! ^= 1;
  writeFileSync(other, image);
  await makeDifference(was, other, at("other.zdiff"));
  const lying = withPart(entries, 1, readFileSync(at("other.zdiff")));
  assert.match(await whyNotApplied(lying), /the part of zfs-.* makes [0-9a-f]{64}, not/);
});

test("the wrong old bundle, one that is cut off, and one of another vendor", async () => {
  assert.match(await whyNotApplied(bytes, newer), /is for another bundle/);
  const cut = at("cut.upt");
  writeFileSync(cut, readFileSync(older).subarray(0, -4000));
  assert.match(await whyNotApplied(bytes, cut), /the blob of .* in .*cut\.upt cannot be unpacked/);
  const damaged = readFileSync(older);
  const { positions } = await openBundle(older, "whoever-signed");
  for (const position of positions.values()) damaged[position + 40]! ^= 1;
  writeFileSync(cut, damaged);
  assert.match(await whyNotApplied(bytes, cut), /cut\.upt/);
  const foreign = await buildExample(at("foreign"), 18, { ...NEW }, keyOf(9));
  const early = { ...QUIET, onStart: () => assert.unreachable("the work began") };
  assert.match(
    await refusalWhile(() => makeDelta(older, foreign, at("foreign.upd"), early)),
    /does not lead here/,
  );
  assert.not.ok(readdirSync(scratch).some((name) => name.startsWith("foreign.upd")));
});

test("a new bundle with a damaged blob gives no difference, also where the blob is carried whole", async () => {
  const damaged = at("damaged.upt");
  const { signed, positions } = await openBundle(newer, "whoever-signed");
  for (const [name, reason] of [
    ["onvif", /part 3, of onvif-.*, in .*damaged\.upd was changed/],
    ["zfs", /the blob of zfs-.* in .*damaged\.upt/],
  ] as const) {
    const content = listContents(signed.manifest).find(({ item }) => item.name.startsWith(name));
    const stream = readFileSync(newer);
    stream[(positions.get(content?.item.blob.sha256 ?? "") ?? 0) + 40]! ^= 1;
    writeFileSync(damaged, stream);
    assert.match(
      await refusalWhile(() => makeDelta(older, damaged, at("damaged.upd"), QUIET)),
      reason,
    );
    assert.not.ok(readdirSync(scratch).some((file) => file.startsWith("damaged.upd")));
  }
});

/** The newer bundle signed again, after whatever was changed. */
async function signedAgain(
  path: string,
  change: (manifest: SignedBundle["manifest"]) => SignedBundle["manifest"],
  blobs: ReadonlyMap<string, Uint8Array>,
  rotated = false,
): Promise<void> {
  const open = await openBundle(newer, "whoever-signed");
  const key = rotated ? keyOf(10) : KEY;
  const chain = rotated ? extendChain(chainOf(KEY), KEY, key) : chainOf(key);
  const parts = signBundle(change(open.signed.manifest), key, chain);
  const { layout } = openSigned(path, parts, [printPublicKey(KEY)]);
  await writeBundle(path, layout, ({ sha256, sizeBytes }) => {
    const own = blobs.get(sha256);
    const position = open.positions.get(sha256) ?? 0;
    return own ? of(own) : filePieces(newer, { position, sizeBytes });
  });
}

test("a blob that another zstd made cannot be made again: said so, nothing left; the images can", async () => {
  const open = await openBundle(newer, "whoever-signed");
  const content = listContents(open.signed.manifest).find(({ item }) =>
    item.name.startsWith("zfs"),
  );
  if (!content || !("image" in content.item)) throw new Error("zfs is needed");
  await expandContent(open, content, at("zfs.img"));
  const { hashOffsetBytes } = content.item.image.verity;
  const blob = zstdCompressSync(readFileSync(at("zfs.img")).subarray(0, hashOffsetBytes));
  const record = { sha256: sha256Of(blob), sizeBytes: blob.length };
  const path = at("other-zstd.upt");
  await signedAgain(
    path,
    (manifest) => ({
      ...manifest,
      platforms: manifest.platforms.map((platform) => ({
        ...platform,
        packages: platform.packages.map((one) =>
          one.name === content.item.name ? { ...one, blob: record } : one,
        ),
      })),
    }),
    new Map([[record.sha256, blob]]),
  );
  const file = at("other-zstd.upd");
  await makeDelta(older, path, file, QUIET);
  assert.match(
    await whyNotApplied(readFileSync(file)),
    /the blob of zfs-.* cannot be made again: compressed here it is/,
  );
  const refused = await apply(file, { out: at("other-zstd.upt") }).catch((error: Refusal) => error);
  assert.match(
    (refused as Refusal).hint,
    /^another zshield or another zstd than ours, [^,]+, made/,
  );
  await apply(file, { images: at("other-zstd") });
  assert.is(sha256Of(readFileSync(at("other-zstd", content.sha256))), content.sha256);
});

test("a key that took over is followed; the difference of a newer release to the older one is one too", async () => {
  const path = at("rotated.upt");
  await signedAgain(path, (manifest) => ({ ...manifest, release: 19 }), new Map(), true);
  await makeDelta(older, path, at("rotated.upd"), QUIET);
  await apply(at("rotated.upd"), { out: at("rotated.again") });
  assert.ok(readFileSync(at("rotated.again")).equals(readFileSync(path)));
  // Whoever has the newer one does not know the old key any more.
  const why = await refusalWhile(() => makeDelta(path, older, at("back.upd"), QUIET));
  assert.match(why, /does not lead here/);
  const { sizeBytes } = await makeDelta(newer, older, at("back.upd"), QUIET);
  await apply(at("back.upd"), { out: at("back.upt") }, newer);
  assert.ok(readFileSync(at("back.upt")).equals(readFileSync(older)) && sizeBytes > 0);
});

test("applying to an image of 96 MiB takes less than 128 MiB of memory", async () => {
  const [before, after] = ["zfs-1.0.8.1-7.2-000000", "zfs-1.0.8.1-7.3-000000"];
  const filling = noise(11, 6 * MIB);
  const functions = Array.from({ length: 300 }, (_, index) => 1000 + index * 17);
  const bundleOf = async (name: string, release: number, seeds: readonly number[]) => {
    const tree = at(`large-${release}`, "platform/x86_64/base", name);
    mkdirSync(tree, { recursive: true });
    writeFileSync(join(tree, "sparse"), "begin");
    truncateSync(join(tree, "sparse"), 96 * MIB);
    return buildExample(at(`large-${release}`), release, {
      [`base/${name}/usr/bin/zfs`]: programOfFunctions(seeds),
      // So that the compressor's tables are filled.
      [`base/${name}/usr/share/noise`]: filling,
    });
  };
  const old = await bundleOf(before, 1, functions);
  const fresh = await bundleOf(after, 2, functions.toSpliced(40, 0, 7777));
  await makeDelta(old, fresh, at("large.upd"), QUIET);
  const words = ["bundle", "apply-delta", old, at("large.upd")];
  for (const target of [
    ["--images", at("large")],
    ["--out", at("large.upt")],
  ]) {
    const { stdout, mib } = await peakOf([...words, ...target]);
    assert.match(stdout, target[0] === "--out" ? /byte for byte/ : /zdiff1 +zfs-.*-7\.3-/);
    assert.ok(mib < 128, `${target[0]}: ${mib} MiB`);
  }
  // Ctrl-C in the midst of it leaves nothing.
  const targets = ["--images", at("stopped/images"), "--out", at("stopped.upt")];
  const child = Bun.spawn([process.execPath, MAIN, ...words, ...targets], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  while (child.exitCode === null && !existsSync(at("stopped/images"))) await Bun.sleep(5);
  child.kill("SIGINT");
  await child.exited;
  assert.is(child.signalCode, "SIGINT");
  assert.not.ok(readdirSync(scratch).some((name) => name.startsWith("stopped")));
  for (const name of ["large", "large-1", "large-2"]) rmSync(at(name), { recursive: true });
});

test("no decision asks the clock: build, verify, inspect, both ways of a difference, keys, records", async () => {
  const folder = at("clock");
  const file = (name: string) => join(folder, name);
  mkdirSync(folder);
  for (const number of [7, 8]) {
    writeFileSync(file(`${number}.key`), await lockKey(keyOf(number), "a long password", LEAST));
    writeFileSync(file(`${number}.pub`), printPublicKeyFile(keyOf(number)));
  }
  writeFileSync(file("password"), "a long password\n");
  const password = ["--password-file", file("password")];
  const run = async (...words: string[]) => {
    const argv = [process.execPath, "--preload", join(import.meta.dir, "no-clock.ts"), ...words];
    const child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const stderr = await new Response(child.stderr).text();
    return { code: await child.exited, stderr };
  };
  const record = ["--id", "BOX", "--mask", "000041", "--prefix", "", "--epoch", "1"];
  const known = ["--key", file("7.pub")];
  for (const words of [
    ["bundle", "build", at("new"), "--key", file("7.key"), "--owner-root", "--release"].concat(
      ...password,
      ...["--out", file("out")],
    ),
    ["device", "record", ...record, "--key", file("7.key"), ...password, "--out", file("box")],
    ["device", "show", file("box"), ...known],
    ["key", "rotate", file("7.key"), file("8.pub"), "--chain", file("chain"), ...password],
    ["bundle", "verify", newer, ...known],
    ["bundle", "inspect", newer, ...known, "--device", file("box")],
    ["bundle", "delta", older, newer, file("x.upd"), ...known],
    ["bundle", "apply-delta", older, file("x.upd"), "--out", file("x.upt"), ...known],
  ]) {
    const { code, stderr } = await run(MAIN, ...words);
    assert.is(code, 0, `${words.join(" ")}\n${stderr}`);
  }
  for (const asks of ["Date.now()", "new Date()"]) {
    writeFileSync(file("asks.ts"), `console.log(${asks})`);
    assert.match((await run(file("asks.ts"))).stderr, /the clock was asked/);
  }
  rmSync(folder, { recursive: true });
});

test("two equal bundles: nothing is carried", async () => {
  const listeners = process.listenerCount("SIGINT");
  const { sizeBytes, decisions } = await makeDelta(older, older, at("none.upd"), QUIET);
  assert.ok(decisions.every(({ method }) => method === "unchanged"));
  assert.ok(sizeBytes < 12_000, `${sizeBytes} bytes`);
  await apply(at("none.upd"), { out: at("none.upt") });
  assert.ok(readFileSync(at("none.upt")).equals(readFileSync(older)));
  // What is done no signal takes away any more.
  assert.is(process.listenerCount("SIGINT"), listeners);
});

test("what is nearest: the same name on the same platform, else on another one", () => {
  const { image } = packageOf("zfs-1.0.8.1-7.1-000000", new Uint8Array());
  const platform = (name: string, ...packages: [string, string][]) => ({
    name,
    masks: [],
    boot: [],
    packages: packages.map(([whole, digit]) =>
      packageOf(whole, new Uint8Array(), { image: { ...image, sha256: digit.repeat(64) } }),
    ),
  });
  const manifestOf = (...platforms: ReturnType<typeof platform>[]) => ({
    ...made.older.manifest,
    platforms,
  });
  const before = manifestOf(
    platform("a", ["zfs-1.0.8.1-7.1-000000", "a"]),
    platform("b", ["zfs-1.0.8.1-7.2-000000", "b"], ["nvr-1.0.8.1-7.2-000000", "c"]),
  );
  const after = manifestOf(
    platform("a", ["nvr-1.0.8.1-7.9-000000", "d"], ["new-1.0.8.1-7.9-000000", "e"]),
    platform("b", ["zfs-2.0.8.1-7.9-000000", "f"], ["nvr-1.0.8.1-7.9-000000", "d"]),
  );
  const found = newContents(before, after).map(({ content, before: old }) => [
    content.sha256[0],
    old?.sha256[0],
  ]);
  assert.equal(found, [
    ["d", "c"],
    ["e", undefined],
    ["f", "b"],
  ]);
});

test.run();
