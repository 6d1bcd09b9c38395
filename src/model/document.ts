/*
 * One way to say what is wrong with a document: every fault at once, each with its path.
 * Owns: turning valibot's issues into a Refusal, and the one form of documents that are signed. No I/O.
 */
import * as v from "valibot";
import { Refusal, messageOf } from "../errors.ts";

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

/**
 * The same for what anybody may have made: the first fault only, since a small file can hold a million.
 * @throws Refusal
 */
export function parseForeign<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  name: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  throw new Refusal(describeIssue(name, result.issues[0]));
}

/** The text of a file, which is the same bytes when it is encoded again. @throws Refusal for what is not UTF-8. */
export function decodeText(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal(`${name} is not UTF-8`);
  }
}

/**
 * A document that is signed or named by its digest: JSON in the one form that JSON.stringify gives for the schema's
 * keys in their order. Anything else, such as a key that is there twice, a blank or another order, prints differently.
 * @throws Refusal
 */
export function parseExact<S extends v.GenericSchema>(
  schema: S,
  text: string,
  name: string,
): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Refusal(`${name} is not JSON: ${messageOf(error)}`);
  }
  const document = parseForeign(schema, value, name);
  if (JSON.stringify(document) !== text) {
    throw new Refusal(`${name} is not in the one form that it may have`);
  }
  return document;
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
