/*
 * The command in a process of its own, and the most memory that it had.
 * Owns: how that is measured.
 */
import { readFileSync } from "node:fs";
import { MIB } from "../../src/model/size.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const TELL = new URL("./tell-peak.ts", import.meta.url).pathname;

export interface Peak {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly mib: number;
}

/** Of this process, so far. */
export function ownPeakMib(): number {
  return mibIn(readFileSync("/proc/self/status", "utf8"));
}

function mibIn(text: string): number {
  return (Number(/VmHWM:\s+(\d+) kB/.exec(text)?.[1]) * 1024) / MIB;
}

/** Not maxRSS: a child has its parent's until it has more. */
export async function peakOf(words: readonly string[]): Promise<Peak> {
  const child = Bun.spawn([process.execPath, "--preload", TELL, MAIN, ...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr, mib: mibIn(stderr) };
}
