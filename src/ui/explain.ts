/*
 * An error in words: what happened, what state the machine is in, what to do. Pure.
 */
import { CommandError, Failure, Refusal, StepError, messageOf } from "../errors.ts";

export interface Explanation {
  readonly outcome: "refused" | "failed";
  readonly changed: boolean;
  readonly message: string;
  readonly hint: string;
  readonly lines: readonly string[];
}

/** `quote` prints a command as it can be pasted. */
export function explain(error: unknown, quote: (argv: readonly string[]) => string): Explanation {
  if (error instanceof StepError) {
    const cause = error.cause;
    const { changed } = error;
    const hint = changed
      ? cause instanceof Refusal
        ? cause.hint
        : "start the same recovery again: it goes on where it stopped"
      : "correct the cause and start again";
    return {
      outcome: changed ? "failed" : "refused",
      changed,
      message: error.message,
      hint,
      lines: [
        `FAILED at ${error.message}`,
        ...(cause instanceof CommandError ? commandLines(cause, quote) : []),
        changed
          ? "The disk has been changed and does not hold a complete system of this recovery yet."
          : "Nothing was changed on any disk.",
        hint,
      ],
    };
  }
  if (error instanceof Failure) {
    const { cause, message, hint } = error;
    return {
      outcome: "failed",
      changed: true,
      message,
      hint,
      lines: [
        `FAILED: ${message}`,
        ...(cause instanceof CommandError ? commandLines(cause, quote) : []),
        ...(cause instanceof Error && !(cause instanceof CommandError) ? [cause.message] : []),
        hint,
      ],
    };
  }
  if (error instanceof Refusal) {
    return {
      outcome: "refused",
      changed: false,
      message: error.message,
      hint: error.hint,
      lines: [
        "REFUSED, nothing was changed:",
        ...error.message.split("\n"),
        ...error.hint.split("\n"),
      ],
    };
  }
  return {
    outcome: "failed",
    changed: true,
    message: `bug in zshield: ${messageOf(error)}`,
    hint: "please report this with the lines above",
    lines: [
      "BUG in zshield; whether the disk was changed is not known:",
      ...String(error instanceof Error ? (error.stack ?? error.message) : error).split("\n"),
    ],
  };
}

function commandLines(error: CommandError, quote: (argv: readonly string[]) => string): string[] {
  const tail = error.stderrTail.trim().split("\n").slice(-6);
  return [
    `command: ${quote(error.argv)}`,
    ...tail.filter((line) => line !== "").map((line) => `  ${line}`),
  ];
}
