/*
 * The log of a recovery: in memory-backed /run while it works, copied to the disk with the report.
 */
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

export interface Log {
  line(text: string): void;
  text(): string;
}

export const LOG_FILE = "/run/zshield/recovery.log";
/** The log lives in RAM; a tool that floods it must not fill the machine. */
const MOST_BYTES = 4 * 1024 * 1024;

export function openLog(path: string = LOG_FILE): Log {
  mkdirSync(dirname(path), { recursive: true });
  // It can be read before anything was written.
  appendFileSync(path, "");
  const started = performance.now();
  let bytes = 0;
  return {
    line(text) {
      const stamp = ((performance.now() - started) / 1000).toFixed(2).padStart(8);
      const line = `${stamp} ${text}\n`;
      bytes += line.length;
      if (bytes < MOST_BYTES) appendFileSync(path, line);
    },
    text: () => readFileSync(path, "utf8"),
  };
}
