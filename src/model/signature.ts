/*
 * Signing, and the one function by which a signature counts. It fails closed: what cannot be read, is there twice or is
 * not there at all is refused by name, and no clock is asked.
 * Owns: which signatures count. No I/O.
 */
import { createHash } from "node:crypto";
import { Refusal } from "../errors.ts";
import { isSigned, signWith } from "./ed25519.ts";
import {
  DEVELOPMENT_PASSWORD,
  isDevelopment,
  parsePublicKey,
  parseSignature,
  printPublicKey,
  printSignature,
  type PublicKey,
  type SecretKey,
} from "./minisign.ts";

/** What is signed: bytes, text, or the BLAKE2b-512 of something larger (`blake2bOf` in host/digest-files.ts). */
export type Message = Uint8Array | string | { readonly blake2b512: Uint8Array };

/** Each thing that is signed has comments of its own, so that no signature can be taken for another. */
export const COMMENT = {
  bundle: "zshield bundle",
  rotation: "zshield key rotation",
  record: "zshield device record",
} as const;

export interface SignatureClaim {
  /** For what is said: `the signature of video-4.94.1122.upt`. */
  readonly name: string;
  readonly message: Message;
  /** The signature's text; undefined: there is none. */
  readonly signature: string | undefined;
  /** Public keys in base64, any of which may have signed. */
  readonly keys: readonly string[] | undefined;
  readonly untrustedComment: string;
  /** Undefined where it follows from what is signed: the caller compares what is returned. */
  readonly trustedComment?: string;
}

/** The key that signed, and the comment that it signed too. @throws Refusal */
export function verifySignature(claim: SignatureClaim): { key: PublicKey; trustedComment: string } {
  const { name } = claim;
  const keys = readKeys(claim.keys);
  if (claim.signature === undefined || claim.signature === "") {
    throw new Refusal(`${name} is missing`);
  }
  const signature = parseSignature(name, claim.signature);
  const { trustedComment } = signature;
  if (signature.untrustedComment !== claim.untrustedComment) {
    throw new Refusal(`${name} has another untrusted comment than "${claim.untrustedComment}"`);
  }
  if (claim.trustedComment !== undefined && trustedComment !== claim.trustedComment) {
    throw new Refusal(`${name} has another trusted comment than "${claim.trustedComment}"`);
  }
  const key = keys.find(({ id }) => id === signature.keyId);
  if (key === undefined) {
    throw new Refusal(
      `${name} is by the key ${signature.keyId}, which is not known here`,
      `known: ${keys.map(({ id }) => id).join(", ")}`,
    );
  }
  if (!isSigned(key.key, digestOf(claim.message), signature.signature)) {
    throw new Refusal(`${name} does not fit: what was signed, or the signature, was changed`);
  }
  if (!isSigned(key.key, globalMessage(signature.signature, trustedComment), signature.global)) {
    throw new Refusal(`${name} has a trusted comment that was changed`);
  }
  return { key, trustedComment };
}

export function signMessage(
  key: SecretKey,
  message: Message,
  comments: { readonly untrustedComment: string; readonly trustedComment: string },
): string {
  const signature = signWith(key.seed, digestOf(message));
  const global = signWith(key.seed, globalMessage(signature, comments.trustedComment));
  return printSignature({ ...comments, keyId: key.id, signature, global });
}

/** Keys to trust: at least one, each readable, no id and no key twice. @throws Refusal */
export function readKeys(texts: readonly string[] | undefined): PublicKey[] {
  if (texts === undefined) throw new Refusal("there is no key to verify with");
  if (texts.length === 0) throw new Refusal("the list of keys to verify with is empty");
  const keys = texts.map((text, index) => parsePublicKey(`key ${index + 1}`, text));
  checkDistinct(keys);
  return keys;
}

/** @throws Refusal if a key or an id stands there twice. */
export function checkDistinct(keys: readonly PublicKey[]): void {
  const seen = new Map<string, number>();
  for (const [index, key] of keys.entries()) {
    for (const mark of [`id ${key.id}`, `key ${Buffer.from(key.key).toString("hex")}`]) {
      const before = seen.get(mark);
      if (before !== undefined) {
        throw new Refusal(`keys ${before + 1} and ${index + 1} are the same, or have the same id`);
      }
      seen.set(mark, index);
    }
  }
}

/**
 * For `--release`. `password`: what the key was unlocked with, where that is known; another program may have
 * locked it. @throws Refusal
 */
export function checkReleaseKey(key: PublicKey, password?: string): void {
  if (!isDevelopment(key) && password !== DEVELOPMENT_PASSWORD) return;
  const why = isDevelopment(key) ? "is a development key" : "has the development keys' password";
  throw new Refusal(
    `the key ${key.id} ${why}, and anybody may have it`,
    "make one for releases: zshield key new, with a password of your own",
  );
}

export const isSameKey = (one: PublicKey, other: PublicKey): boolean =>
  printPublicKey(one) === printPublicKey(other);

function digestOf(message: Message): Uint8Array {
  if (typeof message === "string" || message instanceof Uint8Array) {
    return createHash("blake2b512").update(message).digest();
  }
  if (message.blake2b512.length !== 64) throw new Error("this is no BLAKE2b-512");
  return message.blake2b512;
}

function globalMessage(signature: Uint8Array, trustedComment: string): Uint8Array {
  return Buffer.concat([signature, Buffer.from(trustedComment)]);
}
