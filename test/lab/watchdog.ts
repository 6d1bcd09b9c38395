/*
 * A start that hangs: a machine that has said nothing for minutes is reset, once, as a server's watchdog would do
 * it, and the report says what it was doing. CI saw a start without an end once, in November 2026, and nobody could
 * say why: of 250 starts of the kernel and 400 of GRUB after it, on a busy machine, each came up.
 * Owns: when and how. What a reset loses, a power cut loses too, so no verdict becomes milder by it.
 */
import type { Machine } from "./machine.ts";
import { describeMachine } from "./post-mortem.ts";
import { dropFolder, makeSocketFolder } from "./scratch.ts";
import { patience, type Match } from "./serial.ts";

/** Longer than any silence of a start that goes on, and short enough to wait for a second one. */
const SILENT_SECONDS = 180;

/** From a reset to GRUB's first word, at most. */
const FIRMWARE_SECONDS = 60;

/** Any word of the system itself, behind the last one of the GRUB that loads it. */
const AFTER_GRUB = /(?:vmlinuz: OK|initial ramdisk \.\.\.)\s*\S[^]{20}/;

/** For machines that start through GRUB with no key pressed. */
export function watchGrubStart(machine: Machine): void {
  watchStart(machine, (text) => AFTER_GRUB.test(text));
}

/** For machines whose kernel QEMU loads itself. */
export function watchKernelStart(machine: Machine): void {
  watchStart(machine, (text) => text.trim() !== "");
}

/** As `Machine.waitFor`, through one reset. */
export async function waitThroughHang(
  machine: Machine,
  pattern: RegExp,
  seconds: number,
  unless: RegExp,
  silentSeconds = SILENT_SECONDS,
): Promise<Match> {
  const stop = watchStart(machine, () => false, silentSeconds);
  try {
    return await machine.waitFor(pattern, seconds, unless);
  } finally {
    stop();
  }
}

/** Until the machine is up, has ended, or was reset; or the caller stops it. `isUp` sees all that it has said. */
export function watchStart(
  machine: Machine,
  isUp: (text: string) => boolean,
  silentSeconds = SILENT_SECONDS,
): () => void {
  const mostMs = silentSeconds * patience * 1000;
  let [length, since] = [-1, Date.now()];
  const stop = (): void => clearInterval(timer);
  const timer = setInterval(() => {
    const text = machine.serial.text();
    if (text.length !== length) {
      [length, since] = [text.length, Date.now()];
      if (isUp(text)) stop();
    } else if (Date.now() - since >= mostMs) {
      stop();
      void reset(machine).catch((error: unknown) => machine.remark(`no reset: ${error}`));
    }
  }, mostMs / 60);
  void machine.ended.then(stop);
  return stop;
}

async function reset(machine: Machine): Promise<void> {
  const folder = makeSocketFolder();
  try {
    machine.remark(`${machine.name} hung in its start, and was reset:`);
    for (const line of await describeMachine(machine, folder)) machine.remark(line);
  } finally {
    dropFolder(folder);
  }
  // It was started so that a reset ends it; and the firmware follows this one by one of its own.
  const length = machine.serial.text().length;
  await machine.qmp.execute("set-action", { reboot: "reset" });
  await machine.qmp.execute("system_reset");
  const until = Date.now() + FIRMWARE_SECONDS * patience * 1000;
  while (machine.serial.text().length === length && Date.now() < until) await Bun.sleep(200);
  await machine.qmp.execute("set-action", { reboot: "shutdown" });
}
