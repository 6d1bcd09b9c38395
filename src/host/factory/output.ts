/*
 * What a program printed, made fit to be kept: visible lines, their beginning and their end, whatever the program
 * prints and however much. Owns: the limits. Pure.
 */
import { KIB } from "../../model/size.ts";
import { visible } from "../../model/text.ts";
import { cut } from "./box.ts";

/** In characters; what is longer loses its end. */
const LONGEST_LINE = 2 * KIB;
/** In bytes of UTF-8, for the beginning and for the end. */
const MOST_HALF = 28 * KIB;

export interface Output {
  /** A line without its end. */
  add(line: string): void;
  /** At most 64 KiB. */
  text(): string;
  /** The last line with something on it, or "". */
  lastLine(): string;
}

export function makeOutput(): Output {
  const head: string[] = [];
  const tail: string[] = [];
  let headBytes = 0;
  let tailBytes = 0;
  let lost = 0;
  let last = "";
  const trim = () => {
    let gone = 0;
    while (tailBytes > MOST_HALF) tailBytes -= Buffer.byteLength(tail[gone++] ?? "") + 1;
    tail.splice(0, gone);
    lost += gone;
  };
  return {
    add(line) {
      const shown = shorten(visible(line.slice(0, 2 * LONGEST_LINE)), line.length);
      if (shown.trim() !== "") last = shown;
      const bytes = Buffer.byteLength(shown) + 1;
      if (lost === 0 && tail.length === 0 && headBytes + bytes <= MOST_HALF) {
        head.push(shown);
        headBytes += bytes;
        return;
      }
      tail.push(shown);
      tailBytes += bytes;
      // Not for every line: it moves all that stay.
      if (tailBytes > 2 * MOST_HALF) trim();
    },
    text() {
      trim();
      const middle = lost === 0 ? [] : [`… ${lost} lines are left out here …`];
      const lines = [...head, ...middle, ...tail];
      return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
    },
    lastLine: () => last.trim(),
  };
}

function shorten(shown: string, length: number): string {
  if (shown.length <= LONGEST_LINE && length <= 2 * LONGEST_LINE) return shown;
  return `${cut(shown, LONGEST_LINE)}… (a line of ${length} characters)`;
}
