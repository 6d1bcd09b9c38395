/*
 * An error in words: what happened, what state the machine is in, what to do. Pure.
 */
import { CommandError, Failure, Fault, Refusal, StepError, messageOf, wordsOf } from "../errors.ts";
import { say } from "../model/messages.ts";
import { english, type Words } from "../words.ts";
import { EN } from "./texts-en.ts";

export interface Explanation {
  readonly outcome: "refused" | "failed";
  readonly changed: boolean;
  /** In English, for the log, the result and the plain lines. */
  readonly message: string;
  readonly hint: string;
  readonly lines: readonly string[];
  /** For the screens, in their language. */
  readonly said: { readonly message: Words; readonly hint: Words };
}

/** `quote` prints a command as it can be pasted. */
export function explain(
  error: unknown,
  quote: (argv: readonly string[]) => string,
  /** What is installed stays whole, whatever fails. */
  isWhole = false,
): Explanation {
  if (error instanceof StepError) {
    const { cause, changed, index, total, title } = error;
    const hint = changed ? (hintOf(cause) ?? say("goes-on")) : say("correct-cause");
    return {
      outcome: changed ? "failed" : "refused",
      changed,
      message: error.message,
      hint: english(hint),
      lines: [
        `FAILED at ${error.message}`,
        ...(cause instanceof CommandError ? commandLines(cause, quote) : []),
        changed ? (isWhole ? EN.tests.ended : EN.changed) : EN.unchanged,
        english(hint),
      ],
      said: { message: say("at-step", index, total, title, causeOf(cause)), hint },
    };
  }
  if (error instanceof Failure) {
    const { cause, message, hint, words, hintWords } = error;
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
      said: { message: words, hint: hintWords },
    };
  }
  if (error instanceof Refusal) {
    const { message, hint, words, hintWords } = error;
    return {
      outcome: "refused",
      changed: false,
      message,
      hint,
      lines: [say("refused").english, ...message.split("\n"), ...hint.split("\n")],
      said: { message: words, hint: hintWords },
    };
  }
  const said = { message: say("bug", messageOf(error)), hint: say("report-bug") };
  return {
    outcome: "failed",
    changed: true,
    message: said.message.english,
    hint: said.hint.english,
    lines: [
      "BUG in zshield; whether anything was changed is not known:",
      ...(error instanceof CommandError ? commandLines(error, quote) : []),
      ...String(error instanceof Error ? (error.stack ?? error.message) : error).split("\n"),
    ],
    said,
  };
}

function hintOf(cause: unknown): Words | undefined {
  return cause instanceof Refusal || cause instanceof Fault ? cause.hintWords : undefined;
}

/** A failure that something else is told with. */
export function causeOf(cause: unknown): Words {
  return cause instanceof CommandError
    ? say("command", cause.argv[0] ?? "?", cause.outcome)
    : wordsOf(cause);
}

function commandLines(error: CommandError, quote: (argv: readonly string[]) => string): string[] {
  const tail = error.stderrTail.trim().split("\n").slice(-6);
  return [
    `command: ${quote(error.argv)}`,
    ...tail.filter((line) => line !== "").map((line) => `  ${line}`),
  ];
}
