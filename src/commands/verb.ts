/*
 * What a verb of `zshield` is, and how its options and words are looked at. Pure.
 */
import type { parseArgs } from "node:util";
import { UsageError } from "../errors.ts";

export type Values = Record<string, string | boolean | readonly string[] | undefined>;

export interface Verb {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly options: NonNullable<Parameters<typeof parseArgs>[0]>["options"];
  /** How many words may follow the verb. */
  readonly words: readonly [least: number, most: number];
  run(values: Values, words: readonly string[]): Promise<void>;
}

export const text = (value: Values[string]) => (typeof value === "string" ? value : undefined);
/** Of an option that may be there several times. */
export const texts = (value: Values[string]) => (typeof value === "object" ? value : []);

/** @throws UsageError for an option that this part of a verb does not know, or for other words than it takes. */
export function checkPart(
  verb: string,
  what: string,
  values: Values,
  words: readonly string[],
  part: { readonly options: readonly string[]; readonly words: number },
): void {
  const other = Object.keys(values).find((name) => !part.options.includes(name));
  if (other !== undefined) {
    throw new UsageError(`zshield ${verb} ${what} knows no --${other}`, verb);
  }
  if (words.length !== part.words) {
    throw new UsageError(
      `zshield ${verb} ${what} takes ${part.words} words, not ${words.length}`,
      verb,
    );
  }
}
