/*
 * `npm run bench`: what things cost, most of them measured in a virtual machine. Figures are ratios within one run:
 * seconds of an emulated processor say nothing about yours.
 * Owns: the command line, the order, dist/bench/NAME.json and the printed tables. Each part is a file
 * beside this one.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/errors.ts";
import { hasKvm } from "../lab/hardware.ts";
import { openContext } from "../lab/scenario.ts";
import { PROJECT } from "../lab/scratch.ts";
import { bundle } from "./bundle.ts";
import { images } from "./images.ts";
import type { Part } from "./part.ts";
import { snapshot } from "./snapshot.ts";

const PARTS: readonly Part[] = [snapshot, bundle, images];

const USAGE = `npm run bench -- [PART…] [--rounds=3] [--list]
  PART      ${PARTS.map(({ name }) => name).join(", ")} (default: all)
  --rounds  how often everything is measured
The figures are also written to dist/bench/PART.json.`;

interface Options {
  readonly parts: readonly Part[];
  readonly rounds: number;
  readonly isList: boolean;
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options.isList) {
    for (const { name, minutes, title } of options.parts) {
      console.log(`${name.padEnd(12)} ${String(minutes).padStart(3)} min  ${title}`);
    }
    return 0;
  }
  let failed = 0;
  for (const part of options.parts) if (!(await runPart(part, options.rounds))) failed += 1;
  return failed > 0 ? 1 : 0;
}

/** @throws Error in words for a person. */
function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "3" },
      list: { type: "boolean", default: false },
    },
  });
  if (!/^[1-9]\d?$/.test(values.rounds)) throw new Error("--rounds must be 1 to 99");
  const unknown = positionals.find((word) => !PARTS.some(({ name }) => name === word));
  if (unknown !== undefined) throw new Error(`there is no part “${unknown}”`);
  return {
    parts: PARTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
    rounds: Number(values.rounds),
    isList: values.list,
  };
}

async function runPart(part: Part, rounds: number): Promise<boolean> {
  const { name, title, minutes } = part;
  const started = Date.now();
  const tell = (text: string): void => {
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    console.error(`bench ${name} ${seconds.padStart(5)} s: ${text}`);
  };
  tell(`${title} (some ${minutes} min)`);
  const context = openContext(`bench-${name}`, 0);
  try {
    const { text, data } = await part.run(context, { rounds, tell });
    await context.close();
    const seconds = Math.round((Date.now() - started) / 1000);
    const accelerator = hasKvm() ? "KVM" : "TCG";
    const folder = join(PROJECT, "dist/bench");
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${name}.json`);
    const record = { name, when: new Date(started).toISOString(), seconds, accelerator, rounds };
    writeFileSync(file, `${JSON.stringify({ ...record, data }, undefined, 2)}\n`);
    console.log(`\n${text}\n`);
    tell(`done: ${file}`);
    return true;
  } catch (error) {
    console.error(`bench ${name}: FAILED: ${messageOf(error)}`);
    const log = context.lastMachine()?.logPath;
    if (log !== undefined) console.error(`bench ${name}: the serial line is in ${log}`);
    await context.close().catch((second) => console.error(messageOf(second)));
    return false;
  }
}

process.exit(await main());
