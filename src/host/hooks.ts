/*
 * Programs of the appliance's maker in a directory, as run-parts(8) has it: executables in the order of
 * their names. Owns: finding and running them with a time limit. Must not know what they are for.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.ts";

/** Names as run-parts takes them: no backups of editors, no `.dpkg-old`. */
const NAME = /^[A-Za-z0-9_-]+$/;

export function listHooks(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  return names
    .filter((name) => NAME.test(name))
    .sort()
    .map((name) => join(directory, name))
    .filter((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found !== undefined && found.isFile() && (found.mode & 0o111) !== 0;
    });
}

/** @throws CommandError if it fails or takes too long. */
export async function runHook(
  path: string,
  args: readonly string[],
  options: { seconds: number; stdin?: string; log(line: string): void },
): Promise<void> {
  const { seconds, stdin, log } = options;
  await run([path, ...args], {
    timeoutMs: seconds * 1000,
    log,
    ...(stdin === undefined ? {} : { stdin }),
  });
}
