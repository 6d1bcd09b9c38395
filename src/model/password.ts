/*
 * The two passwords that a zshield.toml may hold, as hashes only: the rescue password (argon2id, as PHC
 * strings have it) and GRUB's own (PBKDF2, as grub-mkpasswd-pbkdf2 prints it); and what locks a vendor's key.
 * Owns: which hashes and which passwords are good enough. Computes none, no I/O.
 */
import { KIB, MIB } from "./size.ts";

/**
 * What `zshield password` makes: half of the memory that is allowed, a quarter of a second on a
 * processor of 2015. The agent has that memory on top of its own, in machines with 1 GiB.
 */
export const ARGON2 = { memoryCost: (32 * MIB) / KIB, timeCost: 3 } as const;

/** OWASP's password storage cheat sheet has 19 MiB and two passes as the least. */
const LEAST_MEMORY_BYTES = 19 * MIB;
const MOST_MEMORY_BYTES = 64 * MIB;
const LEAST_PASSES = 2;
const MOST_PASSES = 10;
const MOST_LANES = 4;
/** Characters of base64 without padding: 8 bytes of salt, 16 of hash. */
const LEAST_SALT = 11;
const LEAST_HASH = 22;

/** grub-mkpasswd-pbkdf2's own default is the least; GRUB needs seconds for the most. */
const LEAST_ROUNDS = 10_000;
const MOST_ROUNDS = 1_000_000;

const LEAST_CHARACTERS = 8;
const MOST_CHARACTERS = 128;
/** minisign reads no more. */
export const MOST_KEY_PASSWORD_BYTES = 1023;

/** What is wrong with a hash of the rescue password, in words that never repeat it; undefined: nothing. */
export function faultOfHash(text: string): string | undefined {
  const match =
    /^\$argon2id\$v=(\d+)\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text);
  if (!match) {
    return "must be a hash as `zshield password` prints it ($argon2id$…), never the password itself";
  }
  const [version, memory, passes, lanes] = match.slice(1, 5).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  const [salt = "", hash = ""] = match.slice(5);
  if (version !== 19) return `is of version ${version} of argon2; it must be 19`;
  const bytes = memory * KIB;
  if (bytes < LEAST_MEMORY_BYTES || bytes > MOST_MEMORY_BYTES) {
    return `m=${memory} must be ${LEAST_MEMORY_BYTES / KIB} to ${MOST_MEMORY_BYTES / KIB} (KiB of memory)`;
  }
  if (passes < LEAST_PASSES || passes > MOST_PASSES) {
    return `t=${passes} must be ${LEAST_PASSES} to ${MOST_PASSES} passes`;
  }
  if (lanes < 1 || lanes > MOST_LANES) return `p=${lanes} must be 1 to ${MOST_LANES}`;
  if (salt.length < LEAST_SALT) return "its salt is shorter than 8 bytes";
  if (hash.length < LEAST_HASH) return "its hash is shorter than 16 bytes; was it cut off?";
  return undefined;
}

/** The same for GRUB's. */
export function faultOfGrubHash(text: string): string | undefined {
  const match = /^grub\.pbkdf2\.sha512\.(\d{1,9})\.([0-9A-Fa-f]+)\.([0-9A-Fa-f]+)$/.exec(text);
  if (!match) {
    return "must be a hash as grub-mkpasswd-pbkdf2 prints it (grub.pbkdf2.sha512.…), never the password itself";
  }
  const [, rounds, salt = "", hash = ""] = match;
  if (Number(rounds) < LEAST_ROUNDS || Number(rounds) > MOST_ROUNDS) {
    return `has ${Number(rounds)} iterations; it must be ${LEAST_ROUNDS} to ${MOST_ROUNDS}`;
  }
  if (salt.length % 2 !== 0 || salt.length < 16) return "its salt is not of 8 bytes or more";
  if (hash.length !== 128) return "its hash is not of 64 bytes; was it cut off?";
  return undefined;
}

/** Why a password is not taken, or undefined. The rescue system has the keys of a US keyboard only. */
export function faultOfPassword(password: string): string | undefined {
  if (password.length < LEAST_CHARACTERS) {
    return `the password is shorter than ${LEAST_CHARACTERS} characters`;
  }
  if (password.length > MOST_CHARACTERS) {
    return `the password is longer than ${MOST_CHARACTERS} characters`;
  }
  if (!/^[\x20-\x7e]+$/.test(password)) {
    return "the password has characters that a keyboard in the rescue system cannot type (only ASCII can be)";
  }
  if (password.trim() !== password) return "the password begins or ends with a blank";
  return undefined;
}

/** The same for the password of a vendor's key, which is typed on any keyboard, or never. */
export function faultOfKeyPassword(password: string): string | undefined {
  if (password.length < LEAST_CHARACTERS) {
    return `the password is shorter than ${LEAST_CHARACTERS} characters`;
  }
  if (Buffer.byteLength(password) > MOST_KEY_PASSWORD_BYTES) {
    return `the password is longer than ${MOST_KEY_PASSWORD_BYTES} bytes`;
  }
  if (/[\x00-\x1f\x7f]/.test(password)) return "the password has control characters";
  return undefined;
}
