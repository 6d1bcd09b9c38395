/*
 * minisign's files: public key, secret key, signature (https://jedisct1.github.io/minisign/). Read strictly: the lines
 * that there have to be, base64 in its one spelling, nothing behind. Of signatures only the prehashed kind, `ED`.
 * Owns: the formats, key ids, what a development key is. Computes no signature, no I/O.
 */
import { createHash } from "node:crypto";
import { Refusal } from "../errors.ts";
import { KEY_BYTES, SIGNATURE_BYTES, whyNotKey } from "./ed25519.ts";
import { GIB, MIB } from "./size.ts";
import { visible } from "./text.ts";

export interface PublicKey {
  /** As minisign prints it, but with its leading zeros: eight bytes as one little-endian number, 16 digits. */
  readonly id: string;
  readonly key: Uint8Array;
}

export interface SecretKey extends PublicKey {
  readonly seed: Uint8Array;
}

/** libsodium's two limits, from which scrypt's own parameters follow. */
export interface ScryptLimits {
  readonly operations: number;
  readonly memoryBytes: number;
}

/** A secret key as its file has it. */
export interface LockedKey {
  readonly salt: Uint8Array;
  readonly limits: ScryptLimits;
  /** Key id, seed, public key and their checksum, under scrypt's stream. */
  readonly content: Uint8Array;
  /** As our own files tell it in their comment. Not to be trusted before the key is unlocked. */
  readonly publicKey: PublicKey | undefined;
}

export interface Signature {
  readonly untrustedComment: string;
  readonly trustedComment: string;
  readonly keyId: string;
  readonly signature: Uint8Array;
  /** Over the signature and the trusted comment. */
  readonly global: Uint8Array;
}

/** minisign's own, libsodium's "sensitive": 1 GiB for a few seconds. */
export const SENSITIVE: ScryptLimits = { operations: 2 ** 25, memoryBytes: GIB };
/** libsodium's least; minisign goes down to it where memory is short. */
export const LEAST: ScryptLimits = { operations: 2 ** 15, memoryBytes: 16 * MIB };

/** A key with this password is for development, and nobody else's key may have it. */
export const DEVELOPMENT_PASSWORD = "12345";
const DEVELOPMENT_ID = "DE57";

const UNTRUSTED = "untrusted comment: ";
const TRUSTED = "trusted comment: ";
const OUR_SECRET = "zshield secret key of ";
const ID_BYTES = 8;
const SALT_BYTES = 32;
const CHECKSUM_BYTES = 32;
export const LOCKED_BYTES = ID_BYTES + 2 * KEY_BYTES + CHECKSUM_BYTES;
const SECRET_FILE_BYTES = 6 + SALT_BYTES + 16 + LOCKED_BYTES;

/** minisign's own limits for a comment's line. */
const MOST_UNTRUSTED = 1024;
const MOST_TRUSTED = 8192;

export function isDevelopment({ id }: PublicKey): boolean {
  return id.startsWith(DEVELOPMENT_ID);
}

/** An id for a new key. `draw` gives eight random bytes. */
export function drawId(isForDevelopment: boolean, draw: () => Uint8Array): string {
  for (;;) {
    const id = idOf(draw());
    if (isForDevelopment) return `${DEVELOPMENT_ID}${id.slice(DEVELOPMENT_ID.length)}`;
    if (!id.startsWith(DEVELOPMENT_ID)) return id;
  }
}

/** What a device shows: the first 32 hexadecimal digits of the public key's SHA-256. */
export function sysKeyOf(key: PublicKey): string {
  return vendorOf(key).slice(0, 32);
}

/** What a bundle calls its vendor, if the key is the first of the chain. */
export function vendorOf({ key }: PublicKey): string {
  return createHash("sha256").update(key).digest("hex");
}

// --- public keys -------------------------------------------------------------------------------

/** One line of base64, as minisign takes it behind `-P`, and as chains hold it. */
export function printPublicKey({ id, key }: PublicKey): string {
  return base64(Buffer.from("Ed"), idBytes(id), key);
}

/** @throws Refusal that begins with `name`. */
export function parsePublicKey(name: string, text: string): PublicKey {
  const bytes = readBase64(text, 2 + ID_BYTES + KEY_BYTES);
  if (bytes === undefined) throw new Refusal(`${name} is no public key of minisign`);
  if (ascii(bytes, 0) !== "Ed") throw new Refusal(`${name} is a key of an unknown kind`);
  const key = bytes.slice(2 + ID_BYTES);
  const why = whyNotKey(key);
  if (why !== undefined) throw new Refusal(`${name} ${why}`);
  return { id: idOf(bytes.subarray(2, 2 + ID_BYTES)), key };
}

export function printPublicKeyFile(key: PublicKey): string {
  return `${UNTRUSTED}minisign public key ${key.id}\n${printPublicKey(key)}\n`;
}

/** The public key of a public key's file, or of a secret one of ours. @throws Refusal */
export function parsePublicFile(name: string, text: string): PublicKey {
  const { line } = keyFileLines(name, text);
  if (line.length <= 4 * Math.ceil((2 + ID_BYTES + KEY_BYTES) / 3)) {
    return parsePublicKey(name, line);
  }
  const { publicKey } = parseSecretFile(name, text);
  if (publicKey !== undefined) return publicKey;
  throw new Refusal(
    `${name} is a secret key that does not tell its public one`,
    "name the file of the public key, which minisign made together with it",
  );
}

// --- secret keys -------------------------------------------------------------------------------

/** The comment tells the public key: everything else in the file is under the password. */
export function printSecretFile(key: PublicKey, { salt, limits, content }: LockedKey): string {
  const numbers = Buffer.alloc(16);
  numbers.writeBigUInt64LE(BigInt(limits.operations), 0);
  numbers.writeBigUInt64LE(BigInt(limits.memoryBytes), 8);
  const line = base64(Buffer.from("EdScB2"), salt, numbers, content);
  return `${UNTRUSTED}${OUR_SECRET}${printPublicKey(key)}\n${line}\n`;
}

/** @throws Refusal, also for a key without a password. */
export function parseSecretFile(name: string, text: string): LockedKey {
  const { comment, line } = keyFileLines(name, text);
  const bytes = readBase64(line, SECRET_FILE_BYTES);
  if (bytes === undefined) throw new Refusal(`${name} is no secret key of minisign`);
  if (ascii(bytes, 0) !== "Ed" || ascii(bytes, 4) !== "B2") {
    throw new Refusal(`${name} is a secret key of an unknown kind`);
  }
  if (bytes[2] === 0 && bytes[3] === 0) {
    throw new Refusal(`${name} is not locked with a password`, "give it one: minisign -C -s FILE");
  }
  if (ascii(bytes, 2) !== "Sc") {
    throw new Refusal(`${name} is locked in an unknown way`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + 6 + SALT_BYTES, 16);
  const operations = view.getBigUint64(0, true);
  const memory = view.getBigUint64(8, true);
  if (operations > BigInt(SENSITIVE.operations) || memory > BigInt(SENSITIVE.memoryBytes)) {
    throw new Refusal(`${name} asks for more time or memory than minisign's own keys do`);
  }
  if (operations < BigInt(LEAST.operations) || memory < BigInt(LEAST.memoryBytes)) {
    throw new Refusal(`${name} is locked more weakly than minisign's own keys are`);
  }
  return {
    salt: bytes.slice(6, 6 + SALT_BYTES),
    limits: { operations: Number(operations), memoryBytes: Number(memory) },
    content: bytes.slice(6 + SALT_BYTES + 16),
    publicKey: comment.startsWith(OUR_SECRET)
      ? parsePublicKey(`the comment of ${name}`, comment.slice(OUR_SECRET.length))
      : undefined,
  };
}

/** As libsodium's crypto_pwhash_scryptsalsa208sha256 derives them from its limits (`pickparams`). */
export function scryptParameters({ operations, memoryBytes }: ScryptLimits): {
  N: number;
  r: number;
  p: number;
} {
  const r = 8;
  const isMemoryAmple = operations < memoryBytes / 32;
  const most = Math.floor(isMemoryAmple ? operations / (r * 4) : memoryBytes / (r * 128));
  let N = 2;
  while (N <= most / 2) N *= 2;
  return { N, r, p: isMemoryAmple ? 1 : Math.floor(Math.floor(operations / 4 / N) / r) };
}

/** What lies under scrypt's stream. */
export function printContent(key: SecretKey): Uint8Array {
  const plain = Buffer.concat([idBytes(key.id), key.seed, key.key]);
  return Buffer.concat([plain, checksumOf(plain)]);
}

/** Undefined where the checksum is wrong, as it is with a wrong password. */
export function parseContent(content: Uint8Array): SecretKey | undefined {
  const plain = content.subarray(0, ID_BYTES + 2 * KEY_BYTES);
  if (!Buffer.from(content.subarray(plain.length)).equals(checksumOf(plain))) return undefined;
  return {
    id: idOf(plain.subarray(0, ID_BYTES)),
    seed: plain.slice(ID_BYTES, ID_BYTES + KEY_BYTES),
    key: plain.slice(ID_BYTES + KEY_BYTES),
  };
}

function checksumOf(plain: Uint8Array): Buffer {
  return createHash("blake2b256").update("Ed").update(plain).digest();
}

// --- signatures --------------------------------------------------------------------------------

export function printSignature(signature: Signature): string {
  const { untrustedComment, trustedComment, keyId } = signature;
  const lines = [
    `${UNTRUSTED}${untrustedComment}`,
    base64(Buffer.from("ED"), idBytes(keyId), signature.signature),
    `${TRUSTED}${trustedComment}`,
    base64(signature.global),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** Four lines and no byte more. @throws Refusal that begins with `name`. */
export function parseSignature(name: string, text: string): Signature {
  const lines = text.split("\n");
  if (lines.length !== 5 || lines[4] !== "") {
    throw new Refusal(`${name} has not exactly the four lines of a signature`);
  }
  const [first = "", second = "", third = "", fourth = ""] = lines;
  const untrustedComment = commentIn(name, first, UNTRUSTED, MOST_UNTRUSTED);
  const trustedComment = commentIn(name, third, TRUSTED, MOST_TRUSTED);
  const bytes = readBase64(second, 2 + ID_BYTES + SIGNATURE_BYTES);
  const global = readBase64(fourth, SIGNATURE_BYTES);
  if (bytes === undefined || global === undefined) {
    throw new Refusal(`${name} has a line that is not the base64 of a signature`);
  }
  const kind = ascii(bytes, 0);
  if (kind !== "ED") {
    throw new Refusal(
      kind === "Ed"
        ? `${name} is a signature of the old kind, which is not prehashed`
        : `${name} is a signature of an unknown kind`,
    );
  }
  return {
    untrustedComment,
    trustedComment,
    keyId: idOf(bytes.subarray(2, 2 + ID_BYTES)),
    signature: bytes.slice(2 + ID_BYTES),
    global,
  };
}

// --- parts -------------------------------------------------------------------------------------

function keyFileLines(name: string, text: string): { comment: string; line: string } {
  const lines = text.split("\n");
  if (lines.length !== 3 || lines[2] !== "") {
    throw new Refusal(`${name} has not exactly the two lines of a key`);
  }
  const [first = "", line = ""] = lines;
  return { comment: commentIn(name, first, UNTRUSTED, MOST_UNTRUSTED), line };
}

function commentIn(name: string, line: string, mark: string, most: number): string {
  if (!line.startsWith(mark)) {
    throw new Refusal(`${name} has a line that does not begin with "${mark.trim()}"`);
  }
  const comment = line.slice(mark.length);
  if (Buffer.byteLength(line) >= most) throw new Refusal(`${name} has a comment that is too long`);
  // minisign's own comments have tabs, and it cuts what cannot be seen off their ends.
  if (visible(comment.replaceAll("\t", "")) !== comment.replaceAll("\t", "")) {
    throw new Refusal(`${name} has a comment with characters that cannot be seen`);
  }
  return comment;
}

function idOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).reverse().toString("hex").toUpperCase();
}

function idBytes(id: string): Buffer {
  return Buffer.from(id, "hex").reverse();
}

function base64(...parts: Uint8Array[]): string {
  return Buffer.concat(parts).toString("base64");
}

/** Undefined for another length, and for every spelling but the one. */
function readBase64(text: string, length: number): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== length || bytes.toString("base64") !== text) return undefined;
  return new Uint8Array(bytes);
}

function ascii(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(bytes[offset] ?? 0, bytes[offset + 1] ?? 0);
}
