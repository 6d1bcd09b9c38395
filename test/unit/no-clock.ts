/*
 * Loaded in front of a program that must not ask for the time (--preload): whoever asks falls over.
 */
const { Date: Real } = globalThis;

class Stopped extends Real {
  constructor(...words: [value?: number | string]) {
    if (words.length === 0) throw new Error("the clock was asked");
    super(words[0] ?? Number.NaN);
  }

  static override now(): number {
    throw new Error("the clock was asked");
  }
}

globalThis.Date = Stopped as DateConstructor;
