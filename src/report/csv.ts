/*
 * The collection as CSV (RFC 4180): one line a report, quoted throughout, CR LF.
 * A spreadsheet takes a cell that begins with = + - @ (also the full-width ones), a tab or a carriage return for a
 * formula: such a cell gets an apostrophe in front. So does one where that follows a semicolon, which a spreadsheet
 * of another country takes for the next cell. Pure.
 */
import type { Box, Collection } from "./gather.ts";
import { isoMoment } from "./words.ts";

const COLUMNS: readonly (readonly [name: string, cell: (box: Box) => string | number])[] = [
  ["verdict", ({ verdict }) => verdict],
  ["serial", ({ serial }) => serial],
  ["reports_of_serial", ({ reportsOfSerial }) => reportsOfSerial],
  ["vendor", ({ vendor }) => vendor],
  ["model", ({ model }) => model],
  ["version", ({ version }) => version],
  ["disk_model", ({ disk }) => disk.model],
  ["disk_serial", ({ disk }) => disk.serial],
  ["disk_bytes", ({ disk }) => disk.sizeBytes],
  ["ended_utc", ({ endedAt }) => isoMoment(endedAt)],
  ["install_seconds", ({ installSeconds }) => installSeconds ?? ""],
  ["test_seconds", ({ testSeconds }) => testSeconds],
  ["failed_tests", ({ failed }) => failed.join(" ")],
  ["reason", ({ reason }) => reason],
  ["file", ({ file }) => file],
];

export function printCsv({ boxes }: Collection): string {
  const line = (cells: readonly (string | number)[]) => `${cells.map(csvCell).join(",")}\r\n`;
  return [
    line(COLUMNS.map(([name]) => name)),
    ...boxes.map((box) => line(COLUMNS.map(([, cell]) => cell(box)))),
  ].join("");
}

const FORMULA = /^(?=\s*[=+\-@＝＋－＠]|[\t\r])|;(?=[\s"]*[=+\-@＝＋－＠])/gu;

export function csvCell(value: string | number): string {
  const text = String(value).replace(FORMULA, "$&'");
  return `"${text.replaceAll('"', '""')}"`;
}
