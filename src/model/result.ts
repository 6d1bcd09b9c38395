/*
 * The verdict of a recovery: one line on every console, one report on the disk.
 * Owns: schema of the ZSHIELD-RESULT line, and what a success is. No I/O.
 */
import * as v from "valibot";
import { TEST_OUTCOMES, VERDICTS } from "./factory.ts";
import { identityOf, type DiskIdentity } from "./machine.ts";
import { OPERATIONS } from "./operation.ts";
import type { Plan } from "./step.ts";
import { visibleJson } from "./text.ts";

export const RESULT_MARK = "ZSHIELD-RESULT ";

export const ResultSchema = v.strictObject({
  schema: v.literal(1),
  operation: v.picklist([...OPERATIONS, "menu", "none"]),
  outcome: v.picklist(["success", "refused", "failed"]),
  /** Whether anything was written to a disk. */
  changed: v.boolean(),
  /** The disk that was worked on; absent if none was chosen. */
  disk: v.optional(
    v.strictObject({
      path: v.string(),
      model: v.string(),
      serial: v.string(),
      wwn: v.string(),
      sizeBytes: v.number(),
    }),
  ),
  /** Version of the golden; "" if no card was found. */
  version: v.string(),
  steps: v.array(v.strictObject({ kind: v.string(), seconds: v.number(), bytes: v.number() })),
  /** Peak resident memory of the agent itself. */
  peakMemoryBytes: v.number(),
  /** The step at which an interrupted recovery was taken up, counted from 1; absent if it was not one. */
  resumedAt: v.optional(v.number()),
  /** Of the factory tests. */
  verdict: v.optional(v.picklist(VERDICTS)),
  /** Absent where they are too many for a line; the reports have them all. */
  tests: v.optional(
    v.array(v.strictObject({ name: v.string(), outcome: v.picklist(TEST_OUTCOMES) })),
  ),
  /** In English: what a person has to know beside a success, such as that the report is not on the audit volume. */
  warnings: v.optional(v.array(v.string())),
  error: v.optional(
    v.strictObject({ message: v.string(), hint: v.string(), step: v.optional(v.string()) }),
  ),
});
export type Result = v.InferOutput<typeof ResultSchema>;

/** Of a plan whose last step is done. */
export function successOf(
  { operation, version }: Plan,
  disk: DiskIdentity,
  done: Pick<Result, "steps" | "peakMemoryBytes"> & { readonly resumedAt?: number | undefined },
): Result {
  const { steps, peakMemoryBytes, resumedAt } = done;
  return {
    schema: 1,
    operation,
    outcome: "success",
    changed: true,
    disk: identityOf(disk),
    version,
    steps,
    peakMemoryBytes,
    ...(resumedAt === undefined ? {} : { resumedAt }),
  };
}

/** One line, and no character in it that a terminal does not show. */
export function printResult(result: Result): string {
  return RESULT_MARK + visibleJson(JSON.stringify(result));
}
