/*
 * The text of a machine's serial line: what has come so far, and waiting for what is still to come.
 * Escape sequences and carriage returns are taken out (a sequence that moves the cursor becomes a line
 * end), so that a pattern matches what a person would read.
 * Owns: the text and the waiting. Must not know QEMU.
 */

export interface Serial {
  /** Everything that has come. */
  text(): string;
  /** Everything since the last match of `waitFor`. */
  unread(): string;
  push(chunk: Uint8Array): void;
  /** No more will come; whoever waits is told why. */
  end(reason: string): void;
  /**
   * Waits until the pattern matches behind the last match, and goes on behind it.
   * @throws Error when the time is over, the line has ended, or `unless` matched.
   */
  waitFor(pattern: RegExp | string, seconds: number, unless?: RegExp): Promise<Match>;
}

export interface Match {
  readonly text: string;
  readonly groups: readonly (string | undefined)[];
}

interface Waiter {
  readonly pattern: RegExp;
  readonly unless: RegExp | undefined;
  readonly resolve: (match: Match) => void;
  readonly reject: (error: Error) => void;
}

const PANIC = /Kernel panic - not syncing[^\n]*|Illegal instruction[^\n]*core dumped/;

/** How much slower than a quiet two-core machine this one may be: all time limits are multiplied. */
export const patience = Number(process.env.ZSHIELD_PATIENCE ?? "1");

export function makeSerial(): Serial {
  const decoder = new TextDecoder("utf-8", { fatal: false });
  let held = "";
  let text = "";
  let cursor = 0;
  let ended: string | undefined;
  const waiters = new Set<Waiter>();

  function check(waiter: Waiter): void {
    const unread = text.slice(cursor);
    const found = waiter.pattern.exec(unread);
    if (found) {
      cursor += found.index + found[0].length;
      waiters.delete(waiter);
      waiter.resolve({ text: found[0], groups: found.slice(1) });
      return;
    }
    const bad = waiter.unless?.exec(unread) ?? PANIC.exec(unread);
    const reason = bad ? `"${bad[0].trim()}" came instead` : ended;
    if (reason === undefined) return;
    waiters.delete(waiter);
    waiter.reject(new Error(`waited for ${waiter.pattern}, but ${reason}`));
  }

  return {
    text: () => text,
    unread: () => text.slice(cursor),
    push(chunk) {
      const [plain, rest] = stripEscapes(held + decoder.decode(chunk, { stream: true }));
      held = rest;
      text += plain;
      for (const waiter of [...waiters]) check(waiter);
    },
    end(reason) {
      ended = reason;
      for (const waiter of [...waiters]) check(waiter);
    },
    waitFor(pattern, seconds, unless) {
      const { promise, resolve, reject } = Promise.withResolvers<Match>();
      const expression = typeof pattern === "string" ? new RegExp(escapePattern(pattern)) : pattern;
      const waiter: Waiter = { pattern: expression, unless, resolve, reject };
      waiters.add(waiter);
      const limit = setTimeout(
        () => {
          waiters.delete(waiter);
          reject(new Error(`waited ${seconds * patience} s for ${expression}, in vain`));
        },
        seconds * patience * 1000,
      );
      check(waiter);
      return promise.finally(() => clearTimeout(limit));
    },
  };
}

const ESCAPES =
  /\x1b\[[0-9;?]*[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()*+#][0-9A-Za-z]|\x1b[=>78cDEHMNOZ]|[\r\x00\x07\x0e\x0f]/g;
/** Longer than any sequence of ours: an unfinished one is held back until its end comes. */
const LONGEST_ESCAPE = 64;

/** The text without escape sequences, and the start of one that is not complete yet. */
export function stripEscapes(text: string): [string, string] {
  const plain = text.replace(ESCAPES, (_, final: string | undefined) =>
    final === "H" || final === "f" ? "\n" : "",
  );
  const last = plain.lastIndexOf("\x1b");
  if (last < 0 || plain.length - last > LONGEST_ESCAPE) return [plain, ""];
  return [plain.slice(0, last), plain.slice(last)];
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
