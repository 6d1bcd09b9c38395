/*
 * `npm run soak`: every fuzz target for ten minutes, where the unit tests take a second. No machine is started.
 */
import { readdirSync } from "node:fs";
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
    for (const file of files) {
      const environment = { ZSHIELD_FUZZ_SECONDS: String(SECONDS) };
      const argv = [process.execPath, join(folder, file)];
      const { stdout, stderr, code } = await command(argv, { environment, accept: [1, 137] });
      must(code === 0, `${file}, ${code}: ${`${stdout}\n${stderr}`.slice(-8000)}`);
      const targets = /^\s*Passed:\s+(\d+)/m.exec(stdout)?.[1] ?? "no";
      context.note(`${file}: ${targets} targets, ${SECONDS} s each`);
    }
  },
};
