/*
 * "Blank" has to be proved: where it is looked, and that a single byte there is found.
 */
import {
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { samplePositions, whyNotZeros } from "../../src/host/blank.ts";
import { whyNotEmpty } from "../../src/host/probe.ts";
import { CLAIM_OFFSET_BYTES } from "../../src/model/claim.ts";
import { GIB, MIB, TIB } from "../../src/model/size.ts";

const folder = mkdtempSync(`${tmpdir()}/zs-blank-`);
const image = `${folder}/disk.img`;

/** A sparse image with one byte at each of the places. */
function makeImage(sizeBytes: number, ...places: number[]): void {
  writeFileSync(image, "");
  truncateSync(image, sizeBytes);
  const file = openSync(image, "r+");
  for (const place of places) writeSync(file, "X", place);
  closeSync(file);
}

test("samples: both ends, and 64 between, the same ones each time", () => {
  const ranges = samplePositions(500 * GIB);
  assert.is(ranges.length, 66);
  assert.equal(ranges[0], { offsetBytes: 0, sizeBytes: 16 * MIB });
  assert.equal(ranges[65], { offsetBytes: 500 * GIB - 16 * MIB, sizeBytes: 16 * MIB });
  assert.equal(samplePositions(500 * GIB), ranges);
});

test("samples: rising, disjoint, aligned, inside the disk, evenly spread", () => {
  for (const size of [
    64 * MIB,
    37 * MIB,
    20 * GIB + 512,
    500 * GIB,
    20 * TIB + 4096,
    100 * MIB + 512,
  ]) {
    const ranges = samplePositions(size);
    let end = 0;
    for (const { offsetBytes, sizeBytes } of ranges) {
      assert.ok(offsetBytes >= end, `${size}`);
      assert.ok(Number.isSafeInteger(offsetBytes));
      assert.is(offsetBytes % 512, 0);
      end = offsetBytes + sizeBytes;
    }
    assert.is(end, size);
    const gaps = ranges
      .slice(2, -1)
      .map(({ offsetBytes }, at) => offsetBytes - (ranges[at + 1]?.offsetBytes ?? 0));
    assert.ok(gaps.length === 0 || Math.max(...gaps) - Math.min(...gaps) <= 8192);
  }
});

test("samples: a small disk as a whole", () => {
  assert.equal(samplePositions(10 * MIB), [{ offsetBytes: 0, sizeBytes: 10 * MIB }]);
});

test("zeros are blank", async () => {
  makeImage(100 * MIB);
  assert.is(await whyNotZeros(image, 100 * MIB, false), undefined);
});

test("one byte at either end, or in a sample", async () => {
  const sample = samplePositions(100 * MIB)[30]?.offsetBytes ?? 0;
  for (const place of [0, 511, 16 * MIB - 1, sample, 84 * MIB, 100 * MIB - 1]) {
    makeImage(100 * MIB, place);
    assert.is(await whyNotZeros(image, 100 * MIB, false), `there is data at byte ${place}`);
  }
});

test("a byte beyond 4 GiB and beyond 8 TiB is read at its place", async () => {
  for (const size of [9 * GIB, 9 * TIB]) {
    makeImage(size, size - 1);
    assert.is(await whyNotZeros(image, size, false), `there is data at byte ${size - 1}`);
  }
});

test("our claim is no content, what lies beside it is", async () => {
  makeImage(100 * MIB, CLAIM_OFFSET_BYTES, CLAIM_OFFSET_BYTES + 511);
  assert.is(await whyNotZeros(image, 100 * MIB, true), undefined);
  assert.match((await whyNotZeros(image, 100 * MIB, false)) ?? "", `byte ${CLAIM_OFFSET_BYTES}`);
  for (const place of [CLAIM_OFFSET_BYTES - 1, CLAIM_OFFSET_BYTES + 512]) {
    makeImage(100 * MIB, place);
    assert.match((await whyNotZeros(image, 100 * MIB, true)) ?? "", `byte ${place}`);
  }
});

test("a disk that cannot be read is not blank", async () => {
  makeImage(50 * MIB);
  assert.is(
    await whyNotZeros(image, 60 * MIB, false),
    `could not be read at byte ${50 * MIB}: it ends there`,
  );
  assert.match((await whyNotZeros(folder, 60 * MIB, false)) ?? "", /^could not be read: /);
});

test("a disk that does not answer in time is not blank", async () => {
  makeImage(50 * MIB);
  assert.match((await whyNotZeros(image, 50 * MIB, false, -1)) ?? "", /no answer in time/);
});

test("a table or a signature proves it without reading on", () => {
  const none = { kind: "none", uuid: "", partitions: [] } as const;
  const luks = { type: "crypto_LUKS", label: "", uuid: "", offsetBytes: 0 };
  assert.is(whyNotEmpty(none, []), undefined);
  assert.is(whyNotEmpty(none, [luks]), "it holds crypto_LUKS");
  assert.is(whyNotEmpty(none, [{ ...luks, type: "ext4", label: "data" }]), 'it holds ext4 "data"');
  assert.is(
    whyNotEmpty({ ...none, kind: "dos" }, []),
    "it has a partition table (dos) with 0 partitions",
  );
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
