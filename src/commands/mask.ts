/*
 * `zshield mask check`: the rule of masks for a device that one describes, a line per package.
 */
import { readFileSync } from "node:fs";
import { Refusal, UsageError, messageOf } from "../errors.ts";
import { SYSTEM_PREFIX, SYSTEM_PREFIX_EXPECTED } from "../model/device-record.ts";
import { parseMaskFile } from "../model/mask-file.ts";
import { explainMask, MASK_TEXT, MASK_TEXT_EXPECTED, type MaskName } from "../model/mask.ts";
import { parsePackageName, type PackageName } from "../model/package-name.ts";

/** Nothing is printed unless everything could be read. @throws UsageError, Refusal with every bad name */
export function checkMasks(options: {
  readonly system: string | undefined;
  readonly prefix: string | undefined;
  /** Path of a mask.txt. */
  readonly names: string | undefined;
  readonly packages: readonly string[];
}): void {
  const { system = "", prefix } = options;
  if (!MASK_TEXT.test(system)) {
    throw new UsageError(`--system must be a mask: ${MASK_TEXT_EXPECTED}`, "mask");
  }
  if (prefix === undefined || !SYSTEM_PREFIX.test(prefix)) {
    throw new UsageError(`--prefix must be ${SYSTEM_PREFIX_EXPECTED}`, "mask");
  }
  const mask = Number.parseInt(system, 16);
  const names = options.names === undefined ? [] : readMaskNames(options.names);
  for (const found of parseAll(options.packages)) {
    const prefixes = { packagePrefix: found.prefix, systemPrefix: prefix };
    const { needed, reason } = explainMask(mask, found.mask, prefixes, names);
    console.log([needed ? "needed" : "not needed", found.text, reason].join("\t"));
  }
}

function parseAll(texts: readonly string[]): PackageName[] {
  const refusals: Refusal[] = [];
  const parsed = texts.flatMap((text) => {
    try {
      return [parsePackageName(text)];
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refusals.push(error);
      return [];
    }
  });
  if (refusals.length === 0) return parsed;
  throw new Refusal(refusals.map(({ message }) => message).join("\n"), refusals[0]?.hint);
}

function readMaskNames(path: string): MaskName[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Refusal(`${path} cannot be read: ${messageOf(error)}`);
  }
  return parseMaskFile(text, path);
}
