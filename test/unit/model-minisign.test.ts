/*
 * minisign's three files as they are read, and which keys and signatures count.
 */
import { createHash } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeText } from "../../src/model/document.ts";
import { isSigned, publicOf, signWith, whyNotKey } from "../../src/model/ed25519.ts";
import {
  drawId,
  isDevelopment,
  LEAST,
  parsePublicFile,
  parsePublicKey,
  parseSecretFile,
  parseSignature,
  printPublicKey,
  printPublicKeyFile,
  printSignature,
  scryptParameters,
  SENSITIVE,
  sysKeyOf,
} from "../../src/model/minisign.ts";
import {
  checkReleaseKey,
  COMMENT,
  signMessage,
  verifySignature,
  type SignatureClaim,
} from "../../src/model/signature.ts";
import { flips, keyOf, known, MINISIGN, refusalOf } from "./key-example.ts";

const { publicFile, secretFile, signature: theirs, message } = MINISIGN;
const [, theirKey = ""] = publicFile.split("\n");
const theirComment = /^trusted comment: (.*)$/m.exec(theirs)?.[1] ?? "";

const key = keyOf(1);
const comments = {
  untrustedComment: COMMENT.bundle,
  trustedComment: "zshield bundle video-4.94.1122 release 17",
};
const signed = signMessage(key, "the manifest", comments);
const claim: SignatureClaim = {
  name: "the signature",
  message: "the manifest",
  signature: signed,
  keys: known(key),
  ...comments,
};
const why = (changes: Partial<SignatureClaim>) =>
  refusalOf(() => verifySignature({ ...claim, ...changes }));

test("minisign's own files are read, and print the same", () => {
  const parsed = parsePublicFile("a.pub", publicFile);
  assert.is(parsed.id, "7BE7C80B6B7671D4");
  assert.is(printPublicKeyFile(parsed), publicFile);
  assert.is(printSignature(parseSignature("m.minisig", theirs)), theirs);
  assert.equal(parseSecretFile("a.key", secretFile).limits, SENSITIVE);
  assert.match(
    refusalOf(() => parsePublicFile("a.key", secretFile)),
    /a\.key is a secret key that does not tell/,
  );
});

test("minisign's own signature counts, of the bytes and of their digest", () => {
  const theirClaim = {
    name: "m.minisig",
    message,
    signature: theirs,
    keys: [theirKey],
    untrustedComment: "signature from minisign secret key",
  };
  assert.is(verifySignature(theirClaim).trustedComment, theirComment);
  const blake2b512 = new Bun.CryptoHasher("blake2b512").update(message).digest();
  verifySignature({ ...theirClaim, message: { blake2b512 } });
  const short = { blake2b512: blake2b512.subarray(1) };
  assert.throws(() => verifySignature({ ...theirClaim, message: short }), /no BLAKE2b-512/);
  assert.match(
    refusalOf(() => verifySignature({ ...theirClaim, message: "hullo\n" })),
    /does not fit/,
  );
});

test("ours counts, whichever of the known keys made it", () => {
  const found = verifySignature({ ...claim, keys: known(keyOf(2), key) });
  assert.is(found.key.id, key.id);
  assert.is(found.trustedComment, comments.trustedComment);
});

test("every bit of a signature's file, flipped", () => {
  let refused = 0;
  for (const { bytes, what } of flips(signed)) {
    const reason = refusalOf(() =>
      verifySignature({ ...claim, signature: decodeText(bytes, "it") }),
    );
    assert.is.not(reason, "nothing was refused", what);
    refused++;
  }
  assert.is(refused, new TextEncoder().encode(signed).length * 8);
});

test("every bit that may change in a comment is found by the signature over it", () => {
  const { trustedComment: _, ...anyComment } = claim;
  for (const { bytes, what } of flips(signed)) {
    const act = () => verifySignature({ ...anyComment, signature: decodeText(bytes, "it") });
    assert.is.not(refusalOf(act), "nothing was refused", what);
  }
});

const lines = signed.split("\n");
const withLine = (index: number, line: string) => lines.with(index, line).join("\n");
/** Another spelling of the same 64 bytes: two bits of the last letter before `==` stand for nothing. */
const otherSpelling = (line: string) =>
  line.replace(/(.)==$/, (_, letter: string) => `${letter === "A" ? "B" : next(letter)}==`);
const next = (letter: string) => String.fromCharCode(letter.charCodeAt(0) + 1);

for (const [what, signature, wanted] of [
  ["none", undefined, /the signature is missing/],
  ["an empty file", "", /the signature is missing/],
  ["a line less", lines.slice(0, 3).join("\n") + "\n", /exactly the four lines/],
  ["no last line end", signed.slice(0, -1), /exactly the four lines/],
  ["a byte more", `${signed} `, /exactly the four lines/],
  ["a line end more", `${signed}\n`, /exactly the four lines/],
  ["twice", signed + signed, /exactly the four lines/],
  ["line ends of DOS", signed.replaceAll("\n", "\r\n"), /cannot be seen/],
  ["a byte order mark", `\ufeff${signed}`, /does not begin with/],
  ["another untrusted comment", withLine(0, "untrusted comment: hello"), /another untrusted/],
  ["another trusted comment", withLine(2, `${lines[2] ?? ""}8`), /another trusted/],
  ["NUL in a comment", withLine(2, `${lines[2] ?? ""}\0`), /cannot be seen/],
  ["a long comment", withLine(2, `trusted comment: ${"x".repeat(8192)}`), /too long/],
  // minisign's buffers have that many bytes, with NUL behind the line.
  ["a comment of a byte more", withLine(2, `trusted comment: ${"x".repeat(8175)}`), /too long/],
  ["the longest comment", withLine(2, `trusted comment: ${"x".repeat(8174)}`), /another trusted/],
  ["base64 in another spelling", withLine(3, otherSpelling(lines[3] ?? "")), /not the base64/],
  ["base64 for addresses", withLine(3, (lines[3] ?? "").replace(/.$/, "_")), /not the base64/],
  ["a blank behind base64", withLine(1, `${lines[1] ?? ""} `), /not the base64/],
  ["the old kind", withLine(1, `RW${(lines[1] ?? "").slice(2)}`), /unknown kind|old kind/],
] as [string, string | undefined, RegExp][]) {
  test(`a signature's file: ${what}`, () => assert.match(why({ signature }), wanted));
}

test("minisign's old kind of signature, not prehashed", () => {
  const bytes = Buffer.from(lines[1] ?? "", "base64");
  bytes[1] = "d".charCodeAt(0);
  assert.match(why({ signature: withLine(1, bytes.toString("base64")) }), /old kind/);
});

test("a signature for something else, or by somebody else", () => {
  assert.match(why({ message: "the manifesto" }), /does not fit/);
  const byAnother = signMessage({ ...keyOf(2), id: key.id }, "the manifest", comments);
  assert.match(why({ signature: byAnother }), /does not fit/);
  const unknown = signMessage(keyOf(2), "the manifest", comments);
  assert.match(why({ signature: unknown }), /by the key 0000000000000002, which is not known/);
  const rotation = signMessage(key, "the manifest", {
    untrustedComment: COMMENT.rotation,
    trustedComment: COMMENT.rotation,
  });
  assert.match(why({ signature: rotation }), /another untrusted comment/);
});

for (const [what, keys, wanted] of [
  ["no list", undefined, /no key to verify with/],
  ["an empty one", [], /list of keys to verify with is empty/],
  ["an empty key", [""], /key 1 is no public key/],
  ["one that cannot be read", [...known(key), "RWQ"], /key 2 is no public key/],
  ["a secret key's line", [secretFile.split("\n")[1] ?? ""], /key 1 is no public key/],
  ["a key twice", known(key, key), /keys 1 and 2 are the same/],
  ["an id twice", known(key, { ...keyOf(2), id: key.id }), /keys 1 and 2 .* same id/],
  ["a key with two ids", known(key, { ...key, id: "0".repeat(16) }), /keys 1 and 2 are the same/],
] as [string, readonly string[] | undefined, RegExp][]) {
  test(`the keys to trust: ${what}`, () => assert.match(why({ keys }), wanted));
}

// --- hostile keys and signatures -----------------------------------------------------------------

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const EIGHTH = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;
const bytesOf = (number: bigint) =>
  new Uint8Array(Buffer.from(number.toString(16).padStart(64, "0"), "hex").reverse());
const numberOf = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
const SIGN = 2n ** 255n;

const hostile: readonly (readonly [string, bigint, RegExp])[] = [
  ["the neutral point", 1n, /small order/],
  ["the point of order 2", P - 1n, /small order/],
  ["a point of order 4", 0n, /small order/],
  ["a point of order 8", EIGHTH, /small order/],
  ["the other point of order 8", P - EIGHTH, /small order/],
  ["zero as the prime", P, /not in its one form/],
  ["one as the prime and one", P + 1n, /not in its one form/],
  ["the largest", SIGN - 1n, /not in its one form/],
];

const logarithm = createHash("sha512").update(key.seed).digest().subarray(0, 32);
logarithm[0]! &= 0xf8;
logarithm[31] = (logarithm[31]! & 0x7f) | 0x40;
const ordinary = Buffer.concat([key.key, bytesOf(numberOf(logarithm) % L)]);

for (const [what, y, wanted] of hostile) {
  test(`a hostile key: ${what}, with either sign`, () => {
    for (const point of [bytesOf(y), bytesOf(y + SIGN)]) {
      assert.match(whyNotKey(point) ?? "", wanted);
      const text = printPublicKey({ id: key.id, key: point });
      assert.match(
        refusalOf(() => parsePublicKey("it", text)),
        wanted,
      );
      // What such a key would take for any message: R the neutral point, S nothing.
      const forged = Buffer.concat([bytesOf(1n), new Uint8Array(32)]);
      assert.is(isSigned(point, Buffer.from("anything"), forged), false);
      // The same with an ordinary R and its logarithm as S: each eighth message at least.
      for (let count = 0; count < 32; count += 1) {
        assert.is(isSigned(point, Buffer.from(`anything ${count}`), ordinary), false);
      }
    }
  });
}

const modulo = (value: bigint) => ((value % P) + P) % P;
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = modulo(base), e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) {
    if ((e & 1n) === 1n) result = (result * b) % P;
  }
  return result;
}
const inverse = (value: bigint) => power(value, P - 2n);

/** An x of the curve's points with this y, by the square root of RFC 8032, 5.1.3. */
function rootOf(y: bigint): bigint | undefined {
  const square = modulo((y * y - 1n) * inverse(D * y * y + 1n));
  const root = power(square, (P + 3n) / 8n);
  const x = modulo(root * root) === square ? root : modulo(root * power(2n, (P - 1n) / 4n));
  return modulo(x * x) === square ? x : undefined;
}

/** By the curve's own addition; nothing of ours that is tested takes part. */
test("the table of small orders is whole: eight times each is the neutral point, and there are eight", () => {
  type Point = readonly [bigint, bigint];
  const add = ([x1, y1]: Point, [x2, y2]: Point): Point => {
    const k = modulo(D * x1 * x2 * y1 * y2);
    return [
      modulo((x1 * y2 + x2 * y1) * inverse(1n + k)),
      modulo((y1 * y2 + x1 * x2) * inverse(1n - k)),
    ];
  };
  const points = new Set<string>();
  for (const y of [1n, P - 1n, 0n, EIGHTH, P - EIGHTH]) {
    const x = rootOf(y);
    if (x === undefined) throw new Error(`${y} is not on the curve`);
    for (const point of [[x, y] as Point, [modulo(-x), y] as Point]) {
      points.add(point.join());
      const two = add(point, point);
      const four = add(two, two);
      assert.equal(add(four, four), [0n, 1n]);
    }
  }
  assert.is(points.size, 8);
});

test("a key that is no point of the curve is refused where it is read, and every point is taken", () => {
  const seen = { taken: 0, refused: 0 };
  const any = (count: number) => numberOf(createHash("sha256").update(`${count}`).digest());
  const all = Array.from({ length: 150 }, (_, count) => [BigInt(count + 2), any(count) % P]).flat();
  for (const y of all) {
    const isPoint = rootOf(y) !== undefined;
    for (const bytes of [bytesOf(y), bytesOf(y + SIGN)]) {
      const text = printPublicKey({ id: key.id, key: bytes });
      const told = refusalOf(() => parsePublicKey("it", text));
      if (isPoint) assert.is(told, "nothing was refused", `${y}`);
      else assert.match(told, /^it is no point of the curve: nothing that is signed would fit it/);
    }
    seen[isPoint ? "taken" : "refused"] += 1;
  }
  assert.ok(seen.taken > 100 && seen.refused > 100, JSON.stringify(seen));
  for (let seed = 0; seed < 100; seed += 1) {
    assert.is(whyNotKey(publicOf(new Uint8Array(32).fill(seed))), undefined);
  }
});

test("hostile signatures: S a second time above the order, R of small order, R in a second form", () => {
  const text = Buffer.from("text");
  const good = signWith(key.seed, text);
  const [r, s] = [good.subarray(0, 32), good.subarray(32)];
  assert.is(isSigned(key.key, text, good), true);
  const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
  const neutral = bytesOf(1n);
  const hash = createHash("sha512")
    .update(join(neutral, key.key, text))
    .digest();
  const fitting = bytesOf((numberOf(hash) * numberOf(logarithm)) % L);
  for (const [what, bad] of [
    ["S + L", join(r, bytesOf(numberOf(s) + L))],
    ["S of ones", join(r, bytesOf(2n ** 256n - 1n))],
    ["nothing", new Uint8Array(64)],
    ["R neutral", join(neutral, s)],
    ["R neutral, with the S that fits", join(neutral, fitting)],
    ["R in a second form", join(bytesOf(P + 1n), s)],
    ["R with the other sign", join(bytesOf(numberOf(r) ^ SIGN), s)],
    ["shorter", good.subarray(0, 63)],
    ["longer", join(good, new Uint8Array(1))],
  ] as const) {
    assert.is(isSigned(key.key, text, bad), false, what);
  }
  assert.is(isSigned(new Uint8Array(31), text, good), false);
});

// --- key files -----------------------------------------------------------------------------------

const secretLine = Buffer.from(secretFile.split("\n")[1] ?? "", "base64");
const secretWith = (change: (bytes: Buffer) => void) => {
  const bytes = Buffer.from(secretLine);
  change(bytes);
  return `untrusted comment: it\n${bytes.toString("base64")}\n`;
};

for (const [what, text, wanted] of [
  ["nothing", "", /exactly the two lines/],
  ["a line less", "untrusted comment: it\n", /exactly the two lines/],
  ["a byte more", `${secretFile}x`, /exactly the two lines/],
  ["a public key", publicFile, /no secret key/],
  ["cut off", secretFile.replace(/.{8}\n$/, "\n"), /no secret key/],
  ["another algorithm", secretWith((bytes) => bytes.write("Xd", 0)), /unknown kind/],
  ["another checksum", secretWith((bytes) => bytes.write("B3", 4)), /unknown kind/],
  ["another derivation", secretWith((bytes) => bytes.write("Ar", 2)), /locked in an unknown way/],
  ["no password", secretWith((bytes) => bytes.fill(0, 2, 4)), /not locked with a password/],
  [
    "more operations",
    secretWith((bytes) => bytes.writeBigUInt64LE(2n ** 25n + 1n, 38)),
    /asks for more time or memory/,
  ],
  ["more memory", secretWith((bytes) => bytes.fill(255, 46, 54)), /asks for more time or memory/],
  [
    "a byte more of memory",
    secretWith((bytes) => bytes.writeBigUInt64LE(2n ** 30n + 1n, 46)),
    /asks for more time or memory/,
  ],
  [
    "an operation less",
    secretWith((bytes) => bytes.writeBigUInt64LE(2n ** 15n - 1n, 38)),
    /locked more weakly/,
  ],
  [
    "a byte less of memory",
    secretWith((bytes) => bytes.writeBigUInt64LE(2n ** 24n - 1n, 46)),
    /locked more weakly/,
  ],
  ["no operations", secretWith((bytes) => bytes.fill(0, 38, 46)), /locked more weakly/],
  ["no memory", secretWith((bytes) => bytes.fill(0, 46, 54)), /locked more weakly/],
  [
    "a comment of ours without a key",
    secretFile.replace(/: .*/, ": zshield secret key of me"),
    /the comment of it is no public key/,
  ],
] as const) {
  test(`a secret key's file: ${what}`, () => {
    assert.match(
      refusalOf(() => parseSecretFile("it", text)),
      wanted,
    );
  });
}

for (const [what, text, wanted] of [
  ["no comment", theirKey + "\n", /exactly the two lines/],
  ["another first line", `comment\n${theirKey}\n`, /does not begin with "untrusted comment:"/],
  ["another algorithm", `untrusted comment: it\nRX${theirKey.slice(2)}\n`, /unknown kind/],
  ["a longer key", `untrusted comment: it\n${theirKey}AAAA\n`, /no secret key/],
  ["prehashed as its kind", `untrusted comment: it\nRU${theirKey.slice(2)}\n`, /unknown kind/],
] as const) {
  test(`a public key's file: ${what}`, () => {
    assert.match(
      refusalOf(() => parsePublicFile("it", text)),
      wanted,
    );
  });
}

test("a secret key's file: a comment tells the public key only if it begins as ours do", () => {
  const text = secretFile.replace(/: .*/, ": no zshield secret key of me");
  assert.is(parseSecretFile("it", text).publicKey, undefined);
});

test("a secret key's file: libsodium's least limits", () => {
  const least = secretWith((bytes) => {
    bytes.writeBigUInt64LE(BigInt(LEAST.operations), 38);
    bytes.writeBigUInt64LE(BigInt(LEAST.memoryBytes), 46);
  });
  assert.equal(parseSecretFile("it", least).limits, LEAST);
});

test("scrypt's parameters are libsodium's", () => {
  for (const [limits, wanted] of [
    [SENSITIVE, { N: 2 ** 20, r: 8, p: 1 }],
    [LEAST, { N: 2 ** 10, r: 8, p: 1 }],
    // What minisign writes with 120 MB of memory, and libsodium's "interactive".
    [
      { operations: 2 ** 21, memoryBytes: 2 ** 26 },
      { N: 2 ** 16, r: 8, p: 1 },
    ],
    [
      { operations: 2 ** 19, memoryBytes: 2 ** 24 },
      { N: 2 ** 14, r: 8, p: 1 },
    ],
    [
      { operations: 2 ** 25, memoryBytes: 2 ** 24 },
      { N: 2 ** 14, r: 8, p: 64 },
    ],
  ] as const) {
    assert.equal(scryptParameters(limits), wanted);
  }
});

test("a development key has an id that says so, and no other key has such an id", () => {
  const draws = ["0102030405e057de", "01020304050657de", "aabbccddeeff57dd"];
  const draw = () => new Uint8Array(Buffer.from(draws.shift() ?? "", "hex"));
  assert.is(
    drawId(true, () => new Uint8Array(8).fill(1)),
    "DE57010101010101",
  );
  assert.is(drawId(false, draw), "DD57FFEEDDCCBBAA");
  const development = { ...key, id: "DE57010101010101" };
  assert.is(isDevelopment(development), true);
  assert.is(isDevelopment(key), false);
  assert.match(
    refusalOf(() => checkReleaseKey(development)),
    /is a development key/,
  );
  checkReleaseKey(key);
  checkReleaseKey(key, "correct horse");
  assert.match(
    refusalOf(() => checkReleaseKey(key, "12345")),
    /has the development keys' password/,
  );
});

test("sysKey is the beginning of the key's SHA-256", () => {
  const sum = new Bun.CryptoHasher("sha256").update(key.key).digest("hex");
  assert.is(sysKeyOf(key), sum.slice(0, 32));
});

test.run();
