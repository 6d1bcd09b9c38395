/*
 * How a recovery ends the machine. Everything is unmounted and flushed by then, so the kernel is told
 * directly; no service manager can get in between.
 */
import { constants, openSync, readFileSync, writeFileSync } from "node:fs";
import { say } from "../model/messages.ts";
import type { Words } from "../words.ts";
import { query } from "./command.ts";
import { enterGolden } from "./golden-start.ts";

/** `golden`: the kernel goes over to the golden system, which has been made ready (golden-start.ts). */
export type Ending = "reboot" | "poweroff" | "halt" | "shell" | "golden";

export async function endMachine(
  ending: Ending,
  tell: (words: Words) => Promise<void>,
): Promise<never> {
  await query(["sync"]).catch(() => undefined);
  switch (ending) {
    case "reboot":
      await tell(say("rebooting"));
      writeFileSync("/proc/sysrq-trigger", "b");
      break;
    case "poweroff":
      await tell(say("switching-off"));
      writeFileSync("/proc/sysrq-trigger", "o");
      break;
    case "halt":
      await tell(say("halted"));
      break;
    case "golden":
      await tell(say("starting-golden"));
      enterGolden();
      break;
    case "shell":
      await tell(say("starting-shell"));
      await shell();
  }
  // The kernel ends the machine while we wait; after a halt nothing ends the wait.
  return new Promise<never>(() => setInterval(() => undefined, 60_000));
}

/**
 * On the last console, in a session of its own that has it as its terminal: without, it would share ours, and
 * keys would become signals of the agent.
 */
async function shell(): Promise<void> {
  const names = readFileSync("/sys/class/tty/console/active", "utf8").trim().split(/\s+/);
  const path = `/dev/${names.at(-1) ?? "console"}`;
  const terminal = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  const stdio: [number, number, number] = [terminal, terminal, terminal];
  await Bun.spawn(["stty", "sane"], { stdio }).exited;
  await Bun.spawn(["setsid", "--ctty", "--wait", "sh", "-i"], { stdio }).exited;
}
