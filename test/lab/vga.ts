/*
 * The VGA text screen of a virtual machine, read from video memory as the card shows it, and its keyboard.
 * Owns: the format of that memory (two bytes a cell, code page 437, an origin that scrolls) and the keys' names
 * in QEMU. Needs nothing of the guest.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./machine.ts";
import type { Key, Screen } from "./screen.ts";

const MEMORY = 0xb8000;
const MEMORY_BYTES = 0x8000;
const COLUMNS = 80;
const ROWS = 25;
const CRTC = "0x3d4";

/** Code page 437 from 0x80; below it ASCII, whose control characters are pictures nobody here draws. */
const HIGH =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";
const LOW = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";

const NAMES: Readonly<Record<Key, string>> = {
  ...{ enter: "ret", escape: "esc", up: "up", down: "down", tab: "tab" },
  ...{ "page-up": "pgup", "page-down": "pgdn" },
};
const SIGNS: Readonly<Record<string, string>> = {
  ...{ " ": "spc", "-": "minus", ".": "dot", ",": "comma", "/": "slash", "\r": "ret" },
  ...{ "=": "equal", ";": "semicolon", "'": "apostrophe", "\\": "backslash" },
};

/** `folder`: where QEMU may put a file for a moment. */
export function vgaScreen(machine: Machine, folder: string): Screen {
  return {
    async read() {
      const origin = (await readCrtc(machine, 0x0c)) * 256 + (await readCrtc(machine, 0x0d));
      const file = join(folder, "vga");
      const range = { val: MEMORY, size: MEMORY_BYTES };
      await machine.qmp.execute("pmemsave", { ...range, filename: file });
      const memory = readFileSync(file);
      rmSync(file);
      return textOf(memory, 2 * origin);
    },
    press: (key) => pressTogether(machine, [NAMES[key]]),
    async type(text) {
      for (const sign of text) await pressTogether(machine, keysOf(sign));
    },
  };
}

/** QEMU's names of keys (`alt`, `sysrq`, `b`), pressed together. */
export async function pressTogether(machine: Machine, names: readonly string[]): Promise<void> {
  const keys = names.map((data) => ({ type: "qcode", data }));
  await machine.qmp.execute("send-key", { keys, "hold-time": 40 });
  // The next one would come while this one is still held.
  await Bun.sleep(80);
}

/** The lines of a text screen. @param memory from 0xb8000 @param start of the first cell, in bytes */
export function textOf(memory: Uint8Array, start: number): string[] {
  return Array.from({ length: ROWS }, (_, row) =>
    Array.from({ length: COLUMNS }, (_, column) =>
      signOf(memory[(start + 2 * (row * COLUMNS + column)) % memory.length] ?? 0),
    )
      .join("")
      .trimEnd(),
  );
}

function signOf(code: number): string {
  if (code >= 0x80) return HIGH[code - 0x80] ?? "?";
  return code < 0x20 ? (LOW[code] ?? "?") : String.fromCharCode(code);
}

async function readCrtc(machine: Machine, index: number): Promise<number> {
  const answer = await machine.qmp.monitor(`i /b ${CRTC} .${index}`);
  const value = /= (0x[0-9a-f]+)/.exec(answer)?.[1];
  if (value === undefined) throw new Error(`QEMU reads no port: ${answer}`);
  return Number(value);
}

function keysOf(sign: string): string[] {
  const code = sign.charCodeAt(0);
  const named = SIGNS[sign];
  if (named !== undefined) return [named];
  if (code > 0 && code < 0x1b) return ["ctrl", String.fromCharCode(code + 0x60)];
  if (/[a-z0-9]/.test(sign)) return [sign];
  if (sign === "%") return ["shift", "5"];
  if (/[A-Z]/.test(sign)) return ["shift", sign.toLowerCase()];
  throw new Error(`no key is known for ${JSON.stringify(sign)}`);
}
