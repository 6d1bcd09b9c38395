/*
 * A terminal for the demo: tmux draws, and what it shows is read as text. No fixed waits: a text is waited for,
 * and a screen counts when it has stopped changing.
 */
import { join } from "node:path";
import { patience } from "../lab/serial.ts";

export const PROJECT = new URL("../..", import.meta.url).pathname;
const DEMO = [process.execPath, join(PROJECT, "test/screens/demo.ts")];
const SECONDS = 20 * patience;
/** Longer than what was typed before a question counts for nothing (screen-face.ts). */
const DEAF_MS = 900;

export interface Window {
  /** Waits for the text, then types; each word is a key as tmux names it, or characters. */
  type(after: RegExp, ...keys: readonly string[]): Promise<void>;
  /** Types at once. */
  press(...keys: readonly string[]): Promise<void>;
  /** What it shows once the text is there and nothing changes any more. */
  shows(text: RegExp): Promise<string>;
  resize(columns: number, rows: number): Promise<void>;
  /** The path of its terminal. */
  device(): Promise<string>;
  isAlive(): Promise<boolean>;
  close(): Promise<void>;
}

let count = 0;

interface Size {
  readonly columns: number;
  readonly rows: number;
}

async function openWindow({ columns, rows }: Size, command: string): Promise<Window> {
  const socket = `zshield-screens-${process.pid}-${++count}`;
  const tmux = async (...words: string[]) => {
    const child = Bun.spawn(["tmux", "-L", socket, "-f", "/dev/null", "-u", ...words], {
      cwd: PROJECT,
      env: { ...process.env, LC_ALL: "C.UTF-8", TERM: "xterm" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const said = await new Response(child.stdout).text();
    return { code: await child.exited, said };
  };
  await tmux(
    ...["new-session", "-d", "-x", String(columns), "-y", String(rows), "-s", "demo"],
    // Stays, so that what a demo that ends too early has said can be read.
    `${command}; exec sleep 600`,
  );
  const capture = async () => (await tmux("capture-pane", "-p", "-t", "demo")).said;
  const press = async (...keys: readonly string[]) => {
    for (const key of keys) await tmux("send-keys", "-t", "demo", key);
  };
  const waitFor = async (text: RegExp, steady: number): Promise<string> => {
    const giveUp = Date.now() + SECONDS * 1000;
    let last = "";
    let same = 0;
    while (Date.now() < giveUp) {
      const now = await capture();
      same = now === last ? same + 1 : 0;
      last = now;
      if (text.test(now) && same >= steady) return now;
      await Bun.sleep(60);
    }
    throw new Error(`waited ${SECONDS} s for ${text}; the screen shows:\n${last}`);
  };
  return {
    press,
    async type(after, ...keys) {
      await waitFor(after, 0);
      await Bun.sleep(DEAF_MS);
      await press(...keys);
    },
    shows: (text) => waitFor(text, 3),
    async resize(newColumns, newRows) {
      await tmux("resize-window", "-t", "demo", "-x", String(newColumns), "-y", String(newRows));
    },
    device: async () =>
      (await tmux("display-message", "-p", "-t", "demo", "#{pane_tty}")).said.trim(),
    isAlive: async () => !/ENDED/.test(await capture()),
    async close() {
      await tmux("kill-server");
    },
  };
}

/** The demo in a window of its own, which is closed afterwards. */
export async function inWindow<T>(
  size: Size,
  args: readonly string[],
  work: (window: Window) => Promise<T>,
): Promise<T> {
  const command = [...DEMO, ...args].map((word) => `'${word}'`).join(" ");
  return inTerminal(size, `${command}; echo "ENDED $?"`, work);
}

/** The same with any command. */
export async function inTerminal<T>(
  size: Size,
  command: string,
  work: (window: Window) => Promise<T>,
): Promise<T> {
  const window = await openWindow(size, command);
  try {
    return await work(window);
  } finally {
    await window.close();
  }
}
