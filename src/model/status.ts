/*
 * What `zshield status` tells. Owns: the type.
 */
import type { Result } from "./result.ts";

export interface Status {
  readonly version: string;
  readonly disk: string;
  readonly root: string;
  readonly backup?: {
    readonly takenSeconds: number;
    readonly reason: string;
    readonly percent: number;
  };
  readonly lastRecovery?: Pick<Result, "operation" | "outcome" | "version">;
  /** What is wrong, in words; empty: all is well. */
  readonly trouble: readonly string[];
}
