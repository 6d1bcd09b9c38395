/*
 * A view → the rows of a terminal of a given size: title, body, note, keys. Pure.
 * Owns: the layout, and what stands for lines and blocks where the font has none.
 */
import { bigWord } from "./big.ts";
import { codeModules, type CodeSize } from "./qr.ts";
import type { Block, Style, View } from "./view.ts";
import { cut, pad, widthOf, wrap } from "./width.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** `blocks`: the terminal shows UTF-8, and its font has block elements. */
export type Charset = "blocks" | "ascii";

export interface Span {
  readonly text: string;
  readonly style: Style;
}
export type Row = readonly Span[];

const GLYPHS = {
  blocks: { done: "√", now: "►", full: "█", empty: "░", log: "│" },
  ascii: { done: "x", now: ">", full: "#", empty: ".", log: "|" },
} as const;
type Glyphs = (typeof GLYPHS)[Charset];

const MOST_NOTE_ROWS = 4;

/** Exactly `size.rows` rows, none wider than `size.columns`. */
export function draw(view: View, size: Size, charset: Charset): Row[] {
  const { columns, rows } = size;
  const bar = (text: string): Row => [{ text: pad(` ${text}`, columns), style: "bar" }];
  if (view.code?.alone === true) {
    const code = codeRows(view.code, { columns, rows: rows - 1 }, charset);
    const body = code ?? view.body.flatMap((block) => fixedRows(block, columns, GLYPHS[charset]));
    return [...filled(body, rows - 1), bar(view.keys)].map((row) => fitted(row, size, charset));
  }
  const staying = bodyRows(view.body.filter(stays), size, GLYPHS[charset]).length;
  const noteRows = Math.max(0, Math.min(MOST_NOTE_ROWS, rows - 2 - staying));
  const said = view.notes.flatMap((note) => wrap(note, columns, 2));
  const notes = said.slice(Math.max(0, said.length - noteRows)).map((line) => row(line, "strong"));
  const height = rows - 2 - notes.length;
  const body = filled(withCode(view, { columns, rows: height }, charset), height);
  const all = [bar(view.title), ...body, ...notes, bar(view.keys)];
  return all.map((row) => grounded(fitted(row, size, charset), size, view.ground));
}

/** The body; beside it, below the big word, the QR code where there is room for both. */
function withCode(view: View, size: Size, charset: Charset): Row[] {
  const glyphs = GLYPHS[charset];
  const [first, ...rest] = view.body;
  if (!view.code || first?.kind !== "big") return bodyRows(view.body, size, glyphs);
  const top = fixedRows(first, size.columns, glyphs);
  const below = size.rows - top.length;
  const code = codeRows(view.code, { columns: size.columns - 40, rows: below }, charset, false);
  if (!code) return bodyRows(view.body, size, glyphs);
  const width = size.columns - rowWidth(code[0] ?? []);
  const left = filled(bodyRows(rest, { columns: width - 2, rows: below }, glyphs), below);
  const beside = left.map((row, index) => [...padded(row, width), ...(code[index] ?? [])]);
  return [...top, ...beside];
}

/** Blocks below each other. Those that can do with less share what the others leave. */
function bodyRows(blocks: readonly Block[], size: Size, glyphs: Glyphs): Row[] {
  const { columns } = size;
  const wishes = blocks.map((block) => wishOf(block, columns, glyphs));
  const heights = shared(wishes, size.rows);
  const parts = blocks.map(
    (block, index) =>
      flexibleRows(block, columns, heights[index] ?? 0, glyphs) ??
      fixedRows(block, columns, glyphs),
  );
  let over = parts.reduce((sum, { length }) => sum + length, 0) - size.rows;
  if (over <= 0 || !blocks.some(stays)) return parts.flat();
  const above = blocks.findIndex(stays);
  for (let index = above - 1; index >= 0 && over > 0; index--) {
    const part = parts[index] ?? [];
    const gone = Math.min(over, part.length);
    parts[index] = part.slice(0, part.length - gone);
    over -= gone;
  }
  return parts.flat();
}

function stays(block: Block): boolean {
  return block.kind === "text" && block.stays === true;
}

/** Each its least; then a row more for each in turn, as long as there are rows; the greedy ones at last. */
function shared(wishes: readonly Wish[], rows: number): number[] {
  const heights = wishes.map(({ least }) => least);
  let free = rows - heights.reduce((sum, height) => sum + height, 0);
  for (const isGreedy of [false, true]) {
    for (let before = -1; before !== free;) {
      before = free;
      for (const [index, { most }] of wishes.entries()) {
        const height = heights[index] ?? 0;
        if (free <= 0 || height >= most || (most === ALL) !== isGreedy) continue;
        heights[index] = height + 1;
        free--;
      }
    }
  }
  return heights;
}

interface Wish {
  readonly least: number;
  readonly most: number;
}
const ALL = Number.MAX_SAFE_INTEGER;

function wishOf(block: Block, columns: number, glyphs: Glyphs): Wish {
  switch (block.kind) {
    case "facts": {
      const most = factRows(block.lines, columns).length;
      return { least: Math.min(most, 2), most };
    }
    case "steps":
      return { least: Math.min(3, block.rows.length), most: block.rows.length };
    case "tail":
      return { least: 3, most: ALL };
    case "pages":
      return { least: 1, most: ALL };
    default: {
      const rows = fixedRows(block, columns, glyphs).length;
      return { least: rows, most: rows };
    }
  }
}

function flexibleRows(
  block: Block,
  columns: number,
  height: number,
  glyphs: Glyphs,
): Row[] | undefined {
  switch (block.kind) {
    case "facts": {
      const rows = factRows(block.lines, columns);
      if (rows.length <= height) return rows;
      const kept = Math.max(0, height - 1);
      return [...rows.slice(0, kept), row(cut(block.more(rows.length - kept), columns), "strong")];
    }
    case "steps": {
      const { rows, at } = block;
      const top = Math.max(0, Math.min(at - Math.floor(height / 2), rows.length - height));
      return rows.slice(top, top + height).map(({ mark, text }) => {
        const sign = mark === "ahead" ? " " : glyphs[mark];
        return row(cut(` ${sign} ${text}`, columns), mark === "now" ? "strong" : "plain");
      });
    }
    case "tail":
      return block.lines.slice(-height).map((line) => row(cut(`${glyphs.log} ${line}`, columns)));
    case "pages":
      return pageRows(block.lines, columns).slice(block.top, block.top + height);
    default:
      return undefined;
  }
}

function fixedRows(block: Block, columns: number, glyphs: Glyphs): Row[] {
  switch (block.kind) {
    case "gap":
      return [row("")];
    case "text": {
      const { text, style, indent = 0 } = block;
      return wrap(text, columns - indent, 2).map((line) => row(" ".repeat(indent) + line, style));
    }
    case "choices":
      return block.items.flatMap((item, index) => {
        const style = index === block.selected ? "bar" : "plain";
        const number = `${index + 1}`.padStart(`${block.items.length}`.length);
        return wrap(`${number}  ${item}`, columns - 2, number.length + 2).map((line) =>
          row(` ${line} `, style),
        );
      });
    case "bar": {
      const label = pad(block.label, 20);
      const width = Math.max(10, Math.min(50, columns - 30));
      const full = Math.floor(block.share * width);
      const percent = `${Math.floor(block.share * 100)} %`;
      const cells = glyphs.full.repeat(full) + glyphs.empty.repeat(width - full);
      return [
        row(cut(`${label} ${cells} ${percent}`, columns)),
        row(cut(`${" ".repeat(20)} ${block.text}`, columns)),
      ];
    }
    case "big":
      return bigWord(block.word, columns).map((line) =>
        row(line.replaceAll("#", glyphs.full), block.style),
      );
    default:
      return [];
  }
}

function factRows(lines: readonly string[], columns: number): Row[] {
  return lines.flatMap((line) => {
    const indent = /^ */.exec(line)?.[0].length ?? 0;
    const rest = wrap(line.slice(indent), columns - indent, 2);
    return rest.map((text) => row(" ".repeat(indent) + text));
  });
}

/** How many rows of a text there are room for: title, heading, gap and keys stand around it. */
export function pageHeight({ rows }: Size): number {
  return Math.max(1, rows - 4);
}

/** For a text that is longer than the screen: nothing is cut off, a command can be read to its end. */
export function pageRows(lines: readonly string[], columns: number): Row[] {
  return lines.flatMap((line) => wrap(line, columns, 8).map((text) => row(text)));
}

/** The largest that fits, or undefined. `shrinks`: with a narrower edge and fewer words, if it must. */
function codeRows(
  { long, short }: NonNullable<View["code"]>,
  { columns, rows }: Size,
  charset: Charset,
  shrinks = true,
): Row[] | undefined {
  const sizes: readonly (readonly [CodeSize, number])[] = [[2, 4], ...(shrinks ? SMALLER : [])];
  for (const [size, quiet] of sizes) {
    const modules = codeModules(size === 2 ? long : short, size, quiet);
    const drawn = charset === "blocks" ? halfBlocks(modules) : doubleCells(modules);
    if (drawn.length <= rows && rowWidth(drawn[0] ?? []) <= columns) return drawn;
  }
  return undefined;
}

const SMALLER = [
  [2, 2],
  [1, 4],
  [1, 1],
] as const;

/** Two modules a cell, one above the other. Light is what is drawn: the background is dark. */
function halfBlocks(modules: readonly (readonly boolean[])[]): Row[] {
  const rows: Row[] = [];
  for (let index = 0; index < modules.length; index += 2) {
    const [upper = [], lower = upper.map(() => true)] = modules.slice(index, index + 2);
    const text = upper.map((dark, column) => {
      const isDarkBelow = lower[column] ?? true;
      return dark ? (isDarkBelow ? " " : "▄") : isDarkBelow ? "▀" : "█";
    });
    rows.push([{ text: text.join(""), style: "code" }]);
  }
  return rows;
}

/** Two cells a module, because a cell is twice as high as wide. */
function doubleCells(modules: readonly (readonly boolean[])[]): Row[] {
  return modules.map((line) =>
    line.map((dark): Span => ({ text: "  ", style: dark ? "code" : "light" })),
  );
}

function row(text: string, style: Style = "plain"): Row {
  return text === "" ? [] : [{ text, style }];
}

function rowWidth(spans: Row): number {
  return spans.reduce((sum, { text }) => sum + widthOf(text), 0);
}

function padded(spans: Row, width: number): Row {
  return [...spans, { text: " ".repeat(Math.max(0, width - rowWidth(spans))), style: "plain" }];
}

function filled(rows: readonly Row[], height: number): Row[] {
  return Array.from({ length: height }, (_, index) => rows[index] ?? []);
}

/** What has no ground of its own lies on that of the screen, to its edge. */
function grounded(spans: Row, { columns }: Size, ground: View["ground"]): Row {
  if (!ground) return spans;
  const own: readonly Style[] = ["bar", "code", "light"];
  return padded(spans, columns).map(({ text, style }) => ({
    text,
    style: own.includes(style) ? style : ground,
  }));
}

/** In characters that the terminal has, and no wider than it is. */
function fitted(spans: Row, { columns }: Size, charset: Charset): Row {
  let left = columns;
  return spans.map(({ text, style }) => {
    const plain =
      charset === "blocks" ? text : text.replaceAll("…", "...").replace(/[^\x20-\x7e]/gu, "?");
    const part = cut(plain, left);
    left -= widthOf(part);
    return { text: part, style };
  });
}
