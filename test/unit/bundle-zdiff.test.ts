/*
 * zdiff1: what comes out is what went in, whatever the images are; a difference that was touched is refused or makes
 * other bytes, and leaves nothing behind; the memory of applying does not grow with the image.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HashTree, type TreeShape } from "../../src/bundle/hash-tree.ts";
import { applyDifference } from "../../src/bundle/zdiff.ts";
import { SQUASH, STRETCH } from "../../src/bundle/zdiff/bytes.ts";
import { BitDecoder, BitEncoder, Numbers } from "../../src/bundle/zdiff/coder.ts";
import { deflate, MANNERS } from "../../src/bundle/zdiff/deflate.ts";
import {
  AGAIN,
  COPY,
  Frame,
  type Job,
  JOB_ROOM,
  LITERAL,
  MAGIC,
  type Operation,
  PATCH,
  PRESSED,
} from "../../src/bundle/zdiff/format.ts";
import { codeHeader, type Header } from "../../src/bundle/zdiff/header.ts";
import { makeDifference } from "../../src/bundle/zdiff/make.ts";
import { pressed } from "../../src/bundle/zdiff/pressed.ts";
import { messageOf } from "../../src/errors.ts";
import { hashTreeBytes } from "../../src/model/hash-tree.ts";
import { imageOf, noise, numbersFrom, programOfFunctions, prose } from "./zdiff-example.ts";

const folder = mkdtempSync(join(tmpdir(), "zs-zdiff-"));
const OLD = join(folder, "old");
const NEW = join(folder, "new");
const DIFFERENCE = join(folder, "difference");
const MADE = join(folder, "made");
test.after(() => rmSync(folder, { recursive: true, force: true }));

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Size of the difference, after it has made `fresh` of `old` again. */
async function roundTrip(old: Uint8Array, fresh: Uint8Array, tree?: TreeShape): Promise<number> {
  for (const path of [DIFFERENCE, MADE]) rmSync(path, { force: true });
  writeFileSync(OLD, old);
  writeFileSync(NEW, fresh);
  await makeDifference(OLD, NEW, DIFFERENCE, tree === undefined ? {} : { tree });
  const applied = await applyDifference(OLD, { path: DIFFERENCE }, MADE, fresh.length);
  assert.is(applied.sha256, digestOf(fresh));
  assert.ok(readFileSync(MADE).equals(fresh));
  return readFileSync(DIFFERENCE).length;
}

/** Why the difference is refused, or the digest of what it makes. */
async function outcomeOf(difference: Uint8Array, newBytes: number): Promise<string> {
  rmSync(MADE, { force: true });
  writeFileSync(DIFFERENCE, difference);
  try {
    return (await applyDifference(OLD, { path: DIFFERENCE }, MADE, newBytes)).sha256;
  } catch (error) {
    assert.not.ok(existsSync(MADE), "something is left behind");
    assert.ok(error instanceof Error && error.constructor === Error, `a bug: ${messageOf(error)}`);
    return error.message;
  }
}

test("no bytes, one byte, equal ones, others", async () => {
  await roundTrip(Buffer.alloc(0), Buffer.alloc(0));
  await roundTrip(Buffer.alloc(0), Buffer.from("x"));
  await roundTrip(Buffer.from("x"), Buffer.alloc(0));
  const bytes = noise(1, 100_000);
  assert.ok((await roundTrip(bytes, bytes)) < 40);
  assert.ok((await roundTrip(noise(2, 50_000), bytes)) < 101_000);
});

test("bytes put in, taken out, changed and moved", async () => {
  for (let seed = 1; seed <= 12; seed += 1) {
    const next = numbersFrom(seed);
    const old = seed % 2 === 0 ? prose(seed, 200_000) : noise(seed, 200_000);
    const parts: Buffer[] = [];
    for (let count = 0; count < 40; count += 1) {
      const from = next() % old.length;
      const part = Buffer.from(old.subarray(from, from + (next() % 20_000)));
      for (let at = next() % 50; at < part.length; at += 1 + (next() % 900)) part[at] = next();
      parts.push(part, noise(next(), next() % 60));
    }
    const fresh = Buffer.concat(parts);
    const size = await roundTrip(old, fresh);
    assert.ok(size < fresh.length / 8 + 4000, `${size} of ${fresh.length} bytes`);
  }
});

const FUNCTIONS = Array.from({ length: 300 }, (_, index) => 1000 + index * 17);
const before = {
  "a.txt": prose(3, 9000),
  "changelog.gz": pressed(Buffer.from("1f8b0800000000000203", "hex"), prose(9, 60_000), 0),
  "news.gz": pressed(Buffer.from("1f8b0800000000000003", "hex"), prose(10, 5000), 3),
  program: programOfFunctions(FUNCTIONS),
  same: noise(4, 30_000),
};
const after = {
  ...before,
  "a.txt": Buffer.concat([
    prose(3, 5000),
    Buffer.from("a new line\n"),
    prose(3, 9000).subarray(5000),
  ]),
  "changelog.gz": pressed(
    Buffer.from("1f8b0800000000000203", "hex"),
    Buffer.concat([Buffer.from("the newest change\n"), prose(9, 60_000)]),
    0,
  ),
  "news.gz": pressed(Buffer.from("1f8b0800000000000003", "hex"), prose(10, 4900), 3),
  program: programOfFunctions([...FUNCTIONS.slice(0, 40), 7777, ...FUNCTIONS.slice(40)]),
  "same.again": noise(5, 9000),
  twin: noise(5, 9000),
};

test("an image of files: what moved in a program and what is in compressed files costs next to nothing", async () => {
  const size = await roundTrip(imageOf(before), imageOf(after));
  // 9,000 bytes of noise, once.
  assert.ok(size < 9000 + 1500, `${size} bytes`);
});

test("a program whose functions moved, beside the same bytes that nobody knows to be one", async () => {
  const one = before.program;
  const moved = FUNCTIONS.flatMap((seed, index) => (index % 10 === 5 ? [seed + 9, seed] : [seed]));
  const two = programOfFunctions(moved);
  const known = await roundTrip(imageOf({ program: one }), imageOf({ program: two }));
  const unknown = await roundTrip(one, two);
  assert.ok(known + 1500 < unknown, `${known} and ${unknown} bytes`);
});

/** The plain way: every level whole. */
function treeOf(data: Buffer, salt: Uint8Array): Buffer {
  const levels: Buffer[] = [];
  for (let below = data; below.length > 4096;) {
    const hashes: Buffer[] = [];
    for (let at = 0; at < below.length; at += 4096) {
      const block = below.subarray(at, at + 4096);
      hashes.push(createHash("sha256").update(salt).update(block).digest());
    }
    const level = Buffer.concat(hashes);
    below = Buffer.concat([level, Buffer.alloc((4096 - (level.length % 4096)) % 4096)]);
    levels.unshift(below);
  }
  return Buffer.concat(levels);
}

test("the hash tree is computed again, and carried where it is another", async () => {
  const salt = noise(6, 32);
  for (const blocks of [1, 2, 128, 129, 300]) {
    const data = noise(7, blocks * 4096);
    const tree = treeOf(data, salt);
    assert.is(hashTreeBytes(blocks), tree.length);
    const written = Buffer.alloc(tree.length);
    const hashes = new HashTree({ dataBlocks: blocks, startByte: 0, salt }, (block, at) => {
      written.set(block, at);
    });
    hashes.add(data);
    hashes.finish();
    assert.ok(written.equals(tree));
  }
  const data = imageOf(after);
  const fresh = Buffer.concat([data, treeOf(data, salt)]);
  const place = { startByte: data.length, dataBlocks: data.length / 4096, salt };
  const derived = await roundTrip(imageOf(before), fresh, place);
  const carried = await roundTrip(imageOf(before), fresh);
  assert.ok(derived + 1000 < carried, `${derived} and ${carried} bytes`);
  fresh[fresh.length - 1]! ^= 1;
  assert.ok((await roundTrip(imageOf(before), fresh, place)) > derived + 1000);
});

test("every byte of a difference: changed in any bit it is refused or makes other bytes", async () => {
  const old = imageOf({
    program: programOfFunctions(FUNCTIONS.slice(0, 60)),
    "c.gz": before["news.gz"],
  });
  const fresh = imageOf({
    program: programOfFunctions([5555, ...FUNCTIONS.slice(0, 60)]),
    "c.gz": after["news.gz"],
    text: prose(8, 300),
  });
  await roundTrip(old, fresh);
  const difference = readFileSync(DIFFERENCE);
  const right = digestOf(fresh);
  assert.is(await outcomeOf(difference, fresh.length), right);
  for (let at = 0; at < difference.length; at += 1) {
    const touched = Buffer.from(difference);
    touched[at]! ^= 1 << (at % 8);
    assert.is.not(await outcomeOf(touched, fresh.length), right, `byte ${at}`);
  }
  for (let size = 0; size < difference.length; size += 1) {
    assert.match(await outcomeOf(difference.subarray(0, size), fresh.length), /too (early|short)/);
  }
  for (const more of [Buffer.alloc(1), noise(1, 100_000)]) {
    const glued = Buffer.concat([difference, more]);
    assert.match(await outcomeOf(glued, fresh.length), /behind the end/);
  }
  assert.match(await outcomeOf(difference, fresh.length + 1), /an image of \d+ bytes/);
  writeFileSync(OLD, old.subarray(1));
  assert.match(await outcomeOf(difference, fresh.length), /for an old image of/);
});

test("noise behind a right beginning never crashes it", async () => {
  writeFileSync(OLD, imageOf(before));
  for (let seed = 1; seed <= 300; seed += 1) {
    const bytes = Buffer.concat([Buffer.from(`${MAGIC}\0`, "latin1"), noise(seed, 3000)]);
    bytes[MAGIC.length + 1]! &= 0x7f;
    const outcome = await outcomeOf(bytes, 1_000_000);
    assert.not.match(outcome, /^[0-9a-f]{64}$/);
  }
});

/** A difference by hand: what a liar would write. */
function crafted(header: Partial<Header>, operations: readonly Operation[], jobs = 0): Buffer {
  const parts: Buffer[] = [Buffer.from(MAGIC, "latin1")];
  const coder = new BitEncoder((bytes) => void parts.push(Buffer.from(bytes)));
  const frame = new Frame(coder);
  try {
    codeHeader(frame, {
      oldBytes: 5000,
      bodyBytes: 9000,
      tableBits: 12,
      tree: undefined,
      ...header,
    });
    frame.segment({ operations, jobs }, 2 ** 51, 0, 2 ** 51);
  } catch {
    // The encoder has the same limits; what is written until then is the point.
  }
  coder.finish();
  return Buffer.concat(parts);
}

test("numbers that lead out of the images, or are too large", async () => {
  writeFileSync(OLD, noise(1, 5000));
  const copy = (from: number, sizeBytes: number, kind = COPY) => [{ kind, from, sizeBytes }];
  const cases: [Buffer, RegExp][] = [
    [crafted({}, copy(1, 5000)), /leaves the old image/],
    [crafted({}, copy(2 ** 50, 1)), /leaves the old image/],
    [crafted({}, copy(0, 5000, PATCH)), /too early/],
    [crafted({}, copy(0, 9001, LITERAL)), /a number is 9000, more than 8999/],
    [crafted({}, copy(0, 2 ** 50, LITERAL)), /more than 8999/],
    [crafted({}, copy(0, 1, AGAIN)), /begins behind what is written|a number is/],
    [crafted({}, copy(JOB_ROOM * 3, 10, PRESSED)), /is not there/],
    [crafted({}, []), /segment is empty/],
    [crafted({}, copy(0, 10), 5000), /a number is 5000/],
    [crafted({ bodyBytes: 2 ** 51 }, []), /makes an image of/],
    [crafted({ oldBytes: 2 ** 50 }, []), /for an old image of/],
    [crafted({ tree: { dataBlocks: 3, salt: new Uint8Array(4) } }, []), /does not fit its data/],
  ];
  for (const [index, [bytes, why]] of cases.entries()) {
    assert.match(await outcomeOf(bytes, 9000), why, `case ${index}`);
  }
});

test("an image that is there is never written over", async () => {
  await roundTrip(noise(1, 5000), noise(2, 5000));
  writeFileSync(MADE, "mine");
  await applyDifference(OLD, { path: DIFFERENCE }, MADE, 5000).then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, "EEXIST"),
  );
  assert.is(readFileSync(MADE, "utf8"), "mine");
});

test("a difference in the middle of a file", async () => {
  const fresh = prose(2, 20_000);
  await roundTrip(prose(1, 20_000), fresh);
  const difference = readFileSync(DIFFERENCE);
  writeFileSync(DIFFERENCE, Buffer.concat([noise(3, 777), difference, noise(4, 99)]));
  rmSync(MADE);
  const source = { path: DIFFERENCE, startByte: 777, sizeBytes: difference.length };
  assert.is((await applyDifference(OLD, source, MADE, fresh.length)).sha256, digestOf(fresh));
});

test("offsets beyond 4 GiB", async () => {
  const file = openSync(OLD, "w");
  const at = 5 * 2 ** 30;
  writeSync(file, noise(1, 5000), 0, 5000, at);
  closeSync(file);
  const parts: Buffer[] = [Buffer.from(MAGIC, "latin1")];
  const coder = new BitEncoder((bytes) => void parts.push(Buffer.from(bytes)));
  const frame = new Frame(coder);
  const oldBytes = at + 5000;
  codeHeader(frame, { oldBytes, bodyBytes: 4000, tableBits: 12, tree: undefined });
  const operations = [{ kind: COPY, from: at + 1000, sizeBytes: 4000 }];
  frame.segment({ operations, jobs: 0 }, oldBytes, 0, 4000);
  coder.finish();
  const outcome = await outcomeOf(Buffer.concat(parts), 4000);
  assert.is(outcome, digestOf(noise(1, 5000).subarray(1000)));
});

test("applying takes less than 128 MiB of memory", async () => {
  // 160 MiB of holes, a changed program, text and compressed files.
  const holes = (path: string, head: Buffer): void => {
    const file = openSync(path, "w");
    writeSync(file, head);
    ftruncateSync(file, 160 * 2 ** 20);
    closeSync(file);
  };
  for (const path of [DIFFERENCE, MADE]) rmSync(path, { force: true });
  holes(OLD, imageOf(before));
  holes(NEW, imageOf({ ...after, much: prose(77, 300_000) }));
  await makeDifference(OLD, NEW, DIFFERENCE);
  // Not maxRSS: a child has its parent's until it has more.
  const source = `
    import { readFileSync } from "node:fs";
    import { applyDifference } from ${JSON.stringify(new URL("../../src/bundle/zdiff.ts", import.meta.url).pathname)};
    const [old, difference, made] = process.argv.slice(1);
    await applyDifference(old, { path: difference }, made, ${160 * 2 ** 20});
    console.log(/VmHWM:\\s*(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);`;
  const argv = [process.execPath, "-e", source, OLD, DIFFERENCE, MADE];
  const { exitCode, stdout, stderr } = Bun.spawnSync(argv);
  assert.is(exitCode, 0, stderr.toString());
  const kib = Number(stdout.toString());
  assert.ok(kib > 10_000 && kib < 128 * 1024, `${kib} KiB`);
});

/** Segments of a byte each, with as many jobs before it as there may be. */
function craftedJobs(oldBytes: number, job: Job, counts: readonly number[]): Buffer {
  const parts: Buffer[] = [Buffer.from(MAGIC, "latin1")];
  const coder = new BitEncoder((bytes) => void parts.push(Buffer.from(bytes)));
  const frame = new Frame(coder);
  codeHeader(frame, { oldBytes, bodyBytes: 9000, tableBits: 12, tree: undefined });
  for (const [index, jobs] of counts.entries()) {
    const operations = [{ kind: COPY, from: 0, sizeBytes: 1 }];
    frame.segment({ operations, jobs }, oldBytes, index, 9000 - index);
    for (let count = 0; count < jobs; count += 1) frame.job(job, oldBytes, () => 0);
  }
  coder.finish();
  return Buffer.concat(parts);
}

test("jobs that make next to nothing cost what they take: a few bytes ask for no minutes and no memory", () => {
  const nothing = { sources: [], manner: 0, headBytes: 0, rawBytes: 0, operations: [] };
  // A gzip file of 16 MiB with nothing in it: 5 bytes for each block that is stored, and empty.
  const blocks = Buffer.alloc(15 * 2 ** 20, Buffer.from("000000ffff", "hex"));
  const end = Buffer.from("010000ffff0000000000000000", "hex");
  const empty = Buffer.concat([Buffer.from("1f8b08000000000000ff", "hex"), blocks, end]);
  const sources = [0, 1, 2, 3].map((index) => {
    const at = index * JOB_ROOM;
    return { at, sizeBytes: Math.min(JOB_ROOM, empty.length - at) };
  });
  const source = `
    import { readFileSync } from "node:fs";
    import { applyDifference } from ${JSON.stringify(new URL("../../src/bundle/zdiff.ts", import.meta.url).pathname)};
    const [old, difference, made] = process.argv.slice(1);
    const why = await applyDifference(old, { path: difference }, made, 9000).then(() => "", String);
    console.log(why, /VmHWM:\\s*(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);`;
  for (const [old, job, counts, reason] of [
    [noise(1, 5000), nothing, Array.from({ length: 30 }, () => 4096), /wait for their place/],
    [empty, { ...nothing, sources }, [60], /larger than their image allows/],
  ] as const) {
    rmSync(MADE, { force: true });
    writeFileSync(OLD, old);
    const difference = craftedJobs(old.length, job, counts);
    assert.ok(difference.length < 2000, `${difference.length} bytes`);
    writeFileSync(DIFFERENCE, difference);
    const argv = [process.execPath, "-e", source, OLD, DIFFERENCE, MADE];
    const { stdout, stderr } = Bun.spawnSync(argv);
    const told = stdout.toString();
    assert.match(told, reason, stderr.toString());
    const kib = Number(/(\d+)\n$/.exec(told)?.[1]);
    assert.ok(kib > 10_000 && kib < 128 * 1024, `${kib} KiB`);
    assert.not.ok(existsSync(MADE));
  }
});

test("jobs for small files are as many as an image of them has", async () => {
  const pressedOf = (seed: number, from: number) =>
    Object.fromEntries(
      Array.from({ length: 2500 }, (_, index) => {
        const raw = index % 3 === 0 ? Buffer.alloc(0) : prose(index + seed, 40);
        const head = Buffer.from("1f8b0800000000000003", "hex");
        head.writeUInt32LE(from, 4);
        return [`f${index}.gz`, pressed(head, raw, 0)];
      }),
    );
  const size = await roundTrip(imageOf(pressedOf(1, 7)), imageOf(pressedOf(2, 8)));
  assert.ok(size < 90_000, `${size}`);
});

test("deflate makes what gzip makes", () => {
  for (const [level, manner] of [
    [9, 0],
    [6, 2],
  ] as const) {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from("a"),
      prose(1, 300),
      prose(2, 400_000),
      Buffer.concat([noise(3, 70_000), Buffer.alloc(70_000), noise(3, 70_000)]),
      Buffer.alloc(200_000, "abcabd"),
    ]) {
      const gzip = Bun.spawnSync(["gzip", "-nc", `-${level}`], { stdin: bytes }).stdout;
      const ours = pressed(gzip.subarray(0, 10), bytes, manner);
      assert.ok(ours.equals(gzip), `level ${level}, ${bytes.length} bytes`);
    }
  }
});

test("deflate of any bytes inflates to them", () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const next = numbersFrom(seed);
    const bytes = Buffer.concat(
      Array.from({ length: next() % 30 }, () =>
        next() % 2 === 0 ? prose(next() % 5, next() % 9000) : noise(next(), next() % 3000),
      ),
    );
    for (const [index, manner] of MANNERS.entries()) {
      assert.ok(deflate(bytes, manner).length <= bytes.length + 100);
      const file = pressed(Buffer.from("1f8b0800000000000003", "hex"), bytes, index);
      assert.ok(gunzipSync(file).equals(bytes));
    }
  }
});

test("deflate gives up on what would take it hours", () => {
  const bytes = noise(1, 1_000_000).map((byte) => byte & 1);
  assert.throws(() => deflate(bytes, MANNERS[0]!), /too long/);
});

test("numbers and bits come back, up to 2^52", () => {
  const values = [
    0,
    1,
    2,
    254,
    255,
    256,
    65_535,
    2 ** 31 - 2,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 52,
  ];
  const parts: Buffer[] = [];
  const encoder = new BitEncoder((bytes) => void parts.push(Buffer.from(bytes)));
  const written = new Numbers(1);
  for (let round = 0; round < 3; round += 1) {
    for (const value of values) assert.is(written.code(encoder, 0, value), value);
  }
  // Certain bits that are wrong, and carries through many bytes.
  const next = numbersFrom(5);
  const bits = Array.from({ length: 20_000 }, () => [1 + (next() % 65_535), next() & 1] as const);
  for (const [p, bit] of bits) encoder.bit(p, bit);
  for (let count = 0; count < 5000; count += 1) encoder.bit(1, 0);
  encoder.finish();
  const rest = [Buffer.concat(parts)];
  const decoder = new BitDecoder(() => rest.pop() ?? Buffer.alloc(0));
  const read = new Numbers(1);
  for (let round = 0; round < 3; round += 1) {
    for (const value of values) assert.is(read.code(decoder, 0, 0), value);
  }
  for (const [p, bit] of bits) assert.is(decoder.bit(p), bit);
  for (let count = 0; count < 5000; count += 1) assert.is(decoder.bit(1), 0);
  decoder.finish();
});

test("the tables of logarithms are the same on every machine: no value lies near the edge of rounding", () => {
  const isClear = (value: number): boolean => Math.abs((Math.abs(value) % 1) - 0.5) > 1e-7;
  for (let index = 0; index < 4096; index += 1) {
    const share = (index + 0.5) / 4096;
    assert.ok(isClear(256 * Math.log(share / (1 - share))), `stretch ${index}`);
    assert.ok(isClear(65536 / (1 + Math.exp((2048 - index) / 256))), `squash ${index}`);
  }
  const bytes = Buffer.concat([Buffer.from(STRETCH.buffer), Buffer.from(SQUASH.buffer)]);
  assert.is(digestOf(bytes), "91cae25c35186d66c03b4782feb7281f8e97a667916a5629e3244bde72f9be61");
});

test.run();
