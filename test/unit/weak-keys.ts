/*
 * `zshield key` as it is, but for scrypt's limits: minisign's own take seconds and 1 GiB for every key.
 */
import { changeKeyPassword, newKey } from "../../src/commands/key.ts";
import { Refusal } from "../../src/errors.ts";
import { LEAST } from "../../src/model/minisign.ts";

const [what, file = "", passwordFile, newPasswordFile] = process.argv.slice(2);
try {
  if (what === "new" || what === "force") {
    await newKey({ out: file, passwordFile, force: what === "force" }, LEAST);
  } else {
    await changeKeyPassword(file, { passwordFile, newPasswordFile }, LEAST);
  }
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(error.message);
  process.exit(3);
}
