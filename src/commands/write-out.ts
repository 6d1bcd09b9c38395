/*
 * What a command hands to another program on its standard output: all of it is written, or it is an error. `console.log`
 * says nothing where the disk behind it is full.
 */
import { writeSync } from "node:fs";
import { Refusal, messageOf } from "../errors.ts";

/** @throws Refusal, also where nobody reads any more */
export function writeOut(text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") {
        throw new Refusal(`standard output cannot be written: ${messageOf(error)}`);
      }
      Bun.sleepSync(5);
    }
  }
}

export function writeJson(value: unknown): void {
  writeOut(`${JSON.stringify(value, null, 2)}\n`);
}
