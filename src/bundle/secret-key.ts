/*
 * Secret keys: made at random, locked with a password and unlocked again, as minisign does it, so that each program
 * reads the other's files. Owns: what is random about keys, and scrypt. Files are read and written elsewhere.
 */
import { randomBytes, scrypt, type ScryptOptions } from "node:crypto";
import { promisify } from "node:util";
import { Refusal, messageOf } from "../errors.ts";
import { publicOf } from "../model/ed25519.ts";
import {
  drawId,
  LOCKED_BYTES,
  parseContent,
  parseSecretFile,
  printContent,
  printSecretFile,
  scryptParameters,
  SENSITIVE,
  type ScryptLimits,
  type SecretKey,
} from "../model/minisign.ts";
import { isSameKey } from "../model/signature.ts";
import { printSize } from "../model/size.ts";

/** A development key's id says so. */
export function makeKey(isForDevelopment: boolean): SecretKey {
  const seed = new Uint8Array(randomBytes(32));
  const id = drawId(isForDevelopment, () => randomBytes(8));
  return { id, seed, key: publicOf(seed) };
}

/** The file's text. Lower limits than minisign's own are for tests. */
export async function lockKey(
  key: SecretKey,
  password: string,
  limits: ScryptLimits = SENSITIVE,
): Promise<string> {
  const salt = new Uint8Array(randomBytes(32));
  const stream = await streamOf(password, salt, limits);
  const content = exclusiveOr(printContent(key), stream);
  return printSecretFile(key, { salt, limits, content, publicKey: undefined });
}

/** `text`: of the file called `name`. @throws Refusal, also for a wrong password. */
export async function unlockKey(name: string, text: string, password: string): Promise<SecretKey> {
  const locked = parseSecretFile(name, text);
  const stream = await streamOf(password, locked.salt, locked.limits);
  const key = parseContent(exclusiveOr(locked.content, stream));
  if (key === undefined) throw new Refusal(`this is not the password of ${name}`);
  // With a public key that is not the seed's own, signatures would give the seed away.
  if (!Buffer.from(publicOf(key.seed)).equals(key.key)) {
    throw new Refusal(`${name} holds two halves of a key that do not belong together`);
  }
  if (locked.publicKey !== undefined && !isSameKey(locked.publicKey, key)) {
    throw new Refusal(`${name} has the public key of another one in its comment`);
  }
  return key;
}

/** Beside this thread, which may have a screen or a watchdog to serve. */
async function streamOf(
  password: string,
  salt: Uint8Array,
  limits: ScryptLimits,
): Promise<Uint8Array> {
  const { N, r, p } = scryptParameters(limits);
  try {
    // maxmem has to be above 128 N r; no file asks for more than the 1 GiB of SENSITIVE.
    const options = { N, r, p, maxmem: 2 ** 31 - 1 };
    return new Uint8Array(
      await promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt)(
        password,
        salt,
        LOCKED_BYTES,
        options,
      ),
    );
  } catch (error) {
    const size = printSize(128 * N * r);
    throw new Refusal(`scrypt, which needs ${size} of memory, failed: ${messageOf(error)}`);
  }
}

function exclusiveOr(bytes: Uint8Array, stream: Uint8Array): Uint8Array {
  return bytes.map((byte, index) => byte ^ (stream[index] ?? 0));
}
