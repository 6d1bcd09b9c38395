/*
 * What a machine was doing when its scenario failed: where its processor stood, what its screen showed, and the
 * end of its serial line without the frames that GRUB draws there. A start that hangs says nothing by itself, and
 * in CI only the report is left of it.
 */
import { existsSync, readFileSync } from "node:fs";
import type { Machine } from "./machine.ts";
import { stripEscapes } from "./serial.ts";
import { vgaScreen } from "./vga.ts";

const MOST_LINES = 30;
const MOST_MS = 5000;
/** A processor that stands still is another fault than one that goes round in a loop. */
const SAMPLES = 3;
const BETWEEN_MS = 300;

/** Lines for the report. Asks the machine only where it still runs; never throws. `folder`: as of `vgaScreen`. */
export async function describeMachine(machine: Machine, folder: string): Promise<string[]> {
  const lines = [`serial log: ${machine.logPath}`];
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, MOST_MS);
  // What it has answered before it ended, or went silent, counts.
  await Promise.race([askMachine(machine, folder, lines).catch(() => {}), late]);
  clearTimeout(timer);
  const text = existsSync(machine.logPath) ? readFileSync(machine.logPath, "utf8") : "";
  return [...lines, ...serialEnd(text)];
}

async function askMachine(machine: Machine, folder: string, lines: string[]): Promise<void> {
  for (let sample = 0; sample < SAMPLES; sample++) {
    if (sample > 0) await Bun.sleep(BETWEEN_MS);
    lines.push(`  processor: ${registersThatTell(await machine.qmp.monitor("info registers"))}`);
  }
  const shown = await vgaScreen(machine, folder).read();
  lines.push(...shown.filter(isTelling).map((line) => `  screen | ${line}`));
}

/** Where it is, whether it waits for an interrupt, and which of its modes tells GRUB from Linux. */
export function registersThatTell(registers: string): string {
  const found = registers.match(/\b(?:[RE]IP|[RE]FL|HLT|CR0|CR3)=[0-9a-f]+/g) ?? [];
  return found.join(" ");
}

/** The last lines of a serial line that say something. */
export function serialEnd(text: string): string[] {
  return stripEscapes(text)[0]
    .split("\n")
    .map((line) => line.trimEnd())
    .filter(isTelling)
    .slice(-MOST_LINES)
    .map((line) => `  serial | ${line}`);
}

/** Not a piece of a frame. */
function isTelling(line: string): boolean {
  return /[A-Za-z0-9]/.test(line);
}
