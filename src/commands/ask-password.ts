/*
 * Passwords from a terminal, where they are not shown, or as lines of standard input. Never from the words of a
 * command: everybody on the machine can read those.
 * Owns: asking. What a password must be like is said by the caller.
 */
import { readlinkSync } from "node:fs";
import { Refusal } from "../errors.ts";
import { ENDING } from "../host/signals.ts";
import { setEcho, showTypingNow } from "../ui/typing.ts";

/** What is wrong with a password, or undefined. */
type FaultOf = (password: string) => string | undefined;

/** Hidden while they are typed, where there is a terminal. */
export async function whileHidden<T>(ask: () => Promise<T>): Promise<T> {
  if (!process.stdin.isTTY) return ask();
  const terminal = readlinkSync("/proc/self/fd/0");
  const restore = () => showTypingNow([terminal]);
  const end = (signal: NodeJS.Signals) => {
    restore();
    process.kill(process.pid, signal);
  };
  for (const signal of ENDING) process.once(signal, end);
  await setEcho(terminal, false);
  try {
    return await ask();
  } finally {
    restore();
    for (const signal of ENDING) process.off(signal, end);
  }
}

/** On a terminal twice; a line of standard input is taken as it is. @throws Refusal */
export async function askNew(what: string, faultOf: FaultOf): Promise<string> {
  return whileHidden(async () => {
    const first = await askLine(`New ${what}: `);
    // What a terminal of another encoding sends: each such byte is the same to us, so passwords would be equal that are not.
    if (first.includes("\ufffd")) {
      throw new Refusal("the password is not UTF-8", "set the terminal to UTF-8, or use ASCII");
    }
    const fault = faultOf(first);
    if (fault !== undefined) throw new Refusal(fault, "choose another one");
    if (process.stdin.isTTY && (await askLine("The same again: ")) !== first) {
      throw new Refusal("the two are not the same", "try again");
    }
    return first;
  });
}

export async function askKnown(prompt: string): Promise<string> {
  return whileHidden(() => askLine(prompt));
}

/** The prompt goes to standard error: standard output holds nothing but the result. */
async function askLine(prompt: string): Promise<string> {
  const isSeen = process.stdin.isTTY;
  if (isSeen) process.stderr.write(prompt);
  for await (const line of console) {
    if (isSeen) process.stderr.write("\n");
    return line.replace(/\r$/, "");
  }
  throw new Refusal("no password was given", "type one, or give one line on standard input");
}
