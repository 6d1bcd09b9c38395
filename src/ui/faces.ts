/*
 * Which console gets which face: the last one that is a terminal the screen, the others a word where it is and
 * the plain lines. A question can be answered on any of them. Owns: that rule.
 */
import { messageOf } from "../errors.ts";
import type { Request } from "../model/cmdline.ts";
import { openConsoles } from "./consoles.ts";
import type { Asked, Face } from "./face.ts";
import { plainFace } from "./plain-face.ts";
import { hasTerminfo, isTerminal, openTerminal, type Terminal } from "./screen/terminal.ts";
import { EN } from "./texts-en.ts";
import { textsOf } from "./texts.ts";

/**
 * The console that gets the screen, opened, or undefined. `auto`: a serial line only where a terminal answers;
 * else a script may be at its other end, which reads lines, or nobody.
 */
export async function chooseTerminal(
  names: readonly string[],
  ui: Request["ui"],
  open: (name: string) => Promise<Terminal | undefined>,
): Promise<Terminal | undefined> {
  if (ui === "plain") return undefined;
  for (const name of names.toReversed()) {
    const terminal = await open(name);
    if (terminal && (ui === "screen" || terminal.isAnswered)) return terminal;
    terminal?.close();
  }
  return undefined;
}

export async function openFaces(
  names: readonly string[],
  { ui, lang }: Pick<Request, "ui" | "lang">,
): Promise<{ readonly face: Face; readonly isScreen: boolean }> {
  let name = "";
  const terminal = await chooseTerminal(names, ui, async (candidate) => {
    if (!isTerminal(`/dev/${candidate}`)) return undefined;
    name = candidate;
    return openTerminal(candidate).catch(() => undefined);
  });
  if (!terminal || !hasTerminfo(terminal.abilities.term)) {
    terminal?.close();
    return { face: plainFace(openConsoles(names)), isScreen: false };
  }
  const isShown = lang === "en" || terminal.abilities.chinese;
  let screen: Face;
  try {
    // Blessed is loaded where there is something to draw on, and not by every `zshield status`.
    const { screenFace } = await import("./screen/screen-face.ts");
    screen = screenFace(terminal, textsOf(isShown ? lang : "en"), isShown ? "" : EN.noChinese);
  } catch (error) {
    // A picture that cannot be drawn must not keep a machine from its recovery.
    terminal.close();
    const plain = plainFace(openConsoles(names));
    plain.line(`the screen cannot be drawn: ${messageOf(error)}`);
    return { face: plain, isScreen: false };
  }
  const others = plainFace(openConsoles(names.filter((other) => other !== name)));
  others.line(EN.elsewhere(terminal.name));
  return { face: joined(screen, others), isScreen: true };
}

/** What is told goes to both; what is asked too, and the first answer counts. */
export function joined(screen: Face, others: Face): Face {
  /** Where the person is who answered last. */
  let asker = screen;
  const both = async <T>(ask: (face: Face, asked: Asked) => Promise<T>): Promise<T> => {
    const stop = new AbortController();
    const asked = { signal: stop.signal };
    const from = (face: Face) => ask(face, asked).then((given) => ({ face, given }));
    try {
      const { face, given } = await Promise.race([from(screen), from(others)]);
      asker = face;
      return given;
    } finally {
      stop.abort();
    }
  };
  const told = <A extends readonly unknown[]>(tell: (face: Face) => (...what: A) => void) => {
    return (...what: A) => {
      tell(screen)(...what);
      tell(others)(...what);
    };
  };
  return {
    line: told(({ line }) => line),
    machine: told(({ machine }) => machine),
    planned: told(({ planned }) => planned),
    event: told(({ event }) => event),
    logged: told(({ logged }) => logged),
    verdict: told(({ verdict }) => verdict),
    begin: told(({ begin }) => begin),
    choose: (question, choices) => both((face, asked) => face.choose(question, choices, asked)),
    agree: (planned) => both((face, asked) => face.agree(planned, asked)),
    askSecret: (prompt) => both((face, asked) => face.askSecret(prompt, asked)),
    read: (title, text) => asker.read(title, text),
    // Nobody is kept waiting for an Enter on another console.
    finished: (ending, attended) => screen.finished(ending, attended && asker === screen),
    drain: async () => void (await Promise.all([screen.drain(), others.drain()])),
    close() {
      screen.close();
      others.close();
    },
  };
}
