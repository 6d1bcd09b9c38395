/*
 * Whatever stands in a key's file, a signature, a chain or a device record: it is what we would print ourselves, or
 * refused; and no signature counts but the one that was made.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  chainOf,
  extendChain,
  followChain,
  parseChain,
  printChain,
} from "../../src/model/chain.ts";
import {
  parsePublicFile,
  parseSecretFile,
  parseSignature,
  printPublicKeyFile,
  printSignature,
} from "../../src/model/minisign.ts";
import { COMMENT, signMessage, verifySignature } from "../../src/model/signature.ts";
import { signRecord, verifyRecord } from "../../src/model/signed-record.ts";
import { Refusal } from "../../src/errors.ts";
import { asText, fuzz, type FuzzTarget } from "./fuzz.ts";
import { keyOf, known, MINISIGN } from "./key-example.ts";

const [one, two, three] = [keyOf(1), keyOf(2), keyOf(3)];
const comments = { untrustedComment: COMMENT.bundle, trustedComment: "zshield bundle a release 1" };
const signed = signMessage(one, "the manifest", comments);
const record = signRecord({ device: "BOX-0017", mask: 0x41, prefix: "acme", epoch: 3 }, one);
const pair = extendChain(chainOf(one), one, two);
const triple = extendChain(pair, two, three);
const WORDS = ["RW", "RU", "Ed", "=", "==", "untrusted comment: ", "trusted comment: ", "\n"];

function isRefused(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch (error) {
    if (error instanceof Refusal) return true;
    throw error;
  }
}

const TARGETS: readonly FuzzTarget[] = [
  {
    name: "signatures",
    seeds: [signed, MINISIGN.signature],
    words: WORDS,
    mostBytes: 16_384,
    parse(input) {
      const text = asText(input);
      assert.is(printSignature(parseSignature("it", text)), text);
      const claim = { name: "it", message: "the manifest", signature: text, keys: known(one) };
      const act = () => verifySignature({ ...claim, untrustedComment: COMMENT.bundle });
      assert.ok(text === signed || isRefused(act), "a signature that nobody made counts");
    },
  },
  {
    name: "public keys",
    seeds: [MINISIGN.publicFile, printPublicKeyFile(one)],
    words: WORDS,
    mostBytes: 4096,
    parse(input) {
      const text = asText(input);
      const key = parsePublicFile("it", text);
      assert.is(printPublicKeyFile(key).split("\n")[1], text.split("\n")[1]);
    },
  },
  {
    name: "secret keys",
    seeds: [
      MINISIGN.secretFile,
      MINISIGN.secretFile.replace(/: .*/, `: zshield secret key of ${known(one)[0] ?? ""}`),
    ],
    words: WORDS,
    mostBytes: 4096,
    parse(input) {
      const { limits } = parseSecretFile("it", asText(input));
      assert.ok(limits.operations <= 2 ** 25 && limits.memoryBytes <= 2 ** 30);
    },
  },
  {
    name: "chains of keys",
    seeds: [chainOf(one), pair, triple].map(printChain),
    words: [...WORDS, ...known(three, keyOf(4)), '"signatures":[]'],
    parse(input) {
      const text = asText(input);
      const chain = parseChain("it", text);
      assert.is(printChain(chain), text);
      if (isRefused(() => followChain(chain, known(one)))) return;
      assert.ok(printChain(triple).startsWith(text.slice(0, text.indexOf("]"))));
    },
  },
  {
    name: "signed device records",
    seeds: [record],
    words: [...WORDS, '"epoch":4', "epoch 4"],
    mostBytes: 16_384,
    parse(input) {
      verifyRecord("it", asText(input), known(one));
      assert.is(asText(input), record);
    },
  },
];

for (const target of TARGETS) {
  test(`fuzz: ${target.name}`, async () => {
    const { inputs, taken } = await fuzz(target);
    assert.ok(taken > 0 && taken < inputs, `${taken} of ${inputs} inputs were taken`);
  });
}

test.run();
