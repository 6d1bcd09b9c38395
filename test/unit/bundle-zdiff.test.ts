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
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HashTree, type TreeShape } from "../../src/bundle/hash-tree.ts";
import { applyDifference } from "../../src/bundle/zdiff.ts";
import { SQUASH, STRETCH } from "../../src/bundle/zdiff/bytes.ts";
import { BitDecoder, BitEncoder, Numbers } from "../../src/bundle/zdiff/coder.ts";
import { Content } from "../../src/bundle/zdiff/content.ts";
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
  type Program,
  STORED,
} from "../../src/bundle/zdiff/format.ts";
import { codeHeader, type Header } from "../../src/bundle/zdiff/header.ts";
import { makeDifference } from "../../src/bundle/zdiff/make.ts";
import { Pressed, pressed } from "../../src/bundle/zdiff/pressed.ts";
import type { Range } from "../../src/bundle/zdiff/references.ts";
import { Transfer } from "../../src/bundle/zdiff/transfer.ts";
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
  // Something between the data and its tree, something behind the tree, and trees that cannot be.
  const more = noise(8, 4096);
  const between = Buffer.concat([data, more, treeOf(data, salt)]);
  const later = { ...place, startByte: data.length + more.length };
  assert.ok((await roundTrip(imageOf(before), between, later)) < derived + 4500);
  await roundTrip(imageOf(before), Buffer.concat([data, treeOf(data, salt), more]), place);
  const odd = Buffer.concat([data, more.subarray(0, 100), treeOf(data, salt)]);
  await roundTrip(imageOf(before), odd, { ...place, startByte: data.length + 100 });
  for (const dataBlocks of [0, 128]) {
    await roundTrip(more, Buffer.alloc(8192), { dataBlocks, startByte: 4096, salt });
  }
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
    [crafted({ oldBytes: 4999 }, []), /for an old image of/],
    [Buffer.from(`${MAGIC}\0\x7f\xff\xff\xff`, "latin1"), /begins wrongly/],
    [Buffer.from(`${MAGIC}\0\x80\0\0\0`, "latin1"), /begins wrongly/],
    [Buffer.from(MAGIC.slice(1), "latin1"), /it is too short/],
    [crafted({ tree: { dataBlocks: 3, salt: new Uint8Array(4) } }, []), /does not fit its data/],
  ];
  for (const [index, [bytes, why]] of cases.entries()) {
    assert.match(await outcomeOf(bytes, 9000), why, `case ${index}`);
  }
});

/** What is said where such a thing is written, and where it is read: both have the same limits. */
function faultOf(code: (frame: Frame) => unknown, wrong: (frame: Frame) => unknown): string {
  const parts: Buffer[] = [];
  const encoder = new BitEncoder((bytes) => void parts.push(Buffer.from(bytes)));
  const said = (act: () => unknown): string => {
    try {
      act();
    } catch (error) {
      return messageOf(error);
    }
    return "nothing";
  };
  const written = said(() => wrong(new Frame(encoder)));
  encoder.finish();
  const rest = [Buffer.concat(parts)];
  const decoder = new BitDecoder(() => rest.pop() ?? Buffer.alloc(0));
  assert.is(
    said(() => code(new Frame(decoder))),
    written,
  );
  return written;
}

test("each number of a frame has its limit", () => {
  const segment = (operations: readonly Operation[], program?: Program): string => {
    const value = { jobs: 0, operations, ...(program && { program }) };
    return faultOf(
      (frame) => frame.segment(undefined, 5000, 0, 9000),
      (frame) => frame.segment(value, 5000, 0, 9000),
    );
  };
  const one = (kind: number, from: number, sizeBytes = 1): string =>
    segment([{ kind, from, sizeBytes }]);
  const nothing = { sources: [], manner: 0, headBytes: 0, rawBytes: 0, operations: [] };
  const job = (value: Partial<Job>): string =>
    faultOf(
      (frame) => frame.job(undefined, 5000, () => 100),
      (frame) => frame.job({ ...nothing, ...value }, 5000, () => 100),
    );
  const load = { offset: 0, sizeBytes: 5000, address: 0 };
  const space = { start: 0, loads: [load] };
  const records = { start: 0, end: 100, kind: 2, stride: 4, place: 0, oldBase: 0, newBase: 0 };
  const program = (value: Partial<Program>): string =>
    segment([], { old: space, fresh: space, ranges: [records], ...value });
  const range = (value: Partial<Range>): string => program({ ranges: [{ ...records, ...value }] });
  const header = (value: Partial<Header>): string => {
    const right = { oldBytes: 1, bodyBytes: 8192, tableBits: 12, tree: undefined };
    return faultOf(
      (frame) => codeHeader(frame),
      (frame) => codeHeader(frame, { ...right, ...value }),
    );
  };
  const tree = (dataBlocks: number, saltBytes = 4) => ({
    dataBlocks,
    salt: new Uint8Array(saltBytes),
  });
  const literal = (sizeBytes: number) => ({ kind: LITERAL, sizeBytes, from: 0 });
  for (const right of [
    one(COPY, 4999),
    job({ sources: [{ at: 4990, sizeBytes: 10 }], headBytes: 1024, manner: 3 }),
    job({ rawBytes: 2, operations: [literal(2)] }),
    range({ start: 4900, end: 5000, kind: 6, stride: 4096, place: 4092, newBase: 2 ** 50 }),
    program({ old: { start: 5000, loads: Array.from({ length: 16 }, () => load) } }),
    header({ tree: tree(2, 256), tableBits: 20 }),
  ]) {
    assert.is(right, "nothing");
  }
  for (const [fault, wanted] of [
    [segment(Array.from({ length: 2 ** 17 + 1 }, () => literal(1))), "131073, more than 131072"],
    [one(6, 0), "6, more than 5"],
    [one(COPY, -1), "a copy leaves the old image"],
    [one(PATCH, 4999, 2), "a copy leaves the old image"],
    [one(AGAIN, -1), "1, more than 0"],
    [one(PRESSED, -1), "there is no such job"],
    [one(COPY, 2 ** 53), "a number is too large"],
    [
      job({ sources: Array.from({ length: 5 }, () => ({ at: 0, sizeBytes: 1 })) }),
      "5, more than 4",
    ],
    [job({ sources: [{ at: 0, sizeBytes: JOB_ROOM + 1 }] }), "4194305, more than 4194304"],
    [job({ sources: [{ at: -1, sizeBytes: 1 }] }), "a source leaves the old image"],
    [job({ sources: [{ at: 4999, sizeBytes: 2 }] }), "a source leaves the old image"],
    [job({ manner: 4 }), "4, more than 3"],
    [job({ headBytes: 1025 }), "1025, more than 1024"],
    [job({ rawBytes: JOB_ROOM }), "4194304, more than 4194303"],
    [job({ rawBytes: 3, operations: [literal(2)] }), "a job does not make its file"],
    [job({ rawBytes: 1, operations: [literal(1), literal(1)] }), "an operation is behind the end"],
    [job({ rawBytes: 9, operations: [{ kind: COPY, sizeBytes: 2, from: 99 }] }), "a copy leaves"],
    [program({ ranges: Array.from({ length: 1025 }, () => records) }), "1025, more than 1024"],
    [program({ old: { ...space, start: -1 } }), "a program lies outside the image"],
    [program({ old: { ...space, start: 5001 } }), "a program lies outside the image"],
    [program({ fresh: { ...space, loads: [] } }), "a program has no part that is loaded"],
    [
      program({ fresh: { start: 0, loads: Array.from({ length: 17 }, () => load) } }),
      "17, more than 16",
    ],
    [program({ old: { start: 0, loads: [{ ...load, address: 2 ** 50 + 1 }] } }), "more than 11258"],
    [range({ start: -1 }), "a range leaves the old image"],
    [range({ start: 4901, end: 5001 }), "a range leaves the old image"],
    [range({ kind: 7 }), "7, more than 6"],
    [range({ stride: 3 }), "a range has no room for its field"],
    [range({ stride: 8, place: 5 }), "a range has no room for its field"],
    [range({ stride: 4097 }), "4097, more than 4096"],
    [range({ oldBase: 2 ** 50 + 1 }), "more than 11258"],
    [range({ newBase: 2 ** 50 + 1 }), "further than 11258"],
    [header({ tableBits: 11 }), "the tables are too small"],
    [header({ tableBits: 21 }), "21, more than 20"],
    [header({ tree: tree(1, 257) }), "257, more than 256"],
    [header({ tree: tree(3) }), "the hash tree does not fit its data"],
    [header({ tree: tree(1), bodyBytes: 8191 }), "the hash tree does not fit its data"],
  ] as const) {
    assert.ok(fault.includes(wanted), `${fault}, not ${wanted}`);
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
  await makeDifference(OLD, NEW, MADE).then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, "EEXIST"),
  );
  assert.is(readFileSync(MADE, "utf8"), "mine");
});

test("what fails leaves nothing behind, and no file open", async () => {
  await roundTrip(noise(1, 5000), noise(2, 5000));
  const open = () => readdirSync("/proc/self/fd").length;
  const before = open();
  const size = readFileSync(DIFFERENCE).length;
  for (const path of [DIFFERENCE, MADE]) rmSync(path);
  const tell = () => {
    throw new Error("the terminal is gone");
  };
  assert.match(
    await makeDifference(OLD, NEW, DIFFERENCE, { tell }).then(() => "", String),
    /is gone/,
  );
  assert.not.ok(existsSync(DIFFERENCE));
  await makeDifference(OLD, NEW, DIFFERENCE);
  const source = { path: DIFFERENCE, sizeBytes: size + 1 };
  assert.match(
    await applyDifference(OLD, source, MADE, 5000).then(() => "", String),
    /ends too early/,
  );
  assert.not.ok(existsSync(MADE));
  await applyDifference(OLD, { path: DIFFERENCE }, MADE, 5000);
  assert.is(open(), before);
});

test("what is there already in the new image: some of it written, some not yet", async () => {
  const old = noise(1, 5000);
  writeFileSync(OLD, old);
  // Written is a MiB at a time.
  for (const inFile of [0, 1, 50, 100]) {
    const operations = Array.from({ length: 210 }, () => ({
      kind: COPY,
      from: 0,
      sizeBytes: 5000,
    }));
    operations.push({ kind: AGAIN, from: 2 ** 20 - inFile, sizeBytes: 100 });
    const wanted = Buffer.concat(Array.from({ length: 210 }, () => old));
    const again = wanted.subarray(2 ** 20 - inFile, 2 ** 20 - inFile + 100);
    const difference = crafted({ bodyBytes: wanted.length + 100 }, operations);
    const outcome = await outcomeOf(difference, wanted.length + 100);
    assert.is(outcome, digestOf(Buffer.concat([wanted, again])));
  }
});

test("a run of right bytes that leaves its copy", async () => {
  writeFileSync(OLD, noise(1, 5000));
  for (const [run, wanted] of [
    [10, digestOf(noise(1, 10))],
    [11, "a run leaves its copy"],
  ] as const) {
    const parts: Buffer[] = [Buffer.from(MAGIC, "latin1")];
    const coder = new BitEncoder((bytes) => void parts.push(Buffer.from(bytes)));
    const frame = new Frame(coder);
    codeHeader(frame, { oldBytes: 5000, bodyBytes: 10, tableBits: 12, tree: undefined });
    const operations = [{ kind: PATCH, from: 0, sizeBytes: 10 }];
    frame.segment({ operations, jobs: 0 }, 5000, 0, 10);
    new Content(coder, 12).run(run);
    coder.finish();
    assert.is(await outcomeOf(Buffer.concat(parts), 10), wanted);
  }
});

test("compressed files that zshield cannot make again travel as they are", async () => {
  const head = Buffer.from("1f8b0800000000000003", "hex");
  const named = (sizeBytes: number) =>
    Buffer.concat([
      Buffer.from("1f8b0808000000000003", "hex"),
      Buffer.alloc(sizeBytes, "n"),
      head.subarray(4, 5),
    ]);
  const files = (more: number) => ({
    "other-program.gz": Buffer.from(gzipSync(prose(9, 30_000 + more), { level: 1 })),
    "long-name.gz": pressed(named(2000), prose(10, 3000 + more), 0),
    "name.gz": pressed(named(900), prose(11, 3000 + more), 0),
    "large-inside.gz": pressed(head, Buffer.alloc(JOB_ROOM + more), 1),
    "was-none.gz": more === 0 ? noise(12, 3000) : pressed(head, prose(12, 3000), 0),
  });
  await roundTrip(imageOf(files(0)), imageOf(files(1)));
});

/** Where the inode of a file of `imageOf` lies, and its entry. */
function placesIn(image: Buffer, index: number): { entry: number; inode: number } {
  const entry = 4096 + 32 + index * 12;
  return { entry, inode: 4096 + Number(image.readBigUInt64LE(entry)) * 32 };
}

test("an image that is damaged is carried all the same", async () => {
  const damages: readonly ((image: Buffer) => unknown)[] = [
    (image) => image.writeUInt32LE(0x7fffffff, placesIn(image, 0).inode + 8),
    (image) => image.writeUInt32LE(0x00ffffff, placesIn(image, 4).inode + 16),
    (image) => image.writeUInt16LE(0xffff, 1024 + 14),
    (image) => image.writeBigUInt64LE(2n ** 40n, placesIn(image, 1).entry),
    // The folder in itself, and a file in the place of another one.
    (image) => image.writeBigUInt64LE(0n, placesIn(image, 0).entry),
    (image) =>
      image.copy(
        image,
        placesIn(image, 1).inode + 16,
        placesIn(image, 4).inode + 16,
        placesIn(image, 4).inode + 20,
      ),
    (image) => image.writeUInt16LE(60_000, placesIn(image, 0).entry + 8),
    (image) => image.writeUInt16LE(3, placesIn(image, 0).entry + 8),
    (image) => image.writeUInt8(13, 1024 + 12),
  ];
  const right = imageOf(before);
  for (const damage of damages) {
    const damaged = imageOf(after);
    damage(damaged);
    await roundTrip(right, damaged);
    await roundTrip(damaged, right);
  }
});

test("a program that is damaged, or has more parts than a difference can name, is bytes like others", async () => {
  const first = programOfFunctions(FUNCTIONS.slice(0, 60));
  const headers = (program: Buffer, count: number, at: number, sizeBytes: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, () => program.subarray(at, at + sizeBytes)));
  const sectionsOf = (program: Buffer) => Number(program.readBigUInt64LE(40));
  const changes: readonly ((program: Buffer) => Buffer)[] = [
    (program) => (program.writeBigUInt64LE(2n ** 60n, 40), program),
    (program) => (program.writeUInt16LE(9, 60), program),
    (program) => (program.writeUInt16LE(0xffff, 62), program),
    (program) => (program.writeBigUInt64LE(2n ** 55n, 64 + 16), program),
    (program) => {
      program.writeBigUInt64LE(BigInt(program.length), 32);
      program.writeUInt16LE(17, 56);
      return Buffer.concat([program, headers(program, 17, 64, 56)]);
    },
    (program) => {
      const text = headers(program, 1100, sectionsOf(program) + 64, 64);
      const others = headers(program, 1, sectionsOf(program), 4 * 64);
      const start = program.length;
      program.writeBigUInt64LE(BigInt(start), 40);
      program.writeUInt16LE(1104, 60);
      return Buffer.concat([program, others, text]);
    },
  ];
  for (const change of changes) {
    const [one, two] = [first, programOfFunctions([5555, ...FUNCTIONS.slice(0, 60)])].map(
      (program) => imageOf({ program: change(Buffer.from(program)) }),
    );
    await roundTrip(one!, two!);
    await roundTrip(imageOf({ program: first }), two!);
  }
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

const COPY_OF_ONE = [{ kind: COPY, from: 0, sizeBytes: 1 }];

/** Segments, of a byte each unless it is said otherwise, with as many jobs before it as there may be. */
function craftedJobs(
  oldBytes: number,
  job: Job,
  counts: readonly number[],
  { inflatedBytes = 0, operations = COPY_OF_ONE, bodyBytes = 9000 } = {},
): Buffer {
  const parts: Buffer[] = [Buffer.from(MAGIC, "latin1")];
  const coder = new BitEncoder((bytes) => void parts.push(Buffer.from(bytes)));
  const frame = new Frame(coder);
  codeHeader(frame, { oldBytes, bodyBytes, tableBits: 12, tree: undefined });
  let at = 0;
  let first = 0;
  for (const jobs of counts) {
    const now = operations.map((operation) =>
      operation.kind === PRESSED ? { ...operation, from: operation.from + first } : operation,
    );
    frame.segment({ operations: now, jobs }, oldBytes, at, bodyBytes - at);
    for (let count = 0; count < jobs; count += 1) frame.job(job, oldBytes, () => inflatedBytes);
    at += now.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    first += jobs * JOB_ROOM;
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

test("a compressed file is taken once and whole, and no other is than its job made", async () => {
  const job = { sources: [], manner: 0, headBytes: 0, rawBytes: 0, operations: [] };
  const old = noise(1, 5000);
  writeFileSync(OLD, old);
  const takes = (...parts: readonly (readonly [number, number])[]) => {
    const operations = parts.map(([from, sizeBytes]) => ({ kind: PRESSED, from, sizeBytes }));
    const bodyBytes = parts.reduce((sum, [, sizeBytes]) => sum + sizeBytes, 0);
    return outcomeOf(craftedJobs(5000, job, [1], { operations, bodyBytes }), bodyBytes);
  };
  // No bytes: 2 of deflate, 8 of the frame.
  const made = Buffer.from("03000000000000000000", "hex");
  assert.is(await takes([0, 10]), digestOf(made));
  assert.is(await takes([0, 4], [4, 6]), digestOf(made));
  assert.is(
    await takes([4, 6], [0, 4]),
    digestOf(Buffer.concat([made.subarray(4), made.subarray(0, 4)])),
  );
  assert.match(await takes([5, 6]), /is not there/);
  assert.match(await takes([0, 6], [2, 6]), /is not there/);
  assert.match(await takes([0, 10], [0, 1]), /is not there/);
  for (const kind of [STORED, PRESSED]) {
    const other = { ...job, rawBytes: 1, operations: [{ kind, sizeBytes: 1, from: 0 }] };
    const difference = craftedJobs(5000, other, [1]);
    assert.match(await outcomeOf(difference, 9000), /an operation of another kind/);
  }
});

test("what compressed files may cost, and how much of them may wait", async () => {
  const nothing = { sources: [], manner: 0, headBytes: 0, rawBytes: 0, operations: [] };
  const jobOf = (old: Uint8Array, rawBytes: number): Job => {
    const sources = [{ at: 0, sizeBytes: Math.min(JOB_ROOM, old.length) }];
    if (old.length > JOB_ROOM) sources.push({ at: JOB_ROOM, sizeBytes: old.length - JOB_ROOM });
    const operations = rawBytes === 0 ? [] : [{ kind: COPY, from: 0, sizeBytes: rawBytes }];
    return { ...nothing, sources, rawBytes, operations, manner: 3 };
  };
  const zeros = gzipSync(Buffer.alloc(JOB_ROOM));
  writeFileSync(OLD, zeros);
  const often = craftedJobs(zeros.length, jobOf(zeros, 0), [70], { inflatedBytes: JOB_ROOM });
  assert.match(await outcomeOf(often, 9000), /larger than their image allows/);
  const more = gzipSync(Buffer.alloc(JOB_ROOM + 1));
  writeFileSync(OLD, more);
  rmSync(MADE, { force: true });
  writeFileSync(DIFFERENCE, craftedJobs(more.length, jobOf(more, 0), [1]));
  const why = await applyDifference(OLD, { path: DIFFERENCE }, MADE, 9000).then(() => "", String);
  assert.match(why, /Cannot create a Buffer larger/);
  assert.not.ok(existsSync(MADE));

  /** Each job is done when it is asked for. */
  const performer = (raw: Buffer) => {
    const old = gzipSync(raw, { level: 0 });
    const job = jobOf(old, raw.length);
    const rest = [craftedJobs(old.length, job, [10], { inflatedBytes: raw.length })];
    const decoder = new BitDecoder(() => rest.pop()?.subarray(MAGIC.length) ?? Buffer.alloc(0));
    const frame = new Frame(decoder);
    codeHeader(frame);
    frame.segment(undefined, old.length, 0, 9000);
    const readOld = (into: Uint8Array, at: number) => into.set(old.subarray(at, at + into.length));
    const transfer = new Transfer(decoder, 12, readOld);
    const jobs = new Pressed(9000);
    return { jobs, perform: () => jobs.perform(frame, transfer, readOld, old.length) };
  };
  assert.throws(performer(noise(1, JOB_ROOM - 1)).perform, /too large/);
  const raw = noise(1, JOB_ROOM - 4000);
  const { jobs, perform } = performer(raw);
  for (let count = 0; count < 4; count += 1) perform();
  const wanted = pressed(Buffer.alloc(0), raw, 3);
  assert.ok(jobs.take(0, wanted.length).equals(wanted));
  perform();
  assert.throws(perform, /wait for their place/);
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
  // Less than a byte of each: what cannot be made smaller is stored, and nothing is searched for that anybody sees.
  const few = (seed: number, sizeBytes: number) =>
    noise(seed, sizeBytes).map((byte) => 128 + (byte & 63));
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
      // The farthest matches there are, of three bytes and of more.
      ...[4095, 4096, 4097].map((far) =>
        Buffer.concat([Buffer.from("xabc"), few(4, far - 3), Buffer.from("abc")]),
      ),
      ...[32_505, 32_506, 32_507].map((far) =>
        Buffer.concat([Buffer.from("in the same"), few(5, far - 8), Buffer.from("the same")]),
      ),
      // What a program sees behind the end: zeros, or what was in its window before.
      ...[20_000, 40_000, 70_000].map((size) =>
        Buffer.concat([
          few(6, size - 2000),
          Buffer.from("the same\0\0\0"),
          few(7, 1000),
          Buffer.from("the same\0\0!"),
          few(8, 900),
          Buffer.from("the same"),
        ]),
      ),
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
  rest.push(Buffer.alloc(1));
  assert.throws(() => decoder.finish(), /behind the end/);
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
