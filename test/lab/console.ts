/*
 * A root shell on the serial line. Lab images have root logged in on ttyS0 by themselves.
 * A command's output travels as base64 with a digest between two marks, so echo, wrapped lines and
 * kernel messages that come in between cannot change it: if they do, it is asked for again.
 * Owns: logging in and `run`. Must not know zshield.
 */
import { createHash } from "node:crypto";
import type { Machine } from "./machine.ts";

export interface CommandResult {
  /** Standard output and standard error, without the last line end. */
  readonly output: string;
  readonly status: number;
}

export interface Console {
  run(command: string, seconds?: number): Promise<CommandResult>;
  /** The output of a command that has to succeed. @throws Error with output and status. */
  output(command: string, seconds?: number): Promise<string>;
  /** Starts a command that does not come back (`reboot`). */
  send(command: string): void;
}

const PROMPT = /root@[^\n]*[#$] ?|(?:^|\n)[^\n]{0,40}# $/;

/** Waits for the prompt of root, and makes the shell quiet. @throws Error when the time is over. */
export async function logIn(machine: Machine, seconds: number): Promise<Console> {
  await machine.waitFor(PROMPT, seconds);
  let number = 0;
  const until = Date.now() + seconds * 1000;
  for (;;) {
    number += 1;
    // The mark is written in two parts: the echo of this line does not match it.
    const quiet = "dmesg -n 1; stty -echo cols 1000; PS1= PS2= PROMPT_COMMAND=; unset HISTFILE";
    machine.send(`${quiet}; echo "ZS-""READY-${number}"\r`);
    try {
      await machine.waitFor(/ZS-READY-\d+\n/, 10);
      break;
    } catch (error) {
      // What was typed while the terminal was being set up is lost: type it again.
      if (Date.now() > until) throw error;
    }
  }
  return makeConsole(machine);
}

function makeConsole(machine: Machine): Console {
  let number = 0;

  async function run(command: string, seconds = 120): Promise<CommandResult> {
    number += 1;
    const file = `/run/zs-lab-${number}`;
    const lines = [
      `{ ${command}\n} </dev/null >${file} 2>&1; zs_status=$?`,
      `zs_show() { echo "ZS-""BEGIN-${number}"; base64 -w 100 ${file}; ` +
        `echo "ZS-""END-${number} $zs_status $(sha256sum <${file})"; }; zs_show`,
    ];
    machine.send(lines.join("\n").replaceAll("\n", "\r") + "\r");
    const pattern = new RegExp(
      `ZS-BEGIN-${number}\\n([^]*?)ZS-END-${number} (\\d+) ([0-9a-f]{64})  -\\n`,
    );
    for (let attempt = 1; ; attempt++) {
      const { groups } = await machine.waitFor(pattern, attempt === 1 ? seconds : 30);
      const [body, status, digest] = groups;
      const bytes = decodeBody(body ?? "");
      if (createHash("sha256").update(bytes).digest("hex") === digest) {
        machine.send(`rm -f ${file}\r`);
        return { output: bytes.toString().replace(/\n$/, ""), status: Number(status) };
      }
      if (attempt === 5) throw new Error(`the output of "${command}" arrives damaged`);
      machine.send("zs_show\r");
    }
  }

  return {
    run,
    async output(command, seconds) {
      const result = await run(command, seconds);
      if (result.status === 0) return result.output;
      throw new Error(`in the guest, ${command}\nended with ${result.status}: ${result.output}`);
    },
    send: (command) => machine.send(`${command}\r`),
  };
}

function decodeBody(body: string): Buffer {
  const lines = body.split("\n").filter((line) => /^[A-Za-z0-9+/=]+$/.test(line));
  return Buffer.from(lines.join(""), "base64");
}
