/*
 * A terminal of our own for the demo: its bytes are counted, and it answers the probe as a serial terminal does,
 * or not at all.
 */
import { readlinkSync } from "node:fs";
import { PROJECT } from "./tmux.ts";

/** What a terminal program that knows UTF-8 says to the question where its cursor is, twice. */
const UTF8_ANSWER = "\x1b[24;80R\x1b[1;3R";

export interface Pty {
  /** Everything that came, without escape sequences. */
  text(): string;
  raw(): string;
  bytes(): number;
  write(text: string): void;
  /** Its name below /dev. */
  name(): string;
  /** Milliseconds since the start of the process, when the text was there. @throws Error after 20 s. */
  waitFor(text: RegExp): Promise<number>;
  close(): void;
}

export function openPty(command: readonly string[], answers: boolean): Pty {
  const started = performance.now();
  const decoder = new TextDecoder();
  let raw = "";
  let bytes = 0;
  const seenAt: [number, number][] = [];
  const child = Bun.spawn([...command], {
    cwd: PROJECT,
    env: { PATH: process.env.PATH ?? "", LC_ALL: "C.UTF-8", HOME: "/" },
    terminal: {
      cols: 80,
      rows: 24,
      data(terminal, chunk) {
        bytes += chunk.length;
        raw += decoder.decode(chunk, { stream: true });
        seenAt.push([raw.length, performance.now() - started]);
        if (answers && raw.slice(-200).includes("\x1b[6n\r\x1b[K")) {
          answers = false;
          terminal.write(UTF8_ANSWER);
        }
      },
    },
  });
  const strip = (text: string) => text.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b[78=>]/g, "");
  return {
    text: () => strip(raw),
    raw: () => raw,
    bytes: () => bytes,
    name: () => readlinkSync(`/proc/${child.pid}/fd/0`).replace("/dev/", ""),
    write: (text) => void child.terminal?.write(text),
    async waitFor(text) {
      const giveUp = performance.now() + 20_000;
      while (performance.now() < giveUp) {
        const at = seenAt.find(([length]) => text.test(strip(raw.slice(0, length))));
        if (at) return at[1];
        await Bun.sleep(5);
      }
      throw new Error(`waited for ${text}; there is:\n${strip(raw)}`);
    },
    close: () => child.kill("SIGKILL"),
  };
}
