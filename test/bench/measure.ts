/*
 * Calling the programs that a benchmark compares. Owns: time and memory of one program alone, through GNU time.
 */
import { rmSync } from "node:fs";

export interface Cost {
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly peakMib: number;
}

/** @throws Error with what the program said */
export function measured(argv: readonly string[], cwd?: string): Cost {
  const { exitCode, stderr } = Bun.spawnSync(
    ["time", "--quiet", "--format=%e %U %S %M", ...argv],
    cwd === undefined ? {} : { cwd },
  );
  if (exitCode !== 0) throw new Error(`${argv[0]} failed: ${stderr.toString().slice(-500)}`);
  const words = stderr.toString().trim().split("\n").at(-1)?.split(" ").map(Number) ?? [];
  const [seconds = NaN, user = NaN, system = NaN, kib = NaN] = words;
  return { seconds, processorSeconds: user + system, peakMib: kib / 1024 };
}

/** What it printed. @throws Error with what it said */
export function call(argv: readonly string[], cwd?: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], cwd === undefined ? {} : { cwd });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr.toString().slice(-500)}`);
  return stdout.toString();
}

/** One after the other. */
export function sumOf(costs: readonly Cost[]): Cost {
  return {
    seconds: costs.reduce((sum, { seconds }) => sum + seconds, 0),
    processorSeconds: costs.reduce((sum, { processorSeconds }) => sum + processorSeconds, 0),
    peakMib: Math.max(...costs.map(({ peakMib }) => peakMib)),
  };
}

/** Compares and removes what was made. */
export function checkEqual(made: string, wanted: string): void {
  call(["cmp", made, wanted]);
  rmSync(made);
}
