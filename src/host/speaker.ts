/*
 * The PC speaker, where there is one: how a box that nobody looks at says what came of it.
 * Owns: finding the speaker among the input devices, and the two melodies. Never throws, and is silent without one.
 * Source: Documentation/input/event-codes.rst, EV_SND; struct input_event of x86-64.
 */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Verdict } from "../model/factory.ts";

const EV_SND = 0x12;
const SND_TONE = 2;
const EVENT_BYTES = 24;

export interface Tone {
  /** 0 is silence. */
  readonly hertz: number;
  readonly ms: number;
}

export const MELODIES: Readonly<Record<Verdict, readonly Tone[]>> = {
  PASS: [523, 659, 784].map((hertz) => ({ hertz, ms: 250 })),
  FAIL: [{ hertz: 150, ms: 2000 }],
};

/** The kernel reads no time from an event that is written. */
export function toneEvent(hertz: number): Uint8Array {
  const event = new Uint8Array(EVENT_BYTES);
  const view = new DataView(event.buffer);
  view.setUint16(16, EV_SND, true);
  view.setUint16(18, SND_TONE, true);
  view.setInt32(20, hertz, true);
  return event;
}

/** Path of the first input device that can sound tones, or undefined. `top`: for tests. */
export function findSpeaker(top = "/"): string | undefined {
  const inputs = join(top, "sys/class/input");
  for (const input of list(inputs).sort()) {
    if (!/^input\d+$/.test(input) || !canSound(join(inputs, input))) continue;
    const event = list(join(inputs, input)).find((name) => /^event\d+$/.test(name));
    if (event !== undefined) return join(top, "dev/input", event);
  }
  return undefined;
}

function canSound(input: string): boolean {
  try {
    const bits = readFileSync(join(input, "capabilities/snd"), "utf8").trim();
    return (Number.parseInt(bits, 16) & (1 << SND_TONE)) !== 0;
  } catch {
    return false;
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Rising for PASS, low and long for FAIL. Returns when it has sounded. */
export async function signal(verdict: Verdict, speaker = findSpeaker()): Promise<void> {
  if (speaker === undefined) return;
  let device: number | undefined;
  try {
    device = openSync(speaker, "w");
    for (const { hertz, ms } of MELODIES[verdict]) {
      writeSync(device, toneEvent(hertz));
      await Bun.sleep(ms);
    }
  } catch {
    // A box without a voice is no worse.
  } finally {
    if (device !== undefined) endTone(device);
  }
}

function endTone(device: number): void {
  try {
    writeSync(device, toneEvent(0));
  } catch {
    // The tone ends with the power.
  }
  closeSync(device);
}
