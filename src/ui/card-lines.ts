/*
 * Cards being written, all at once: a line for each, and the table at the end. Widths are cells of a terminal. Pure.
 */
import type { DiskIdentity } from "../model/machine.ts";
import { printSize } from "../model/size.ts";
import { visible } from "../model/text.ts";
import { cut, pad, widthOf } from "./screen/width.ts";

export interface CardState {
  readonly disk: DiskIdentity;
  readonly phase: "waits" | "write" | "check" | "table" | "good" | "bad";
  readonly bytes: number;
  readonly totalBytes: number;
  /** Of the phase so far. */
  readonly seconds: number;
  /** Once the phase is done. */
  readonly writeSeconds?: number;
  readonly checkSeconds?: number;
  readonly trouble?: string;
}

const WORDS = {
  waits: "waits",
  write: "writing",
  check: "checking",
  table: "table",
  good: "GOOD",
  bad: "BAD",
} as const;
const BAR_CELLS = 20;

/** `/dev/sdb  writing   [#####.....]  47 %   21 MB/s  31 s left`. */
export function progressLine(card: CardState, pathWidth: number, columns: number): string {
  const { disk, phase, bytes, totalBytes, seconds, trouble } = card;
  const start = `${pad(disk.path, pathWidth)}  ${pad(WORDS[phase], 8)}`;
  if (phase === "bad") return fit(`${start}  ${visible(trouble ?? "")}`, columns);
  if (phase !== "write" && phase !== "check") return fit(start.trimEnd(), columns);
  const share = totalBytes > 0 ? Math.min(1, bytes / totalBytes) : 0;
  const full = Math.floor(share * BAR_CELLS);
  const bar = "#".repeat(full) + ".".repeat(BAR_CELLS - full);
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const speed = printRate(bytes, seconds).padStart(9);
  const left = share > 0 && seconds > 1 ? Math.ceil(seconds / share - seconds) : undefined;
  const time = left === undefined ? "" : `  ${left} s left`;
  return fit(`${start}  [${bar}] ${percent} ${speed}${time}`, columns);
}

export function progressLines(cards: readonly CardState[], columns: number): string[] {
  const width = Math.max(...cards.map(({ disk }) => widthOf(disk.path)));
  return cards.map((card) => progressLine(card, width, columns));
}

/** Draws over the `drawn` lines of before; where not all cards have room, the last line says so. */
export function redraw(
  cards: readonly CardState[],
  { columns, rows }: { readonly columns: number; readonly rows: number },
  drawn: number,
): { readonly text: string; readonly drawn: number } {
  const all = progressLines(cards, columns - 1);
  const room = Math.max(1, rows - 1);
  const done = cards.filter(({ phase }) => phase === "good" || phase === "bad").length;
  const lines =
    all.length <= room
      ? all
      : [...all.slice(0, room - 1), `… and ${all.length - room + 1} more; ${done} are done`];
  // A terminal that was made smaller meanwhile has fewer lines above.
  const up = Math.min(drawn, rows - 1);
  const text = lines.map((line) => `\r${line}\x1b[K\n`).join("");
  return { text: `${up > 0 ? `\x1b[${up}A` : ""}${text}\x1b[J`, drawn: lines.length };
}

/** The table at the end. */
export function summaryLines(cards: readonly CardState[]): string[] {
  const rows = cards.map((card) => {
    const { disk, phase, totalBytes, writeSeconds, checkSeconds, trouble } = card;
    return [
      WORDS[phase],
      disk.path,
      disk.serial === "" ? "(none)" : visible(disk.serial),
      printSpeed(totalBytes, writeSeconds),
      printSpeed(totalBytes, checkSeconds),
      visible(trouble ?? ""),
    ];
  });
  const titles = ["RESULT", "CARD", "SERIAL", "WRITTEN", "READ BACK", ""];
  const widths = titles.map((title, at) =>
    Math.max(...[title, ...rows.map((row) => row[at] ?? "")].map(widthOf)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((text, at) => pad(text, widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  const good = cards.filter(({ phase }) => phase === "good").length;
  const bad = cards.length - good;
  return [line(titles), ...rows.map(line), `${good} good, ${bad} bad`];
}

function printSpeed(bytes: number, seconds: number | undefined): string {
  return seconds === undefined ? "" : `${seconds.toFixed(1)} s, ${printRate(bytes, seconds)}`;
}

/** Decimal, as the makers of cards count. */
function printRate(bytes: number, seconds: number): string {
  if (seconds <= 0) return "";
  const rate = bytes / seconds / 1e6;
  return `${rate < 10 ? rate.toFixed(1) : rate.toFixed(0)} MB/s`;
}

function fit(text: string, columns: number): string {
  return widthOf(text) > columns ? `${cut(text, columns - 1)}…` : text;
}

/** What will be lost on a card, a line each; the first is the card itself. */
export function lossLines(name: string, contents: readonly string[]): string[] {
  const content = contents.length === 0 ? ["nothing that is known"] : contents;
  return [visible(name), ...content.map((line) => `  ${visible(line)}`)];
}

export function imageLine(path: string, sizeBytes: number, digestFile?: string): string {
  const checked = digestFile === undefined ? "no digest lies beside it" : `as in ${digestFile}`;
  return visible(`${path}: ${printSize(sizeBytes)}, ${checked}`);
}
