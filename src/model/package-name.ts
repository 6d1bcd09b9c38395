/*
 * Names of packages, `name-PROGRAM.BASE-SEQ.REV-MASK`, and the labels of bundles, `PRODUCT-MAJOR.SUM.MMDD`. Both are
 * read from the right, since the name in front may hold dashes and dots itself.
 * Owns: parsing, printing, the order of packages. src/bundle/README.md says what the parts mean. No I/O.
 */
import { Refusal } from "../errors.ts";
import { MASK_TEXT, MASK_TEXT_EXPECTED, printMask } from "./mask.ts";
import { columnOf, quoted } from "./text.ts";

/** A name without versions. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
export const NAME_EXPECTED =
  "1 to 64 of the letters a-z A-Z, digits, dot, _, + and -, a letter or digit first";
/** As a repository in a container registry may be called. */
export const PRODUCT = /^(?=.{1,64}$)[a-z0-9]+(?:[._-][a-z0-9]+)*$/;
export const PRODUCT_EXPECTED =
  "1 to 64 of the letters a-z and digits, with a single dot, _ or - between them";

const PACKAGE_HINT =
  "packages are called like zfs-1.0.8.1-7.2-000000: name-PROGRAM.BASE-SEQ.REV-MASK";
const LABEL_HINT = "bundles are called like video-4.94.1122.upt: PRODUCT-MAJOR.SUM.MMDD";
export const MOST_NUMBER = 999_999;
const NUMBER_EXPECTED = `a number from 0 to ${MOST_NUMBER} without leading zeros`;
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export interface PackageFields {
  readonly name: string;
  /** The program's main version. */
  readonly program: readonly [number, number];
  /** The system it was made on: one to three numbers. */
  readonly base: readonly number[];
  readonly sequence: number;
  readonly revision: number;
  /** 24 bits. */
  readonly mask: number;
}

export interface PackageName extends PackageFields {
  /** The name up to its first dash. */
  readonly prefix: string;
  /** The whole name, as it was read. */
  readonly text: string;
}

/** @throws Refusal with the column where the name goes wrong, and what was expected there. */
export function parsePackageName(text: string): PackageName {
  const scan = scanner(text, PACKAGE_HINT);
  const mask = scan.field();
  if (!MASK_TEXT.test(mask.text)) {
    const wrong = mask.text.length === 6 ? mask.text.search(/[^0-9A-F]/) : 0;
    scan.refuse(mask.start + wrong, `the mask: ${MASK_TEXT_EXPECTED}`);
  }
  scan.dash("the mask");
  const [sequence = 0, revision = 0] = scan.numbers(scan.field(), [2, 2], "SEQ.REV");
  scan.dash("SEQ.REV");
  const versions = scan.numbers(scan.field(), [3, 5], "PROGRAM.BASE");
  scan.dash("PROGRAM.BASE");
  const [first = 0, second = 0, ...base] = versions;
  const name = scan.rest();
  const fault = indexOfNameFault(name);
  if (fault >= 0) scan.refuse(fault, `the name: ${NAME_EXPECTED}`);
  return {
    name,
    program: [first, second],
    base,
    sequence,
    revision,
    mask: Number.parseInt(mask.text, 16),
    prefix: name.split("-", 1)[0] ?? "",
    text,
  };
}

/** The fields may come from anywhere: what they make is a name only if `parsePackageName` takes it. */
export function printPackageName(fields: PackageFields): string {
  const { name, program, base, sequence, revision, mask } = fields;
  return `${name}-${[...program, ...base].join(".")}-${sequence}.${revision}-${printMask(mask)}`;
}

/** A name's BASE by itself: `8.1`. @throws Refusal with the column */
export function parseBase(text: string): readonly number[] {
  const scan = scanner(
    text,
    "a system has one to three numbers, like 8.1: BASE in packages' names",
  );
  return scan.numbers({ start: 0, text }, [1, 3], "BASE");
}

/** Lower sequence first, equal ones in reverse order of the whole name. Names are ASCII: this is the order of bytes. */
export function comparePackages(a: PackageName, b: PackageName): number {
  if (a.sequence !== b.sequence) return a.sequence - b.sequence;
  if (a.text === b.text) return 0;
  return a.text > b.text ? -1 : 1;
}

export interface VersionLabel {
  readonly product: string;
  readonly major: number;
  /** Of the revisions of all packages. */
  readonly sum: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
  /** As it was read. */
  readonly text: string;
}

/** `video-4.94.1122`; the day is that of UTC. @throws Refusal if the parts give no label. */
export function versionLabel(parts: {
  readonly product: string;
  readonly major: number;
  readonly revisions: readonly number[];
  readonly date: Date;
}): string {
  const sum = parts.revisions.reduce((total, revision) => total + revision, 0);
  const [month, day] = [parts.date.getUTCMonth() + 1, parts.date.getUTCDate()].map((number) =>
    String(number).padStart(2, "0"),
  );
  const label = `${parts.product}-${parts.major}.${sum}.${month}${day}`;
  return parseVersionLabel(label).text;
}

export function bundleFileName(label: string): string {
  return `${label}.upt`;
}

/** @throws Refusal with the column and what was expected there. */
export function parseVersionLabel(text: string): VersionLabel {
  return parseLabel(text, text.length);
}

const BUNDLE_ENDINGS = [".upt.jpg", ".upt"] as const;

/** Whether a file may hold a bundle; what is called otherwise is none. */
export function isBundleFileName(name: string): boolean {
  return BUNDLE_ENDINGS.some((ending) => name.endsWith(ending));
}

/** The label in `LABEL.upt` or `LABEL.upt.jpg`, a name without directories. @throws Refusal as above. */
export function parseBundleFileName(text: string): VersionLabel {
  const ending = BUNDLE_ENDINGS.find((known) => text.endsWith(known));
  if (ending === undefined) {
    return scanner(text, LABEL_HINT).refuse(text.length, 'the ending ".upt" or ".upt.jpg"');
  }
  return parseLabel(text, text.length - ending.length);
}

/** `text` up to `end` is the label; columns are those of the whole text. */
function parseLabel(text: string, end: number): VersionLabel {
  const scan = scanner(text, LABEL_HINT, end);
  const field = scan.field();
  const dot = field.text.lastIndexOf(".") + 1;
  const date = field.text.slice(dot);
  const month = Number(date.slice(0, 2));
  const day = Number(date.slice(2));
  if (!/^\d{4}$/.test(date) || day < 1 || day > (DAYS[month - 1] ?? 0)) {
    scan.refuse(field.start + dot, "MMDD: the month and the day, two digits each");
  }
  if (dot === 0) scan.refuse(field.start, "MAJOR.SUM. before MMDD");
  const front = { start: field.start, text: field.text.slice(0, dot - 1) };
  const [major = 0, sum = 0] = scan.numbers(front, [2, 2], "MAJOR.SUM", [
    MOST_NUMBER,
    Number.MAX_SAFE_INTEGER,
  ]);
  scan.dash("MAJOR.SUM.MMDD");
  const product = scan.rest();
  if (!PRODUCT.test(product)) scan.refuse(0, `the product: ${PRODUCT_EXPECTED}`);
  return { product, major, sum, month, day, text: text.slice(0, end) };
}

interface Field {
  readonly start: number;
  readonly text: string;
}

/** Takes a name apart from its right end. */
function scanner(text: string, hint: string, from = text.length) {
  let end = from;
  let start = end;
  const refuse = (index: number, expected: string): never => {
    throw new Refusal(
      `${quoted(text)}, column ${columnOf(text, index)}: expected ${expected}`,
      hint,
    );
  };
  return {
    refuse,
    /** What lies between the last dash and the end. */
    field(): Field {
      start = text.slice(0, end).lastIndexOf("-") + 1;
      return { start, text: text.slice(start, end) };
    },
    /** Goes on in front of the dash before the last field. */
    dash(what: string): void {
      if (start === 0) refuse(0, `a name and "-" before ${what}`);
      end = start - 1;
    },
    rest: (): string => text.slice(0, end),
    /** Numbers with dots between them, so many at least and at most. */
    numbers(
      field: Field,
      [least, most]: readonly [number, number],
      what: string,
      limits: readonly number[] = [],
    ): number[] {
      let at = field.start;
      const parts = field.text.split(".");
      const numbers = parts.slice(0, most).map((part, index) => {
        const limit = limits[index] ?? MOST_NUMBER;
        const number = Number(part);
        if (!/^(?:0|[1-9]\d{0,15})$/.test(part) || number > limit) {
          const wrong = Math.max(0, part.search(/\D/));
          refuse(
            at + wrong,
            `${what}: ${limit === MOST_NUMBER ? NUMBER_EXPECTED : "a number without leading zeros"}`,
          );
        }
        at += part.length + 1;
        return number;
      });
      if (parts.length > most) refuse(at - 1, `the end of ${what}`);
      if (parts.length < least) refuse(at - 1, `${what}: "." and another number`);
      return numbers;
    },
  };
}

/** Where it stops being a name; -1 if it is one. */
function indexOfNameFault(name: string): number {
  if (NAME.test(name)) return -1;
  if (!/^[A-Za-z0-9]/.test(name)) return 0;
  const wrong = name.search(/[^A-Za-z0-9._+-]/);
  return wrong >= 0 && wrong < 64 ? wrong : 64;
}
