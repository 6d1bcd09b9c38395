/*
 * Every console of the machine at once: what is said goes to all of them, an answer may come from any.
 * Owns: the terminals named in /sys/class/tty/console/active. A terminal that fails is left out.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { visible } from "../model/text.ts";
import { setEcho, showTypingNow } from "./typing.ts";

export interface Consoles {
  /** One line on every console; control characters in it are made visible. */
  line(text: string): void;
  /** Waits until every console has sent what it was given; a reset would cut the rest off. */
  drain(): Promise<void>;
  /**
   * The next line that somebody types anywhere. What was typed before the question does not count. Rejects
   * when `signal` takes the question back.
   */
  ask(question: string, signal?: AbortSignal): Promise<string>;
  /**
   * The same, but what is typed cannot be seen, on no console; it stays so until the next `ask`, so
   * that nothing shows between one try and the next.
   */
  askSecret(question: string, signal?: AbortSignal): Promise<string>;
}

/** Typed before the question was on the screen: keys held down while the machine booted. */
const DEAF_MS = 700;

export function openConsoles(names: readonly string[] = activeConsoles()): Consoles {
  const paths = names.map((name) => `/dev/${name}`);
  const line = (text: string) => {
    for (const path of paths) writeTo(path, `${visible(text)}\r\n`);
  };
  let isHidden = false;
  let last: Promise<unknown> = Promise.resolve();
  // One after the other: on a slow line the first may end last.
  const hide = async (wanted: boolean) => {
    if (isHidden !== wanted) {
      isHidden = wanted;
      last = last.then(() => Promise.all(paths.map((path) => setEcho(path, !wanted))));
    }
    await last;
  };
  const read = (question: string, signal: AbortSignal | undefined) => {
    line(question);
    const tellDeaf = () => line("that was typed before the question; type it again:");
    return readLine(paths, tellDeaf, signal);
  };
  // Whoever ends this process finds terminals that show what is typed.
  const end = (signal: NodeJS.Signals) => {
    if (isHidden) showTypingNow(paths);
    process.kill(process.pid, signal);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, end);
  return {
    line,
    async drain() {
      isHidden = false;
      await Promise.all(paths.map((path) => setEcho(path, true)));
    },
    async ask(question, signal) {
      await hide(false);
      signal?.throwIfAborted();
      return read(question, signal);
    },
    async askSecret(question, signal) {
      await hide(true);
      signal?.throwIfAborted();
      return read(question, signal);
    },
  };
}

/** The names of the consoles; the last one is `/dev/console`. */
export function activeConsoles(): string[] {
  try {
    const names = readFileSync("/sys/class/tty/console/active", "utf8").trim().split(/\s+/);
    return names.filter((name) => name !== "");
  } catch {
    return ["console"];
  }
}

function writeTo(path: string, text: string): void {
  try {
    const terminal = openSync(path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
    try {
      writeWhole(terminal, Buffer.from(text));
    } finally {
      closeSync(terminal);
    }
  } catch {
    // A console without hardware behind it (ttyS0 on many boards) must not stop a recovery.
  }
}

/** A slow serial line takes some bytes at a time; one that takes none for two seconds is given up. */
function writeWhole(terminal: number, bytes: Buffer): void {
  const giveUp = Date.now() + 2_000;
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(terminal, bytes, done);
    } catch (error) {
      if (!isBusy(error) || Date.now() > giveUp) throw error;
      Bun.sleepSync(5);
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EAGAIN";
}

/** A reader of its own for each terminal: a read that waits cannot be taken back, a process can. */
async function readLine(
  paths: readonly string[],
  tellDeaf: () => void,
  signal: AbortSignal | undefined,
): Promise<string> {
  const deafUntil = Date.now() + DEAF_MS;
  let isTold = false;
  const onDeaf = () => {
    if (!isTold) tellDeaf();
    isTold = true;
  };
  const readers = paths.flatMap((path) => {
    try {
      const terminal = openSync(path, constants.O_RDONLY | constants.O_NOCTTY);
      const reader = Bun.spawn(["cat"], { stdin: terminal, stdout: "pipe", stderr: "ignore" });
      closeSync(terminal);
      return [reader];
    } catch {
      return [];
    }
  });
  // With no terminal to read from there is nobody to answer: wait, do not decide.
  let timer: ReturnType<typeof setInterval> | undefined;
  const nobody = new Promise<never>((_resolve, reject) => {
    timer = setInterval(() => undefined, 60_000);
    if (signal?.aborted === true) reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([
      ...readers.map((reader) => firstLine(reader.stdout, deafUntil, onDeaf)),
      nobody,
    ]);
  } finally {
    clearInterval(timer);
    for (const reader of readers) reader.kill("SIGKILL");
  }
}

async function firstLine(
  stream: ReadableStream<Uint8Array>,
  deafUntil: number,
  onDeaf: () => void,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of stream) {
    if (Date.now() < deafUntil) {
      onDeaf();
      continue;
    }
    text += decoder.decode(piece, { stream: true });
    const end = text.search(/[\r\n]/);
    if (end >= 0) return text.slice(0, end).trim();
  }
  return new Promise<string>(() => undefined);
}
