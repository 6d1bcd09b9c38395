/*
 * What was made on 2026-11-26, when the formats had their version 1, and what every later zshield reads alike: keys, chain, record,
 * a bundle, and a difference with each kind of operation and field. frozen-formats.json is never made again: writer and reader
 * of most formats share their code, so that other tests would not see both change.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { applyDelta } from "../../src/bundle/delta-apply.ts";
import { openImage } from "../../src/bundle/image.ts";
import { expandContent, openBundle } from "../../src/bundle/open.ts";
import { filePieces } from "../../src/bundle/pieces.ts";
import { readBundle } from "../../src/bundle/read.ts";
import { unlockKey } from "../../src/bundle/secret-key.ts";
import { applyDifference } from "../../src/bundle/zdiff.ts";
import { BitEncoder } from "../../src/bundle/zdiff/coder.ts";
import { Frame, JOB_ROOM, MAGIC, PRESSED } from "../../src/bundle/zdiff/format.ts";
import { codeHeader } from "../../src/bundle/zdiff/header.ts";
import { Pressed, pressed } from "../../src/bundle/zdiff/pressed.ts";
import { PIECE, Transfer } from "../../src/bundle/zdiff/transfer.ts";
import { listContents } from "../../src/model/bundle-manifest.ts";
import { followChain, parseChain } from "../../src/model/chain.ts";
import { parsePublicFile, printPublicKey, sysKeyOf } from "../../src/model/minisign.ts";
import { verifyRecord } from "../../src/model/signed-record.ts";
import { selectPackages } from "../../src/plan/selection.ts";
import { noise, numbersFrom, prose } from "./zdiff-example.ts";

const frozen = JSON.parse(
  readFileSync(new URL("frozen-formats.json", import.meta.url), "utf8"),
) as Record<string, string>;
const part = (name: string): string => {
  const value = frozen[name];
  if (value === undefined) throw new Error(`${name} is not in frozen-formats.json`);
  return value;
};

const folder = mkdtempSync(join(tmpdir(), "zs-frozen-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const OLD = join(folder, "old.upt");
const CHANGE = join(folder, "change.upd");
writeFileSync(OLD, gunzipSync(Buffer.from(part("old"), "base64")));
writeFileSync(CHANGE, gunzipSync(Buffer.from(part("change"), "base64")));

const first = parsePublicFile("publicKey", part("publicKey"));
const next = parsePublicFile("nextKey", part("nextKey"));
const keys = [printPublicKey(first)];
const digestOf = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

test("keys, chain and device record", async () => {
  const secret = await unlockKey("secretKey", part("secretKey"), part("password"));
  assert.is(printPublicKey(secret), printPublicKey(first));
  assert.is(sysKeyOf(first).length, 32);
  const last = followChain(parseChain("chain", part("chain")), keys);
  assert.is(printPublicKey(last), printPublicKey(next));
  const { record } = verifyRecord("record", part("record"), [printPublicKey(next)]);
  assert.equal(record, { device: "BOX-0017", mask: 0x600001, prefix: "acme", epoch: 3 });
});

test("a bundle: its identity, what is in its images, what a device takes", async () => {
  const { identity, manifest } = await readBundle(filePieces(OLD), { name: OLD, keys });
  assert.is(identity, part("oldIdentity"));
  const bundle = await openBundle(OLD, keys);
  for (const content of listContents(manifest)) {
    const out = join(folder, content.item.name);
    await expandContent(bundle, content, out);
    assert.is(digestOf(out), content.sha256);
    if (!("image" in content.item)) continue;
    const image = await openImage(out, content.item.image.verity.rootHash);
    assert.is(image.description.version, content.item.version);
    image.close();
  }
  const { record } = verifyRecord("record", part("record"), [printPublicKey(next)]);
  const [platform] = manifest.platforms;
  if (platform === undefined) throw new Error("there is no platform");
  assert.equal(
    selectPackages(platform, record).taken.map(({ package: { name } }) => name),
    ["base-files-1.0.8-7.1-000000", "nvr-1.0.8.1-8.1-000001"],
  );
});

test("a difference, by the key that came after", async () => {
  const images = join(folder, "images");
  const how: string[] = [];
  const { identity, manifest, signer } = await applyDelta(
    OLD,
    CHANGE,
    { out: undefined, images },
    { keys: undefined, onManifest: () => undefined, onContent: (_, way) => how.push(way) },
  );
  assert.is(identity, part("newIdentity"));
  assert.is(printPublicKey(signer), printPublicKey(next));
  const contents = listContents(manifest).map(({ sha256 }) => sha256);
  assert.equal(readdirSync(images).sort(), contents.toSorted());
  for (const sha256 of contents) assert.is(digestOf(join(images, sha256)), sha256);
  assert.equal(how.toSorted(), ["full", "unchanged", "unchanged", "zdiff1", "zdiff1"]);
});

/** An old image with something for each way to find a field, in places that change from program to program. */
function fieldsFrom(seed: number, sizeBytes: number): Buffer {
  const next = numbersFrom(seed);
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at + 16 <= sizeBytes;) {
    const way = next() % 10;
    if (way === 0) at = bytes.writeUInt8(0xe8, at);
    else if (way === 1) at = bytes.writeUInt16BE(0x0f80 + (next() % 16), at);
    else if (way === 2) at = bytes.writeUInt16BE(0x8b05 + 8 * (next() % 8), at);
    else if (way < 6) {
      at = bytes.writeUInt32LE(next() % 0x28000, Math.ceil(at / 8) * 8);
      at = bytes.writeUInt32LE(next() % 3 === 0 ? next() : 0, at);
    } else if (way === 6) at += 4;
    else at = bytes.writeInt32LE((next() % 0x6000) - 0x3000, at);
  }
  return bytes;
}

// By its digest alone: both directions share all of this, so a change of it makes other bytes here, whatever else stays right.
test("zdiff1: literals, fields of each kind, and compressed files", async () => {
  const head = Buffer.from("1f8b0800000000000003", "hex");
  const text = prose(5, 60_000);
  const packed = pressed(head, text, 1);
  const old = Buffer.concat([fieldsFrom(1, 150_000), packed]);
  const next = numbersFrom(2);
  const fresh = Buffer.from(old.subarray(0, 150_000));
  for (let at = 0; at + 4 < fresh.length; at += 1 + (next() % 90)) {
    const way = next() % 4;
    if (way === 0) fresh[at] = next();
    else fresh.writeInt32LE((old.readInt32LE(at) + (way === 1 ? 16 : 0x120)) | 0, at);
  }
  const load = (offset: number, sizeBytes: number, address: number) => ({
    offset,
    sizeBytes,
    address,
  });
  const areas = [
    ...[0, 1, 2, 3, 4, 5, 6].map((kind) => ({ kind, start: kind * 18_000, sizeBytes: 18_000 })),
    // Two ways to see the same bytes.
    { kind: 4, start: 9000, sizeBytes: 3000 },
    { kind: 3, start: 112_002, sizeBytes: 8000 },
    ...[0, 1, 2, 3, 4, 5].map(() => ({ kind: 4, start: 126_000, sizeBytes: 22_000 })),
  ];
  const ranges = areas
    .map(({ kind, start, sizeBytes }, index) => ({
      ...{ kind, start, end: start + sizeBytes },
      stride: kind === 1 || kind === 3 ? 8 : kind === 4 ? 4 : 12,
      place: kind === 2 || kind === 5 ? 4 : 0,
      oldBase: 0x4000,
      newBase: 0x4100 + index,
    }))
    .sort((a, b) => a.start - b.start);
  const program = {
    old: { start: 128, loads: [load(0, 70_000, 0x100), load(70_000, 80_000, 0x18000)] },
    fresh: { start: 256, loads: [load(0, 70_000, 0x100), load(70_000, 80_000, 0x18100)] },
    ranges,
  };
  const parts: { kind: number; sizeBytes: number; from: number; bytes: Buffer }[] = [
    { kind: 2, from: 0, bytes: prose(3, 30_000) },
    { kind: 2, from: 0, bytes: Buffer.alloc(20_000) },
    { kind: 2, from: 0, bytes: Buffer.concat([noise(4, 5000), prose(3, 9000), noise(4, 5000)]) },
    { kind: 1, from: 0, bytes: fresh.subarray(0, 100_000) },
    { kind: 0, from: 60_000, bytes: old.subarray(60_000, 60_020) },
    // Too short to tell where anything went.
    ...Array.from({ length: 40 }, (_, index) => 100_000 + index * 31).map((from) => ({
      ...{ kind: 0, from },
      bytes: old.subarray(from, from + 31),
    })),
    { kind: 1, from: 101_241, bytes: fresh.subarray(101_241) },
    { kind: 0, from: 20_000, bytes: old.subarray(20_000, 20_500) },
  ].map((one) => ({ ...one, sizeBytes: one.bytes.length }));
  // A copy, nearly one, and what is carried: noise for more than one block, and at the end what is there already.
  const few = (seed: number, sizeBytes: number) =>
    noise(seed, sizeBytes).map((byte) => 128 + (byte & 63));
  const near = text
    .subarray(20_000, 50_000)
    .map((byte, place) => byte ^ (place % 97 === 0 ? 1 : 0));
  const more = [
    few(6, 36_000),
    "the same\0\0\0",
    few(7, 1000),
    "the same\0\0!",
    few(8, 900),
    "the same",
  ];
  const literal = Buffer.concat(more.map((one) => Buffer.from(one)));
  const raw = Buffer.concat([text.subarray(0, 15_000), near, literal]);
  const job = {
    sources: [
      { at: 150_000, sizeBytes: 5000 },
      { at: 155_000, sizeBytes: packed.length - 5000 },
    ],
    headBytes: head.length,
    rawBytes: raw.length,
    operations: [
      { kind: 0, from: 0, sizeBytes: 15_000 },
      { kind: 1, from: 20_000, sizeBytes: near.length },
      { kind: 2, from: 0, sizeBytes: literal.length },
    ],
  };
  const results = [0, 1, 2, 3].map((manner) => pressed(head, raw, manner));
  const resultsDigest = createHash("sha256").update(Buffer.concat(results)).digest("hex");
  assert.is(resultsDigest, "232ce59d82c360d127c51d278cd679da8317bb30e5edbfc822673344243f9d95");
  const first = Buffer.concat(parts.map(({ bytes }) => bytes));
  const wanted = Buffer.concat([first, ...results]);
  const written: Buffer[] = [Buffer.from(MAGIC, "latin1")];
  const coder = new BitEncoder((bytes) => void written.push(Buffer.from(bytes)));
  const frame = new Frame(coder);
  const sizes = { oldBytes: old.length, bodyBytes: wanted.length };
  codeHeader(frame, { ...sizes, tableBits: 12, tree: undefined });
  const operations = parts.map(({ kind, sizeBytes, from }) => ({ kind, sizeBytes, from }));
  frame.segment({ jobs: 0, operations, program }, old.length, 0, wanted.length);
  const transfer = new Transfer(coder, 12, (into, at) => {
    into.set(old.subarray(at, at + into.length));
  });
  transfer.begin({ operations, program }, 0);
  let at = 0;
  for (const { bytes, ...operation } of parts) {
    if (operation.kind === 2) {
      for (let done = 0; done < bytes.length; done += PIECE) {
        transfer.literal(Buffer.from(bytes.subarray(done, done + PIECE)));
      }
    } else if (operation.kind === 1) transfer.patch(operation, at, bytes);
    else transfer.passed(bytes.subarray(-8));
    at += bytes.length;
  }
  const takes = results.map(({ length }, index) => ({
    ...{ kind: PRESSED, sizeBytes: length, from: index * JOB_ROOM },
  }));
  frame.segment({ jobs: 4, operations: takes }, old.length, at, wanted.length - at);
  const jobs = new Pressed(wanted.length);
  const readOld = (into: Uint8Array, from: number) =>
    into.set(old.subarray(from, from + into.length));
  for (const manner of [0, 1, 2, 3]) {
    jobs.perform(frame, transfer, readOld, old.length, { job: { ...job, manner }, head, raw });
  }
  coder.finish();
  const [before, path, after] = ["old", "difference", "new"].map((name) => join(folder, name));
  writeFileSync(before!, old);
  writeFileSync(path!, Buffer.concat(written));
  const { sha256 } = await applyDifference(before!, { path: path! }, after!, wanted.length);
  assert.is(sha256, createHash("sha256").update(wanted).digest("hex"));
  assert.is(digestOf(path!), "25c4d86ae07a7dae163656e89a497d7b7cced7ab3ca033f64eec5245dcf25ce6");
});

test.run();
