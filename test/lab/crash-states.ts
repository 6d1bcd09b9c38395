/*
 * What a disk may hold after a power cut, by the rule that disks follow: whatever was written before a
 * flush that the disk has acknowledged is there; of what was written after it, any part may be.
 * For each flush: the disk just then, with a part of the later writes by chance (twice), and with the later
 * writes in their order up to one that is torn between two sectors.
 * Owns: epochs, states, and which of them are taken. Pure; everything by chance comes from a seed.
 */
import { MIB } from "../../src/model/size.ts";
import { makeRandom } from "./scenario.ts";
import type { LogEntry, LoggedWrite, WriteLog } from "./write-log.ts";

const SECTOR = 512;
/** A longer write may arrive in parts. */
const MOST_PIECE_BYTES = MIB;
const MOST_PIECES = 32;

/** The writes between two flushes; behind the last flush there may be none. */
export interface Epoch {
  /** How many flushes the disk had acknowledged. */
  readonly flush: number;
  /** Indices into the log: the first write, and one past the last. */
  readonly begin: number;
  readonly end: number;
}

export const STATE_KINDS = ["flushed", "subset", "another-subset", "torn"] as const;
export type StateKind = (typeof STATE_KINDS)[number];

/** Bytes of a write that have arrived. */
export interface Piece {
  readonly write: LoggedWrite;
  readonly skipBytes: number;
  readonly sizeBytes: number;
}

export interface CrashState {
  readonly epoch: Epoch;
  readonly phase: string;
  readonly kind: StateKind;
  /** On top of everything before `epoch.begin`, in this order. */
  readonly pieces: readonly Piece[];
  /** `lvm: flush 120, torn, 3 of 7 writes` */
  readonly name: string;
}

export interface Selection {
  readonly seed: number | string;
  /** What is being written, by a name of the caller's. */
  readonly phaseOf: (writes: readonly LoggedWrite[], epoch: Epoch) => string;
  /**
   * The largest number of states of a phase; a phase that is not named is taken whole. The disk as it was at
   * last, if everything was flushed, is the phase `end`.
   */
  readonly most?: Readonly<Record<string, number>>;
}

/**
 * Epochs with at least one write, and the end. `heeds` leaves flushes out, as if the guest had not sent them: the control
 * of a test of the write order. Its argument counts from 1.
 */
export function epochsOf(
  entries: readonly LogEntry[],
  heeds: (flush: number) => boolean = () => true,
): Epoch[] {
  const epochs: Epoch[] = [];
  let flush = 0;
  let heeded = 0;
  let begin = 0;
  const close = (end: number) => {
    const isEmpty = writesIn(entries, begin, end).length === 0;
    if (!isEmpty || end === entries.length) epochs.push({ flush: heeded, begin, end });
  };
  for (const [index, { kind }] of entries.entries()) {
    if (kind !== "flush") continue;
    flush += 1;
    if (!heeds(flush)) continue;
    close(index);
    heeded = flush;
    begin = index + 1;
  }
  close(entries.length);
  return epochs;
}

export function writesIn(
  entries: readonly LogEntry[],
  begin: number,
  end: number,
): readonly LoggedWrite[] {
  return entries.slice(begin, end).filter((entry): entry is LoggedWrite => entry.kind !== "flush");
}

/** In the order of the log. The same for the same log and seed. */
export function planStates(
  log: Pick<WriteLog, "entries">,
  { seed, phaseOf, most = {} }: Selection,
  epochs: readonly Epoch[] = epochsOf(log.entries),
): CrashState[] {
  const byPhase = new Map<string, { epoch: Epoch; kind: StateKind }[]>();
  for (const epoch of epochs) {
    const writes = writesIn(log.entries, epoch.begin, epoch.end);
    const phase = writes.length === 0 ? "end" : phaseOf(writes, epoch);
    const known = byPhase.get(phase) ?? [];
    const kinds = writes.length === 0 ? (["flushed"] as const) : STATE_KINDS;
    for (const kind of kinds) known.push({ epoch, kind });
    byPhase.set(phase, known);
  }
  return [...byPhase]
    .flatMap(([phase, all]) =>
      sample(all, most[phase] ?? all.length, makeRandom(`${seed} ${phase}`)).map(
        ({ epoch, kind }) => makeState(log.entries, epoch, kind, phase, seed),
      ),
    )
    .sort((a, b) => a.epoch.begin - b.epoch.begin || order(a.kind) - order(b.kind));
}

function order(kind: StateKind): number {
  return STATE_KINDS.indexOf(kind);
}

function sample<T>(all: readonly T[], count: number, random: () => number): T[] {
  const left = [...all];
  const taken: T[] = [];
  while (taken.length < count && left.length > 0) {
    taken.push(...left.splice(Math.floor(random() * left.length), 1));
  }
  return taken;
}

function makeState(
  entries: readonly LogEntry[],
  epoch: Epoch,
  kind: StateKind,
  phase: string,
  seed: number | string,
): CrashState {
  const random = makeRandom(`${seed} ${epoch.begin} ${kind}`);
  const writes = writesIn(entries, epoch.begin, epoch.end);
  const pieces =
    kind === "flushed" ? [] : kind === "torn" ? tear(writes, random) : scatter(writes, random);
  const arrived = new Set(pieces.map(({ write }) => write)).size;
  const name = `${phase}: flush ${epoch.flush}, ${kind}, ${arrived} of ${writes.length} writes`;
  return { epoch, phase, kind, pieces, name };
}

/** The first writes whole, and of the next one the first sectors. */
function tear(writes: readonly LoggedWrite[], random: () => number): Piece[] {
  const last = Math.floor(random() * writes.length);
  return writes.slice(0, last + 1).flatMap((write, index) => {
    if (index < last || write.durable) return [whole(write)];
    const sectors = write.sizeBytes / SECTOR;
    // A single sector is written or not.
    const arrived = sectors === 1 ? 0 : 1 + Math.floor(random() * (sectors - 1));
    return arrived === 0 ? [] : [{ write, skipBytes: 0, sizeBytes: arrived * SECTOR }];
  });
}

/** The power fails somewhere in the epoch; of what was sent until then, anything may be missing. */
function scatter(writes: readonly LoggedWrite[], random: () => number): Piece[] {
  const share = [0.1, 0.5, 0.9][Math.floor(random() * 3)] ?? 0.5;
  const sent = random() < 0.5 ? writes.length : 1 + Math.floor(random() * writes.length);
  return writes
    .slice(0, sent)
    .flatMap((write) =>
      write.durable ? [whole(write)] : partsOf(write, random).filter(() => random() < share),
    );
}

function partsOf(write: LoggedWrite, random: () => number): Piece[] {
  if (write.sizeBytes <= MOST_PIECE_BYTES) return [whole(write)];
  const sectors = write.sizeBytes / SECTOR;
  const count = Math.min(MOST_PIECES, Math.ceil(write.sizeBytes / MOST_PIECE_BYTES) * 2);
  const cuts = Array.from({ length: count - 1 }, () => 1 + Math.floor(random() * (sectors - 1)));
  const edges = [0, ...new Set(cuts.sort((a, b) => a - b)), sectors];
  return edges.slice(1).map((edge, index) => {
    const from = edges[index] ?? 0;
    return { write, skipBytes: from * SECTOR, sizeBytes: (edge - from) * SECTOR };
  });
}

function whole(write: LoggedWrite): Piece {
  return { write, skipBytes: 0, sizeBytes: write.sizeBytes };
}
