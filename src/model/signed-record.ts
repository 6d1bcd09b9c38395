/*
 * A device record with its signature, in one file: the record's JSON in the first line, minisign's four lines behind
 * it. One file, so that a power cut cannot leave one without the other.
 * Owns: the file's format, and when a record counts. No I/O.
 */
import { Refusal } from "../errors.ts";
import { parseDeviceRecord, printDeviceRecord, type DeviceRecord } from "./device-record.ts";
import type { PublicKey, SecretKey } from "./minisign.ts";
import { COMMENT, signMessage, verifySignature } from "./signature.ts";

export function signRecord(record: DeviceRecord, key: SecretKey): string {
  const json = printDeviceRecord(record);
  const comments = { untrustedComment: COMMENT.record, trustedComment: commentOf(record) };
  return `${json}\n${signMessage(key, json, comments)}`;
}

/** Nothing of the record is looked at before its signature. @throws Refusal that begins with `name` */
export function verifyRecord(
  name: string,
  text: string,
  keys: readonly string[] | undefined,
): { record: DeviceRecord; key: PublicKey } {
  const end = text.indexOf("\n");
  if (end < 0) throw new Refusal(`${name} is not signed, or is cut off`);
  const [json, signature] = [text.slice(0, end), text.slice(end + 1)];
  const { key, trustedComment } = verifySignature({
    name: `the signature in ${name}`,
    message: json,
    signature,
    keys,
    untrustedComment: COMMENT.record,
  });
  const record = parseDeviceRecord(json);
  if (trustedComment !== commentOf(record)) {
    throw new Refusal(`the signature in ${name} is for another record: "${trustedComment}"`);
  }
  return { record, key };
}

function commentOf({ device, epoch }: DeviceRecord): string {
  return `${COMMENT.record} ${device} epoch ${epoch}`;
}
