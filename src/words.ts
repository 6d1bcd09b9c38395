/*
 * What people are told. A text from outside stays as it is; a message of ours is said by each screen in its own
 * language. The log, the result and the plain lines are English. The messages stand in model/messages.ts.
 * Owns: the types.
 */

export interface Message {
  readonly key: string;
  /** What the message is about, as the maker of that key takes it. */
  readonly params: readonly unknown[];
  readonly english: string;
}

export type Words = string | Message;

export function english(words: Words): string {
  return typeof words === "string" ? words : words.english;
}
