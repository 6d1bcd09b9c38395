/*
 * Reads what the agent says on the serial line: its verdict, and the step that it has begun.
 * Owns: finding and parsing. No machine, no I/O.
 */
import * as v from "valibot";
import { RESULT_MARK, ResultSchema, type Result } from "../../src/model/result.ts";

/** The line is only whole when its end has come. */
export const RESULT_LINE = /ZSHIELD-RESULT \{[^\n]*\}[ ]*\n/;
/** `zshield: step 4/20 make-volume begins` */
export const STEP_LINE = /zshield: step (\d+)\/(\d+) ([a-z-]+) begins/;

/** The last verdict in a serial log. @throws Error if there is none, or it is none of ours. */
export function findResult(log: string): Result {
  const line = log
    .split("\n")
    .findLast((text) => text.includes(RESULT_MARK) && text.trimEnd().endsWith("}"));
  if (line === undefined) throw new Error(`there is no ${RESULT_MARK.trim()} line`);
  const json = line.slice(line.indexOf(RESULT_MARK) + RESULT_MARK.length).trimEnd();
  const result = v.safeParse(ResultSchema, JSON.parse(json));
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new Error(`the result line: ${v.getDotPath(issue) ?? ""}: ${issue.message}\n${json}`);
}

export interface BegunStep {
  readonly number: number;
  readonly total: number;
  readonly kind: string;
}

/** Every step that began, in order, each console's copy of a line once. */
export function findSteps(log: string): BegunStep[] {
  const steps: BegunStep[] = [];
  for (const match of log.matchAll(new RegExp(STEP_LINE, "g"))) {
    const step = { number: Number(match[1]), total: Number(match[2]), kind: match[3] ?? "" };
    if (steps.at(-1)?.number !== step.number) steps.push(step);
  }
  return steps;
}
