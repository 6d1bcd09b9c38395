/*
 * One way to say what is wrong with a document: every fault at once, each with its path.
 * Owns: turning valibot's issues into a Refusal. No I/O.
 */
import * as v from "valibot";
import { Refusal } from "../errors.ts";

/** @throws Refusal with one line per fault: `zshield.toml: volume.root.size: …`. */
export function parseDocument<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  name: string,
  hint = "",
): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new Refusal(result.issues.map((issue) => describeIssue(name, issue)).join("\n"), hint);
}

function describeIssue(name: string, issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  if (issue.type === "strict_object") {
    return issue.expected === "never"
      ? `${name}: ${path ?? "?"}: there is no such key`
      : `${name}: ${path ?? "?"}: is missing`;
  }
  return `${name}: ${path === null ? "" : `${path}: `}${issue.message}`;
}
