/*
 * The table of `npm run bench -- images`. Owns: the sentences and the columns. Pure.
 */
import { MIB } from "../../src/model/size.ts";
import { printNumber, printTable, ratiosOf, spreadOf } from "./figures.ts";
import type { Report } from "./part.ts";

export interface Measured {
  readonly name: string;
  readonly imageBytes: number;
  /** As it travels: an image that is not compressed, by zstd -19. */
  readonly blobBytes: number;
  readonly patchBytes: number;
  readonly packSeconds: number;
  readonly reads: { readonly allSeconds: number; readonly randomSeconds: number }[];
}

/** Reading as the median of the ratios to the first format in the same round. */
export function reportImages(measured: readonly Measured[], rounds: number): Report {
  const [base] = measured;
  if (!base) throw new Error("nothing was measured");
  const mib = (bytes: number) => (bytes / MIB).toFixed(1);
  const times = ({ reads }: Measured, key: "allSeconds" | "randomSeconds") =>
    reads.map((read) => read[key]);
  const rows = measured.map((format) => [
    format.name,
    mib(format.imageBytes),
    mib(format.blobBytes),
    mib(format.patchBytes),
    printNumber(format.packSeconds),
    ...(["allSeconds", "randomSeconds"] as const).map((key) =>
      printNumber(ratiosOf(times(format, key), times(base, key)).median),
    ),
  ]);
  const head = ["file system", "image MiB", "as it travels", "difference", "pack s"];
  const median = (key: "allSeconds" | "randomSeconds") =>
    printNumber(spreadOf(times(base, key)).median);
  const text = [
    printTable([...head, "read all", "read at random"], rows),
    "",
    `Reading: ${rounds} rounds, another order in each, medians of the ratios to the first row in the same round, which`,
    `took ${median("allSeconds")} s for everything and ${median("randomSeconds")} s for 4,000 blocks of 4 KiB.`,
  ].join("\n");
  return { text, data: measured };
}
