/*
 * The rescue password: asked of a person before anything is shown to them or destroyed. Whoever does not
 * know it waits longer after each try, and gets nowhere else: no shell, no other way out.
 * Owns: the order of asking, checking and waiting. A recovery that asks nobody anything has no gate.
 */
import { messageOf } from "../errors.ts";
import { say } from "../model/messages.ts";
import type { Message, Words } from "../words.ts";

/** What shows the question and takes the answer; every face has one. */
export interface Doorway {
  /** The next line that somebody types; it cannot be seen anywhere. */
  askSecret(question: Words): Promise<string>;
  say(words: Words): void;
}

/** What the gate needs of the world. */
export interface Doorkeeper {
  /** @throws if it could not be checked, for want of memory for example. */
  verify(password: string, hash: string): Promise<boolean>;
  wait(milliseconds: number): Promise<unknown>;
}

const KEEPER: Doorkeeper = { verify: Bun.password.verify, wait: Bun.sleep };
const LONGEST_SECONDS = 60;

/** Passing it returns at once when it has been passed before, or when there is no password. */
export type Gate = () => Promise<void>;

/** `hash`: of zshield.toml, a PHC string; "" for no password. */
export function makeGate(hash: string, doorway: Doorway, keeper: Doorkeeper = KEEPER): Gate {
  let isOpen = hash === "";
  return async () => {
    for (let tries = 1; !isOpen; tries++) {
      const given = await askOnce(doorway);
      const trouble = await whyNot(given, hash, keeper);
      isOpen = trouble === undefined;
      if (trouble === undefined) continue;
      const seconds = waitSeconds(tries);
      doorway.say(say("next-try", trouble, seconds));
      await keeper.wait(seconds * 1000);
    }
  };
}

/** After the so many-th wrong password: 1, 2, 4 … and at most 60. */
export function waitSeconds(tries: number): number {
  return Math.min(LONGEST_SECONDS, 2 ** (tries - 1));
}

/** Enter alone is no try: somebody looks whether anything happens. */
async function askOnce(doorway: Doorway): Promise<string> {
  for (;;) {
    const given = await doorway.askSecret(say("password"));
    if (given !== "") return given;
  }
}

async function whyNot(
  given: string,
  hash: string,
  { verify }: Doorkeeper,
): Promise<Message | undefined> {
  try {
    return (await verify(given, hash)) ? undefined : say("wrong-password");
  } catch (error) {
    return say("unchecked-password", messageOf(error));
  }
}
