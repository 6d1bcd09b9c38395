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
  readonly treeBytes?: number;
  readonly imageBytes?: number;
  readonly blobBytes?: number;
  readonly missing?: readonly Judged[];
  readonly health?: "ok" | "failed" | "none" | "only on a device";
  readonly healthSaid?: string;
}

const megabytes = (bytes: number | undefined) =>
  bytes === undefined ? "" : (bytes / MIB).toFixed(bytes < MIB ? 2 : 1);

/** In the seed's order; Markdown. */
export function printTable(results: readonly Result[]): string[] {
  const known = new Map(results.map((result) => [result.recipe, result]));
  const shown = new Set<string>();
  const rows = APPLICATIONS.map(({ name, seedSize, recipe, note = "" }) => {
    const result = recipe === undefined ? undefined : known.get(recipe);
    const isAgain = recipe !== undefined && shown.has(recipe);
    if (recipe !== undefined) shown.add(recipe);
    const called = recipe === undefined ? "none" : recipe === name ? "" : `as \`${recipe}\``;
    const words = [called, isAgain && note === "" ? "named twice in the seed" : note].filter(
      (text) => text !== "",
    );
    const { version = "", needs = [], imageBytes, blobBytes, health } = result ?? {};
    return [
      name,
      String(seedSize),
      ...(isAgain
        ? ["", "", "", "", ""]
        : [megabytes(blobBytes), megabytes(imageBytes), version, needs.join(", "), health ?? ""]),
      words.join(": "),
    ];
  });
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
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}
