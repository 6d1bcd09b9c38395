/*
 * The signals that end a program. Owns: which of them may be listened for. One that is ignored from the start, as nohup and a
 * shell's jobs in the background have it, would end the program as soon as anybody has listened for it.
 */
import { readFileSync } from "node:fs";
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** As it was when the program began: whoever listened changes it. */
const ignored = readIgnored();

export const ENDING: readonly (typeof SIGNALS)[number][] = SIGNALS.filter(
  (signal) => ((ignored >> BigInt(constants.signals[signal] - 1)) & 1n) === 0n,
);

function readIgnored(): bigint {
  const status = readFileSync("/proc/self/status", "latin1");
  return BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
}
