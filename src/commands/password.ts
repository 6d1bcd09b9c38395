/*
 * `zshield password`: makes the line with which a zshield.toml asks for a rescue password.
 */
import { ARGON2, faultOfPassword } from "../model/password.ts";
import { askNew } from "./ask-password.ts";

export async function makePassword(): Promise<void> {
  console.log(await hashLine(await askNew("rescue password", faultOfPassword)));
}

/** What belongs below `[rescue]`. */
export async function hashLine(password: string): Promise<string> {
  const hash = await Bun.password.hash(password, { algorithm: "argon2id", ...ARGON2 });
  return `password-hash = "${hash}"`;
}
