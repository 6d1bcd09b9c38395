/*
 * `npm run soak`: every fuzz target for ten minutes, where the unit tests take a second. No machine is started.
 */
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { command } from "../lab/command.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { PROJECT } from "../lab/scratch.ts";

const SECONDS = 600;

export const scenario: Scenario = {
  name: "soak-fuzz",
  title: "no parser is crashed or held up by ten minutes of inputs",
  minutes: 120,
  needs: [],
  soak: true,
  async run(context) {
    const folder = join(PROJECT, "test/unit");
    const files = readdirSync(folder).filter((name) => /^fuzz-.*\.test\.ts$/.test(name));
    must(files.length > 0, "there are no fuzz targets");
    const counted: { file: string; targets: number }[] = [];
    for (const file of files) counted.push({ file, targets: await runTargets(folder, file, 1) });
    // Each has a processor to itself; the one with the most targets begins.
    const left = counted.toSorted((a, b) => b.targets - a.targets);
    const work = async () => {
      for (let next = left.shift(); next; next = left.shift()) {
        const { file, targets } = next;
        const passed = await runTargets(folder, file, SECONDS);
        must(passed === targets, `${file}: ${passed} of ${targets} targets`);
        context.note(`${file}: ${targets} targets, ${SECONDS} s each`);
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, work));
  },
};

/** `seconds`: for each target. Returns how many there are. @throws Error where one fails */
async function runTargets(folder: string, file: string, seconds: number): Promise<number> {
  const environment = { ZSHIELD_FUZZ_SECONDS: String(seconds) };
  const argv = [process.execPath, join(folder, file)];
  const { stdout, stderr, code } = await command(argv, { environment, accept: [1, 137] });
  must(code === 0, `${file}, ${code}: ${`${stdout}\n${stderr}`.slice(-8000)}`);
  const targets = Number(/^\s*Passed:\s+(\d+)/m.exec(stdout)?.[1] ?? 0);
  must(targets > 0, `${file} has no targets: ${stdout}`);
  return targets;
}
