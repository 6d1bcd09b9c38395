/*
 * Text from outside, made fit to be shown. A disk's model, a label or a volume's name may hold anything,
 * also sequences that move a terminal's cursor or turn a line around; every printer passes it through here.
 * Owns: what is visible, and where in a text something stands. No I/O.
 */

/**
 * C0, DEL, C1; invisible and direction-changing format characters; line and paragraph separators; lone
 * surrogates; tags; and U+FFFD, which stands where the bytes were no UTF-8.
 */
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd]|[\ud800-\udfff]|[\u{e0000}-\u{e007f}]/gu;

/** The text on one line, with an escape such as `\x1b` or `\u202e` for each character one cannot see. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => escapeOf(character.codePointAt(0) ?? 0));
}

/** JSON on one line with its own escape for each such character: the same value. */
export function visibleJson(json: string): string {
  return json.replace(UNSEEN, (character) =>
    // By UTF-16's units, as JSON has them.
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

function escapeOf(point: number): string {
  if (point <= 0xff) return `\\x${point.toString(16).padStart(2, "0")}`;
  if (point <= 0xffff) return `\\u${point.toString(16).padStart(4, "0")}`;
  return `\\u{${point.toString(16)}}`;
}

/** The text in quotes, cut where it is longer than a line. */
export function quoted(text: string, most = 160): string {
  return `"${text.length > most ? `${text.slice(0, most)}…` : text}"`;
}

/** The column of what stands at an index, as people count: from 1, in characters. */
export function columnOf(text: string, index: number): number {
  return Array.from(text.slice(0, index)).length + 1;
}

/** The last second of the year 9999. */
const LAST_MOMENT = 253_402_300_799;

/** Whether a calendar has four digits for it; what a clock or a record says may be any number. */
export function isMoment(seconds: number): boolean {
  return seconds > 0 && seconds <= LAST_MOMENT;
}

/** `2026-11-25 03:00 UTC`, words where the time is not known (0), and `@SECONDS` where no calendar has it. */
export function printTime(seconds: number): string {
  if (seconds === 0) return "a time that was not noted";
  if (!isMoment(seconds)) return `@${seconds}`;
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
