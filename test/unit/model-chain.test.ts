/*
 * Chains of keys: who is followed to where, and that no byte of one can be changed unnoticed.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  chainOf,
  checkReleaseChain,
  extendChain,
  followChain,
  MOST_KEYS,
  parseChain,
  printChain,
  type Chain,
} from "../../src/model/chain.ts";
import { decodeText } from "../../src/model/document.ts";
import { COMMENT, signMessage } from "../../src/model/signature.ts";
import { printPublicKey, type SecretKey } from "../../src/model/minisign.ts";
import { flips, keyOf, known, refusalOf } from "./key-example.ts";

const [one, two, three, four] = [keyOf(1), keyOf(2), keyOf(3), keyOf(4)];
const through = (first: SecretKey, ...others: SecretKey[]) =>
  others.reduce(
    ({ chain, last }, next) => ({ chain: extendChain(chain, last, next), last: next }),
    { chain: chainOf(first), last: first },
  ).chain;

const chain = through(one, two, three);
const text = printChain(chain);
const json = JSON.parse(text) as { format: 1; keys: string[]; signatures: string[] };
const read = (changed: object) => parseChain("the chain", JSON.stringify({ ...json, ...changed }));
const followed = (changed: object, ...keys: SecretKey[]) =>
  refusalOf(() => followChain(read(changed), known(...keys)));

test("printed and read it is the same", () => {
  assert.is(printChain(parseChain("it", text)), text);
  assert.match(text, /^\{"format":1,"keys":\["RW/);
});

test("whoever knows any of its keys follows it to the last one", () => {
  for (const key of [one, two, three]) {
    assert.is(followChain(chain, known(key)).id, three.id);
  }
  assert.is(followChain(chain, known(four, one)).id, three.id);
  assert.is(followChain(chainOf(one), known(one)).id, one.id);
});

test("whoever knows none of them does not", () => {
  assert.match(followed({}, four), /none of its keys is known/);
  // Neither the key under another id, nor another key under the id.
  assert.match(followed({}, { ...one, id: four.id }), /none of its keys is known/);
  assert.match(followed({}, { ...four, id: one.id }), /none of its keys is known/);
  assert.match(
    refusalOf(() => followChain(chain, [])),
    /is empty/,
  );
  assert.match(
    refusalOf(() => followChain(chain, undefined)),
    /no key to verify with/,
  );
});

test("every bit of a chain, flipped, for those who know any of its keys", () => {
  let refused = 0;
  for (const { bytes, what } of flips(text)) {
    const key = [one, two, three][refused++ % 3] ?? one;
    const act = () => followChain(parseChain("it", decodeText(bytes, "it")), known(key));
    assert.is.not(refusalOf(act), "nothing was refused", what);
  }
  assert.is(refused, text.length * 8);
});

const [first = "", second = ""] = json.signatures;
const rotation = { untrustedComment: COMMENT.rotation, trustedComment: COMMENT.rotation };
const linkText = (from: SecretKey, to: SecretKey) =>
  `zshield key rotation 1\n${printPublicKey(from)}\n${printPublicKey(to)}\n`;

for (const [what, changed, wanted] of [
  ["signatures swapped", { signatures: [second, first] }, /signature 1 of the chain is by the key/],
  ["a signature less", { signatures: [first] }, /3 keys need 2 signatures/],
  ["a signature more", { signatures: [first, second, second] }, /3 keys need 2 signatures/],
  ["an empty signature", { signatures: ["", second] }, /signature 1 of the chain is missing/],
  ["keys in another order", { keys: known(one, three, two) }, /signature 1 of the chain/],
  ["a key left out", { keys: known(one, three), signatures: [second] }, /is by the key/],
  ["its beginning left out", { keys: known(two, three), signatures: [first] }, /is by the key/],
  ["a key twice", { keys: known(one, two, one) }, /keys 1 and 3 are the same/],
  ["an id twice", { keys: known(one, two, { ...three, id: one.id }) }, /keys 1 and 3 .* same id/],
  ["a key that cannot be read", { keys: [...known(one, two), "RW"] }, /key 3 is no public key/],
  ["no key", { keys: [], signatures: [] }, /keys: is empty/],
  ["another format", { format: 2 }, /format: must be 1/],
  ["one word more", { also: 1 }, /also: there is no such key/],
  [
    "signed by the key that comes after",
    { signatures: [first, signMessage({ ...three, id: two.id }, linkText(two, three), rotation)] },
    /signature 2 of the chain does not fit/,
  ],
  [
    "signed as something else",
    {
      signatures: [
        first,
        signMessage(two, linkText(two, three), {
          untrustedComment: COMMENT.bundle,
          trustedComment: COMMENT.rotation,
        }),
      ],
    },
    /another untrusted comment/,
  ],
  [
    "with another trusted comment",
    {
      signatures: [
        first,
        signMessage(two, linkText(two, three), { ...rotation, trustedComment: "hello" }),
      ],
    },
    /another trusted comment/,
  ],
] as [string, object, RegExp][]) {
  test(`a chain with ${what}`, () => {
    for (const key of [one, two, three]) assert.match(followed(changed, key), wanted);
  });
}

test("a chain that no file can hold is not followed either", () => {
  for (const signatures of [[], [first], [first, second, second]]) {
    assert.match(
      refusalOf(() => followChain({ ...chain, signatures }, known(one))),
      /a chain of 3 keys with \d signatures is none/,
    );
  }
});

test("another spelling of the same chain is none", () => {
  for (const other of [
    `${text}\n`,
    ` ${text}`,
    text.replace('"format":1', '"format":1.0'),
    text.replace('"format":1', '"format":1,"format":1'),
    text.replace("RW", "\\u0052W"),
    JSON.stringify({ keys: json.keys, format: 1, signatures: json.signatures }),
  ]) {
    assert.match(
      refusalOf(() => parseChain("it", other)),
      /not in the one form/,
    );
  }
  for (const other of ["", "{", "null", "[]", "[".repeat(100_000)]) {
    assert.is.not(
      refusalOf(() => parseChain("it", other)),
      "nothing was refused",
    );
  }
});

test("it ends with its last key: only that one can be followed, and not by one that was there", () => {
  for (const [act, wanted] of [
    [() => extendChain(chain, two, four), /the last key of the chain is 0{15}3, not 0{15}2/],
    [() => extendChain(chain, three, one), /keys 1 and 4 are the same/],
    [() => extendChain(chain, three, three), /keys 3 and 4 are the same/],
    [() => extendChain(read({ signatures: [second, first] }), three, four), /signature 1/],
  ] as const) {
    assert.match(refusalOf(act), wanted);
  }
});

test(`it has ${MOST_KEYS} keys at most`, () => {
  const keys = Array.from({ length: MOST_KEYS + 1 }, (_, index) => keyOf(index + 1));
  const [head, ...others] = keys.slice(0, MOST_KEYS);
  if (head === undefined) throw new Error("no keys");
  const longest = through(head, ...others);
  assert.is(followChain(parseChain("it", printChain(longest)), known(head)).id, others.at(-1)?.id);
  const [last, next] = keys.slice(-2);
  if (last === undefined || next === undefined) throw new Error("no keys");
  assert.match(
    refusalOf(() => extendChain(longest, last, next)),
    /has 64 keys already/,
  );
  const link = signMessage(last, linkText(last, next), rotation);
  const tooLong: Chain = {
    keys: [head, ...others, next],
    signatures: [...longest.signatures, link],
  };
  assert.match(
    refusalOf(() => followChain(tooLong, known(head))),
    /a chain of 65 keys with 64 signatures is none/,
  );
  assert.match(
    refusalOf(() => parseChain("it", printChain(tooLong))),
    /more than 64 keys/,
  );
});

test("a development key follows none that is for releases, and no release has one in its chain", () => {
  const development = keyOf(5, "DE");
  const marked = { ...development, id: `DE57${development.id.slice(4)}` };
  assert.match(
    refusalOf(() => extendChain(chain, three, marked)),
    /is a development key, and must not follow/,
  );
  const grown = extendChain(chainOf(marked), marked, one);
  assert.is(followChain(grown, known(marked)).id, one.id);
  assert.match(
    refusalOf(() => checkReleaseChain(grown)),
    /is a development key/,
  );
  checkReleaseChain(chain);
});

test.run();
