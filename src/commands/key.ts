/*
 * `zshield key`: a vendor's keys, in minisign's files. The secret one is locked with a password, which is asked for or
 * read from a file, and never a word of the command.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { lockKey, makeKey, unlockKey } from "../bundle/secret-key.ts";
import { Refusal } from "../errors.ts";
import { checkFree, readSmallFile, replaceable, writeNewFile } from "../host/new-file.ts";
import { chainOf, extendChain, parseChain, printChain } from "../model/chain.ts";
import {
  DEVELOPMENT_PASSWORD,
  isDevelopment,
  parsePublicFile,
  parseSecretFile,
  printPublicKey,
  printPublicKeyFile,
  SENSITIVE,
  sysKeyOf,
  vendorOf,
  type PublicKey,
  type ScryptLimits,
  type SecretKey,
} from "../model/minisign.ts";
import { faultOfKeyPassword, MOST_KEY_PASSWORD_BYTES } from "../model/password.ts";
import { askKnown, askNew } from "./ask-password.ts";
import { writeOut } from "./write-out.ts";

export interface PasswordFiles {
  readonly passwordFile: string | undefined;
}

/** Makes `BASENAME.key` and `BASENAME.pub`. Lower limits are for tests. */
export async function newKey(
  { out, passwordFile, force }: PasswordFiles & { out: string | undefined; force: boolean },
  limits: ScryptLimits = SENSITIVE,
): Promise<void> {
  const start = out ?? "zshield";
  if (/(^|\/)$/.test(start)) {
    throw new Refusal(
      `--out "${start}" names no file`,
      "it takes how the two begin: --out vendor makes vendor.key and vendor.pub",
    );
  }
  const [secretFile, publicFile] = [`${start}.key`, `${start}.pub`];
  // Both before anything is written: without its public half a key that was replaced is lost for nothing.
  for (const file of [secretFile, publicFile]) force ? replaceable(file) : checkFree(file);
  const password = await newPassword(passwordFile, faultOfAnyPassword);
  const key = makeKey(password === DEVELOPMENT_PASSWORD);
  sayWait();
  const text = await lockKey(key, password, limits);
  await writeNewFile(secretFile, { text, mode: 0o600, most: 0o600, replaces: force });
  const publicText = printPublicKeyFile(key);
  try {
    await writeNewFile(publicFile, { text: publicText, mode: 0o644, replaces: force });
  } catch (error) {
    // One that took an older one's place stays: it is the only one now.
    if (!force) await rm(secretFile, { force: true });
    throw error;
  }
  for (const line of keyLines(key)) console.log(line);
  console.log(`written: ${secretFile} (keep it secret), ${publicFile}`);
}

/** The key stays the same; its file is replaced. */
export async function changeKeyPassword(
  file: string,
  { passwordFile, newPasswordFile }: PasswordFiles & { newPasswordFile: string | undefined },
  limits: ScryptLimits = SENSITIVE,
): Promise<void> {
  const text = await readSmallFile(file);
  const { key } = await unlock(file, text, passwordFile);
  const password = await newPassword(newPasswordFile, (password) =>
    isDevelopment(key) ? faultOfAnyPassword(password) : faultOfReleasePassword(password),
  );
  sayWait();
  const locked = await lockKey(key, password, limits);
  await writeNewFile(file, { text: locked, mode: 0o600, most: 0o660, replaces: true });
  console.log(`${file} has the new password; copies of it still have the old one`);
}

/** Of a secret or a public key's file; no password is needed. */
export async function showKey(file: string): Promise<void> {
  for (const line of keyLines(parsePublicFile(file, await readSmallFile(file)))) console.log(line);
}

/** The new key, signed by the old one, at the end of the chain in `chain`, or of one that is printed. */
export async function rotateKey(
  oldFile: string,
  newFile: string,
  { chain: chainFile, passwordFile }: PasswordFiles & { chain: string | undefined },
): Promise<void> {
  const next = parsePublicFile(newFile, await readSmallFile(newFile));
  const text = await readSmallFile(oldFile);
  const before =
    chainFile !== undefined && existsSync(chainFile)
      ? parseChain(chainFile, await readSmallFile(chainFile))
      : undefined;
  const { key: old } = await unlock(oldFile, text, passwordFile);
  const chain = extendChain(before ?? chainOf(old), old, next);
  // Into a file it goes as a chain is, without a line end.
  if (chainFile === undefined) {
    return writeOut(`${printChain(chain)}${process.stdout.isTTY ? "\n" : ""}`);
  }
  await writeNewFile(chainFile, {
    text: printChain(chain),
    mode: 0o644,
    replaces: before !== undefined,
  });
  console.log(`${chainFile}: ${chain.keys.map(({ id }) => id).join(" → ")}`);
}

/** Asks for the password, or reads it from a file. @throws Refusal */
export async function unlock(
  file: string,
  text: string,
  passwordFile: string | undefined,
): Promise<{ key: SecretKey; password: string }> {
  parseSecretFile(file, text);
  const password =
    passwordFile === undefined
      ? await askKnown(`Password of ${file}: `)
      : await passwordIn(passwordFile);
  if (Buffer.byteLength(password) > MOST_KEY_PASSWORD_BYTES) {
    throw new Refusal(`the password is longer than ${MOST_KEY_PASSWORD_BYTES} bytes`);
  }
  sayWait();
  return { key: await unlockKey(file, text, password), password };
}

export function keyLines(key: PublicKey): string[] {
  const kind = isDevelopment(key)
    ? "for development: refused with --release"
    : "for releases, if its password is kept";
  return [
    `public key: ${printPublicKey(key)}`,
    `key id:     ${key.id}`,
    `sysKey:     ${sysKeyOf(key)}`,
    `vendor:     ${vendorOf(key)}, if it is the first of its chain`,
    `kind:       ${kind}`,
  ];
}

async function newPassword(
  file: string | undefined,
  faultOf: (password: string) => string | undefined,
): Promise<string> {
  if (file === undefined) return askNew("password of the key", faultOf);
  const password = await passwordIn(file);
  const fault = faultOf(password);
  if (fault !== undefined) throw new Refusal(`${file}: ${fault}`, "choose another one");
  return password;
}

/** The only line of the file. */
async function passwordIn(file: string): Promise<string> {
  const [password = "", ...others] = (await readSmallFile(file, 4096)).split("\n");
  if (others.some((line) => line !== "")) throw new Refusal(`${file} has more than one line`);
  if (password === "") throw new Refusal(`${file} has no password in its first line`);
  return password.replace(/^\ufeff/, "").replace(/\r$/, "");
}

function faultOfAnyPassword(password: string): string | undefined {
  return password === DEVELOPMENT_PASSWORD ? undefined : faultOfKeyPassword(password);
}

function faultOfReleasePassword(password: string): string | undefined {
  return password === DEVELOPMENT_PASSWORD
    ? "the password is the development keys' own"
    : faultOfKeyPassword(password);
}

function sayWait(): void {
  if (process.stderr.isTTY) console.error("scrypt makes guessing hard: a few seconds, 1 GiB …");
}
