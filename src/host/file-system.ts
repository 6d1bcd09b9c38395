/*
 * Checking a file system: a look that writes nothing, and a repair only where the look found faults.
 */
import { CommandError } from "../errors.ts";
import { query, run, tellFailure } from "./command.ts";

/** e2fsck(8): faults were corrected; corrected, and the system should be restarted. */
const REPAIRED = [0, 1, 2];

/** e2fsck(8): faults are left, which is what a look ends with that finds some. */
const FAULTY = 4;

/** @throws CommandError if faults are left, or if the look itself could not be done. */
export async function checkFileSystem(
  look: readonly string[],
  repair: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  try {
    await query(look, { timeoutMs: 3600_000 });
    return;
  } catch (error) {
    if (!hasFoundFaults(error)) throw error;
    log(`the file system has faults: ${tellFailure(error)}`);
  }
  await run(repair, { okCodes: REPAIRED, log });
}

/** A look that was stopped or could not read the device is no reason to write to it. */
function hasFoundFaults(error: unknown): boolean {
  return (
    error instanceof CommandError && error.outcome.kind === "exit" && error.outcome.code === FAULTY
  );
}
