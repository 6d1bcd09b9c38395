/*
 * What a person in front of the machine has: a screen to read and keys to press, on VGA (vga.ts) or over a
 * serial line (terminal.ts). Owns: what the two share, and waiting for a text.
 */
import { patience } from "./serial.ts";

export const KEYS = ["enter", "escape", "up", "down", "tab", "page-up", "page-down"] as const;
export type Key = (typeof KEYS)[number];

export interface Screen {
  /** Line by line from the top, without the blanks at the end. */
  read(): Promise<string[]>;
  press(key: Key): Promise<void>;
  /** ASCII text; `\x03` and other control characters are typed with Ctrl. */
  type(text: string): Promise<void>;
}

const LOOK_EVERY_MS = 500;

/** @throws Error with the screen as it was when the time is over. */
export async function awaitText(
  screen: Screen,
  pattern: RegExp,
  seconds: number,
): Promise<RegExpExecArray> {
  const giveUp = Date.now() + seconds * patience * 1000;
  for (;;) {
    const lines = await screen.read();
    const found = pattern.exec(lines.join("\n"));
    if (found) return found;
    if (Date.now() > giveUp) {
      const shown = lines.filter((line) => line !== "").join("\n");
      throw new Error(`waited ${seconds * patience} s for ${pattern}; the screen shows:\n${shown}`);
    }
    await Bun.sleep(LOOK_EVERY_MS);
  }
}
