/*
 * The kinds of failure a person can meet, and the exit code of each.
 * Owns: what an error *is*. Must not print or exit: main.ts does that, once.
 */
import { english, type Words } from "./words.ts";

export const EXIT = { ok: 0, trouble: 1, usage: 2, refused: 3, failed: 4, bug: 70 } as const;

/** The command line itself is wrong. Nothing was looked at, nothing was changed. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly verb: string | undefined;
  constructor(message: string, verb?: string) {
    super(message);
    this.verb = verb;
  }
}

/** We decline to act, and nothing has been changed. `hint` says what the person can do. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly hint: string;
  /** Message and hint, for whoever has a language of their own. */
  readonly words: Words;
  readonly hintWords: Words;
  constructor(message: Words, hint: Words = "") {
    super(english(message));
    this.hint = english(hint);
    this.words = message;
    this.hintWords = hint;
  }
}

/** Another zshield is at work, and has been for so long. */
export class LockConflict extends Refusal {
  readonly heldSeconds: number;
  constructor(heldSeconds: number) {
    super("another zshield is at work", "wait until it is done, and try again");
    this.heldSeconds = heldSeconds;
  }
}

/** What was asked for was not done, and something may have been changed; `message` says what is so now. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly hint: string;
  /** Message and hint, for whoever has a language of their own. */
  readonly words: Words;
  readonly hintWords: Words;
  constructor(message: Words, hint: Words, cause?: unknown) {
    super(english(message), { cause });
    this.hint = english(hint);
    this.words = message;
    this.hintWords = hint;
  }
}

/** Work of a step was not done, for a reason that each language has words for. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly words: Words;
  /** What to do; absent: the same again. */
  readonly hintWords: Words | undefined;
  constructor(words: Words, cause?: unknown, hint?: Words) {
    super(english(words), { cause });
    this.words = words;
    this.hintWords = hint;
  }
}

/** A program from outside did not do its work. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly argv: readonly string[];
  readonly outcome: CommandOutcome;
  readonly stderrTail: string;
  constructor(argv: readonly string[], outcome: CommandOutcome, stderrTail: string) {
    super(`${argv[0] ?? "?"} ${describeOutcome(outcome)}`);
    this.argv = argv;
    this.outcome = outcome;
    this.stderrTail = stderrTail;
  }
}

export type CommandOutcome =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly signal: string }
  | { readonly kind: "not-found" }
  | { readonly kind: "timed-out"; readonly timeoutMs: number };

export function describeOutcome(outcome: CommandOutcome): string {
  switch (outcome.kind) {
    case "exit":
      return `ended with exit code ${outcome.code}`;
    case "signal":
      return `was killed by ${outcome.signal}`;
    case "not-found":
      return "could not be started: there is no such program";
    case "timed-out":
      return `did not end within ${outcome.timeoutMs / 1000} s`;
  }
}

/** A step of a plan failed; `changed` tells whether anything had been written by then. */
export class StepError extends Error {
  override readonly name = "StepError";
  readonly index: number;
  readonly total: number;
  readonly title: Words;
  readonly changed: boolean;
  constructor(
    at: { index: number; total: number; title: Words; changed: boolean },
    cause: unknown,
  ) {
    const where = `step ${at.index + 1} of ${at.total}, ${english(at.title)}`;
    super(`${where}: ${messageOf(cause)}`, { cause });
    this.index = at.index;
    this.total = at.total;
    this.title = at.title;
    this.changed = at.changed;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same, for whoever has a language of their own. */
export function wordsOf(error: unknown): Words {
  const hasWords = error instanceof Refusal || error instanceof Failure || error instanceof Fault;
  return hasWords ? error.words : messageOf(error);
}

/** What a person can put right: a path that is not there or is something else, rights, room. */
const CORRECTABLE = new Set([
  ...["ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY", "ELOOP", "ENAMETOOLONG", "EXDEV"],
  ...["EACCES", "EPERM", "EROFS", "EBUSY", "ETXTBSY", "ENOSPC", "EDQUOT", "EFBIG", "EIO"],
]);

/**
 * A system's error about a path, as the refusal that it is to whoever named that path; anything else as it is. Only for
 * commands that leave nothing half made.
 */
export function refusalOfSystem(error: unknown): unknown {
  if (!(error instanceof Error) || error.constructor !== Error) return error;
  const { code = "", syscall, path } = error as NodeJS.ErrnoException;
  if (syscall === undefined || !CORRECTABLE.has(code)) return error;
  const why = /^[A-Z0-9]+: (.*?), \w+/.exec(error.message)?.[1] ?? error.message;
  return new Refusal(
    // What is not done yet has a name of its own for so long, which nobody typed.
    path === undefined ? why : `${path.replace(/[./]part-[0-9a-f]+-.*$/, "")}: ${why}`,
    `put it right, and try again (the system's call: ${syscall})`,
  );
}
