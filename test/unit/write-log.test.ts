/*
 * Recorded writes, crash states, replay: on a log made by hand, against a disk that is a byte array.
 */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MIB } from "../../src/model/size.ts";
import { epochsOf, planStates, type CrashState, type Piece } from "../lab/crash-states.ts";
import { openReplay } from "../lab/replay.ts";
import { makeRandom } from "../lab/scenario.ts";
import { dataStretches, withOpen } from "../lab/sparse.ts";
import { readWriteLog, type LoggedWrite } from "../lab/write-log.ts";

const SECTOR = 512;
const DISK_BYTES = 4 * MIB;
const folder = mkdtempSync(`${tmpdir()}/zs-write-log-`);

type Made =
  | { readonly flags: 0 | 2; readonly sector: number; readonly data: Buffer }
  | { readonly flags: 4; readonly sector: number; readonly sectors: number }
  | { readonly flags: 1 };

const write = (sector: number, sectors: number, fill: number, flags: 0 | 2 = 0): Made => ({
  flags,
  sector,
  data: Buffer.alloc(sectors * SECTOR, fill),
});
const FLUSH: Made = { flags: 1 };

const MADE: readonly Made[] = [
  write(0, 8, 1),
  FLUSH,
  FLUSH,
  write(100, 4, 2),
  write(102, 4, 3),
  { flags: 4, sector: 0, sectors: 2 },
  FLUSH,
  write(1000, 3000, 4),
  write(7, 1, 5, 2),
  write(9, 2, 0),
  write(8191, 1, 6),
  FLUSH,
];

function makeLog(made: readonly Made[], counted = made.length): string {
  const superblock = Buffer.alloc(SECTOR);
  superblock.writeBigUInt64LE(0x6a736677736872n, 0);
  superblock.writeBigUInt64LE(1n, 8);
  superblock.writeBigUInt64LE(BigInt(counted), 16);
  superblock.writeUInt32LE(SECTOR, 24);
  const parts: Uint8Array[] = [superblock];
  for (const one of made) {
    const header = Buffer.alloc(SECTOR);
    if (one.flags !== 1) {
      const sectors = one.flags === 4 ? one.sectors : one.data.length / SECTOR;
      header.writeBigUInt64LE(BigInt(one.sector), 0);
      header.writeBigUInt64LE(BigInt(sectors), 8);
    }
    header.writeBigUInt64LE(BigInt(one.flags), 16);
    parts.push(header);
    if ("data" in one) parts.push(one.data);
  }
  const file = `${mkdtempSync(`${folder}/log-`)}/log`;
  writeFileSync(file, Buffer.concat(parts));
  return file;
}

function makeBase(): string {
  const file = `${mkdtempSync(`${folder}/base-`)}/base.raw`;
  const bytes = Buffer.alloc(DISK_BYTES);
  const random = makeRandom("base");
  for (let at = 0; at < MIB; at++) bytes[at] = 1 + Math.floor(random() * 255);
  writeFileSync(file, bytes);
  return file;
}

/** The state by the plainest means: a copy of the whole disk. */
function simulate(base: string, log: ReturnType<typeof readWriteLog>, state: CrashState): Buffer {
  const disk = Buffer.from(readFileSync(base));
  const data = readFileSync(log.file);
  const put = ({ write: one, skipBytes, sizeBytes }: Piece) => {
    const at = one.startBytes + skipBytes;
    const from = one.dataAt + skipBytes;
    if (one.kind === "discard") disk.fill(0, at, at + sizeBytes);
    else data.copy(disk, at, from, from + sizeBytes);
  };
  for (const entry of log.entries.slice(0, state.epoch.begin)) {
    if (entry.kind !== "flush") put({ write: entry, skipBytes: 0, sizeBytes: entry.sizeBytes });
  }
  state.pieces.forEach(put);
  return disk;
}

const phaseOf = (writes: readonly LoggedWrite[]) =>
  writes.some(({ startBytes }) => startBytes < 10 * SECTOR) ? "table" : "bulk";

test("the log is read: writes with their place, discards without data, flushes, forced writes", () => {
  const { entries } = readWriteLog(makeLog(MADE));
  assert.equal(
    entries.map(({ kind }) => kind),
    MADE.map(({ flags }) => (flags === 1 ? "flush" : flags === 4 ? "discard" : "write")),
  );
  const writes = entries.filter((entry): entry is LoggedWrite => entry.kind !== "flush");
  assert.equal(
    writes.map(({ durable }) => durable),
    MADE.filter(({ flags }) => flags !== 1).map(({ flags }) => flags === 2),
  );
  assert.equal(writes[1], {
    kind: "write",
    startBytes: 100 * SECTOR,
    sizeBytes: 4 * SECTOR,
    dataAt: SECTOR * (1 + 1 + 8 + 2 + 1),
    durable: false,
  });
});

test("only what QEMU counted is read, and a log that ends too early is refused", () => {
  assert.is(readWriteLog(makeLog(MADE, 4)).entries.length, 4);
  const cut = makeLog(MADE);
  truncateSync(cut, 40 * SECTOR);
  assert.throws(() => readWriteLog(cut), /ends in the middle of entry/);
  writeFileSync(cut, Buffer.alloc(SECTOR));
  assert.throws(() => readWriteLog(cut), /no log of blklogwrites/);
});

test("epochs: flushes with nothing between them are one, the end is one without writes", () => {
  const { entries } = readWriteLog(makeLog(MADE));
  assert.equal(epochsOf(entries), [
    { flush: 0, begin: 0, end: 1 },
    { flush: 2, begin: 3, end: 6 },
    { flush: 3, begin: 7, end: 11 },
    { flush: 4, begin: 12, end: 12 },
  ]);
  const heeds = (flush: number) => flush >= 4;
  assert.equal(epochsOf(entries, heeds)[0], { flush: 0, begin: 0, end: 11 });
});

test("states: four for each epoch, the same for the same seed, as many of a phase as were asked for", () => {
  const log = readWriteLog(makeLog(MADE));
  const states = planStates(log, { seed: 7, phaseOf });
  assert.is(states.length, 3 * 4 + 1);
  assert.is(states.at(-1)?.phase, "end");
  assert.equal(planStates(log, { seed: 7, phaseOf }), states);
  const others = Array.from({ length: 20 }, (_, seed) => planStates(log, { seed, phaseOf }));
  assert.ok(new Set(others.map((one) => JSON.stringify(one))).size > 15, "the seed says nothing");
  const few = planStates(log, { seed: 7, phaseOf, most: { table: 3 } });
  assert.equal(few.map(({ phase }) => phase).sort(), ["end", "table", "table", "table"]);
});

test("over many seeds: every write is missing and there, the long one in parts, a forced one never torn", () => {
  const log = readWriteLog(makeLog(MADE));
  const seen = { missing: 0, whole: 0, part: 0, tornAt: new Set<number>() };
  for (let seed = 0; seed < 200; seed++) {
    for (const { kind, pieces, epoch } of planStates(log, { seed, phaseOf })) {
      if (epoch.flush !== 3) continue;
      const long = pieces.filter(({ write: one }) => one.startBytes === 1000 * SECTOR);
      const bytes = long.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      if (kind === "torn" && bytes < 3000 * SECTOR) seen.tornAt.add(bytes);
      else if (bytes === 0) seen.missing += 1;
      else if (bytes === 3000 * SECTOR) seen.whole += 1;
      else seen.part += 1;
      for (const { write: one, sizeBytes } of pieces) {
        assert.is(sizeBytes % SECTOR, 0);
        if (one.durable) assert.is(sizeBytes, one.sizeBytes);
      }
    }
  }
  assert.ok(seen.missing > 20 && seen.whole > 20 && seen.part > 20, JSON.stringify(seen));
  assert.ok(seen.tornAt.size > 10, `torn at ${seen.tornAt.size} places only`);
});

test("replay: each state is what a copy of the whole disk would be, and leaves nothing behind", async () => {
  const log = readWriteLog(makeLog(MADE));
  const base = makeBase();
  const working = `${folder}/working.raw`;
  for (let seed = 0; seed < 3; seed++) {
    const replay = await openReplay(base, log, working);
    for (const state of planStates(log, { seed, phaseOf })) {
      const wanted = simulate(base, log, state);
      await replay.show(state, async (disk) => {
        assert.ok(readFileSync(disk.file).equals(wanted), state.name);
        assert.ok(disk.read(SECTOR, 9000).equals(wanted.subarray(SECTOR, SECTOR + 9000)));
        // A judge's own repair is taken back too.
        disk.write(3000, Buffer.alloc(70_000, 9));
        disk.write(3000, Buffer.alloc(100));
        wanted.fill(9, 3000, 73_000).fill(0, 3000, 3100);
        assert.ok(readFileSync(disk.file).equals(wanted), `${state.name}, written to`);
      });
      const after = simulate(base, log, { ...state, pieces: [] });
      assert.ok(readFileSync(working).equals(after), `${state.name}: something stayed`);
    }
    replay.finish();
    const end = planStates(log, { seed, phaseOf }).at(-1);
    assert.ok(end && readFileSync(working).equals(simulate(base, log, end)));
    replay.close();
  }
});

test("replay: states out of order are refused, and a judge that throws leaves nothing behind", async () => {
  const log = readWriteLog(makeLog(MADE));
  const base = makeBase();
  const replay = await openReplay(base, log, `${folder}/working.raw`);
  const [first, ...rest] = planStates(log, { seed: 1, phaseOf });
  const torn = rest.find(({ pieces }) => pieces.length > 0);
  assert.ok(first && torn);
  const failure = await replay
    .show(torn, async () => {
      throw new Error("judged");
    })
    .catch((error: Error) => error.message);
  assert.is(failure, "judged");
  assert.ok(
    readFileSync(`${folder}/working.raw`).equals(simulate(base, log, { ...torn, pieces: [] })),
  );
  const last = rest.at(-1);
  assert.ok(last);
  await replay.show(last, async () => undefined);
  const late = await replay.show(first, async () => undefined).catch((error: Error) => error);
  assert.match(String(late), /order of the log/);
  replay.close();
});

test("zeros and discards become holes: the working file stays sparse", async () => {
  const log = readWriteLog(makeLog([write(0, 2048, 7), FLUSH, write(0, 2048, 0), FLUSH]));
  const base = `${folder}/empty.raw`;
  writeFileSync(base, "");
  truncateSync(base, DISK_BYTES);
  const working = `${folder}/sparse.raw`;
  const replay = await openReplay(base, log, working);
  replay.finish();
  replay.close();
  assert.equal(
    withOpen(working, "r", (file) => [...dataStretches(file, 0, DISK_BYTES)]),
    [],
  );
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

test.run();
