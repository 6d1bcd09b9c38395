/*
 * The chain of a vendor's keys: each signs the one that comes after it, so that a device which knows any of them can
 * follow to the one that signs bundles today.
 * Owns: the format, and who is followed to where. No I/O.
 */
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { parseExact } from "./document.ts";
import {
  isDevelopment,
  parsePublicKey,
  printPublicKey,
  type PublicKey,
  type SecretKey,
} from "./minisign.ts";
import {
  checkDistinct,
  checkReleaseKey,
  COMMENT,
  isSameKey,
  readKeys,
  signMessage,
  verifySignature,
} from "./signature.ts";

export const MOST_KEYS = 64;

const Chain = v.strictObject({
  format: v.literal(1, "must be 1: made by a newer zshield?"),
  keys: v.pipe(
    v.array(v.string()),
    v.minLength(1, "is empty"),
    v.maxLength(MOST_KEYS, `has more than ${MOST_KEYS} keys`),
  ),
  signatures: v.array(v.string()),
});

export interface Chain {
  readonly keys: readonly [PublicKey, ...PublicKey[]];
  /** The signature at an index is by the key there, over that key and the next one. */
  readonly signatures: readonly string[];
}

export function printChain({ keys, signatures }: Chain): string {
  return JSON.stringify({ format: 1, keys: keys.map(printPublicKey), signatures });
}

/** Form only; followChain checks the signatures. @throws Refusal that begins with `name`. */
export function parseChain(name: string, text: string): Chain {
  const { keys: texts, signatures } = parseExact(Chain, text, name);
  const keys = texts.map((key, index) => parsePublicKey(`${name}: key ${index + 1}`, key));
  const [first, ...others] = keys;
  if (first === undefined || signatures.length !== others.length) {
    throw new Refusal(`${name}: ${keys.length} keys need ${keys.length - 1} signatures`);
  }
  return { keys: [first, ...others], signatures };
}

/**
 * The key that signs bundles today, for a device that trusts `knownKeys` (base64). Every link has to hold, also
 * those before the known key, so that no byte of a chain can be changed unnoticed. @throws Refusal
 */
export function followChain(chain: Chain, knownKeys: readonly string[] | undefined): PublicKey {
  const known = readKeys(knownKeys);
  checkLinks(chain);
  const { keys } = chain;
  if (!keys.some((key) => known.some((one) => isSameKey(one, key)))) {
    throw new Refusal(
      "the chain of keys does not lead here: none of its keys is known",
      `known: ${known.map(({ id }) => id).join(", ")}; in the chain: ${keys.map(({ id }) => id).join(", ")}`,
    );
  }
  return lastKey(chain);
}

export function lastKey({ keys }: Chain): PublicKey {
  return keys.at(-1) ?? keys[0];
}

/** @throws Refusal with the number of the first link that does not hold. */
export function checkLinks({ keys, signatures }: Chain): void {
  checkDistinct(keys);
  if (signatures.length !== keys.length - 1 || keys.length > MOST_KEYS) {
    throw new Refusal(
      `a chain of ${keys.length} keys with ${signatures.length} signatures is none`,
    );
  }
  for (const [index, signature] of signatures.entries()) {
    const [from, to] = [keys[index], keys[index + 1]];
    if (from === undefined || to === undefined) throw new Error("keys and signatures do not match");
    verifySignature({
      name: `signature ${index + 1} of the chain`,
      message: rotationText(from, to),
      signature,
      keys: [printPublicKey(from)],
      untrustedComment: COMMENT.rotation,
      trustedComment: COMMENT.rotation,
    });
  }
}

export function chainOf(key: PublicKey): Chain {
  return { keys: [key], signatures: [] };
}

/** The chain with one more key, signed by its last one. @throws Refusal */
export function extendChain(chain: Chain, old: SecretKey, next: PublicKey): Chain {
  checkLinks(chain);
  const last = lastKey(chain);
  if (!isSameKey(last, old)) {
    throw new Refusal(
      `the last key of the chain is ${last.id}, not ${old.id}`,
      "only the last key can be followed by another one",
    );
  }
  if (chain.keys.length === MOST_KEYS) {
    throw new Refusal(`the chain has ${MOST_KEYS} keys already`, "devices follow no longer one");
  }
  if (isDevelopment(next) && !isDevelopment(old)) {
    throw new Refusal(
      `the key ${next.id} is a development key, and must not follow one that is not`,
      "devices in the field would trust it",
    );
  }
  const longer: Chain = {
    keys: [...chain.keys, next],
    signatures: [
      ...chain.signatures,
      signMessage(old, rotationText(old, next), {
        untrustedComment: COMMENT.rotation,
        trustedComment: COMMENT.rotation,
      }),
    ],
  };
  checkDistinct(longer.keys);
  return longer;
}

/** For `--release`: whoever has any key of the chain can lead the devices that know it. @throws Refusal */
export function checkReleaseChain({ keys }: Chain): void {
  for (const key of keys) checkReleaseKey(key);
}

function rotationText(from: PublicKey, to: PublicKey): string {
  return `zshield key rotation 1\n${printPublicKey(from)}\n${printPublicKey(to)}\n`;
}
