/*
 * The claim in its sector: what was written is read, and anything else is no claim.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  CLAIM_BYTES,
  CLAIM_OFFSET_BYTES,
  claimFor,
  parseClaim,
  printClaim,
} from "../../src/model/claim.ts";
import { MIB } from "../../src/model/size.ts";
import { disk } from "./example.ts";

const here = disk({ wwn: "0x5000c500a1b2c3d4" });

test("round trip", () => {
  const claim = claimFor(here, "blank", 1);
  const sector = printClaim(claim);
  assert.is(sector.length, CLAIM_BYTES);
  assert.equal(parseClaim(sector, here), claim);
});

test("its place: in the first 2 MiB, where no file system, table or member mark lies", () => {
  assert.is(CLAIM_OFFSET_BYTES % 4096, 0);
  assert.ok(CLAIM_OFFSET_BYTES >= 1 * MIB && CLAIM_OFFSET_BYTES + 4096 <= 2 * MIB);
});

test("no claim: zeros, other data, an empty sector", () => {
  assert.is(parseClaim(new Uint8Array(CLAIM_BYTES), here), undefined);
  assert.is(parseClaim(new Uint8Array(CLAIM_BYTES).fill(0xff), here), undefined);
  assert.is(parseClaim(new Uint8Array(), here), undefined);
});

test("every damaged byte of it is noticed", () => {
  const sector = printClaim(claimFor(here, "erase", 2));
  const end = sector.lastIndexOf(10);
  for (let at = 0; at <= end; at++) {
    const damaged = Uint8Array.from(sector);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    assert.is(parseClaim(damaged, here), undefined, `byte ${at}`);
  }
});

test("a claim that was copied to another disk is none", () => {
  const sector = printClaim(claimFor(here, "blank", 1));
  assert.is(parseClaim(sector, { ...here, serial: "ZS-0002" }), undefined);
  assert.is(parseClaim(sector, { ...here, wwn: "" }), undefined);
  assert.is(parseClaim(sector, { ...here, sizeBytes: here.sizeBytes + 512 }), undefined);
  assert.ok(
    parseClaim(sector, { ...here, path: "/dev/sdz" }),
    "the path is only valid for one boot",
  );
});

test("over-long identities still fit and still match", () => {
  const long = disk({ serial: "S".repeat(300), wwn: "W".repeat(300) });
  assert.ok(parseClaim(printClaim(claimFor(long, "console", 99)), long));
});

test("a serial number with line ends and quotes", () => {
  const odd = disk({ serial: 'A\n"B"\u0000\u202e' });
  assert.ok(parseClaim(printClaim(claimFor(odd, "console", 1)), odd));
});

test.run();
