/*
 * Fuzzing of a parser: inputs made by changing valid ones, from random numbers with a seed, for so many seconds. A
 * parser may take an input or throw a Refusal; anything else that is thrown, and a parser that does not come to an
 * end, is a crash, and its input is printed ready for the `crashes` of that target.
 * ZSHIELD_FUZZ_SECONDS: how long each target runs (default 1). ZSHIELD_FUZZ_SEED: repeat a run.
 * Targets stand in files of their own, `fuzz-….test.ts`, which `npm run soak` runs for ten minutes a target.
 */
import { Worker } from "node:worker_threads";
import { Refusal } from "../../src/errors.ts";

export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs of all kinds. */
  readonly seeds: readonly FuzzInput[];
  /** Inputs that crashed it once; they are tried first, and changed like the seeds. */
  readonly crashes?: readonly FuzzInput[];
  /** What changing single bytes would hardly find: key words, limits. */
  readonly words?: readonly FuzzInput[];
  /** Longest input, in bytes; default 64 KiB. */
  readonly mostBytes?: number;
  /** Parses, and may check what it got: any error but a Refusal is a crash. */
  parse(input: Uint8Array): unknown;
}

export type FuzzInput = string | Uint8Array;

export interface FuzzReport {
  readonly inputs: number;
  readonly taken: number;
}

const KNOWN_WORDS: readonly FuzzInput[] = [
  ...["", "-1", "0", "00", "1e999", "999999", "1000000", "2147483648", "4294967295"],
  ...["9007199254740991", "9007199254740992", "18446744073709551616", "null", "[]", "{}"],
  ...[
    "__proto__",
    "constructor",
    "..",
    "/",
    "\\",
    "\0",
    "\r\n",
    "\t",
    '"',
    "'",
    "\u202e",
    "\ufeff",
  ],
  ...["\u{1f4f7}", Uint8Array.of(0xff, 0xfe), Uint8Array.of(0xed, 0xa0, 0x80)],
];
/** An input that takes longer three times over: a parser's time must not run away. */
const SLOW_MS = 500;
const MOST_CORPUS = 1000;
/** Ways of being refused that are remembered: in ten minutes there can be millions, each with its own words. */
const MOST_OUTCOMES = 20_000;
/** How often one changes what was taken, rather than what was refused. */
const TAKEN_SHARE = 0.75;

/** What is changed next. */
interface Corpus {
  readonly taken: Uint8Array[];
  readonly refused: Uint8Array[];
}

/** UTF-8, as Bun reads a file's text. */
export function asText(input: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(input);
}

/** Runs until its time is over. @throws Error with the input of the first crash */
export async function fuzz(target: FuzzTarget): Promise<FuzzReport> {
  const seconds = Number(process.env["ZSHIELD_FUZZ_SECONDS"] ?? "1");
  const seed = Number(process.env["ZSHIELD_FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  const most = target.mostBytes ?? 65_536;
  const firsts = [...(target.crashes ?? []), ...target.seeds].map(toBytes);
  const corpus: Corpus = { taken: [...firsts], refused: [] };
  const words = [...KNOWN_WORDS, ...(target.words ?? [])].map(toBytes);
  const outcomes = new Set<string>();
  const guard = await startGuard(target, seed, most);
  let inputs = 0;
  let taken = 0;
  const attempt = async (input: Uint8Array): Promise<void> => {
    guard.next(input);
    const outcome = await outcomeOf(target, input, seed);
    inputs++;
    if (outcome === "taken") taken++;
    // Some of what is taken, and all that is refused in a new way, is worth changing further.
    const isTaken = outcome === "taken";
    if (isTaken ? random() >= 0.02 : outcomes.has(outcome)) return;
    if (outcomes.size >= MOST_OUTCOMES) outcomes.clear();
    outcomes.add(outcome);
    const list = isTaken ? corpus.taken : corpus.refused;
    // The first ones stay: what came from them may have lost what they have.
    const kept = isTaken ? firsts.length : 0;
    if (list.length < MOST_CORPUS) list.push(input);
    else list[kept + Math.floor(random() * (list.length - kept))] = input;
  };
  try {
    for (const input of firsts) await attempt(input);
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) await attempt(mutate(corpus, words, random).slice(0, most));
  } finally {
    guard.stop();
  }
  return { inputs, taken };
}

/** `taken`, or the refusal without what is particular to this input. @throws Error if it crashed */
async function outcomeOf(target: FuzzTarget, input: Uint8Array, seed: number): Promise<string> {
  for (let tries = 0; ; tries++) {
    const began = performance.now();
    let outcome = "taken";
    try {
      const result = target.parse(input);
      if (result instanceof Promise) await result;
    } catch (error) {
      if (!(error instanceof Refusal)) {
        const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
        throw crash(target.name, seed, input, told);
      }
      outcome = error.message.slice(0, 1000).replaceAll(/"[^"]*"|\d+/g, "_");
    }
    const took = performance.now() - began;
    if (took < SLOW_MS) return outcome;
    if (tries === 2) {
      throw crash(target.name, seed, input, `took ${took.toFixed(0)} ms`);
    }
  }
}

/** Its own stack would only tell of this file. */
function crash(name: string, seed: number, input: Uint8Array, told: string): Error {
  const error = new Error(
    `fuzz ${name} (ZSHIELD_FUZZ_SEED=${seed}): ${told}\ncrashes: [${printInput(input)}],`,
  );
  error.stack = error.message;
  return error;
}

/** As it can be pasted into a test: a text where the bytes are one, else base64. */
export function printInput(input: Uint8Array): string {
  const text = asText(input);
  if (Buffer.from(text).equals(input)) {
    return JSON.stringify(text).replaceAll(
      /[^ -~]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  }
  return `Buffer.from("${Buffer.from(input).toString("base64")}", "base64")`;
}

/** Below 1, by Marsaglia's xorshift. */
export function randomFrom(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** One of the corpus with one to six changes. */
function mutate(corpus: Corpus, words: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = (list: readonly Uint8Array[]) => list[below(list.length)] ?? new Uint8Array();
  const pickInput = () =>
    pick(corpus.refused.length === 0 || random() < TAKEN_SHARE ? corpus.taken : corpus.refused);
  const replace = (input: Uint8Array, at: number, end: number, by: Uint8Array) =>
    Buffer.concat([input.subarray(0, at), by, input.subarray(end)]);
  /** A short piece more often than a long one. */
  const pieceOf = (input: Uint8Array) => {
    const at = below(input.length + 1);
    const length = below(random() < 0.8 ? 9 : input.length + 1);
    return [at, Math.min(input.length, at + length)] as const;
  };
  let bytes: Uint8Array = Buffer.from(pickInput());
  for (let changes = 1 + below(random() < 0.5 ? 1 : 6); changes > 0; changes--) {
    const [at, end] = pieceOf(bytes);
    const piece = bytes.slice(at, end);
    switch (below(9)) {
      case 0:
        if (bytes.length > 0) bytes[Math.min(at, bytes.length - 1)]! ^= 1 << below(8);
        break;
      case 1:
        if (bytes.length > 0) bytes[Math.min(at, bytes.length - 1)] = below(256);
        break;
      case 2:
        bytes = replace(bytes, at, end, new Uint8Array());
        break;
      case 3:
        bytes = replace(bytes, at, at, piece);
        break;
      case 4:
        bytes = replace(bytes, at, random() < 0.5 ? at : end, pick(words));
        break;
      case 5: {
        const other = pickInput();
        bytes = replace(bytes, at, end, other.slice(...pieceOf(other)));
        break;
      }
      case 6:
        bytes = bytes.slice(0, at);
        break;
      case 7: {
        const times = 2 ** below(random() < 0.9 ? 4 : 13);
        const repeated = Buffer.concat(Array<Uint8Array>(times).fill(piece.slice(0, 16)));
        bytes = replace(bytes, at, end, repeated);
        break;
      }
      case 8: {
        // Swaps two neighbouring pieces.
        const next = bytes.slice(end, end + piece.length);
        bytes = replace(bytes, at, end + next.length, Buffer.concat([next, piece]));
      }
    }
  }
  return bytes;
}

function toBytes(input: FuzzInput): Uint8Array {
  return typeof input === "string" ? Buffer.from(input) : input;
}

const COUNT = 0;
const LENGTH = 1;
const HEADER_BYTES = 8;

/**
 * A thread beside the parser: when the same input lasts too long, it prints it and ends the process, since nothing
 * inside a thread that does not come back can.
 */
async function startGuard(target: FuzzTarget, seed: number, most: number) {
  const largest = Math.max(
    most,
    ...[...target.seeds, ...(target.crashes ?? [])].map((input) => toBytes(input).length),
  );
  const shared = new SharedArrayBuffer(HEADER_BYTES + largest);
  const header = new Int32Array(shared, 0, 2);
  const copy = new Uint8Array(shared, HEADER_BYTES);
  const worker = new Worker(new URL("./fuzz-guard.ts", import.meta.url), {
    workerData: { shared, name: target.name, seed },
  });
  await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  return {
    next(input: Uint8Array): void {
      copy.set(input);
      header[LENGTH] = input.length;
      Atomics.add(header, COUNT, 1);
    },
    stop: () => void worker.terminate(),
  };
}
