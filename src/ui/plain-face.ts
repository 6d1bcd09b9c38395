/*
 * The plain face: lines on every console at once, answers from any. What scripts and the slowest serial line read.
 */
import { english } from "../words.ts";
import { ordered } from "./choice.ts";
import type { Consoles } from "./consoles.ts";
import type { Face, Teller } from "./face.ts";
import {
  answerFor,
  failedTestLines,
  machineLines,
  makeProgressPrinter,
  planLines,
  question,
  resultLines,
} from "./plain.ts";
import { EN } from "./texts-en.ts";

/** Of a log, its end; of a plan, all. */
const MOST_LINES = 300;

/** For consoles that are only told, and for all of them. */
function plainTeller(consoles: Pick<Consoles, "line">): Teller {
  const tell = (lines: readonly string[]) => lines.forEach((line) => consoles.line(line));
  return {
    line: (words) => tell(english(words).split("\n")),
    machine: (overview) => tell([...failedTestLines(overview), ...machineLines(overview.machine)]),
    planned({ plan, resumedAt }) {
      tell(planLines(plan));
      if (resumedAt !== undefined) {
        consoles.line(`an interrupted recovery goes on at step ${resumedAt}`);
      }
    },
    event: makeProgressPrinter(consoles.line),
    logged: () => undefined,
    verdict: (result, more) => tell(resultLines(result, more)),
  };
}

export function plainFace(consoles: Consoles): Face {
  return {
    ...plainTeller(consoles),
    async choose(_question, choices, asked) {
      for (;;) {
        const listed = ordered(choices);
        listed.forEach((choice, index) => consoles.line(`  ${index + 1}  ${EN.choices[choice]}`));
        const answer = await consoles.ask("Type a number and press Enter:", asked?.signal);
        const chosen = listed[Number(answer) - 1];
        if (chosen !== undefined) return chosen;
      }
    },
    async agree({ disk }, asked) {
      for (;;) {
        const answer = await consoles.ask(question(disk), asked?.signal);
        // An empty line is no answer: a terminal that connects sends one, and so does an Enter held down.
        if (answer !== "") return answer === answerFor(disk);
      }
    },
    begin: () => undefined,
    async read(_title, text) {
      const lines = text(EN);
      const left = Math.max(0, lines.length - MOST_LINES);
      if (left > 0) consoles.line(EN.leftOut(left));
      for (const line of lines.slice(left)) {
        consoles.line(line);
        // A slow line takes minutes: everyone else in this process gets a turn, the watchdog above all.
        await Bun.sleep(0);
        await consoles.taken();
      }
    },
    askSecret: (prompt, asked) => consoles.askSecret(english(prompt), asked?.signal),
    finished: async () => undefined,
    drain: consoles.drain,
    close: () => undefined,
  };
}
