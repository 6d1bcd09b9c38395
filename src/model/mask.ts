/*
 * Who needs a package: the rule of masks, as seed 2 has it. A mask has 24 bits; the three highest belong to the rule,
 * the others mean what the vendor's mask.txt says.
 * Owns: the rule, its explanation, the six digits of a mask. No I/O.
 */

/** Of a package: one of its bits is enough. Of a device: nothing. */
export const ANY_BIT = 0x800000;
/** Of both: the package's prefix must be the device's. */
export const SAME_PREFIX = 0x400000;
/** Of either: `SAME_PREFIX` asks for no prefix. */
export const ANY_PREFIX = 0x200000;
/** What is compared: neither the way to compare (23) nor what spares the prefix (21), but bit 22 is. */
const COMPARED = 0x5fffff;

/** The vendor's own bits are those below. */
export const FIRST_RULE_BIT = 21;
const RULE_BIT_NAMES: Readonly<Record<number, string>> = {
  21: "any prefix",
  22: "same prefix",
  23: "any bit",
};

export interface MaskPrefixes {
  readonly packagePrefix: string;
  readonly systemPrefix: string;
}

/** A line of mask.txt. */
export interface MaskName {
  readonly bit: number;
  readonly name: string;
  readonly description: string;
}

export function isNeeded(systemMask: number, packageMask: number, prefixes: MaskPrefixes): boolean {
  return (
    isMatched(systemMask, packageMask) &&
    (!asksForPrefix(systemMask, packageMask) || prefixes.packagePrefix === prefixes.systemPrefix)
  );
}

function isMatched(systemMask: number, packageMask: number): boolean {
  const asked = packageMask & COMPARED;
  const shared = systemMask & asked;
  return (packageMask & ANY_BIT) === 0 ? shared === asked : shared !== 0;
}

function asksForPrefix(systemMask: number, packageMask: number): boolean {
  const wish = systemMask & packageMask & SAME_PREFIX;
  const waiver = (systemMask | packageMask) & ANY_PREFIX;
  return (wish | waiver) === SAME_PREFIX;
}

/** What `isNeeded` says, and a sentence with the bits that decide. */
export function explainMask(
  systemMask: number,
  packageMask: number,
  prefixes: MaskPrefixes,
  names: readonly MaskName[] = [],
): { readonly needed: boolean; readonly reason: string } {
  const needed = isNeeded(systemMask, packageMask, prefixes);
  const match = explainMatch(systemMask, packageMask, names);
  if (!isMatched(systemMask, packageMask)) return { needed, reason: match };
  const prefix = explainPrefix(systemMask, packageMask, prefixes, names);
  return { needed, reason: prefix === "" ? match : `${match}; ${prefix}` };
}

function explainMatch(systemMask: number, packageMask: number, names: readonly MaskName[]): string {
  const asked = packageMask & COMPARED;
  const shared = asked & systemMask;
  if ((packageMask & ANY_BIT) === 0) {
    const lacking = asked & ~systemMask;
    if (asked === 0) return "it asks for no bit";
    if (lacking !== 0) return `the device lacks ${printBits(lacking, names)}`;
    return `the device has all that it asks for: ${printBits(asked, names)}`;
  }
  const one = `${printBits(ANY_BIT, names)} wants one bit in common`;
  if (asked === 0) return `${one}, but it asks for none: nobody needs it`;
  if (shared === 0) return `${one}, but the device has none of ${printBits(asked, names)}`;
  return `${one}, and the device has ${printBits(shared, names)}`;
}

/** "" where no prefix is asked for. */
function explainPrefix(
  systemMask: number,
  packageMask: number,
  { packagePrefix, systemPrefix }: MaskPrefixes,
  names: readonly MaskName[],
): string {
  if ((packageMask & SAME_PREFIX) === 0) return "";
  const same = printBits(SAME_PREFIX, names);
  if ((systemMask & SAME_PREFIX) === 0) {
    return `no prefix is compared, as the device lacks ${same}`;
  }
  if (!asksForPrefix(systemMask, packageMask)) {
    const owners = [
      ...((packageMask & ANY_PREFIX) === 0 ? [] : ["the package"]),
      ...((systemMask & ANY_PREFIX) === 0 ? [] : ["the device"]),
    ].join(" and ");
    return `no prefix is compared, as ${owners} has ${printBits(ANY_PREFIX, names)}`;
  }
  if (packagePrefix === systemPrefix) {
    return `both have ${same}, and the prefix "${packagePrefix}" is the device's`;
  }
  return `but both have ${same}, and the prefix "${packagePrefix}" is not the device's "${systemPrefix}"`;
}

/** `bit 0 (video)`, `bits 0 (video), 6`. */
function printBits(mask: number, names: readonly MaskName[]): string {
  const bits: string[] = [];
  for (let bit = 0; bit < 24; bit++) {
    if ((mask & (1 << bit)) === 0) continue;
    const name = RULE_BIT_NAMES[bit] ?? names.find((known) => known.bit === bit)?.name;
    bits.push(name === undefined ? String(bit) : `${bit} (${name})`);
  }
  return `${bits.length === 1 ? "bit" : "bits"} ${bits.join(", ")}`;
}

export const MASK_TEXT = /^[0-9A-F]{6}$/;
export const MASK_TEXT_EXPECTED = "six hexadecimal digits, 0-9 and A-F";

/** Six digits, capitals. */
export function printMask(mask: number): string {
  return mask.toString(16).toUpperCase().padStart(6, "0");
}
