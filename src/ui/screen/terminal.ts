/*
 * One terminal: what it can show, its size, its bytes in and out. Raw while it is open: no key becomes a signal.
 * A slow line never holds the recovery up: what it has not taken waits here, in order.
 * Owns: the device and its settings. Must not know what is drawn.
 */
import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import tty from "node:tty";
import { makeOutlet } from "../outlet.ts";
import type { Charset, Size } from "./draw.ts";

export interface Terminal {
  /** `tty1`, `ttyS0`. */
  readonly name: string;
  readonly abilities: Abilities;
  /** Somebody is there who draws what is sent: the machine's own screen, or a terminal that answered. */
  readonly isAnswered: boolean;
  size(): Size;
  write(text: string): void;
  /** Bytes that the line has not taken yet. */
  pending(): number;
  /** What is typed, until it is closed. */
  onData(take: (text: string) => void): void;
  onResize(tell: () => void): void;
  /** Asks a serial terminal for its size again; the answer comes as a resize. */
  askSize(): void;
  drain(): Promise<void>;
  close(): void;
}

export interface Abilities {
  /** The terminfo entry. */
  readonly term: string;
  readonly charset: Charset;
  readonly chinese: boolean;
  readonly colour: boolean;
}

/** What a terminal answers to `PROBE`: its last row and column, and where the cursor is behind `中`. */
export interface Answer {
  readonly size: Size;
  /** 2 where it knows UTF-8 and draws it two cells wide; 3 where it takes its bytes for three characters. */
  readonly cells: number;
}

const PROBE = "\x1b7\x1b[999;999H\x1b[6n\r中\x1b[6n\r\x1b[K\x1b8";
const ASK_SIZE = "\x1b7\x1b[999;999H\x1b[6n\x1b8";
/** For a line of 9600 baud with a terminal program behind a network. */
const ANSWER_MS = 1000;
/** Between the pieces of an answer. An ESC that is a key waits as long. */
const PIECES_MS = 80;
const STTY_MS = 2000;
const DRAIN_MS = 5000;
const POSITION = /\x1b\[(\d{1,4});(\d{1,4})R/g;
const USUAL: Size = { columns: 80, rows: 24 };
const TERMINFO = ["/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"];

/** What may be the beginning of a position whose end has not come yet. */
const BEGUN = /\x1b(?:\[(?:\d{1,4}(?:;\d{0,4})?)?)?$/;

/** The positions among what was typed, the rest, and behind it the beginning of one. */
export function splitPositions(typed: string): {
  readonly positions: readonly Size[];
  readonly rest: string;
  readonly begun: string;
} {
  const positions = [...typed.matchAll(POSITION)].map(([, rows, columns]) => ({
    rows: Number(rows),
    columns: Number(columns),
  }));
  const others = typed.replace(POSITION, "");
  const begun = BEGUN.exec(others)?.[0] ?? "";
  return { positions, rest: others.slice(0, others.length - begun.length), begun };
}

/**
 * `vt`: whether the kernel's own screen takes UTF-8; undefined: a serial or pseudo terminal. The font of a VGA
 * console has block elements and no Chinese.
 */
export function abilitiesOf(
  vt: { utf8: boolean } | undefined,
  answer: Answer | undefined,
): Abilities {
  if (vt) {
    return { term: "linux", charset: vt.utf8 ? "blocks" : "ascii", chinese: false, colour: true };
  }
  if (!answer) return { term: "vt220", charset: "ascii", chinese: false, colour: false };
  const isUtf8 = answer.cells < 3;
  return {
    term: "xterm",
    charset: isUtf8 ? "blocks" : "ascii",
    chinese: answer.cells === 2,
    colour: true,
  };
}

/** The size to draw for: a terminal that tells none, or nonsense, is taken for the usual one. */
export function sizeOf(...told: readonly (Size | undefined)[]): Size {
  const found = told.find((size) => size && size.columns >= 20 && size.rows >= 8);
  return found ? { columns: Math.min(found.columns, 250), rows: Math.min(found.rows, 100) } : USUAL;
}

/** Whether a terminal is behind this device; a serial port without hardware says no. */
export function isTerminal(path: string): boolean {
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    try {
      return tty.isatty(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

export function isVt(name: string): boolean {
  return /^tty\d+$/.test(name);
}

/** `/dev/tty0` is whichever screen is in front; what is drawn there must stay on one. */
function devicePath(name: string): string {
  if (name !== "tty0") return `/dev/${name}`;
  try {
    return `/dev/${readFileSync("/sys/class/tty/tty0/active", "utf8").trim()}`;
  } catch {
    return "/dev/tty1";
  }
}

function isUtf8Vt(): boolean {
  try {
    return readFileSync("/sys/module/vt/parameters/default_utf8", "utf8").trim() !== "0";
  } catch {
    return false;
  }
}

export function hasTerminfo(term: string): boolean {
  return TERMINFO.some((directory) => existsSync(`${directory}/${term.slice(0, 1)}/${term}`));
}

/** Opens a console by its name: `tty0`, `ttyS0`, `pts/3`. @throws Error if it is none. */
export async function openTerminal(console: string): Promise<Terminal> {
  const path = devicePath(console);
  const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  const stty = (...words: string[]) =>
    // It waits until the line has taken all that was sent, and some lines take nothing.
    Bun.spawnSync(["stty", "-F", path, ...words], {
      stdio: ["ignore", "ignore", "ignore"],
      timeout: STTY_MS,
      killSignal: "SIGKILL",
    });
  stty("raw", "-echo", "-isig", "-ixon");
  // The stream remembers a size; what asks the kernel anew has no public name, in Node.js either.
  const kernel = new tty.WriteStream(fd) as tty.WriteStream & { _refreshSize(): void };
  const kernelSize = (): Size => {
    kernel._refreshSize();
    const [columns = 0, rows = 0] = kernel.getWindowSize();
    return { columns, rows };
  };
  let told: Size | undefined;
  let takeData: (text: string) => void = () => undefined;
  let tellResize: () => void = () => undefined;
  let isOpen = true;
  const out = makeOutlet((bytes) => writeSync(fd, bytes));

  const answers: Size[] = [];
  let answered: () => void = () => undefined;
  let before = "";
  let release: ReturnType<typeof setTimeout> | undefined;
  const take = (text: string) => {
    clearTimeout(release);
    const { positions, rest, begun } = splitPositions(before + text);
    before = begun;
    if (begun !== "") {
      release = setTimeout(
        () => {
          before = "";
          takeData(begun);
        },
        abilities === undefined ? ANSWER_MS : PIECES_MS,
      );
    }
    answers.push(...positions);
    if (answers.length >= 2) answered();
    if (positions.length === 1 && abilities !== undefined) {
      told = positions[0];
      tellResize();
    }
    if (rest !== "") takeData(rest);
  };
  const reader = readFrom(path, (text) => take(text));

  const name = path.slice("/dev/".length);
  const vt = isVt(name) ? { utf8: isUtf8Vt() } : undefined;
  let abilities: Abilities | undefined;
  let answer: Answer | undefined;
  if (!vt) {
    const both = new Promise<void>((resolve) => (answered = resolve));
    out.write(PROBE);
    await Promise.race([both, Bun.sleep(ANSWER_MS)]);
    const [end, behind] = answers;
    if (end && behind) answer = { size: end, cells: behind.columns - 1 };
    told = answer?.size;
  }
  abilities = abilitiesOf(vt, answer);

  let seen = kernelSize();
  // A signal tells only the processes that the terminal belongs to; looking costs nothing.
  const watch = setInterval(() => {
    const now = kernelSize();
    if (now.columns === seen.columns && now.rows === seen.rows) return;
    seen = now;
    tellResize();
  }, 500);

  return {
    name,
    abilities,
    isAnswered: vt !== undefined || answer !== undefined,
    size: () => sizeOf(kernelSize(), told),
    write: out.write,
    pending: out.pending,
    onData: (next) => void (takeData = next),
    onResize: (next) => void (tellResize = next),
    askSize() {
      if (!vt) out.write(ASK_SIZE);
    },
    async drain() {
      const giveUp = Date.now() + DRAIN_MS;
      while (out.pending() > 0 && Date.now() < giveUp) await Bun.sleep(10);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      clearInterval(watch);
      clearTimeout(release);
      reader.stop();
      // What is left has a moment to go out.
      for (let tries = 0; out.pending() > 0 && tries < 100; tries++) {
        out.flush();
        if (out.pending() > 0) Bun.sleepSync(5);
      }
      out.stop();
      stty("sane");
      closeSync(fd);
    },
  };
}

/** A process that reads: a read that waits cannot be taken back, a process can. One that ends is started again. */
function readFrom(path: string, take: (text: string) => void) {
  let isStopped = false;
  let reader: ReturnType<typeof start> | undefined;
  const start = () => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOCTTY);
    try {
      return Bun.spawn(["cat"], { stdin: fd, stdout: "pipe", stderr: "ignore" });
    } finally {
      closeSync(fd);
    }
  };
  const loop = async () => {
    while (!isStopped) {
      try {
        reader = start();
        const decoder = new TextDecoder();
        for await (const piece of reader.stdout) take(decoder.decode(piece, { stream: true }));
      } catch {
        // Gone for now.
      }
      await Bun.sleep(500);
    }
  };
  void loop();
  return {
    stop(): void {
      isStopped = true;
      reader?.kill("SIGKILL");
    },
  };
}
