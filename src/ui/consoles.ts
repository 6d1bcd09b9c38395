/*
 * Every console of the machine at once: what is said goes to all of them, an answer may come from any.
 * Owns: the terminals named in /sys/class/tty/console/active. A terminal that fails is left out, and one that takes
 * nothing keeps nobody waiting.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { visible } from "../model/text.ts";
import { makeOutlet } from "./outlet.ts";
import { ignoreStops, setEcho, showTypingNow } from "./typing.ts";

export interface Consoles {
  /** One line on every console; control characters in it are made visible. */
  line(text: string): void;
  /** Waits until every console that goes on has taken what it was given. */
  taken(): Promise<void>;
  /** Waits until every console that goes on has sent what it was given; a reset would cut the rest off. */
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
/** A slow serial line takes some bytes at a time; one that takes none for so long is not waited for. */
const GIVE_UP_MS = 2_000;

export function openConsoles(names: readonly string[] = activeConsoles()): Consoles {
  const paths = names.map((name) => `/dev/${name}`);
  const outlets = paths.map((path) => makeOutlet((bytes) => sendTo(path, bytes)));
  const line = (text: string) => {
    for (const outlet of outlets) outlet.write(`${visible(text)}\r\n`);
  };
  const taken = async () => {
    const isAwaited = () => outlets.some((out) => out.pending() > 0 && out.idleMs() < GIVE_UP_MS);
    while (isAwaited()) await Bun.sleep(10);
  };
  let isHidden = false;
  let last: Promise<unknown> = Promise.all(paths.map(ignoreStops));
  // One after the other: on a slow line the first may end last.
  const hide = async (wanted: boolean) => {
    if (isHidden !== wanted) {
      isHidden = wanted;
      last = last.then(() => Promise.all(paths.map((path) => setEcho(path, !wanted))));
    }
    await last;
  };
  const read = async (question: string, signal: AbortSignal | undefined) => {
    line(question);
    await taken();
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
    taken,
    async drain() {
      isHidden = false;
      await taken();
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

/** Opened anew each time: a serial line whose other end hung up comes back. */
function sendTo(path: string, bytes: Buffer): number {
  const terminal = openSync(path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  try {
    return writeSync(terminal, bytes);
  } finally {
    closeSync(terminal);
  }
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
