/*
 * The figures of the snapshot benchmark as tables: how many times as long each load takes as without a
 * snapshot in the same round, what the snapshot took, and how long its merge lasted.
 * Owns: the report. Pure.
 */
import { MIB } from "../../src/model/size.ts";
import { printNumber, printSpread, printTable, ratiosOf, spreadOf } from "./figures.ts";
import type { Report } from "./part.ts";
import type { JOBS, JOBS_AGAIN } from "./snapshot-output.ts";

export interface Round {
  /** Milliseconds of each job, on a fresh snapshot. */
  readonly first: Record<(typeof JOBS)[number], number>;
  /** The same blocks again. */
  readonly again: Record<(typeof JOBS_AGAIN)[number], number>;
  /** What the random load took of the snapshot's space. */
  readonly filledBytes: number;
  readonly mergeMs?: number;
}

export interface Measured {
  readonly kernel: string;
  /** Kind (none, chunk size in KiB, thin) → one for each round. */
  readonly kinds: Readonly<Record<string, readonly Round[]>>;
}

const COLUMNS: readonly { readonly head: string; readonly ms: (round: Round) => number }[] = [
  { head: "sequential", ms: ({ first }) => first.sequential },
  { head: "again", ms: ({ again }) => again.sequential },
  { head: "random", ms: ({ first }) => first.random },
  { head: "again", ms: ({ again }) => again.random },
  { head: "synced", ms: ({ first }) => first.synced },
  { head: "small files", ms: ({ first }) => first.files },
];
const HEAD = ["snapshot", ...COLUMNS.map(({ head }) => head), "space, MiB", "merge, s"];

export function reportSnapshot(disks: Readonly<Record<"slow" | "bare", Measured>>): Report {
  const text = [
    "On a disk that takes the time of a hard disk:",
    printMeasured(disks.slow),
    "On a bare disk:",
    printMeasured(disks.bare),
  ].join("\n\n");
  return { text, data: disks };
}

function printMeasured({ kinds }: Measured): string {
  const bases = kinds.none ?? [];
  const plain = [
    "none, s",
    ...COLUMNS.map(({ ms }) => printSpread(spreadOf(bases.map((round) => ms(round) / 1000)))),
    "",
    "",
  ];
  const names = [...Object.keys(kinds).filter((kind) => kind !== "none")];
  const order = names.toSorted((a, b) => rank(a) - rank(b));
  return printTable(HEAD, [
    plain,
    ...order.map((kind) => printKind(kind, kinds[kind] ?? [], bases)),
  ]);
}

const rank = (kind: string): number => (kind === "thin" ? Infinity : Number(kind));

function printKind(kind: string, rounds: readonly Round[], bases: readonly Round[]): string[] {
  const merges = rounds.flatMap(({ mergeMs }) => (mergeMs === undefined ? [] : [mergeMs / 1000]));
  return [
    kind === "thin" ? "thin, 64 KiB" : `${kind} KiB`,
    ...COLUMNS.map(({ ms }) => printSpread(ratiosOf(rounds.map(ms), bases.map(ms)))),
    printNumber(spreadOf(rounds.map(({ filledBytes }) => filledBytes / MIB)).median),
    merges.length === 0 ? "" : printSpread(spreadOf(merges)),
  ];
}
