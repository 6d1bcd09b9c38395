/*
 * The two doors to the programs outside: `query` looks and may always be called (`stream` does where there is
 * too much to keep), `run` changes things.
 * argv arrays and never a shell; an environment built anew; stdin closed unless given; every wait ends,
 * even for a program that hangs in the kernel on a disk that does not answer; memory is bounded.
 * Programs are started in `/`: paths must be absolute. Must not know what the programs are for.
 */
import { CommandError, messageOf, type CommandOutcome } from "../errors.ts";
import { KIB, MIB } from "../model/size.ts";

export const TOOL_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
/** All that a program gets. No LVM_*, no BUN_*, no locale of whoever called us. */
const ENVIRONMENT = {
  LC_ALL: "C",
  PATH: TOOL_PATH,
  HOME: "/",
  LVM_SUPPRESS_FD_WARNINGS: "1",
} as const;
const TAIL_BYTES = 4 * KIB;
/** More than any report that we ask for; a program that prints more is broken. */
const MOST_OUTPUT_BYTES = 16 * MIB;
const LONGEST_LINE = 64 * KIB;
/** After a program has ended or was killed: how long to wait for what still lies in its pipes. */
const GRACE_MS = 1000;

export interface QueryOptions {
  /** Default: 60 seconds. */
  readonly timeoutMs?: number;
  /** Exit codes that are no failure; default only 0. */
  readonly okCodes?: readonly number[];
  readonly stdin?: string | Uint8Array;
}

export interface StreamOptions {
  readonly timeoutMs: number;
  /** A file that is open; it is read from where it stands. */
  readonly stdin: number;
}

export interface RunOptions {
  /** Default: none; a copy takes as long as it takes. */
  readonly timeoutMs?: number;
  readonly okCodes?: readonly number[];
  readonly stdin?: string | Uint8Array;
  /** Each line, also those that end with a carriage return only (progress of rsync). */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /** The command as one can paste it, then its lines (no progress lines), for the log. */
  readonly log?: (line: string) => void;
}

export interface RunResult {
  readonly code: number;
  readonly stdoutTail: string;
  readonly stderrTail: string;
}

/** Runs a program that only looks; returns its stdout. @throws CommandError */
export async function query(argv: readonly string[], options: QueryOptions = {}): Promise<string> {
  const pieces: Uint8Array[] = [];
  const stderr = makeTail();
  let bytes = 0;
  await supervise(argv, {
    timeoutMs: options.timeoutMs ?? 60_000,
    okCodes: options.okCodes ?? [0],
    stdin: options.stdin,
    stderrTail: stderr.text,
    onStdout(piece, stop) {
      bytes += piece.length;
      if (bytes <= MOST_OUTPUT_BYTES) pieces.push(piece);
      else stop(new Error(`${quote(argv)} printed more than ${MOST_OUTPUT_BYTES} bytes`));
    },
    onStderr: stderr.add,
  });
  return new TextDecoder().decode(Buffer.concat(pieces));
}

/**
 * Runs a program that only looks, and hands out its stdout, of which nothing is kept. `take` returns whether
 * it wants more: if not, the program is ended, and that is no failure. @throws CommandError, or what `take` throws
 */
export async function stream(
  argv: readonly string[],
  take: (piece: Uint8Array) => boolean,
  options: StreamOptions,
): Promise<void> {
  const stderr = makeTail();
  const enough = new Error("enough");
  let isWanted = true;
  await supervise(argv, {
    ...options,
    okCodes: [0],
    stderrTail: stderr.text,
    onStdout(piece, stop) {
      if (isWanted) isWanted = take(piece);
      if (!isWanted) stop(enough);
    },
    onStderr: stderr.add,
  }).catch((error: unknown) => (error === enough ? undefined : Promise.reject(error)));
}

/** Runs a program that changes something. @throws CommandError */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { onLine, log } = options;
  const stdout = makeTail();
  const stderr = makeTail();
  const splitter = (stream: "stdout" | "stderr") =>
    makeLines((line, isProgress) => {
      onLine?.(line, stream);
      if (!isProgress) log?.(line);
    });
  const lines = { stdout: splitter("stdout"), stderr: splitter("stderr") };
  log?.(`+ ${quote(argv)}`);
  const code = await supervise(argv, {
    timeoutMs: options.timeoutMs,
    okCodes: options.okCodes ?? [0],
    stdin: options.stdin,
    stderrTail: stderr.text,
    onStdout(piece) {
      stdout.add(piece);
      lines.stdout.add(piece);
    },
    onStderr(piece) {
      stderr.add(piece);
      lines.stderr.add(piece);
    },
    onEnd() {
      lines.stdout.end();
      lines.stderr.end();
    },
  });
  return { code, stdoutTail: stdout.text(), stderrTail: stderr.text() };
}

/** The absolute path of a tool, or undefined if it is not there. */
export function findTool(name: string): string | undefined {
  return Bun.which(name, { PATH: TOOL_PATH }) ?? undefined;
}

/** The command as a line that can be pasted into a shell; anything unusual is quoted visibly. */
export function quote(argv: readonly string[]): string {
  return argv.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  if (/^[\x20-\x7e]*$/.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  const escaped = word.replace(/[^\x20-\x7e]|['\\]/gu, (character) => {
    if (character === "'" || character === "\\") return `\\${character}`;
    const bytes = new TextEncoder().encode(character);
    return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  });
  return `$'${escaped}'`;
}

/** A failure in one line, with the last that the program printed. */
export function tellFailure(error: unknown): string {
  const last = error instanceof CommandError ? error.stderrTail.trim().split("\n").at(-1) : "";
  return last === undefined || last === ""
    ? messageOf(error)
    : `${messageOf(error)} (${last.trim()})`;
}

/** A number is a file that is open. */
type Stdin = string | Uint8Array | number | undefined;

interface Supervision {
  readonly timeoutMs: number | undefined;
  readonly okCodes: readonly number[];
  readonly stdin: Stdin;
  stderrTail(): string;
  /** `stop` kills the program, and its reason is thrown. */
  onStdout(piece: Uint8Array, stop: (reason: Error) => void): void;
  onStderr(piece: Uint8Array): void;
  /** When no more output will come. */
  onEnd?(): void;
}

async function supervise(argv: readonly string[], on: Supervision): Promise<number> {
  const [name, ...rest] = argv;
  const fail = (outcome: CommandOutcome) => new CommandError(argv, outcome, on.stderrTail());
  const program = name === undefined || name.includes("/") ? name : findTool(name);
  if (program === undefined) throw fail({ kind: "not-found" });
  const child = start([program, ...rest], on.stdin);
  if (!child) throw fail({ kind: "not-found" });

  let trouble: unknown;
  const stop = (reason: unknown) => {
    trouble ??= reason;
    killGroup(child.pid);
  };
  const stdout = drain(child.stdout, (piece) => on.onStdout(piece, stop), stop);
  const stderr = drain(child.stderr, (piece) => on.onStderr(piece), stop);
  const pipes = Promise.all([stdout.done, stderr.done]);

  const { timeoutMs } = on;
  const ended = await within(timeoutMs, child.exited);
  if (!ended) {
    killGroup(child.pid);
    // A program that waits for a dead disk does not even die; it is left behind.
    await within(GRACE_MS, child.exited);
    child.unref();
  }
  // A daemon that the program left behind may hold the pipes open for ever.
  await within(GRACE_MS, pipes);
  stdout.cancel();
  stderr.cancel();
  on.onEnd?.();

  if (!ended) throw fail({ kind: "timed-out", timeoutMs: timeoutMs ?? 0 });
  if (trouble !== undefined) throw trouble;
  if (child.signalCode !== null) throw fail({ kind: "signal", signal: String(child.signalCode) });
  const code = child.exitCode ?? 0;
  if (!on.okCodes.includes(code)) throw fail({ kind: "exit", code });
  return code;
}

function start(argv: string[], stdin: Stdin) {
  try {
    return Bun.spawn(argv, {
      cwd: "/",
      env: { ...ENVIRONMENT },
      stdin: stdin === undefined ? "ignore" : typeof stdin === "number" ? stdin : toBytes(stdin),
      stdout: "pipe",
      stderr: "pipe",
      // A group of its own, so that a time-out reaches the program's children too.
      detached: true,
    });
  } catch {
    return undefined;
  }
}

function toBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? new TextEncoder().encode(text) : text;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

/**
 * Hands out what comes through a pipe. `done` never rejects: what goes wrong, also in `take`, is told to
 * `stop`, since a program whose pipe nobody reads would wait for ever.
 */
function drain(
  stream: ReadableStream<Uint8Array>,
  take: (piece: Uint8Array) => void,
  stop: (reason: unknown) => void,
) {
  const reader = stream.getReader();
  const loop = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      take(value);
    }
  };
  return {
    done: loop().catch(stop),
    cancel: () => void reader.cancel().catch(() => undefined),
  };
}

/** Whether the promise was fulfilled in time; without a time it is waited for. */
async function within(timeoutMs: number | undefined, promise: Promise<unknown>): Promise<boolean> {
  if (timeoutMs === undefined) {
    await promise;
    return true;
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const inTime = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}

/** The last bytes of a stream. */
function makeTail() {
  let kept = Buffer.alloc(0);
  return {
    add(piece: Uint8Array): void {
      const joined = Buffer.concat([kept, piece]);
      kept = joined.length > TAIL_BYTES ? Buffer.from(joined.subarray(-TAIL_BYTES)) : joined;
    },
    text: (): string => new TextDecoder().decode(kept),
  };
}

/** Cuts a stream into lines; one that ends with a carriage return alone is a progress line. */
export function makeLines(take: (line: string, isProgress: boolean) => void) {
  const decoder = new TextDecoder();
  let rest = "";
  const feed = (text: string) => {
    rest += text;
    let from = 0;
    for (;;) {
      const end = nextEnd(rest, from);
      if (end < 0) break;
      // Whether a newline follows a carriage return at the very end is known with the next piece only.
      if (rest[end] === "\r" && end === rest.length - 1) break;
      const isProgress = rest[end] === "\r" && rest[end + 1] !== "\n";
      take(rest.slice(from, end), isProgress);
      from = rest[end] === "\r" && !isProgress ? end + 2 : end + 1;
    }
    rest = rest.slice(from);
    while (rest.length > LONGEST_LINE) {
      take(rest.slice(0, LONGEST_LINE), false);
      rest = rest.slice(LONGEST_LINE);
    }
  };
  return {
    add: (piece: Uint8Array): void => feed(decoder.decode(piece, { stream: true })),
    end(): void {
      feed(decoder.decode());
      const last = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
      if (last !== "") take(last, rest.endsWith("\r"));
      rest = "";
    },
  };
}

function nextEnd(text: string, from: number): number {
  for (let index = from; index < text.length; index++) {
    if (text[index] === "\n" || text[index] === "\r") return index;
  }
  return -1;
}
