/*
 * A person at a machine's serial line: what it prints, and what is typed. Ctrl-] leaves.
 * Owns: the terminal of this process.
 */
import type { Machine } from "./machine.ts";

const LEAVE = "\x1d";

export function showOutput(chunk: Uint8Array): void {
  process.stdout.write(chunk);
}

/** Until the machine ends by itself (`ended`), or the person leaves (`left`, power cut). */
export async function interact(machine: Machine): Promise<"ended" | "left"> {
  const { stdin } = process;
  const { promise: left, resolve } = Promise.withResolvers<"left">();
  const typed = (chunk: Buffer): void => {
    const text = chunk.toString("latin1");
    if (text.includes(LEAVE)) resolve("left");
    else machine.send(text);
  };
  stdin.on("data", typed);
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.resume();
  const how = await Promise.race([left, machine.ended.then(() => "ended" as const)]);
  stdin.off("data", typed);
  stdin.pause();
  if (stdin.isTTY) stdin.setRawMode(false);
  if (how === "left") await machine.kill();
  return how;
}
