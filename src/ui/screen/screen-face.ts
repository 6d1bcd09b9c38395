/*
 * The screen as a face: keeps what is known, draws it, and hands the person's answers to the flow.
 * Owns: when is drawn (at once for a key or a new scene, at the pace of a slow line while a bar moves), and which
 * keys count. Must not decide anything else: `view`, `draw` and `press` are pure.
 */
import { messageOf } from "../../errors.ts";
import { printResult } from "../../model/result.ts";
import { visible } from "../../model/text.ts";
import { ordered, type Choice } from "../choice.ts";
import type { Asked, Face, Planned, Question } from "../face.ts";
import { answerFor } from "../plain.ts";
import type { Texts } from "../texts.ts";
import { openCanvas } from "./canvas.ts";
import { draw } from "./draw.ts";
import { parseKeys, press, type Wanted } from "./keys.ts";
import { NOTHING, withLog, type Known, type Scene } from "./known.ts";
import { afterDrawing, FRESH, waitFor } from "./pace.ts";
import type { Terminal } from "./terminal.ts";
import { view } from "./view.ts";

/** Typed before a question was on the screen: keys held down while the machine booted. */
const DEAF_MS = 700;
/** A scene that comes so soon after an answer is what the person has asked for. */
const AT_ONCE_MS = 300;
/** What follows an answer at once is drawn instead of what stands between. */
const SETTLE_MS = 150;
/** How long a lone ESC may be the beginning of a sequence, on a slow line. */
const ESCAPE_MS = 80;
/** A terminal that was switched off and on again shows everything after a minute. */
const REFRESH_MS = 60_000;
/** A line that is so far behind is not given more. */
const MOST_BEHIND_BYTES = 1024;
const MOST_NOTES = 3;
const READ_SECONDS = { attended: 60, alone: 5 } as const;

export function screenFace(terminal: Terminal, t: Texts, notice = ""): Face {
  const canvas = openCanvas(terminal);
  let known: Known = { ...NOTHING, notice };
  let pace = FRESH;
  let drawing: ReturnType<typeof setTimeout> | undefined;
  let deafUntil = Date.now() + DEAF_MS;
  let answer: ((wanted: Wanted) => boolean) | undefined;
  let answeredAt = 0;
  let cancel: () => void = () => undefined;
  let begunAt = 0;

  const drawNow = (asked = true): void => {
    clearTimeout(drawing);
    drawing = undefined;
    try {
      const rows = draw(view(known, t), terminal.size(), terminal.abilities.charset);
      pace = afterDrawing(pace, performance.now(), canvas.show(rows), asked);
    } catch (error) {
      // A fault in the picture must not end the recovery that it shows.
      terminal.write(`\r\nzshield: the screen cannot be drawn: ${visible(messageOf(error))}\r\n`);
    }
  };
  const drawSoon = (): void => {
    if (drawing !== undefined) return;
    const isBehind = () => terminal.pending() > MOST_BEHIND_BYTES;
    const later = (ms: number) => {
      drawing = setTimeout(() => (isBehind() ? later(200) : drawNow(false)), ms);
    };
    later(waitFor(pace, performance.now()));
  };
  const clear = (): void => {
    try {
      canvas.clear(terminal.size());
    } catch {
      // As above: what cannot be cleared is drawn over.
    }
  };
  const drawAnew = (): void => {
    clear();
    drawNow();
  };

  /** Keys that were pressed before a question appears by itself do not answer it. */
  const show = (scene: Scene): void => {
    if (Date.now() > answeredAt + AT_ONCE_MS) deafUntil = Date.now() + DEAF_MS;
    known = { ...known, scene };
    drawNow();
  };
  /** Until the person wants something that `take` understands, or the question is taken back. */
  const ask = async <T>(
    scene: Scene,
    take: (wanted: Wanted) => T | undefined,
    signal?: AbortSignal,
  ): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const heed = (wanted: Wanted): boolean => {
      const taken = take(wanted);
      if (taken === undefined) return false;
      answer = undefined;
      resolve(taken);
      return true;
    };
    answer = heed;
    signal?.addEventListener(
      "abort",
      () => {
        reject(signal.reason);
        if (answer !== heed) return;
        answer = undefined;
        known = { ...known, scene: { kind: "wait", keepsVerdict: scene.kind === "secret" } };
        drawSoon();
      },
      { once: true },
    );
    show(scene);
    return promise;
  };

  let typed = "";
  let escape: ReturnType<typeof setTimeout> | undefined;
  const onTyped = (text: string, isEnd = false): void => {
    clearTimeout(escape);
    const { keys, rest } = parseKeys(typed + text, isEnd);
    typed = rest;
    if (rest !== "") escape = setTimeout(() => onTyped("", true), ESCAPE_MS);
    for (const key of keys) {
      if (key.name === "redraw") {
        terminal.askSize();
        drawAnew();
      }
      if (Date.now() < deafUntil) continue;
      const { known: next, wanted } = press(known, key, terminal.size());
      const isChanged = next !== known || known.notes.length > 0;
      known = { ...next, notes: [] };
      if (wanted?.kind === "cancel") cancel();
      else if (wanted && answer?.(wanted) === true) {
        // The keys behind it were meant for what was on the screen.
        typed = "";
        answeredAt = Date.now();
        clearTimeout(drawing);
        drawing = setTimeout(drawNow, SETTLE_MS);
        return;
      }
      if (isChanged) drawNow();
    }
  };
  terminal.onData((text) => onTyped(text));
  terminal.onResize(drawAnew);
  const refresh = setInterval(() => {
    canvas.forget();
    drawSoon();
  }, REFRESH_MS);
  refresh.unref();
  drawNow();

  const runOf = (planned: Planned): Known => {
    begunAt = performance.now();
    return { ...known, run: { ...planned, seconds: 0 } };
  };

  return {
    line(words) {
      const notes = [...known.notes, ...t.say(words).split("\n")];
      known = { ...known, notes: notes.slice(-MOST_NOTES) };
      drawSoon();
    },
    machine(overview) {
      known = { ...known, overview };
      drawSoon();
    },
    planned(planned) {
      known = runOf(planned);
    },
    event(event) {
      if (!known.run) return;
      const seconds = (performance.now() - begunAt) / 1000;
      known = { ...known, run: { ...known.run, event, seconds } };
      drawSoon();
    },
    logged(line) {
      known = withLog(known, line);
      if (known.scene.kind === "running") drawSoon();
    },
    verdict(result, more = {}) {
      known = { ...known, verdict: { result, ...more } };
      // For scripts that read this console; the person sees the screen that follows.
      terminal.write(`\x1b[H\x1b[2J${printResult(result)}\r\n`);
      clear();
    },
    choose: <C extends Choice>(kind: Question, choices: readonly C[], asked?: Asked) => {
      const listed = ordered(choices);
      const take = (wanted: Wanted) => {
        if (wanted.kind !== "choice") return undefined;
        known = { ...known, scene: { kind: "wait" } };
        return listed.find((choice) => choice === wanted.choice);
      };
      return ask<C>({ kind, choices: listed, selected: undefined }, take, asked?.signal);
    },
    async agree(planned, asked) {
      known = runOf(planned);
      const scene: Scene = {
        kind: "consent",
        answer: answerFor(planned.disk),
        typed: "",
        wrong: false,
      };
      const take = (wanted: Wanted) => (wanted.kind === "agree" ? wanted.yes : undefined);
      return ask(scene, take, asked?.signal);
    },
    begin(planned, stop) {
      cancel = stop;
      known = { ...runOf(planned), notes: [] };
      show({ kind: "running" });
    },
    async read(title, text) {
      const scene: Scene = { kind: "read", title: t.choices[title], lines: text(t), top: 0 };
      await ask(scene, ({ kind }) => (kind === "on" ? true : undefined));
    },
    askSecret(prompt, asked) {
      const scene: Scene = {
        kind: "secret",
        prompt: t.say(prompt),
        typed: "",
      };
      const take = (wanted: Wanted) => {
        if (wanted.kind !== "secret") return undefined;
        known = { ...known, scene: { kind: "wait", keepsVerdict: true } };
        return wanted.text;
      };
      return ask(scene, take, asked?.signal);
    },
    async finished(ending, attended) {
      const isAwaited = ending === "reboot" || ending === "poweroff";
      const left = isAwaited ? READ_SECONDS[attended ? "attended" : "alone"] : 0;
      const scene: Scene = { kind: "finished", ending, seconds: left };
      if (!isAwaited) return show(scene);
      const counting = setInterval(() => {
        // Whoever looks at the QR code has all the time.
        if (known.scene.kind !== "finished") return;
        const seconds = known.scene.seconds - 1;
        known = { ...known, scene: { ...known.scene, seconds } };
        drawSoon();
        if (seconds <= 0) answer?.({ kind: "on" });
      }, 1000);
      await ask(scene, ({ kind }) => (kind === "on" ? true : undefined));
      clearInterval(counting);
    },
    async drain() {
      if (drawing !== undefined) drawNow();
      await terminal.drain();
    },
    close() {
      clearInterval(refresh);
      clearTimeout(drawing);
      canvas.close();
      terminal.close();
    },
  };
}
