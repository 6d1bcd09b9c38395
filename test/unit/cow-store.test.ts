/*
 * The test's own reader of dm-snapshot's store: on a store made by hand, area by area.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { faultsOfRestored, type RootState } from "../lab/backup-judge.ts";
import { parseCowStore } from "../lab/cow-store.ts";

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
  parseCowStore((offset, size) => store.subarray(offset, offset + size));

test("an empty store, and one with entries in two areas", () => {
  assert.equal(parse(makeStore([])), { chunkBytes: CHUNK, exceptions: new Map() });
  const entries = Array.from({ length: PER_AREA + 3 }, (_, index): [number, number] => [
    1000 - index,
    index + 2,
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
