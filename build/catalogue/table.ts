/*
 * The catalogue's table: the seed's size beside ours. Owns: its form. Pure.
 */
import type { Judged } from "../../src/model/harvest.ts";
import { MIB } from "../../src/model/size.ts";
import { APPLICATIONS } from "./applications.ts";

export interface Result {
  readonly recipe: string;
  readonly kind: "boot" | "base" | "extra";
  /** Why there is none. */
  readonly fault?: string;
  readonly package?: string;
  readonly version?: string;
  readonly needs?: readonly string[];
  /** Names of files, of the kind "boot". */
  readonly boot?: readonly string[];
  readonly treeBytes?: number;
  readonly imageBytes?: number;
  readonly blobBytes?: number;
  readonly missing?: readonly Judged[];
  readonly health?: "ok" | "failed" | "none" | "only on a device";
  readonly healthSaid?: string;
}

const megabytes = (bytes: number | undefined) =>
  bytes === undefined ? "" : (bytes / MIB).toFixed(bytes < MIB ? 2 : 1);

/** In the seed's order; Markdown. `isPart`: only the rows of these results. */
export function printTable(results: readonly Result[], isPart = false): string[] {
  const known = new Map(results.map((result) => [result.recipe, result]));
  const shown = new Set<string>();
  const rows = APPLICATIONS.filter(
    ({ recipe }) => !isPart || (recipe !== undefined && known.has(recipe)),
  ).map(({ name, seedSize, recipe, note = "" }) => {
    const result = recipe === undefined ? undefined : known.get(recipe);
    const isAgain = recipe !== undefined && shown.has(recipe);
    if (recipe !== undefined) shown.add(recipe);
    const called = recipe === undefined ? "none" : recipe === name ? "" : `as \`${recipe}\``;
    const words = [called, isAgain && note === "" ? "named twice in the seed" : note].filter(
      (text) => text !== "",
    );
    return [
      name,
      String(seedSize),
      ...(isAgain ? ["", "", "", "", ""] : cellsOf(result)),
      words.join(": "),
    ];
  });
  const others = [...known.values()].filter(
    ({ recipe }) => !APPLICATIONS.some((application) => application.recipe === recipe),
  );
  const head = [
    "application",
    "seed, MB",
    "blob, MiB",
    "image, MiB",
    "Debian's version",
    "needs",
    "health",
    "note",
  ];
  return [
    head,
    head.map(() => "---"),
    ...rows,
    ...others.map((result) => [result.recipe, "", ...cellsOf(result), "not in the seed"]),
  ].map((cells) => `| ${cells.join(" | ")} |`);
}

/** Blob, image, version, needs, health. */
function cellsOf(result: Result | undefined): string[] {
  const { version = "", needs = [], imageBytes, blobBytes } = result ?? {};
  return [
    megabytes(blobBytes),
    megabytes(imageBytes),
    version,
    needs.join(", "),
    result === undefined ? "" : verdictOf(result),
  ];
}

function verdictOf({ fault, missing = [], health }: Result): string {
  if (fault !== undefined) return "not made";
  return missing.length > 0 ? `not whole: ${missing.length} missing` : (health ?? "");
}
