/*
 * What a QEMU scenario is, and the surroundings it runs in: a folder for its images, its logs, its
 * random numbers, its machines. Whatever it leaves behind is ended and removed when it is closed; and
 * closing it proves the first law: no card was written to.
 * Owns: the types and the surroundings. test/run.ts decides what runs when.
 */
import { join } from "node:path";
import { labCard, useCard, type CardInUse, type RootName } from "./card.ts";
import type { MachineOptions } from "./hardware.ts";
import { bytesWritten } from "./images.ts";
import { startMachine, type Machine } from "./machine.ts";
import { dropFolder, LAB_DIRECTORY, makeFolder } from "./scratch.ts";

export interface Scenario {
  /** Short and unique, with dashes; `npm test -- NAME` picks it. */
  readonly name: string;
  /** What holds, as a sentence. */
  readonly title: string;
  /** How long it takes on two cores without KVM, for the order and for its limit. */
  readonly minutes: number;
  /** Cards it uses. */
  readonly needs: readonly RootName[];
  /** Only in `npm run soak`. */
  readonly soak?: boolean;
  run(context: Context): Promise<void>;
}

export interface Context {
  readonly name: string;
  readonly folder: string;
  /** 0 to below 1, from the seed of this run and the scenario's name. */
  readonly random: () => number;
  /** A line for the report, also of a scenario that passes. */
  note(text: string): void;
  start(options: Omit<MachineOptions, "logs">): Promise<Machine>;
  card(root: RootName): Promise<CardInUse>;
}

export interface OpenContext extends Context {
  readonly notes: readonly string[];
  /** The machine that was started last: its log tells most. */
  lastMachine(): Machine | undefined;
  /** Ends machines, removes images. @throws Error if a card was written to. */
  close(): Promise<void>;
}

export function openContext(name: string, seed: number): OpenContext {
  const folder = makeFolder(name);
  const logs = join(LAB_DIRECTORY, "logs", name);
  const machines: Machine[] = [];
  const cards: CardInUse[] = [];
  const notes: string[] = [];
  const names = new Map<string, number>();
  /** `boot`, `boot-2`, `boot-3`: every machine has a log of its own. */
  const numbered = (wanted: string): string => {
    const count = (names.get(wanted) ?? 0) + 1;
    names.set(wanted, count);
    return count === 1 ? wanted : `${wanted}-${count}`;
  };
  return {
    name,
    folder,
    random: makeRandom(`${seed} ${name}`),
    notes,
    note: (text) => void notes.push(text),
    async start(options) {
      const machine = await startMachine({ ...options, name: numbered(options.name), logs });
      machines.push(machine);
      return machine;
    },
    async card(root) {
      const card = await useCard(folder, numbered(`card-${root}`), await labCard(root));
      cards.push(card);
      return card;
    },
    lastMachine: () => machines.at(-1),
    async close() {
      await Promise.all(machines.map((machine) => machine.kill()));
      const written = await Promise.all(cards.map(({ layer }) => bytesWritten(layer)));
      dropFolder(folder);
      const most = Math.max(0, ...written);
      if (most > 0) throw new Error(`the card was written to (${most} bytes)`);
    },
  };
}

/** mulberry32 over a hash of the text: the same numbers for the same seed, on every machine. */
export function makeRandom(text: string): () => number {
  let state = Bun.hash.crc32(text) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @throws Error with these words if it does not hold. */
export function must(holds: boolean, words: string): asserts holds {
  if (!holds) throw new Error(words);
}
