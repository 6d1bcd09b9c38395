/*
 * A start that hangs: a machine that has said nothing for minutes is reset, once, as a server's watchdog would do
 * it, and the report says what it was doing. Under emulation a start hangs now and then, once in some thousand,
 * before the system it starts has said a word.
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

/** As `Machine.waitFor`, through one reset. */
export async function waitThroughHang(
  machine: Machine,
  pattern: RegExp,
  seconds: number,
  unless: RegExp,
  silentSeconds = SILENT_SECONDS,
): Promise<Match> {
  const mostMs = silentSeconds * patience * 1000;
  let [length, since] = [machine.serial.text().length, Date.now()];
  const timer = setInterval(() => {
    const now = machine.serial.text().length;
    if (now !== length) [length, since] = [now, Date.now()];
    if (Date.now() - since < mostMs) return;
    clearInterval(timer);
    void reset(machine).catch((error: unknown) => machine.remark(`no reset: ${error}`));
  }, mostMs / 20);
  try {
    return await machine.waitFor(pattern, seconds, unless);
  } finally {
    clearInterval(timer);
  }
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
