/*
 * A headless Chromium that is led over DevTools' pipe, in a network name space of its own with nothing in it, so that
 * a page can reach nobody. Tells what a page asked for and what its policy refused.
 * Owns: starting it, the protocol's frames, its end. Must not know what the pages are.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { patience } from "./serial.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const LIMIT_MS = 30_000 * patience;

export interface Page {
  /** What an expression in the page gives, as JSON could hold it. @throws Error if it throws */
  evaluate(expression: string): Promise<unknown>;
  /** A key as DevTools names it: `Tab`, `Enter`, ` `. */
  press(key: string): Promise<void>;
  /** Addresses of all requests so far, the page's own first. */
  requests(): readonly string[];
  /** What the policy or the network refused, in the browser's words. */
  complaints(): readonly string[];
  /** A picture as PNG. */
  screenshot(path: string): Promise<void>;
}

export interface Browser {
  /** Opens a page and waits until it has loaded. */
  open(address: string, size?: { readonly width: number; readonly height: number }): Promise<Page>;
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** @throws Error where there is no Chromium. */
export async function openBrowser(): Promise<Browser> {
  const program = NAMES.map((name) => Bun.which(name)).find((path) => path !== null);
  if (program === undefined || program === null) {
    throw new Error(`there is none of ${NAMES.join(", ")}: install a Chromium`);
  }
  const folder = mkdtempSync(join(tmpdir(), "zs-browser-"));
  const child = start(program, folder);
  const link = connect(child);
  return {
    open: (address, size = { width: 1280, height: 800 }) => openPage(link, address, size),
    async close() {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("close", resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function start(program: string, folder: string): ChildProcess {
  const isRoot = process.getuid?.() === 0;
  const alone = [
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    ...(isRoot ? [] : ["--map-root-user"]),
  ];
  const options = [
    ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"],
    ...["--remote-debugging-pipe", `--user-data-dir=${folder}`, "about:blank"],
  ];
  return spawn("unshare", [...alone, program, ...options], {
    env: { PATH: process.env.PATH, HOME: folder, LC_ALL: "C.UTF-8", TMPDIR: folder },
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
}

interface Link {
  send(
    method: string,
    params?: Record<string, unknown>,
    sessionId?: string,
  ): Promise<Record<string, unknown>>;
  on(take: (message: Message) => void): void;
}

/** Messages are JSON, each ended by a zero byte; the browser reads from 3 and writes to 4. */
function connect(child: ChildProcess): Link {
  const [, , , to, from] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const waiting = new Map<number, (message: Message) => void>();
  const listeners: ((message: Message) => void)[] = [];
  let rest = Buffer.alloc(0);
  let count = 0;
  from.on("data", (piece: Buffer) => {
    rest = Buffer.concat([rest, piece]);
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
      const message = JSON.parse(rest.toString("utf8", 0, end)) as Message;
      rest = rest.subarray(end + 1);
      if (message.id === undefined) for (const take of listeners) take(message);
      else waiting.get(message.id)?.(message);
    }
  });
  return {
    on: (take) => void listeners.push(take),
    send(method, params = {}, sessionId) {
      const id = ++count;
      const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
      const late = setTimeout(() => reject(new Error(`${method}: no answer`)), LIMIT_MS);
      waiting.set(id, ({ result, error }) => {
        clearTimeout(late);
        waiting.delete(id);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result ?? {});
      });
      to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
      return promise;
    },
  };
}

async function openPage(
  link: Link,
  address: string,
  size: { readonly width: number; readonly height: number },
): Promise<Page> {
  const { targetId } = await link.send("Target.createTarget", { url: "about:blank" });
  const attached = await link.send("Target.attachToTarget", { targetId, flatten: true });
  const session = String(attached["sessionId"]);
  const send = (method: string, params: Record<string, unknown> = {}) =>
    link.send(method, params, session);
  const requests: string[] = [];
  const complaints: string[] = [];
  const loaded = Promise.withResolvers<void>();
  link.on(({ sessionId, method, params = {} }) => {
    if (sessionId !== session) return;
    const { request, entry, errorText } = params as {
      request?: { url: string };
      entry?: { text: string };
      errorText?: string;
    };
    if (method === "Network.requestWillBeSent" && request) requests.push(request.url);
    if (method === "Network.loadingFailed" && errorText) complaints.push(errorText);
    if (method === "Log.entryAdded" && entry) complaints.push(entry.text);
    if (method === "Runtime.exceptionThrown") complaints.push(JSON.stringify(params));
    if (method === "Page.loadEventFired") loaded.resolve();
  });
  for (const domain of ["Network", "Log", "Page", "Runtime"]) await send(`${domain}.enable`);
  await send("Emulation.setDeviceMetricsOverride", {
    ...size,
    deviceScaleFactor: 1,
    mobile: false,
  });
  await send("Page.navigate", { url: address });
  const late = setTimeout(() => loaded.reject(new Error(`${address} does not load`)), LIMIT_MS);
  await loaded.promise.finally(() => clearTimeout(late));
  return {
    requests: () => requests,
    complaints: () => complaints,
    async evaluate(expression) {
      const how = { expression, returnByValue: true, awaitPromise: true };
      const { result, exceptionDetails } = (await send("Runtime.evaluate", how)) as {
        result?: { value?: unknown };
        exceptionDetails?: unknown;
      };
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return result?.value;
    },
    async press(key) {
      const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
      const code = { Tab: 9, Enter: 13, " ": 32 }[key] ?? 0;
      const what = { key, windowsVirtualKeyCode: code, ...(text === undefined ? {} : { text }) };
      await send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...what });
      await send("Input.dispatchKeyEvent", { type: "keyUp", key, windowsVirtualKeyCode: code });
    },
    async screenshot(path) {
      const { data } = await send("Page.captureScreenshot", { format: "png" });
      writeFileSync(path, Buffer.from(String(data), "base64"));
    },
  };
}
