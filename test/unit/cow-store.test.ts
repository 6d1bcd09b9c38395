/*
 * The test's own reader of dm-snapshot's store: on a store made by hand, area by area.
 */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { faultsOfRestored, type RootState } from "../lab/backup-judge.ts";
import {
  effectiveView,
  fingerprintOfView,
  parseCowStore,
  storeOf,
  writeView,
} from "../lab/cow-store.ts";
import type { VolumePlace } from "../lab/inspect.ts";
import { withOpen, writeBytes } from "../lab/sparse.ts";
import { MIB } from "../../src/model/size.ts";

const CHUNK = 512;
const PER_AREA = CHUNK / 16;

/** Exceptions `[old, kept]` in order, written as the kernel does. */
function makeStore(entries: readonly [number, number][], valid = 1): Buffer {
  const bytes = Buffer.alloc((4 * (PER_AREA + 1) + 2) * CHUNK);
  bytes.writeUInt32LE(0x70416e53, 0);
  bytes.writeUInt32LE(valid, 4);
  bytes.writeUInt32LE(1, 8);
  bytes.writeUInt32LE(CHUNK / 512, 12);
  entries.forEach(([old, kept], index) => {
    const area = Math.floor(index / PER_AREA);
    const at = (1 + area * (PER_AREA + 1)) * CHUNK + (index % PER_AREA) * 16;
    bytes.writeBigUInt64LE(BigInt(old), at);
    bytes.writeBigUInt64LE(BigInt(kept), at + 8);
  });
  return bytes;
}

const parse = (store: Buffer) =>
  parseCowStore((offset, size) => store.subarray(offset, offset + size), store.length);

test("an empty store, and one with entries in two areas", () => {
  assert.equal(parse(makeStore([])), { chunkBytes: CHUNK, exceptions: new Map() });
  const entries = Array.from({ length: PER_AREA + 3 }, (_, index): [number, number] => [
    1000 - index,
    // The second area lies behind the chunks of the first.
    index < PER_AREA ? index + 2 : index + 3,
  ]);
  assert.equal(parse(makeStore(entries)), { chunkBytes: CHUNK, exceptions: new Map(entries) });
});

test("what is merged is taken away from the end: the rest counts", () => {
  const store = makeStore([
    [7, 2],
    [8, 3],
  ]);
  store.fill(0, CHUNK + 16, CHUNK + 32);
  assert.equal(parse(store), { chunkBytes: CHUNK, exceptions: new Map([[7, 2]]) });
});

test("a store that is none, or was marked as not valid", () => {
  assert.match(String(parse(Buffer.alloc(4096))), /SnAp/);
  assert.match(String(parse(makeStore([[7, 2]], 0))), /not valid/);
});

test("a store that cannot be: an entry outside, in an area's place, or for a chunk that has one", () => {
  for (const kept of [1, 1 + PER_AREA + 1, 10_000]) {
    assert.match(String(parse(makeStore([[7, kept]]))), /cannot be: chunk 7/);
  }
  const twice = makeStore([
    [7, 2],
    [7, 3],
  ]);
  assert.match(String(parse(twice)), /entry 1 of area 0/);
  const odd = makeStore([]);
  odd.writeUInt32LE(0, 12);
  assert.match(String(parse(odd)), /0 bytes/);
});

const folder = mkdtempSync(`${tmpdir()}/zs-cow-`);
const ORIGIN_BYTES = 3 * MIB + 4096;
const place = (name: string, startBytes: number, sizeBytes: number): VolumePlace => ({
  ...{ name, uuid: name, tags: [], startBytes, sizeBytes },
});

/** A disk with an origin whose second MiB is a hole, and a store behind it. */
function makeDisk(): { readonly file: string; readonly bytes: Buffer } {
  const bytes = Buffer.alloc(8 * MIB);
  bytes.fill(1, MIB, 2 * MIB);
  bytes.fill(2, 3 * MIB, 4 * MIB + 4096);
  const store = makeStore([
    [0, 2],
    [2048 + 5, 3],
    [3000, 4],
  ]);
  for (const [chunk, fill] of [
    [2, 7],
    [3, 8],
    [4, 9],
  ] as const) {
    store.fill(fill, chunk * CHUNK, (chunk + 1) * CHUNK);
  }
  store.copy(bytes, 6 * MIB);
  const file = `${folder}/disk.raw`;
  writeFileSync(file, "");
  truncateSync(file, bytes.length);
  withOpen(file, "r+", (open) => writeBytes(open, 0, bytes));
  return { file, bytes };
}

test("the view of a snapshot: a sparse copy of it, and fingerprints of the content", () => {
  const { file, bytes } = makeDisk();
  const origin = place("lv-root", MIB, ORIGIN_BYTES);
  const cow = {
    ...place("snap0", 6 * MIB, MIB),
    snapshot: { origin: "lv-root", chunkBytes: CHUNK, isMerging: true },
  };
  const snapshot = { place: cow, store: storeOf(file, cow) };
  const wanted = Buffer.from(bytes.subarray(MIB, MIB + ORIGIN_BYTES));
  const plain = fingerprintOfView(file, origin, undefined);
  for (const [chunk, fill] of [
    [0, 7],
    [2048 + 5, 8],
    [3000, 9],
  ] as const) {
    wanted.fill(fill, chunk * CHUNK, (chunk + 1) * CHUNK);
  }
  assert.equal(effectiveView(file, [origin, cow], "lv-root"), { origin, snapshot });
  const quiet = { ...cow, snapshot: { ...cow.snapshot, isMerging: false } };
  assert.is(effectiveView(file, [origin, quiet], "lv-root").snapshot, undefined);

  const copy = `${folder}/view.raw`;
  writeView(file, origin, snapshot, copy);
  assert.ok(readFileSync(copy).equals(wanted));
  const whole = { ...origin, startBytes: 0 };
  const seen = fingerprintOfView(file, origin, snapshot);
  assert.is(fingerprintOfView(copy, whole, undefined), seen);
  assert.is.not(seen, plain);
  // Zeros that are written count as the hole that they equal.
  writeFileSync(copy, wanted);
  assert.is(fingerprintOfView(copy, whole, undefined), seen);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

const GOOD: RootState = {
  root: "r",
  backup: "r",
  isMerging: false,
  exceptions: 0,
  backupTags: ["zshield", "zshield.reason=restored"],
};

test("the judge of a restored root finds each fault", () => {
  assert.equal(faultsOfRestored(GOOD, "r"), []);
  for (const [change, words] of [
    [{ isMerging: true }, /still being merged/],
    [{ root: "other" }, /not what it was/],
    [{ backup: undefined }, /no backup/],
    [{ backup: "other" }, /not the restored root/],
    [{ backupTags: ["zshield.reason=factory"] }, /not the one that the recovery took/],
  ] as const) {
    assert.match(faultsOfRestored({ ...GOOD, ...change }, "r").join(), words);
  }
});

test.run();
