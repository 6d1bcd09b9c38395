/*
 * Keys of the tests: quick to make, and what `minisign -G` and `minisign -S -H` of minisign 0.11 wrote, once, with the
 * password "pw".
 */
import { publicOf } from "../../src/model/ed25519.ts";
import { printPublicKey, type SecretKey } from "../../src/model/minisign.ts";
import { Refusal } from "../../src/errors.ts";

export function keyOf(number: number, start = "00"): SecretKey {
  const seed = new Uint8Array(32).fill(number);
  return { id: `${start}${String(number).padStart(14, "0")}`, seed, key: publicOf(seed) };
}

export const known = (...keys: SecretKey[]) => keys.map(printPublicKey);

export const MINISIGN = {
  password: "pw",
  publicFile:
    "untrusted comment: minisign public key 7BE7C80B6B7671D4\nRWTUcXZrC8jne7ZHnzPGQvHUbxLldIaW5aVMrfy3oH0cYP3sgFOHiKzO\n",
  secretFile:
    "untrusted comment: minisign encrypted secret key\nRWRTY0IybBfhskBBv0EpIoUZolLTD4+tMqZqV0ZR6q84en8qRUcAAAACAAAAAAAAAEAAAAAALNH4GmAoT5kmKkXmpOXTGyMpxJXSRGGvgEIVRRSEMaEjTJs5lFCwyfoEzw/DMfiEvzBokBpavF/SziUcsxNFlnZpJ84Ix7NBuLo6J+Q1G3g1tyAlM+PSV4W+ojFj+LZAXad4zNzKjuY=\n",
  message: "hello\n",
  signature:
    "untrusted comment: signature from minisign secret key\nRUTUcXZrC8jne0wBmUuGyNDEqVWt06EPQFfjNmz3N+Iy86mcRfhHbD5SvI7b4a7ZIP3mdlPdf7ENS8xssWEaAJX7C7xpM0QeZg4=\ntrusted comment: timestamp:1795658730\tfile:m\thashed\nBpQvTgBqe8QNob4uzJqkwHmM/jW36qWiKiOfZ3MTxO3ZHmyMiWq4sleGtpgQNbMCm/V1twnVoOHmss1wlnG6CA==\n",
} as const;

/** The refusal's words; a failure of another kind, or none, is told apart. */
export function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  return "nothing was refused";
}

/** Every bit of a text flipped, one at a time. */
export function* flips(text: string): Generator<{ bytes: Uint8Array; what: string }> {
  const bytes = new TextEncoder().encode(text);
  for (let index = 0; index < bytes.length; index++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = bytes.slice();
      flipped[index] = (bytes[index] ?? 0) ^ (1 << bit);
      yield { bytes: flipped, what: `byte ${index}, bit ${bit}` };
    }
  }
}
