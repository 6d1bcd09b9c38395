/*
 * The collection on a terminal: a table with failing boxes first, what was refused, and the counts at the end, where
 * the eye is. Widths are cells of a terminal; colour only where asked for. Pure.
 */
import type { Box, Collection, Summary } from "../report/gather.ts";
import { summarise } from "../report/gather.ts";
import { countOf, printMoment, printSpan } from "../report/words.ts";
import { cut, pad, widthOf } from "./screen/width.ts";

export interface Look {
  /** Of the terminal; Infinity where there is none. */
  readonly columns: number;
  readonly colour: boolean;
}

interface Column {
  readonly title: string;
  readonly textOf: (box: Box) => string;
  readonly isRight?: boolean;
}

/** What all boxes have in common has no column. */
function columnsFor({ shared }: Summary): Column[] {
  return [
    { title: "RESULT", textOf: ({ verdict }) => verdict },
    { title: "SERIAL", textOf: serialOf },
    ...(shared.model === undefined ? [{ title: "MODEL", textOf: ({ model }: Box) => model }] : []),
    ...(shared.version === undefined
      ? [{ title: "VERSION", textOf: ({ version }: Box) => version }]
      : []),
    { title: "ENDED (UTC)", textOf: ({ endedAt }) => printMoment(endedAt) },
    { title: "INSTALLED IN", textOf: spanOf, isRight: true },
    { title: "TESTED IN", textOf: ({ testSeconds }) => printSpan(testSeconds), isRight: true },
    { title: "REASON", textOf: ({ reason }) => reason },
  ];
}

/** No column but the last is wider. */
const MOST_CELLS = 28;

export function reportLines(collection: Collection, look: Look): string[] {
  const { boxes, refused, copies, others } = collection;
  const summary = summarise(collection);
  const { failing, repeated, unnamed, reports, pass, fail, shared } = summary;
  const paint = (text: string, colour: "red" | "green" | "yellow") =>
    look.colour ? `\x1b[${{ red: 31, green: 32, yellow: 33 }[colour]}m${text}\x1b[0m` : text;
  const lines: string[] = [];
  if (boxes.length > 0) lines.push(...tableLines(boxes, columnsFor(summary), look, paint), "");
  for (const { file, of } of copies) lines.push(`${file}: the same report as ${of}, counted once`);
  for (const { file, reason } of refused) {
    lines.push(`${paint("refused", "red")} ${file}: ${reason}`);
  }
  if (copies.length + refused.length > 0) lines.push("");
  if (failing.length > 0) {
    lines.push("failing tests:");
    const width = Math.min(MOST_CELLS, Math.max(...failing.map(({ name }) => widthOf(name))));
    for (const { name, boxes } of failing) {
      lines.push(`  ${cell(name, width)}  ${countOf(boxes.length, "box", "boxes")}`);
    }
  }
  for (const { serial, reports } of repeated) {
    lines.push(paint(`serial number ${serial} has ${reports} reports`, "yellow"));
  }
  if (unnamed > 0)
    lines.push(paint(`${countOf(unnamed, "report")} without a serial number`, "yellow"));
  const common = [shared.model, shared.version].filter((text) => text !== undefined && text !== "");
  if (common.length > 0) lines.push(`all of them: ${common.join(", ")}`);
  if (others > 0) lines.push(`${countOf(others, "other JSON file")} passed over`);
  if (reports === 0) lines.push("there is no report of zshield's factory tests");
  lines.push(
    [
      countOf(reports, "report"),
      paint(`${pass} PASS`, "green"),
      fail > 0 ? paint(`${fail} FAIL`, "red") : "0 FAIL",
      refused.length > 0 ? paint(`${refused.length} refused`, "red") : "0 refused",
    ].join(", "),
  );
  return lines;
}

function tableLines(
  boxes: readonly Box[],
  columns: readonly Column[],
  look: Look,
  paint: (text: string, colour: "red" | "green") => string,
): string[] {
  const rows = boxes.map((box) => columns.map(({ textOf }) => textOf(box)));
  const widths = columns.map(({ title }, at) =>
    Math.min(MOST_CELLS, Math.max(widthOf(title), ...rows.map((row) => widthOf(row[at] ?? "")))),
  );
  const line = (texts: readonly string[]) => {
    const last = columns.length - 1;
    const cells = texts.map((text, at) =>
      at === last ? text : cell(text, widths[at] ?? 0, columns[at]?.isRight),
    );
    const whole = cells.join("  ");
    return widthOf(whole) > look.columns ? `${cut(whole, look.columns - 1)}…` : whole.trimEnd();
  };
  return [
    line(columns.map(({ title }) => title)),
    ...rows.map((row, at) => {
      const verdict = boxes[at]?.verdict ?? "FAIL";
      return line(row).replace(verdict, paint(verdict, verdict === "PASS" ? "green" : "red"));
    }),
  ];
}

function cell(text: string, width: number, isRight = false): string {
  const fitting = widthOf(text) > width ? `${cut(text, width - 1)}…` : text;
  return isRight
    ? " ".repeat(Math.max(0, width - widthOf(fitting))) + fitting
    : pad(fitting, width);
}

function serialOf({ serial, reportsOfSerial }: Box): string {
  if (serial === "") return "(none)";
  return reportsOfSerial > 1 ? `${cut(serial, MOST_CELLS - 5)} (×${reportsOfSerial})` : serial;
}

function spanOf({ installSeconds }: Box): string {
  return installSeconds === undefined ? "" : printSpan(installSeconds);
}
