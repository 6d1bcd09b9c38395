/*
 * Which console gets which face: the last one that is a terminal the screen, the others a word where it is and
 * the plain lines. Owns: that rule.
 */
import type { Request } from "../model/cmdline.ts";
import { openConsoles } from "./consoles.ts";
import type { Face, Teller } from "./face.ts";
import { plainFace, plainTeller } from "./plain-face.ts";
import { hasTerminfo, isTerminal, isVt, openTerminal } from "./screen/terminal.ts";
import { EN } from "./texts-en.ts";
import { textsOf } from "./texts.ts";

/**
 * The console that gets the screen, or undefined. `auto`: only where the last console is the machine's own
 * screen; a serial line may have a script at its other end, which reads lines. Pure but for `isTerminal`.
 */
export function screenConsole(
  names: readonly string[],
  ui: Request["ui"],
  isThere: (name: string) => boolean,
): string | undefined {
  if (ui === "plain") return undefined;
  if (ui === "screen") return names.findLast(isThere);
  const last = names.at(-1);
  return last !== undefined && isVt(last) && isThere(last) ? last : undefined;
}

export async function openFaces(
  names: readonly string[],
  { ui, lang }: Pick<Request, "ui" | "lang">,
): Promise<{ readonly face: Face; readonly isScreen: boolean }> {
  const name = screenConsole(names, ui, (candidate) => isTerminal(`/dev/${candidate}`));
  const terminal = name === undefined ? undefined : await openTerminal(name).catch(() => undefined);
  if (!terminal || !hasTerminfo(terminal.abilities.term)) {
    terminal?.close();
    return { face: plainFace(openConsoles(names)), isScreen: false };
  }
  // Blessed is loaded where there is something to draw on, and not by every `zshield status`.
  const { screenFace } = await import("./screen/screen-face.ts");
  const isShown = lang === "en" || terminal.abilities.chinese;
  const texts = textsOf(isShown ? lang : "en");
  const screen = screenFace(terminal, texts, isShown ? "" : EN.noChinese);
  const others = openConsoles(names.filter((other) => other !== name));
  const teller = plainTeller(others);
  teller.line(EN.elsewhere(terminal.name));
  return { face: joined(screen, teller, others.drain), isScreen: true };
}

/** What is told goes to both, what is asked to the first. */
function joined(face: Face, also: Teller, drain: () => Promise<void>): Face {
  return {
    ...face,
    line(text) {
      face.line(text);
      also.line(text);
    },
    machine(overview) {
      face.machine(overview);
      also.machine(overview);
    },
    planned(planned) {
      face.planned(planned);
      also.planned(planned);
    },
    event(event) {
      face.event(event);
      also.event(event);
    },
    verdict(result, explanation) {
      face.verdict(result, explanation);
      also.verdict(result, explanation);
    },
    async drain() {
      await Promise.all([face.drain(), drain()]);
    },
  };
}
