/*
 * `zshield device`: what a vendor allows a device, signed.
 */
import { Refusal } from "../errors.ts";
import { readSmallFile, writeNewFile } from "../host/new-file.ts";
import type { DeviceRecord } from "../model/device-record.ts";
import { printMask } from "../model/mask.ts";
import { parsePublicFile, printPublicKey } from "../model/minisign.ts";
import { checkReleaseKey } from "../model/signature.ts";
import { signRecord, verifyRecord } from "../model/signed-record.ts";
import { writeOut } from "./write-out.ts";
import { unlock, type PasswordFiles } from "./key.ts";

export async function makeRecord(
  record: DeviceRecord,
  options: PasswordFiles & {
    readonly key: string;
    readonly out: string | undefined;
    readonly force: boolean;
    readonly isRelease: boolean;
  },
): Promise<void> {
  const { key: keyFile, out } = options;
  const { key, password } = await unlock(
    keyFile,
    await readSmallFile(keyFile),
    options.passwordFile,
  );
  if (options.isRelease) checkReleaseKey(key, password);
  const text = signRecord(record, key);
  // What was just signed has to be what is read on the device.
  verifyRecord("the new record", text, [printPublicKey(key)]);
  if (out === undefined) return writeOut(text);
  await writeNewFile(out, { text, mode: 0o644, replaces: options.force });
  console.log(`written: ${out}, signed by ${key.id}`);
}

export async function showRecord(file: string, keyFile: string | undefined): Promise<void> {
  if (keyFile === undefined) {
    throw new Refusal(
      "without a public key nothing can be said of a device record",
      "name one: --key FILE.pub",
    );
  }
  const known = parsePublicFile(keyFile, await readSmallFile(keyFile));
  const { record, key } = verifyRecord(file, await readSmallFile(file), [printPublicKey(known)]);
  console.log(`device: ${record.device}`);
  console.log(`mask:   ${printMask(record.mask)}`);
  console.log(`prefix: ${record.prefix}`);
  console.log(`epoch:  ${record.epoch}`);
  console.log(`signed: by ${key.id}`);
}
