/*
 * Ed25519 with keys and signatures as their plain bytes. The mathematics is node:crypto's (BoringSSL in Bun), which
 * refuses an S that is not below the group's order, but takes keys of small order, with which one signature fits every
 * message, and keys in a second spelling. Both are refused here by their bytes, as libsodium does: what we take,
 * minisign takes. Owns: what a key and a signature may look like. No I/O.
 */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";

export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** The field's prime. */
const PRIME = 2n ** 255n - 19n;

/** The y of one of the two pairs of points of order 8; the other pair's is its negative. */
const EIGHTH = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;
const SMALL_ORDER: readonly bigint[] = [0n, 1n, PRIME - 1n, EIGHTH, PRIME - EIGHTH];

/** What stands before the 32 bytes in the DER forms of RFC 8410. */
const PUBLIC_DER = Buffer.from("302a300506032b6570032100", "hex");
const PRIVATE_DER = Buffer.from("302e020100300506032b657004220420", "hex");

/** Why these bytes are no public key to trust, or undefined. */
export function whyNotKey(key: Uint8Array): string | undefined {
  const why = whyNotPlain(key);
  if (why !== undefined || isOnCurve(yOf(key))) return why;
  return "is no point of the curve: nothing that is signed would fit it";
}

/** What node:crypto does not look at. */
function whyNotPlain(point: Uint8Array): string | undefined {
  if (point.length !== KEY_BYTES) return `has ${point.length} bytes, not ${KEY_BYTES}`;
  const y = yOf(point);
  if (y >= PRIME) return "is not in its one form";
  if (SMALL_ORDER.includes(y)) return "is of small order: one signature would fit every message";
  return undefined;
}

/**
 * Whether there is an x: 121666 (y^2 - 1) / (121666 - 121665 y^2) has to be its square, which it is where the product
 * of the two halves is one. node:crypto takes such a key, and then no signature fits it.
 */
function isOnCurve(y: bigint): boolean {
  const square = (y * y) % PRIME;
  const over = (121666n * (square - 1n + PRIME)) % PRIME;
  const under = (121666n + 121665n * (PRIME - square)) % PRIME;
  return isSquare((over * under) % PRIME);
}

/** By Euler's criterion. */
function isSquare(value: bigint): boolean {
  let result = 1n;
  let factor = value;
  for (let exponent = (PRIME - 1n) / 2n; exponent > 0n; exponent >>= 1n) {
    if ((exponent & 1n) === 1n) result = (result * factor) % PRIME;
    factor = (factor * factor) % PRIME;
  }
  return result <= 1n;
}

/** False for whatever is out of the ordinary. */
export function isSigned(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (whyNotPlain(key) !== undefined || signature.length !== SIGNATURE_BYTES) return false;
  if (whyNotPlain(signature.subarray(0, KEY_BYTES)) !== undefined) return false;
  try {
    return verify(null, message, publicObject(key), signature);
  } catch {
    return false;
  }
}

export function signWith(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, privateObject(seed)));
}

/** The public key that belongs to a seed. */
export function publicOf(seed: Uint8Array): Uint8Array {
  const der = createPublicKey(privateObject(seed)).export({ format: "der", type: "spki" });
  return new Uint8Array(der.subarray(PUBLIC_DER.length));
}

function publicObject(key: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([PUBLIC_DER, key]), format: "der", type: "spki" });
}

function privateObject(seed: Uint8Array): KeyObject {
  return createPrivateKey({
    key: Buffer.concat([PRIVATE_DER, seed]),
    format: "der",
    type: "pkcs8",
  });
}

/** A point is its y, with the sign of x in the highest bit. */
function yOf(point: Uint8Array): bigint {
  return littleEndian(point) & (2n ** 255n - 1n);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}
