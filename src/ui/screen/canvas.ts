/*
 * Rows on a terminal, through blessed: it knows the terminal's sequences and sends only the cells that changed.
 * Its widgets are not used; what is drawn is decided by `draw`. Keys do not pass through here.
 */
import { PassThrough, Writable } from "node:stream";
import blessed from "blessed";
import type { Row, Size } from "./draw.ts";
import type { Terminal } from "./terminal.ts";
import type { Style } from "./view.ts";

export interface Canvas {
  /** Sends what differs from what the terminal shows. Returns the number of bytes. */
  show(rows: readonly Row[]): number;
  /** Whatever the terminal shows now: the next `show` sends everything, without clearing first. */
  forget(): void;
  /** Clears, so that the next `show` sends everything. */
  clear(size: Size): void;
  close(): void;
}

/** Blessed's cells: flags, foreground, background in one number; 0x1ff is the terminal's own colour. */
const cell = (flags: number, fore = 0x1ff, back = 0x1ff) => (flags << 18) | (fore << 9) | back;
const BOLD = 1;
const REVERSE = 8;

const COLOURED: Readonly<Record<Style, number>> = {
  plain: cell(0),
  strong: cell(BOLD),
  bar: cell(REVERSE),
  good: cell(BOLD, 2),
  bad: cell(BOLD, 1),
  // Whatever the terminal's own colours are: light is light, or no reader finds the code.
  code: cell(BOLD, 7, 0),
  light: cell(0, 0, 7),
  pass: cell(BOLD, 7, 2),
  fail: cell(BOLD, 7, 1),
};
const COLOURLESS: Readonly<Record<Style, number>> = {
  ...COLOURED,
  good: cell(BOLD),
  bad: cell(BOLD),
  code: cell(0),
  light: cell(REVERSE),
  pass: cell(BOLD),
  fail: cell(BOLD),
};

interface Line extends Array<[number, string]> {
  dirty: boolean;
}
/** What the types of blessed do not tell. */
interface Cells {
  lines: Line[];
  /** What the terminal shows. */
  olines: Line[];
  tput: { brokenACS: boolean };
  alloc(): void;
}

export function openCanvas(terminal: Terminal): Canvas {
  const { term, charset, chinese, colour } = terminal.abilities;
  let bytes = 0;
  const send = (text: string) => {
    bytes += Buffer.byteLength(text);
    terminal.write(text);
  };
  const output = Object.assign(
    new Writable({
      decodeStrings: false,
      write(text: string, _encoding, done) {
        send(text);
        done();
      },
    }),
    { ...terminal.size(), isTTY: true },
  );
  const options: object = {
    input: new PassThrough(),
    output,
    terminal: term,
    fullUnicode: chinese,
    forceUnicode: charset === "blocks",
    useBCE: true,
  };
  const screen = blessed.screen(options) as unknown as blessed.Widgets.Screen & Cells;
  // Either the terminal shows a character by itself, or `draw` has not used it.
  screen.tput.brokenACS = true;
  screen.program.flush();
  const styles = colour ? COLOURED : COLOURLESS;
  let shown: string[] = [];

  return {
    show(rows) {
      bytes = 0;
      rows.forEach((row, y) => {
        const key = JSON.stringify(row);
        const line = screen.lines[y];
        if (!line || key === shown[y]) return;
        shown[y] = key;
        fill(line, row, styles, chinese);
        joinShortGaps(line, screen.olines[y]);
      });
      screen.draw(0, screen.lines.length - 1);
      screen.program.flush();
      return bytes;
    },
    forget() {
      shown = [];
      for (const line of screen.olines) for (const at of line) at[1] = "";
    },
    clear(size) {
      screen.program.cols = output.columns = size.columns;
      screen.program.rows = output.rows = size.rows;
      shown = [];
      screen.alloc();
    },
    close() {
      screen.destroy();
    },
  };
}

/**
 * A character that is two cells wide takes the next one too, where the terminal has such characters; blessed expects
 * a blank there. The kernel's own screen goes two cells on as well, which blessed would not know. One that takes no
 * cell has none of its own: what it does not make one character with is left out.
 */
function fill(
  line: Line,
  row: Row,
  styles: Readonly<Record<Style, number>>,
  hasWide: boolean,
): void {
  let x = 0;
  const put = (attribute: number, text: string) => {
    const at = line[x++];
    if (at) [at[0], at[1]] = [attribute, text];
  };
  for (const { text, style } of row) {
    for (const character of text.normalize("NFC")) {
      const cells = Bun.stringWidth(character);
      if (cells === 0) continue;
      put(styles[style], cells === 2 && !hasWide ? "?" : character);
      if (cells === 2) put(styles[style], hasWide ? " " : "?");
    }
  }
  while (x < line.length) put(styles.plain, " ");
  line.dirty = true;
}

/** As long as the sequence that would jump over them. */
const SHORT_GAP = 3;

/**
 * Few unchanged cells between changed ones are sent again: that takes no more bytes than a jump, and whoever
 * reads a serial line as text finds the blanks between the words.
 */
function joinShortGaps(line: Line, old: Line | undefined): void {
  let lastChange: number | undefined;
  line.forEach(([attribute, text], x) => {
    const before = old?.[x];
    if (!old || !before || (before[0] === attribute && before[1] === text)) return;
    if (lastChange !== undefined && x - lastChange <= SHORT_GAP + 1) {
      for (const gap of old.slice(lastChange + 1, x)) gap[1] = "";
    }
    lastChange = x;
  });
}
