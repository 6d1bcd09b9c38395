/*
 * The state files on FAT: after a power cut at any instant there is a record, the new one or the one
 * before, and never another. The sequence of writes is replayed on byte arrays, cut and torn everywhere.
 */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  createStateFiles,
  planStateWrites,
  readState,
  writeState,
  type StateWrite,
} from "../../src/host/state-files.ts";
import {
  chooseState,
  parseState,
  STATE_BYTES,
  type StateCopy,
  type StateRecord,
} from "../../src/model/state.ts";
import { record } from "./example.ts";

const SECTOR = 512;
const folder = mkdtempSync(`${tmpdir()}/zs-state-`);

/** Contents of the four files, by name. */
type Files = ReadonlyMap<string, Uint8Array>;
type Present = { a: StateRecord | string; b: StateRecord | string };

function freshFiles(): Files {
  const directory = mkdtempSync(`${folder}/fresh-`);
  createStateFiles(directory);
  const names = ["a.env", "a.sum", "b.env", "b.sum"];
  return new Map(names.map((name) => [name, new Uint8Array(readFileSync(`${directory}/${name}`))]));
}

function copyOf(files: Files, copy: StateCopy): StateRecord | string {
  const bytes = (name: string) => files.get(name) ?? new Uint8Array();
  return parseState(copy, bytes(`${copy}.env`), new TextDecoder().decode(bytes(`${copy}.sum`)));
}

const presentIn = (files: Files): Present => ({ a: copyOf(files, "a"), b: copyOf(files, "b") });

function sequenceIn(files: Files): number | string {
  const { a, b } = presentIn(files);
  const chosen = chooseState(a, b);
  return typeof chosen === "string" ? chosen : chosen.sequence;
}

function applied(
  files: Files,
  { file, bytes }: StateWrite,
  isWritten: (sector: number) => boolean,
): Files {
  const torn = Uint8Array.from(files.get(file) ?? []);
  for (let at = 0; at < bytes.length; at += SECTOR) {
    if (isWritten(at / SECTOR)) torn.set(bytes.subarray(at, at + SECTOR), at);
  }
  return new Map(files).set(file, torn);
}

/** All that a power cut during these writes can leave: between any two, and each torn at every sector. */
function* cuts(files: Files, writes: readonly StateWrite[]): Generator<Files> {
  let now = files;
  for (const write of writes) {
    const sectors = Math.ceil(write.bytes.length / SECTOR);
    for (let count = 0; count < sectors; count++)
      yield applied(now, write, (sector) => sector < count);
    // A disk may write the sectors of one request in any order.
    for (let step = 2; step < sectors; step += 17)
      yield applied(now, write, (sector) => sector % step !== 1);
    now = applied(now, write, () => true);
    yield now;
  }
}

type Order = (record: StateRecord, present: Present) => StateWrite[];

const at = (sequence: number): StateRecord => record({ sequence });

function after(files: Files, sequence: number, order: Order = planStateWrites): Files {
  let now = files;
  for (const write of order(at(sequence), presentIn(now))) now = applied(now, write, () => true);
  return now;
}

/** The first instant at which neither the new nor the previous record is readable; undefined is good. */
function firstLoss(files: Files, sequence: number, order: Order): string | undefined {
  const previous = sequenceIn(files);
  let instant = 0;
  for (const left of cuts(files, order(at(sequence), presentIn(files)))) {
    const found = sequenceIn(left);
    if (found !== sequence && found !== previous) return `instant ${instant}: ${found}`;
    instant++;
  }
  return undefined;
}

test("a cut at any instant leaves the new record or the one before", () => {
  const files = after(after(freshFiles(), 1), 2);
  assert.is(firstLoss(files, 3, planStateWrites), undefined);
});

test("also if the write before was cut off, anywhere", () => {
  const files = after(freshFiles(), 1);
  let tried = 0;
  for (const left of cuts(files, planStateWrites(at(2), presentIn(files)))) {
    // Every hundredth instant, and all around the small files: each is followed by all cuts of the next.
    if (tried++ % 100 !== 0 && tried % 513 > 3) continue;
    assert.is(firstLoss(left, 3, planStateWrites), undefined, `after instant ${tried}`);
  }
});

test("the very first record: nothing before it is nothing, not a wrong record", () => {
  const files = freshFiles();
  const left = new Set([...cuts(files, planStateWrites(at(1), presentIn(files)))].map(sequenceIn));
  assert.ok([...left].every((found) => found === 1 || typeof found === "string"));
});

test("control: both blocks before both digests loses the record", () => {
  const blocksFirst: Order = (wanted, present) => {
    const [a, aSum, b, bSum] = planStateWrites(wanted, present);
    return [a, b, aSum, bSum] as StateWrite[];
  };
  const files = after(freshFiles(), 1);
  assert.ok(firstLoss(files, 2, blocksFirst));
});

test("control: always beginning with a loses the record when the write before was cut off in b", () => {
  const byName = (one: StateWrite, other: StateWrite) => (one.file < other.file ? -1 : 1);
  const alwaysA: Order = (wanted, present) => planStateWrites(wanted, present).sort(byName);
  const files = after(freshFiles(), 1);
  const cutInB = [...cuts(files, alwaysA(at(2), presentIn(files)))].find((left) => {
    const { a, b } = presentIn(left);
    return typeof a !== "string" && typeof b === "string";
  });
  assert.ok(cutInB);
  assert.ok(firstLoss(cutInB, 3, alwaysA));
  assert.is(firstLoss(cutInB, 3, planStateWrites), undefined);
});

test("on a real file system: what is written is read", () => {
  const directory = `${folder}/state`;
  createStateFiles(directory);
  assert.match(JSON.stringify(readState(directory)), /trouble.*copy a does not match.*copy b/);
  writeState(directory, at(1));
  writeState(directory, at(2));
  assert.equal(readState(directory), { record: at(2) });
});

test("files keep their size and their place", () => {
  const directory = `${folder}/place`;
  createStateFiles(directory);
  const inode = statSync(`${directory}/a.env`).ino;
  writeState(directory, at(1));
  assert.is(statSync(`${directory}/a.env`).ino, inode);
  assert.is(statSync(`${directory}/a.env`).size, STATE_BYTES);
  assert.is(statSync(`${directory}/b.sum`).size, 72);
});

test("making the files again keeps what is good and repairs what is not", () => {
  const directory = `${folder}/again`;
  createStateFiles(directory);
  writeState(directory, at(5));
  truncateSync(`${directory}/a.env`, 100);
  rmSync(`${directory}/a.sum`);
  createStateFiles(directory);
  assert.equal(readState(directory), { record: at(5) });
  assert.is(statSync(`${directory}/a.env`).size, STATE_BYTES);
  writeState(directory, at(6));
  assert.equal(readState(directory), { record: at(6) });
});

test("a damaged copy is passed over, two damaged ones are told", () => {
  const directory = `${folder}/damaged`;
  createStateFiles(directory);
  writeState(directory, at(9));
  const damage = (name: string) => {
    const bytes = readFileSync(`${directory}/${name}`);
    bytes[70_000] = 0;
    writeFileSync(`${directory}/${name}`, bytes);
  };
  damage("a.env");
  assert.equal(readState(directory), { record: at(9) });
  damage("b.env");
  assert.equal(readState(directory), {
    trouble: "copy a does not match its digest; copy b does not match its digest",
  });
});

test("missing and cut files are told, and never written over", () => {
  const directory = `${folder}/missing`;
  mkdirSync(directory);
  assert.match(JSON.stringify(readState(directory)), /copy a cannot be read/);
  assert.throws(() => writeState(directory, at(1)), /ENOENT/);
  createStateFiles(directory);
  truncateSync(`${directory}/a.env`, 5);
  assert.throws(() => writeState(directory, at(1)), /has 5 bytes, not 131072/);
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
