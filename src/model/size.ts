/*
 * Sizes as people write them ("100 GiB", "20 %") and as we print them.
 * Owns: parsing and printing of byte counts. All arithmetic in whole bytes.
 */

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const TIB = 1024 * GIB;

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: KIB, MiB: MIB, GiB: GIB, TiB: TIB };

/** A size is a number of bytes, or a share of the whole disk (0 < share <= 1). */
export type Size = { readonly bytes: number } | { readonly share: number };

/** Returns the size, or a sentence that says why the text is none. */
export function parseSize(text: string): Size | string {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB|%)\s*$/.exec(text);
  if (!match) return `"${text}" is not a size; write it like "512 MiB", "100 GiB" or "20 %"`;
  const number = Number(match[1]);
  const unit = match[2] ?? "";
  if (unit === "%") {
    if (number <= 0 || number > 100) return `"${text}" must be more than 0 % and at most 100 %`;
    return { share: number / 100 };
  }
  const bytes = number * (UNITS[unit] ?? NaN);
  if (!Number.isSafeInteger(bytes) || bytes <= 0)
    return `"${text}" is not a whole number of bytes above 0`;
  return { bytes };
}

/** Bytes of a size on a disk of `wholeBytes`, rounded down to `unitBytes`. */
export function sizeOn(size: Size, wholeBytes: number, unitBytes: number): number {
  const bytes = "bytes" in size ? size.bytes : size.share * wholeBytes;
  return Math.floor(bytes / unitBytes) * unitBytes;
}

/** "19.5 GiB"; at most one digit behind the point, binary units. */
export function printSize(bytes: number): string {
  for (const [unit, factor] of [
    ["TiB", TIB],
    ["GiB", GIB],
    ["MiB", MIB],
    ["KiB", KIB],
  ] as const) {
    if (bytes >= factor) {
      const number = bytes / factor;
      return `${Number.isInteger(number) ? number : number.toFixed(1)} ${unit}`;
    }
  }
  return `${bytes} B`;
}
