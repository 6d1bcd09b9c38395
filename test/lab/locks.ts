/*
 * The passwords of the lab's locked card, and its zshield.toml: the usual one with the hashes of these.
 */
import { pbkdf2Sync } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT } from "./scratch.ts";

export const RESCUE_PASSWORD = "rescue-lab";
export const GRUB_USER = "technician";
export const GRUB_PASSWORD = "grub-lab";

/** Of RESCUE_PASSWORD; the salt is in it, so that the card stays the same. */
const RESCUE_HASH =
  "$argon2id$v=19$m=19456,t=2,p=1$277D3hEpBTMy7vbK+mpLMkXABoPipV1ShJlBXB4H/b8$7XyQc9RLfABuNQCLDn+a39afXLYeh2FQB4OooZAMreI";
const GRUB_ROUNDS = 10_000;
const GRUB_SALT = Buffer.alloc(64, "zshield-lab");

/** Returns the file. */
export async function writeLockedConfig(directory: string): Promise<string> {
  const usual = await readFile(join(PROJECT, "build/zshield.toml"), "utf8");
  const text = usual
    .replace(/^password-hash = ""/m, `password-hash = "${RESCUE_HASH}"`)
    .replace(/^grub-password-hash = ""/m, `grub-password-hash = "${grubHash()}"`);
  if (text.split('-hash = ""').length > 1) throw new Error("zshield.toml has other lines now");
  await mkdir(directory, { recursive: true });
  const file = join(directory, "zshield.toml");
  await writeFile(file, text);
  return file;
}

/** As grub-mkpasswd-pbkdf2 prints it. */
function grubHash(): string {
  const hash = pbkdf2Sync(GRUB_PASSWORD, GRUB_SALT, GRUB_ROUNDS, 64, "sha512");
  const hex = (bytes: Buffer) => bytes.toString("hex").toUpperCase();
  return `grub.pbkdf2.sha512.${GRUB_ROUNDS}.${hex(GRUB_SALT)}.${hex(hash)}`;
}
