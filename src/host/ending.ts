/*
 * How a recovery ends the machine. Everything is unmounted and flushed by then, so the kernel is told
 * directly; no service manager can get in between.
 */
import { writeFileSync } from "node:fs";
import { query } from "./command.ts";

export type Ending = "reboot" | "poweroff" | "halt" | "shell";

/** Exit code of the agent that asks its launcher for a shell (`zshield.then=shell` only). */
export const WANTS_SHELL = 90;

export async function endMachine(ending: Ending, say: (line: string) => void): Promise<never> {
  await query(["sync"]).catch(() => undefined);
  switch (ending) {
    case "reboot":
      say("rebooting");
      writeFileSync("/proc/sysrq-trigger", "b");
      break;
    case "poweroff":
      say("switching the power off");
      writeFileSync("/proc/sysrq-trigger", "o");
      break;
    case "halt":
      say("halted; the power can be switched off");
      break;
    case "shell":
      process.exit(WANTS_SHELL);
  }
  // The kernel ends the machine while we wait; after a halt nothing ends the wait.
  return new Promise<never>(() => setInterval(() => undefined, 60_000));
}
