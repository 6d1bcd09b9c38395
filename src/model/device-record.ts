/*
 * A device record: what the vendor allows a device, as JSON in its one form. Whether it is signed is the caller's to
 * check, over these same bytes. Owns: schema, printing, parsing. No I/O.
 */
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { parseDocument } from "./document.ts";
import { MASK_TEXT, MASK_TEXT_EXPECTED, printMask } from "./mask.ts";
import { NAME, NAME_EXPECTED } from "./package-name.ts";

const WHAT = "device record";
const MOST_LENGTH = 1024;

/** What a package's prefix can be, so without dashes; "" is nobody's. */
export const SYSTEM_PREFIX = /^(?:[A-Za-z0-9][A-Za-z0-9._+]{0,63})?$/;
export const SYSTEM_PREFIX_EXPECTED =
  "a prefix as packages have it: up to 64 letters, digits, dots, _ and +, without dashes, or nothing";

const DeviceRecordSchema = v.pipe(
  v.strictObject({
    format: v.literal(1, "must be 1"),
    device: v.pipe(v.string("must be a text"), v.regex(NAME, `must be ${NAME_EXPECTED}`)),
    mask: v.pipe(v.string("must be a text"), v.regex(MASK_TEXT, `must be ${MASK_TEXT_EXPECTED}`)),
    prefix: v.pipe(
      v.string("must be a text"),
      v.regex(SYSTEM_PREFIX, `must be ${SYSTEM_PREFIX_EXPECTED}`),
    ),
    epoch: v.pipe(
      v.number("must be a number"),
      v.safeInteger("must be a whole number below 2^53"),
      v.minValue(1, "must be 1 or more"),
    ),
  }),
  v.transform(({ device, mask, prefix, epoch }) => ({
    device,
    /** 24 bits. */
    mask: Number.parseInt(mask, 16),
    prefix,
    epoch,
  })),
);
export type DeviceRecord = v.InferOutput<typeof DeviceRecordSchema>;

/** The bytes that are signed, as text. @throws Refusal if the record is none. */
export function printDeviceRecord(record: DeviceRecord): string {
  const { device, mask, prefix, epoch } = record;
  const json = { format: 1, device, mask: printMask(mask), prefix, epoch };
  parseDocument(DeviceRecordSchema, json, WHAT);
  return JSON.stringify(json);
}

/** @throws Refusal for every text but the one that `printDeviceRecord` makes. */
export function parseDeviceRecord(text: string): DeviceRecord {
  if (text.length > MOST_LENGTH) {
    throw new Refusal(`${WHAT}: is longer than ${MOST_LENGTH} characters`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Refusal(`${WHAT}: is not JSON, or is cut off`);
  }
  const record = parseDocument(DeviceRecordSchema, json, WHAT);
  if (printDeviceRecord(record) !== text) {
    throw new Refusal(
      `${WHAT}: is not in its one form`,
      "one line of JSON without blanks, its keys in the order of the format page",
    );
  }
  return record;
}
