/*
 * dd, past the page cache. Each card has a process of its own that waits for it: a card that does not answer then
 * stops nobody else, which it would if all of them shared the few threads of this process.
 * Owns: starting it, feeding and draining it, ending it where nothing moves any more.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TOOL_PATH } from "./command.ts";

export interface Limits {
  /** Nothing moves for so long: it is given up. */
  readonly stallMs: number;
}

const COMMON = ["bs=4M", "status=none"];

/** Writes all pieces into an open file from an offset on, and flushes. @throws Error in the words of dd */
export async function writePieces(
  file: number,
  offsetBytes: number,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  onProgress: (bytes: number) => void,
  limits: Limits,
): Promise<void> {
  // Opened anew through our own, which stays open and alone: dd counts from where a file stands.
  const target = ["of=/proc/self/fd/1", "oflag=direct,seek_bytes", `seek=${offsetBytes}`];
  const how = ["iflag=fullblock", "conv=fsync,notrunc,nocreat"];
  const child = start([...target, ...how], ["pipe", file, "pipe"]);
  await supervise(child, limits, async (moved) => {
    const { stdin } = child;
    if (!stdin) throw new Error("dd has no standard input");
    let bytes = 0;
    const counted = async function* () {
      for await (const piece of pieces) {
        yield piece;
        onProgress((bytes += piece.length));
        moved();
      }
    };
    await pipeline(Readable.from(counted()), stdin);
  });
}

/** Reads so many bytes of a device from an offset on. @throws Error in the words of dd */
export async function readPieces(
  path: string,
  offsetBytes: number,
  sizeBytes: number,
  take: (piece: Uint8Array) => void,
  limits: Limits,
): Promise<void> {
  const from = [`if=${path}`, `skip=${offsetBytes}`, `count=${sizeBytes}`];
  const how = ["iflag=direct,fullblock,skip_bytes,count_bytes"];
  const child = start([...from, ...how], ["ignore", "pipe", "pipe"]);
  await supervise(child, limits, async (moved) => {
    if (!child.stdout) throw new Error("dd has no standard output");
    for await (const piece of child.stdout as AsyncIterable<Uint8Array>) {
      take(piece);
      moved();
    }
  });
}

function start(options: readonly string[], stdio: ("pipe" | "ignore" | number)[]): ChildProcess {
  return spawn("dd", [...COMMON, ...options], {
    stdio,
    env: { LC_ALL: "C", PATH: TOOL_PATH },
  });
}

/** What dd said counts more than the broken pipe that came of it. */
async function supervise(
  child: ChildProcess,
  { stallMs }: Limits,
  work: (moved: () => void) => Promise<void>,
): Promise<void> {
  const stalled = Promise.withResolvers<never>();
  stalled.promise.catch(() => undefined);
  const giveUp = () => {
    child.kill("SIGKILL");
    stalled.reject(new Error(`it does not answer: nothing moved for ${stallMs / 1000} s`));
  };
  let timer = setTimeout(giveUp, stallMs);
  const moved = () => {
    clearTimeout(timer);
    timer = setTimeout(giveUp, stallMs);
  };
  let said = "";
  child.stderr?.on("data", (piece: Buffer) => (said = `${said}${piece.toString()}`.slice(-2000)));
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  ended.catch(() => undefined);
  try {
    const trouble = await Promise.race([
      work(moved).then(
        () => undefined,
        (error: unknown) => error ?? new Error("dd was not fed to the end"),
      ),
      stalled.promise,
    ]);
    if (trouble !== undefined) child.stdin?.destroy();
    const [code, signal] = await Promise.race([ended, stalled.promise]);
    if (code === 0 && trouble === undefined) return;
    const words = said.trim().split("\n").at(-1) ?? "";
    if (words !== "") throw new Error(words.replace(/^dd: /, ""));
    throw trouble ?? new Error(`dd was ended by ${signal ?? `exit code ${code}`}`);
  } finally {
    clearTimeout(timer);
    if (child.exitCode === null) child.kill("SIGKILL");
    child.unref();
  }
}
