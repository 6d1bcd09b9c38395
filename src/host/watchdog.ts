/*
 * The hardware watchdog, where the machine has one: fed as long as the agent lives, disarmed only
 * before a power-off or halt. Opening the device arms it (Documentation/watchdog/watchdog-api.rst).
 */
import { closeSync, existsSync, openSync, writeSync } from "node:fs";

const DEVICE = "/dev/watchdog";
const FEED_EVERY_MS = 5_000;

export interface Watchdog {
  /** For a power-off or halt: the magic close, so that the machine is not reset afterwards. */
  disarm(): void;
}

export function startWatchdog(log: (line: string) => void): Watchdog {
  if (!existsSync(DEVICE)) return { disarm: () => undefined };
  let device: number | undefined;
  try {
    device = openSync(DEVICE, "w");
  } catch (error) {
    log(`the watchdog cannot be opened: ${String(error)}`);
    return { disarm: () => undefined };
  }
  const feed = (text: string) => {
    if (device !== undefined) writeSync(device, text);
  };
  feed("\0");
  const timer = setInterval(() => feed("\0"), FEED_EVERY_MS);
  timer.unref();
  return {
    disarm() {
      clearInterval(timer);
      feed("V");
      if (device !== undefined) closeSync(device);
      device = undefined;
    },
  };
}
