/*
 * Columns: how wide a text is, cutting and wrapping. Chinese characters take two columns each, and a line may
 * break between any two of them. Pure.
 */

export function widthOf(text: string): number {
  return Bun.stringWidth(text);
}

/** The beginning that fits. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += widthOf(character);
    if (used > width) break;
    end += character.length;
  }
  return text.slice(0, end);
}

export function pad(text: string, width: number): string {
  return cut(text, width) + " ".repeat(Math.max(0, width - widthOf(text)));
}

/**
 * A word with the blanks behind it, or one wide character; full-width commas, stops and closing brackets stay with
 * what is before them.
 */
const WORDS =
  /(?:[\u2e80-\uffef]|[^\s\u2e80-\uffef]+|\s+(?=\S))[\uff0c\u3002\uff1b\uff1a\uff01\uff1f\uff09\u201d\u3001]*\s*/gu;

/** Lines no wider than `width`; the second and later ones are indented. */
export function wrap(text: string, width: number, indent = 0): string[] {
  const lines: string[] = [];
  let line = "";
  const room = () => width - (lines.length === 0 ? 0 : indent);
  const end = () => {
    lines.push(" ".repeat(lines.length === 0 ? 0 : indent) + line.trimEnd());
    line = "";
  };
  for (const word of text.match(WORDS) ?? []) {
    if (line !== "" && widthOf((line + word).trimEnd()) > room()) end();
    let rest = word;
    while (widthOf(rest.trimEnd()) > room()) {
      line = cut(rest, room());
      rest = rest.slice(line.length);
      if (line === "") break;
      end();
    }
    line += rest;
  }
  if (line.trimEnd() !== "" || lines.length === 0) end();
  return lines;
}
