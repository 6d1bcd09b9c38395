/*
 * Keys: the bytes of a terminal → keys, and a key → what is known then and what the person wants. Pure.
 * No key ends the program or opens anything: what has no meaning here does nothing.
 */
import type { Choice } from "../choice.ts";
import { pageHeight, pageRows, type Size } from "./draw.ts";
import type { Known, Scene } from "./known.ts";

export type Key =
  | { readonly name: NamedKey }
  /** One character. */
  | { readonly name: "text"; readonly text: string };
type NamedKey =
  | "up"
  | "down"
  | "page-up"
  | "page-down"
  | "home"
  | "end"
  | "enter"
  | "escape"
  | "backspace"
  | "redraw";

/** What a person wants from the flow, or from the canvas. */
export type Wanted =
  | { readonly kind: "choice"; readonly choice: Choice }
  | { readonly kind: "agree"; readonly yes: boolean }
  | { readonly kind: "secret"; readonly text: string }
  | { readonly kind: "cancel" }
  /** Enough of a text, or of a result. */
  | { readonly kind: "on" }
  | { readonly kind: "redraw" };

export interface Pressed {
  readonly known: Known;
  readonly wanted?: Wanted;
}

const SEQUENCES: Readonly<Record<string, NamedKey>> = {
  ...{ A: "up", B: "down", H: "home", F: "end" },
  ...{ "1~": "home", "4~": "end", "5~": "page-up", "6~": "page-down", "7~": "home", "8~": "end" },
};

/** Ctrl-P and Ctrl-N too, as GRUB has it, for a serial line whose program sends no arrows. */
const CONTROLS: Readonly<Record<string, NamedKey>> = {
  ...{ "\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace" },
  ...{ "\x0c": "redraw", "\x10": "up", "\x0e": "down" },
};

/**
 * The keys in what was typed; `rest` is the beginning of one whose end has not come yet. `isEnd`: nothing
 * follows, so a lone ESC is the key Esc.
 */
export function parseKeys(
  typed: string,
  isEnd = false,
): { readonly keys: readonly Key[]; readonly rest: string } {
  const keys: Key[] = [];
  let rest = typed;
  while (rest !== "") {
    // ESC [ … letter, ESC O letter, and the Linux console's ESC [ [ letter.
    const sequence = /^\x1b(?:\[\[?|O)([0-9;?]*[A-Za-z~])/.exec(rest);
    if (sequence) {
      const name = SEQUENCES[sequence[1] ?? ""];
      if (name !== undefined && !sequence[0].startsWith("\x1b[[")) keys.push({ name });
      rest = rest.slice(sequence[0].length);
      continue;
    }
    if (/^\x1b(?:\[\[?|O)?[0-9;?]*$/.test(rest) && rest.length < 16) {
      if (!isEnd) return { keys, rest };
      keys.push({ name: "escape" });
      return { keys, rest: "" };
    }
    if (rest.startsWith("\x1b")) {
      // Alt and a character, or something unknown.
      rest = rest.slice(rest.startsWith("\x1b\x1b") ? 1 : 2);
      continue;
    }
    const [character = ""] = rest;
    rest = rest.slice(rest.startsWith("\r\n") ? 2 : character.length);
    const name = CONTROLS[character];
    if (name !== undefined) keys.push({ name });
    else if (!/[\x00-\x1f\x7f-\x9f]/.test(character)) keys.push({ name: "text", text: character });
  }
  return { keys, rest: "" };
}

export function press(known: Known, key: Key, size: Size): Pressed {
  if (key.name === "redraw") return { known, wanted: { kind: "redraw" } };
  const { scene } = known;
  const to = (next: Scene): Pressed => ({ known: { ...known, scene: next } });
  const want = (wanted: Wanted): Pressed => ({ known, wanted });
  const letter = key.name === "text" ? key.text.toLowerCase() : "";
  switch (scene.kind) {
    case "wait":
      return { known };
    case "menu":
    case "which-plan":
    case "verdict": {
      const { choices, selected } = scene;
      if (letter === "q" && scene.kind === "verdict") return to({ kind: "code", back: scene });
      if (letter === "d" && scene.kind === "menu") {
        return to({ kind: "details", top: 0, back: scene });
      }
      if (key.name === "enter") {
        const choice = selected === undefined ? undefined : choices[selected];
        return choice === undefined ? { known } : want({ kind: "choice", choice });
      }
      if (key.name === "escape" && choices.includes("back"))
        return want({ kind: "choice", choice: "back" });
      if (!isDigit(key)) {
        const { digit: _before, ...rest } = scene;
        return to({ ...rest, selected: moved(key, choices.length, selected) });
      }
      const chosen = numbered(scene.digit ?? "", key.text, choices.length);
      return to({ ...scene, digit: key.text, selected: chosen ?? selected });
    }
    case "finished":
      if (letter === "q") return to({ kind: "code", back: scene });
      return key.name === "enter" ? want({ kind: "on" }) : { known };
    case "code":
      return key.name === "escape" || key.name === "enter" || letter === "q"
        ? to(scene.back)
        : { known };
    case "details": {
      if (key.name === "escape" || key.name === "enter" || letter === "d") return to(scene.back);
      // Three rows a disk, and the machine's own.
      const most = 3 * (known.overview?.disks.length ?? 0) + 3;
      return to({ ...scene, top: scrolled(key, scene.top, pageHeight(size), most) });
    }
    case "read": {
      if (key.name === "escape" || letter === "q") return want({ kind: "on" });
      const height = pageHeight(size);
      const most = pageRows(scene.lines, size.columns).length - height;
      return to({ ...scene, top: scrolled(key, scene.top, height, most) });
    }
    case "running": {
      if (letter !== "c" || scene.told === "cancelling") return { known };
      const { run } = known;
      const isChanged = run?.event?.changed === true || run?.resumedAt !== undefined;
      const next: Scene = { ...scene, told: isChanged ? "too-late" : "cancelling" };
      return isChanged
        ? to(next)
        : { known: { ...known, scene: next }, wanted: { kind: "cancel" } };
    }
    case "consent": {
      if (key.name === "escape") return want({ kind: "agree", yes: false });
      if (key.name !== "enter")
        return to({ ...scene, typed: edited(scene.typed, key), wrong: false });
      if (scene.typed === scene.answer) return want({ kind: "agree", yes: true });
      // An empty line is no answer: Enter, still held down from the menu, says nothing.
      return to({ ...scene, typed: "", wrong: scene.typed !== "" || scene.wrong });
    }
    case "secret":
      if (key.name === "enter") return want({ kind: "secret", text: scene.typed });
      return to({ ...scene, typed: edited(scene.typed, key) });
  }
}

function moved(key: Key, count: number, selected: number | undefined): number | undefined {
  switch (key.name) {
    case "up":
      return selected === undefined ? count - 1 : Math.max(0, selected - 1);
    case "down":
      return selected === undefined ? 0 : Math.min(count - 1, selected + 1);
    case "home":
      return 0;
    case "end":
      return count - 1;
    default:
      return selected;
  }
}

function isDigit(key: Key): key is Extract<Key, { name: "text" }> {
  return key.name === "text" && /^[0-9]$/.test(key.text);
}

/** With the digit before it, where there are so many choices; alone the 0 is the tenth, as on a telephone. */
function numbered(before: string, digit: string, count: number): number | undefined {
  const both = before === "" ? 0 : Number(before + digit);
  const number = both >= 10 && both <= count ? both : Number(digit) || 10;
  return number <= count ? number - 1 : undefined;
}

function scrolled(key: Key, top: number, height: number, most: number): number {
  const by = {
    ...{ up: -1, down: 1, "page-up": -height, "page-down": height },
    ...{ home: -Infinity, end: Infinity },
    text: key.name === "text" && key.text === " " ? height : 0,
  };
  const step = key.name in by ? by[key.name as keyof typeof by] : 0;
  return Math.max(0, Math.min(most, top + step));
}

const LONGEST_ANSWER = 128;

function edited(typed: string, key: Key): string {
  if (key.name === "backspace") return [...typed].slice(0, -1).join("");
  return key.name === "text" && typed.length < LONGEST_ANSWER ? typed + key.text : typed;
}
