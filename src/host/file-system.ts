/*
 * Checking a file system: a look that writes nothing, and a repair only where the look found faults.
 */
import { query, run, tellFailure } from "./command.ts";

/** e2fsck(8): faults were corrected; corrected, and the system should be restarted. */
const REPAIRED = [0, 1, 2];

/** @throws CommandError if faults are left. Returns whether something was repaired. */
export async function checkFileSystem(
  look: readonly string[],
  repair: readonly string[],
  log: (line: string) => void,
): Promise<boolean> {
  try {
    await query(look, { timeoutMs: 3600_000 });
    return false;
  } catch (error) {
    log(`the file system has faults: ${tellFailure(error)}`);
  }
  await run(repair, { okCodes: REPAIRED, log });
  return true;
}
