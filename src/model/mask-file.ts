/*
 * mask.txt: what the vendor's own bits of a mask are called, a line each: bit, name, description.
 * Owns: its syntax, parsing and printing. src/bundle/README.md describes it. No I/O.
 */
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { FIRST_RULE_BIT, type MaskName } from "./mask.ts";
import { columnOf, quoted, visible } from "./text.ts";

export const MASK_FILE = "mask.txt";

const BIT = /^(?:0|[1-9]\d?)$/;
const BIT_NAME = /^[A-Za-z][A-Za-z0-9._-]{0,31}$/;
const BIT_NAME_EXPECTED = "a name: 1 to 32 letters, digits, dots, _ and -, a letter first";
const MOST_DESCRIPTION = 200;
const DESCRIPTION_EXPECTED = `a description: 1 to ${MOST_DESCRIPTION} characters that one can see`;
const MOST_LINE = 500;
/** 21 lines and their comments. */
const MOST_FILE = 65_536;
/** What editors of Windows put in front of UTF-8. */
const MARK = "\ufeff";

/** The same rules for where the names stand in a signed manifest. */
export const MaskNameSchema = v.strictObject({
  bit: v.pipe(
    v.number(),
    v.integer(),
    v.minValue(0),
    v.maxValue(FIRST_RULE_BIT - 1, `must be 0 to ${FIRST_RULE_BIT - 1}`),
  ),
  name: v.pipe(v.string(), v.regex(BIT_NAME, `must be ${BIT_NAME_EXPECTED}`)),
  description: v.pipe(v.string(), v.check(isDescription, `must be ${DESCRIPTION_EXPECTED}`)),
});

/** By bit. `file`: for what is said. @throws Refusal with every fault, its line and column. */
export function parseMaskFile(text: string, file = MASK_FILE): MaskName[] {
  const names: MaskName[] = [];
  const faults: string[] = [];
  if (text.length > MOST_FILE) throw new Refusal(`${file}: is longer than ${MOST_FILE} characters`);
  const isMarked = text.startsWith(MARK);
  if (isMarked) {
    faults.push(
      `${file}: line 1, column 1: begins with a byte order mark: save it as UTF-8 without one ` +
        '(Notepad: "UTF-8", not "UTF-8 with BOM")',
    );
  }
  // Columns are counted as editors do, which do not show it.
  const plain = isMarked ? text.slice(MARK.length) : text;
  for (const [index, ended] of plain.split("\n").entries()) {
    const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
    const found = parseLine(line, names);
    if (found === undefined) continue;
    if ("bit" in found) names.push(found);
    else {
      const column = columnOf(line, found.at);
      faults.push(`${file}: line ${index + 1}, column ${column}: ${found.fault}`);
    }
  }
  if (faults.length > 0) {
    throw new Refusal(
      faults.join("\n"),
      "each line is a bit, a name and a description, like: 0 video records video",
    );
  }
  return names.toSorted((a, b) => a.bit - b.bit);
}

export function printMaskFile(names: readonly MaskName[]): string {
  return names
    .toSorted((a, b) => a.bit - b.bit)
    .map(({ bit, name, description }) => `${bit} ${name} ${description}\n`)
    .join("");
}

interface LineFault {
  readonly at: number;
  readonly fault: string;
}

/** undefined for a line that says nothing. */
function parseLine(line: string, earlier: readonly MaskName[]): MaskName | LineFault | undefined {
  if (/^[ \t]*(?:#|$)/.test(line)) return undefined;
  const expected = (at: number, what: string): LineFault => ({ at, fault: `expected ${what}` });
  if (line.length > MOST_LINE) return expected(MOST_LINE, "the end of the line");
  const match = /^([ \t]*)([^ \t]+)([ \t]*)([^ \t]*)([ \t]*)([^]*?)[ \t]*$/u.exec(line);
  const [, margin = "", bit = "", gap = "", name = "", space = "", description = ""] = match ?? [];
  const bitAt = margin.length;
  const nameAt = bitAt + bit.length + gap.length;
  const descriptionAt = nameAt + name.length + space.length;
  const number = Number(bit);
  if (BIT.test(bit) && number >= FIRST_RULE_BIT && number < 24) {
    return { at: bitAt, fault: `bit ${bit} belongs to the rule of masks; yours are 0 to 20` };
  }
  if (!BIT.test(bit) || number >= FIRST_RULE_BIT) return expected(bitAt, "a bit, 0 to 20");
  if (!BIT_NAME.test(name)) return expected(nameAt, BIT_NAME_EXPECTED);
  if (!isDescription(description)) return expected(descriptionAt, DESCRIPTION_EXPECTED);
  const twice = earlier.find((other) => other.bit === number);
  if (twice) return { at: bitAt, fault: `bit ${bit} is ${quoted(twice.name)} already` };
  const named = earlier.find((other) => other.name === name);
  if (named) return { at: nameAt, fault: `${quoted(name)} is bit ${named.bit} already` };
  return { bit: number, name, description };
}

function isDescription(text: string): boolean {
  return (
    text !== "" && text.length <= MOST_DESCRIPTION && text.trim() === text && visible(text) === text
  );
}
