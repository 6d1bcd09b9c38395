/*
 * The thread beside a parser that is fuzzed (fuzz.ts starts it): ends the process when one input lasts too long.
 */
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { printInput } from "./fuzz.ts";

const { shared, name, seed } = workerData as {
  readonly shared: SharedArrayBuffer;
  readonly name: string;
  readonly seed: number;
};
const LIMIT_SECONDS =
  Number(process.env["ZSHIELD_FUZZ_LIMIT_SECONDS"] ?? "20") *
  Number(process.env["ZSHIELD_PATIENCE"] ?? "1");
const header = new Int32Array(shared, 0, 2);

let seen = -1;
let since = performance.now();
setInterval(() => {
  const count = Atomics.load(header, 0);
  if (count !== seen) {
    seen = count;
    since = performance.now();
  } else if (performance.now() - since > LIMIT_SECONDS * 1000) {
    const input = new Uint8Array(shared, 8, Atomics.load(header, 1)).slice();
    writeSync(
      2,
      `fuzz ${name} (ZSHIELD_FUZZ_SEED=${seed}): not done within ${LIMIT_SECONDS} s\n` +
        `crashes: [${printInput(input)}],\n`,
    );
    process.kill(process.pid, "SIGKILL");
  }
}, 100);
parentPort?.postMessage("ready");
