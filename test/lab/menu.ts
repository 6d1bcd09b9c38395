/*
 * What a person does at the menu on the machine's own screen: choosing, going back, answering the question, reading
 * the verdict. Judges only that the screen follows.
 */
import { join } from "node:path";
import type { Result } from "../../src/model/result.ts";
import type { Machine } from "./machine.ts";
import { decodePicture } from "./qr.ts";
import { DISK_SERIAL, readResult } from "./recovery.ts";
import { must, type Context } from "./scenario.ts";
import { awaitText, type Screen } from "./screen.ts";

export const MENU = /What is to be done\? [^]*10 {2}Power off/;
export const ANSWER = DISK_SERIAL.slice(-4);
/** Keys that were pressed before a question appeared by itself do not answer it. */
export const DEAF_MS = 1500;

/** By its number; the tenth is the 0. */
export async function choose(screen: Screen, number: number): Promise<void> {
  await Bun.sleep(DEAF_MS);
  await screen.type(`${number % 10}`);
  await screen.press("enter");
}

export async function goBack(screen: Screen): Promise<void> {
  await Bun.sleep(DEAF_MS);
  await screen.press("escape");
  await awaitText(screen, MENU, 60);
}

/** A repair loses nothing, but somebody else's machine would be written to. */
export async function agreeIfAsked(screen: Screen): Promise<void> {
  const [found] = await awaitText(screen, /Type the last 4 characters|Step \d+ of/, 60);
  if (!found.startsWith("Type")) return;
  await Bun.sleep(DEAF_MS);
  await screen.type(ANSWER);
  await screen.press("enter");
}

/** The verdict, with a code that a phone reads; Enter ends it. */
export async function awaitEnd(
  context: Context,
  screen: Screen,
  machine: Machine,
  operation: string,
): Promise<Result> {
  await awaitText(screen, /Reboots in \d+ s, or at once with Enter/, 400);
  const result = await readResult(machine);
  must(result.outcome === "success", `it ended so: ${JSON.stringify(result)}`);
  const picture = join(context.folder, `${operation}.ppm`);
  await machine.screendump(picture);
  const code = await decodePicture(picture);
  must(code.startsWith(`ZS1 OK ${operation.toUpperCase()} E0`), `the QR code says "${code}"`);
  context.note(`QR code: ${code}`);
  await Bun.sleep(DEAF_MS);
  await screen.press("enter");
  await machine.waitForEnd(40);
  return result;
}
