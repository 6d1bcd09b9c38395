/*
 * What a part of `npm run bench` is. Owns: the types. test/bench/run.ts decides what runs.
 */
import type { RootName } from "../lab/card.ts";
import type { Context } from "../lab/scenario.ts";

export interface Part {
  /** Short and unique; `npm run bench -- NAME` picks it. */
  readonly name: string;
  /** The question that it answers. */
  readonly title: string;
  /** On two cores without KVM, with the cards made. */
  readonly minutes: number;
  readonly needs: readonly RootName[];
  run(context: Context, options: BenchOptions): Promise<Report>;
}

export interface BenchOptions {
  /** Everything is measured so often, in another order each time. */
  readonly rounds: number;
  /** Tells a person how far it has got. */
  readonly tell: (text: string) => void;
}

export interface Report {
  /** Markdown, ready for the README. */
  readonly text: string;
  /** All that was measured, for the JSON file. */
  readonly data: unknown;
}
