/*
 * Which hashes a zshield.toml may hold, and which passwords `zshield password` takes.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  ARGON2,
  faultOfGrubHash,
  faultOfHash,
  faultOfKeyPassword,
  faultOfPassword,
} from "../../src/model/password.ts";

const SALT = "ioS3vCyKfeGO7hTYVBTzMD2";
const HASH = "LaUUNSTRSUg8Y4bsMsGmQt9zcykW9nJ0qC1NjRYJHnQ";
const phc = (parameters: string, salt = SALT, hash = HASH) =>
  `$argon2id$v=19$${parameters}$${salt}$${hash}`;

test("what zshield password makes is taken", async () => {
  const hash = await Bun.password.hash("correct horse", { algorithm: "argon2id", ...ARGON2 });
  assert.is(faultOfHash(hash), undefined);
  assert.is(await Bun.password.verify("correct horse", hash), true);
});

for (const [hash, wanted] of [
  [phc("m=19456,t=2,p=1"), undefined],
  [phc("m=65536,t=10,p=4"), undefined],
  [phc("m=19455,t=2,p=1"), /m=19455 must be 19456 to 65536/],
  [phc("m=65537,t=2,p=1"), /m=65537 must be/],
  [phc("m=32768,t=1,p=1"), /t=1 must be 2 to 10 passes/],
  [phc("m=32768,t=11,p=1"), /t=11 must be/],
  [phc("m=32768,t=3,p=0"), /p=0 must be/],
  [phc("m=32768,t=3,p=5"), /p=5 must be/],
  [phc("m=32768,t=3,p=1", "c2FsdA"), /salt is shorter/],
  [phc("m=32768,t=3,p=1", SALT.slice(0, 11), HASH.slice(0, 22)), undefined],
  [phc("m=32768,t=3,p=1", SALT.slice(0, 10)), /salt is shorter/],
  [phc("m=32768,t=3,p=1", SALT, HASH.slice(0, 21)), /hash is shorter/],
  [phc("m=32768,t=3,p=1").replace("v=19", "v=16"), /version 16/],
  [phc("m=32768,t=3,p=1").replace("argon2id", "argon2i"), /must be a hash as/],
  [phc("m=32768,t=3,p=1") + "\n", /must be a hash as/],
  ["$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", /must be a hash as/],
] as const) {
  test(`hash ${hash.slice(0, 40)}: ${wanted === undefined ? "good" : "refused"}`, () => {
    const fault = faultOfHash(hash);
    if (wanted === undefined) assert.is(fault, undefined);
    else assert.match(fault ?? "", wanted);
  });
}

const grub = (rounds: number, salt = "AB".repeat(64), hash = "0f".repeat(64)) =>
  `grub.pbkdf2.sha512.${rounds}.${salt}.${hash}`;

for (const [hash, wanted] of [
  [grub(10_000), undefined],
  [grub(9_999), /9999 iterations; it must be 10000/],
  [grub(1_000_000, "AB".repeat(8)), undefined],
  [grub(1_000_001), /iterations/],
  [grub(10_000, "AB"), /salt is not of 8 bytes/],
  [grub(10_000, "ABC".repeat(7)), /salt is not of 8 bytes/],
  [grub(10_000, undefined, "0f".repeat(63)), /not of 64 bytes/],
  [grub(10_000).replace("sha512", "sha256"), /must be a hash as/],
  [`${grub(10_000)}; set superusers=`, /must be a hash as/],
  [`${grub(10_000)}\n`, /must be a hash as/],
] as const) {
  test(`GRUB's hash ${hash.slice(0, 30)}…${hash.length}: ${wanted === undefined ? "good" : "refused"}`, () => {
    const fault = faultOfGrubHash(hash);
    if (wanted === undefined) assert.is(fault, undefined);
    else assert.match(fault ?? "", wanted);
  });
}

for (const [password, wanted] of [
  ["correct horse", undefined],
  ["seven77", /shorter than 8/],
  ["eight888", undefined],
  ["x".repeat(128), undefined],
  ["x".repeat(129), /longer than 128/],
  ["käsekuchen", /only ASCII/],
  ["tab\ttab tab", /only ASCII/],
  [" blanks in front", /begins or ends with a blank/],
] as const) {
  test(`password ${JSON.stringify(password.slice(0, 20))}: ${wanted === undefined ? "good" : "refused"}`, () => {
    const fault = faultOfPassword(password);
    if (wanted === undefined) assert.is(fault, undefined);
    else assert.match(fault ?? "", wanted);
  });
}

for (const [password, wanted] of [
  ["käsekuchen", undefined],
  ["eight888", undefined],
  [" blanks ", undefined],
  ["seven77", /shorter than 8/],
  ["x".repeat(1023), undefined],
  ["x".repeat(1024), /longer than 1023 bytes/],
  ["ü".repeat(511), undefined],
  ["ü".repeat(512), /longer than 1023 bytes/],
  ["tab\ttab tab", /control characters/],
  ["escape\u001b[2J", /control characters/],
  ["delete\u007f\u007f", /control characters/],
] as const) {
  test(`a key's password ${JSON.stringify(password.slice(0, 20))}: ${wanted === undefined ? "good" : "refused"}`, () => {
    const fault = faultOfKeyPassword(password);
    if (wanted === undefined) assert.is(fault, undefined);
    else assert.match(fault ?? "", wanted);
  });
}

test.run();
