/*
 * `zshield password`: makes the line with which a zshield.toml asks for a rescue password. Reads the
 * password twice from the terminal, where it is not shown, or one line from standard input.
 */
import { readlinkSync } from "node:fs";
import { Refusal } from "../errors.ts";
import { ARGON2, faultOfPassword } from "../model/password.ts";
import { setEcho, showTypingNow } from "../ui/typing.ts";

export async function makePassword(): Promise<void> {
  const password = process.stdin.isTTY ? await readTwice() : await readLine();
  const fault = faultOfPassword(password);
  if (fault !== undefined) throw new Refusal(fault, "choose another one");
  console.log(await hashLine(password));
}

/** What belongs below `[rescue]`. */
export async function hashLine(password: string): Promise<string> {
  const hash = await Bun.password.hash(password, { algorithm: "argon2id", ...ARGON2 });
  return `password-hash = "${hash}"`;
}

async function readTwice(): Promise<string> {
  const terminal = readlinkSync("/proc/self/fd/0");
  const restore = () => showTypingNow([terminal]);
  const end = (signal: NodeJS.Signals) => {
    restore();
    process.kill(process.pid, signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, end);
  await setEcho(terminal, false);
  try {
    const first = await readLine("New rescue password: ");
    const fault = faultOfPassword(first);
    if (fault !== undefined) throw new Refusal(fault, "choose another one");
    if ((await readLine("The same again: ")) !== first) {
      throw new Refusal("the two are not the same", "try again");
    }
    return first;
  } finally {
    restore();
  }
}

/** The prompt goes to standard error: standard output holds nothing but the result. */
async function readLine(prompt = ""): Promise<string> {
  process.stderr.write(prompt);
  for await (const line of console) {
    if (prompt !== "") process.stderr.write("\n");
    return line;
  }
  throw new Refusal("no password was given", "type one, or give one line on standard input");
}
