/*
 * The arithmetic, the tables and the parsers of the benchmarks.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  printNumber,
  printSpread,
  printTable,
  ratiosOf,
  rotate,
  spreadOf,
} from "../bench/figures.ts";
import { JOBS, parseFill, parseMerge, parseTimes } from "../bench/snapshot-output.ts";

test("median and range, for odd and even counts", () => {
  assert.equal(spreadOf([9, 1, 4]), { median: 4, least: 1, most: 9 });
  assert.equal(spreadOf([4, 1, 9, 6]), { median: 5, least: 1, most: 9 });
  assert.throws(() => spreadOf([]), /no values/);
});

test("ratios compare within a round: a round that was slow on both sides changes nothing", () => {
  assert.equal(ratiosOf([20, 200, 20], [10, 100, 10]), { median: 2, least: 2, most: 2 });
  assert.throws(() => ratiosOf([1, 2], [1]), /cannot be compared/);
});

test("each round has all, beginning elsewhere", () => {
  assert.equal(rotate(["a", "b", "c"], 0), ["a", "b", "c"]);
  assert.equal(rotate(["a", "b", "c"], 4), ["b", "c", "a"]);
});

test("numbers as a table shows them", () => {
  assert.equal([0.974, 1.994, 1.996, 3.44, 12.4].map(printNumber), [
    "0.97",
    "1.99",
    "2.0",
    "3.4",
    "12",
  ]);
  assert.is(printSpread({ median: 3.44, least: 3.1, most: 3.92 }), "3.4 (3.1–3.9)");
  assert.is(printSpread({ median: 12.1, least: 12, most: 12.4 }), "12");
  assert.is(printTable(["a", "b"], [["1", "2"]]), "| a | b |\n| --- | --: |\n| 1 | 2 |");
});

test("fio's times, whatever it says before its JSON", () => {
  const jobs = JOBS.map((jobname, index) => ({ jobname, error: 0, write: { runtime: index + 1 } }));
  const text = `fio: a note\n${JSON.stringify({ jobs })}`;
  assert.is(parseTimes(text, JOBS).synced, 3);
  const fewer = JSON.stringify({ jobs: jobs.slice(1) });
  assert.throws(() => parseTimes(fewer, JOBS), /nothing of the job sequential/);
  const broken = jobs.map((job) => ({ ...job, error: job.jobname === "files" ? 5 : 0 }));
  assert.throws(() => parseTimes(JSON.stringify({ jobs: broken }), JOBS));
});

const CLASSIC = (sectors: number) => `bench-origin: 0 2097152 snapshot-origin 254:2
bench-snap0: 0 2097152 snapshot ${sectors}/2113536 16
bench-origin-real: 0 2097152 linear
`;
const THIN = (blocks: number) => `bench-plain: 0 2097152 thin 2097152 2097151
bench-pool-tpool: 0 4194304 thin-pool 3 90/1024 ${blocks}/32768 - rw discard_passdown queue_if_no_space - 1024
bench-snap0: 0 2097152 thin 2097152 2097151
`;

test("what the random load took of the snapshot, in bytes", () => {
  assert.is(parseFill(CLASSIC(100) + CLASSIC(356)), 256 * 512);
  assert.is(parseFill(THIN(16384) + THIN(16500)), 116 * 65536);
  assert.throws(() => parseFill(CLASSIC(100)), /before and after/);
  assert.throws(() => parseFill("bench-snap0: 0 2097152 snapshot Invalid\n"), /before and after/);
});

test("how long a merge took, behind LVM's warnings", () => {
  assert.is(parseMerge("  WARNING: no lvmpolld.\n10206\n"), 10206);
  assert.throws(() => parseMerge("  WARNING: no lvmpolld.\n"), /not how long/);
});

test.run();
