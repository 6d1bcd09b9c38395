/*
 * Arithmetic and tables of the benchmarks: medians, the range around them, and ratios that compare only
 * what was measured in the same round, so that a machine that is busy for a while disturbs both sides.
 * Owns: pure functions. Measures nothing.
 */

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** @throws Error if there is nothing to look at. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [least, upper, most] = [sorted[0], sorted[middle], sorted.at(-1)];
  if (least === undefined || upper === undefined || most === undefined) {
    throw new Error("a spread of no values");
  }
  const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? upper);
  return { median: (lower + upper) / 2, least, most };
}

/** Value by value against the base of the same round. @throws Error if a round is missing. */
export function ratiosOf(values: readonly number[], bases: readonly number[]): Spread {
  if (values.length !== bases.length) {
    throw new Error(`${values.length} rounds cannot be compared with ${bases.length}`);
  }
  return spreadOf(values.map((value, round) => value / (bases[round] ?? NaN)));
}

/** Each round begins one further on, so that none is always first or always after the same one. */
export function rotate<T>(items: readonly T[], round: number): T[] {
  const at = round % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

/** Two digits that mean something: 0.97, 3.4, 12. */
export function printNumber(value: number): string {
  if (value >= 10) return value.toFixed(0);
  return value.toFixed(value >= 1.995 ? 1 : 2);
}

/** `3.4 (3.1–3.9)`; the range only where it can be seen. */
export function printSpread({ median, least, most }: Spread): string {
  const [middle, low, high] = [median, least, most].map(printNumber);
  return low === high ? `${middle}` : `${middle} (${low}–${high})`;
}

/** A Markdown table, first column to the left, all others to the right. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (column === 0 ? "---" : "--:"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
