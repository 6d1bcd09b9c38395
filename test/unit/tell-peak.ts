/*
 * Loaded in front of a program whose memory is measured (peak.ts): tells at the end how much it was at most.
 */
import { readFileSync } from "node:fs";

process.on("exit", () => {
  console.error(/VmHWM:.*/.exec(readFileSync("/proc/self/status", "utf8"))?.[0]);
});
