/*
 * The one form of tar that a bundle may have: ustar, files only, mode 0444, no owner, time 0, sizes in base 256 from
 * 8 GiB on, padding of zeros, two blocks of zeros at the end.
 * Owns: headers, both ways. No I/O.
 */

export const BLOCK_BYTES = 512;
/** What follows the last entry. */
export const END_BYTES = 2 * BLOCK_BYTES;
/** What eleven octal digits cannot say. */
const FIRST_LARGE = 8 ** 11;

export interface TarEntry {
  readonly name: string;
  readonly sizeBytes: number;
}

/** Where what stands, and what it is called when it is not as it has to be. */
const FIELDS = [
  ["name", 0, 100],
  ["mode", 100, 108],
  ["owner", 108, 124],
  ["size", 124, 136],
  ["time", 136, 148],
  ["checksum", 148, 156],
  ["type", 156, 157],
  ["link", 157, 257],
  ["format", 257, 265],
  ["owner", 265, 329],
  ["device", 329, 345],
  ["rest", 345, BLOCK_BYTES],
] as const;
const SIZE = FIELDS[3];
const CHECKSUM = FIELDS[5];

/** Names are ASCII, at most 100 characters. */
export function encodeHeader({ name, sizeBytes }: TarEntry): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0, "ascii");
  block.write("0000444\0" + "0000000\0" + "0000000\0", 100, "ascii");
  if (sizeBytes < FIRST_LARGE) {
    block.write(sizeBytes.toString(8).padStart(11, "0"), SIZE[1], "ascii");
  } else {
    block[SIZE[1]] = 0x80;
    block.writeBigUInt64BE(BigInt(sizeBytes), SIZE[1] + 4);
  }
  block.write("00000000000\0", 136, "ascii");
  block.write("0", 156, "ascii");
  block.write("ustar\0" + "00", 257, "ascii");
  block.write("0000000\0" + "0000000\0", 329, "ascii");
  block.fill(" ", CHECKSUM[1], CHECKSUM[2]);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM[1], "ascii");
  return block;
}

/** The entry, or why the block is no header in the one form. */
export function decodeHeader(
  block: Buffer,
): TarEntry | { readonly fault: string; readonly name: string } {
  const end = block.indexOf(0);
  const name = block.toString("latin1", 0, end < 0 || end > 100 ? 100 : end);
  const sizeBytes = decodeSize(block.subarray(SIZE[1], SIZE[2]));
  if (name === "" || !/^[!-~]+$/.test(name)) return { fault: "name", name };
  if (sizeBytes === undefined) return { fault: "size", name };
  const expected = encodeHeader({ name, sizeBytes });
  const wrong = FIELDS.filter(([, from, to]) =>
    expected.subarray(from, to).compare(block.subarray(from, to)),
  ).map(([field]) => field);
  // The checksum differs with whatever else does.
  const fault = wrong.find((field) => field !== "checksum") ?? wrong[0];
  return fault === undefined ? { name, sizeBytes } : { fault, name };
}

/** Of any tar's size field; undefined for one that is none, or not below 2^53. */
export function decodeSize(field: Buffer): number | undefined {
  if (field[0] === 0x80) {
    if (field.subarray(1, 4).some((byte) => byte !== 0)) return undefined;
    const size = Number(field.readBigUInt64BE(4));
    return Number.isSafeInteger(size) ? size : undefined;
  }
  const match = /^ *([0-7]{1,12})[ \0]*$/.exec(field.toString("latin1"));
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 8);
}

/** How many zeros follow a content, up to the next whole block. */
export function paddingBytes(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

/** With header and padding. */
export function entryBytes(sizeBytes: number): number {
  return BLOCK_BYTES + sizeBytes + paddingBytes(sizeBytes);
}

export function isZeros(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
