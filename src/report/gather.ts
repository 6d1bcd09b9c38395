/*
 * Many factory reports made one collection: which files are reports, which are refused and why, which box was
 * found more than once. What leaves this room is `visible` and short, whatever the files held.
 * Owns: that judgement, and the order (failing boxes first). No I/O.
 */
import { Refusal } from "../errors.ts";
import {
  FACTORY_REPORT_KIND,
  FactoryTest,
  type FactoryReport,
  type TestOutcome,
  type Verdict,
} from "../model/factory.ts";
import { parseFactoryReport } from "../model/factory-file.ts";
import { visible } from "../model/text.ts";

export interface FoundFile {
  readonly name: string;
  /** Its bytes, or why they could not be read. */
  readonly content: Uint8Array | { readonly trouble: string };
}

/** What is shown of one report. */
export interface Box {
  readonly file: string;
  readonly verdict: Verdict;
  /** "" where the box tells none. */
  readonly serial: string;
  /** How many reports carry this serial number; 1 where there is none. */
  readonly reportsOfSerial: number;
  readonly vendor: string;
  readonly model: string;
  readonly version: string;
  readonly disk: { readonly model: string; readonly serial: string; readonly sizeBytes: number };
  readonly endedAt: number;
  readonly installSeconds?: number;
  readonly testSeconds: number;
  /** Of a FAIL: the first failure. */
  readonly reason: string;
  readonly tests: readonly TestOutcome[];
  /** More tests than these are only counted. */
  readonly untold: number;
  /** Names of all that failed, each once. */
  readonly failed: readonly string[];
  /** What the vendor's failed tests printed. */
  readonly outputs: readonly { readonly name: string; readonly text: string }[];
}

export interface Collection {
  readonly boxes: readonly Box[];
  readonly refused: readonly { readonly file: string; readonly reason: string }[];
  /** The same report again. */
  readonly copies: readonly { readonly file: string; readonly of: string }[];
  /** Files that hold something else. */
  readonly others: number;
}

/** In characters; nothing in an honest report is longer. */
const MOST_TEXT = 300;
const MOST_NAME = 80;
const MOST_OUTPUT = 8_000;
const MOST_TESTS = 200;

export function gather(files: Iterable<FoundFile>): Collection {
  // Of each report only what is shown: a thousand of them may be a gigabyte.
  const found = new Map<string, { readonly serial: string; readonly box: LoneBox }>();
  const refused: { file: string; reason: string }[] = [];
  const copies: { file: string; of: string }[] = [];
  let others = 0;
  for (const { name, content } of files) {
    const file = visible(name);
    const read = readReport(content);
    if (read === "other") others++;
    else if (typeof read === "string") refused.push({ file, reason: read });
    else {
      const first = found.get(read.digest);
      if (first) copies.push({ file, of: first.box.file });
      else found.set(read.digest, { serial: read.report.serial, box: boxOf(file, read.report) });
    }
  }
  const reports = [...found.values()];
  const ofSerial = countBy(reports, ({ serial }) => serial);
  const boxes = reports
    .map(({ serial, box }): Box => {
      const reportsOfSerial = serial === "" ? 1 : (ofSerial.get(serial) ?? 1);
      return { ...box, reportsOfSerial };
    })
    .sort(byVerdictAndSerial);
  return { boxes, refused: refused.sort(byFile), copies: copies.sort(byFile), others };
}

type Read = { readonly report: FactoryReport; readonly digest: string } | "other" | (string & {});

/** The report with its digest; "other" for a document of another kind; else why it is refused. */
function readReport(content: FoundFile["content"]): Read {
  if ("trouble" in content) return short(content.trouble);
  if (content.length === 0) return "it is empty";
  const text = decode(content);
  if (text === undefined) return "it is not UTF-8: it was changed or damaged";
  if (isOther(text)) return "other";
  try {
    const report = parseFactoryReport("it", text);
    if (report.verdict === "PASS" && report.tests.some(({ outcome }) => outcome === "fail")) {
      return "it says PASS although a test failed";
    }
    // Decoded anew: a slice would keep the whole text.
    return { report, digest: decode(content.subarray(-65, -1)) ?? "" };
  } catch (error) {
    if (error instanceof Refusal) return short(error.message);
    throw error;
  }
}

/** A byte-order mark stays: it was not there when the digest was made. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A whole JSON document that does not say of itself that it is a report. */
function isOther(text: string): boolean {
  try {
    const value = JSON.parse(text) as { readonly kind?: unknown } | null;
    return value?.kind !== FACTORY_REPORT_KIND;
  } catch {
    return false;
  }
}

type LoneBox = Omit<Box, "reportsOfSerial">;

function boxOf(file: string, report: FactoryReport): LoneBox {
  const isFailed = ({ outcome }: TestOutcome) => outcome === "fail";
  const failed = report.tests.filter(isFailed);
  const told = [...failed, ...report.tests.filter((test) => !isFailed(test))].slice(0, MOST_TESTS);
  return {
    file,
    verdict: report.verdict,
    serial: short(report.serial),
    vendor: short(report.vendor),
    model: short(report.model),
    version: short(report.version),
    disk: {
      model: short(report.disk.model),
      serial: short(report.disk.serial),
      sizeBytes: report.disk.sizeBytes,
    },
    endedAt: report.endedAt,
    ...(report.installSeconds === undefined ? {} : { installSeconds: report.installSeconds }),
    testSeconds: report.testSeconds,
    reason: report.verdict === "FAIL" ? short(report.reason ?? "no reason is told") : "",
    tests: told.map((test) => ({
      ...test,
      name: short(test.name, MOST_NAME),
      reason: short(test.reason),
    })),
    untold: report.tests.length - told.length,
    failed: [...new Set(failed.map(nameOf))],
    outputs: failed.slice(0, MOST_TESTS).flatMap((test) => {
      const { name, origin } = test;
      if (origin !== "vendor") return [];
      // Asked for as its own: a test may be called like a property that every object has.
      const text = Object.hasOwn(report.outputs, name) ? (report.outputs[name] ?? "") : "";
      return text === "" ? [] : [{ name: nameOf(test), text: shortLines(text) }];
    }),
  };
}

const BUILT_IN: ReadonlySet<string> = new Set(
  FactoryTest.options.map(({ entries }) => entries.name.literal),
);

/** The vendor may have called a test like a built-in one; it is another one all the same. */
function nameOf({ name, origin }: TestOutcome): string {
  const shown = short(name, MOST_NAME);
  return origin === "vendor" && BUILT_IN.has(name) ? `${shown} (vendor)` : shown;
}

/** Visible, on one line, at most so many characters. */
export function short(text: string, most = MOST_TEXT): string {
  // Cut first, so that a megabyte costs nothing; an escape is never cut in the middle.
  const cut = Array.from(text.slice(0, 2 * most)).slice(0, most);
  const shown = visible(cut.join(""));
  return cut.join("").length < text.length ? `${shown}…` : shown;
}

/** Visible lines; a long text loses its middle. */
function shortLines(text: string): string {
  const half = MOST_OUTPUT / 2;
  const cut =
    text.length <= MOST_OUTPUT
      ? text
      : `${text.slice(0, half)}\n… ${text.length - 2 * half} characters are left out here …\n${text.slice(-half)}`;
  return cut.split("\n").map(visible).join("\n");
}

const collator = new Intl.Collator("en", { numeric: true });

function byVerdictAndSerial(one: Box, other: Box): number {
  const rank = ({ verdict }: Box) => (verdict === "FAIL" ? 0 : 1);
  return (
    rank(one) - rank(other) ||
    collator.compare(one.serial, other.serial) ||
    one.endedAt - other.endedAt ||
    byFile(one, other)
  );
}

function byFile(one: { readonly file: string }, other: { readonly file: string }): number {
  return one.file < other.file ? -1 : one.file > other.file ? 1 : 0;
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

export interface Summary {
  readonly reports: number;
  readonly pass: number;
  readonly fail: number;
  /** The test and in how many reports it failed, the most frequent first. */
  readonly failing: readonly { readonly name: string; readonly boxes: readonly Box[] }[];
  readonly repeated: readonly { readonly serial: string; readonly reports: number }[];
  readonly unnamed: number;
  /** What all boxes have in common, which needs no column then. */
  readonly shared: { readonly model?: string; readonly version?: string };
  readonly install: Spread | undefined;
  readonly tests: Spread | undefined;
}

export interface Spread {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

export function summarise({ boxes }: Collection): Summary {
  const fail = boxes.filter(({ verdict }) => verdict === "FAIL");
  const failing = new Map<string, Box[]>();
  for (const box of fail) {
    // A FAIL without a failed test has a reason all the same: no test was run.
    for (const name of box.failed.length > 0 ? box.failed : [box.reason]) {
      failing.set(name, [...(failing.get(name) ?? []), box]);
    }
  }
  const repeated = new Map(
    boxes
      .filter(({ reportsOfSerial }) => reportsOfSerial > 1)
      .map(({ serial, reportsOfSerial }) => [serial, reportsOfSerial]),
  );
  return {
    reports: boxes.length,
    pass: boxes.length - fail.length,
    fail: fail.length,
    failing: [...failing]
      .map(([name, boxes]) => ({ name, boxes }))
      .sort((a, b) => b.boxes.length - a.boxes.length || collator.compare(a.name, b.name)),
    repeated: [...repeated]
      .map(([serial, reports]) => ({ serial, reports }))
      .sort((a, b) => collator.compare(a.serial, b.serial)),
    unnamed: boxes.filter(({ serial }) => serial === "").length,
    shared: { ...sharedOf(boxes, "model"), ...sharedOf(boxes, "version") },
    install: spreadOf(boxes.flatMap(({ installSeconds }) => installSeconds ?? [])),
    tests: spreadOf(boxes.map(({ testSeconds }) => testSeconds)),
  };
}

function sharedOf(boxes: readonly Box[], key: "model" | "version"): Summary["shared"] {
  const [first, ...rest] = boxes;
  if (!first || rest.some((box) => box[key] !== first[key])) return {};
  return { [key]: first[key] };
}

function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [least] = sorted;
  const median = sorted[Math.floor(sorted.length / 2)];
  const most = sorted.at(-1);
  return least === undefined || median === undefined || most === undefined
    ? undefined
    : { least, median, most };
}
