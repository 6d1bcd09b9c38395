/*
 * The command line of `zshield`: which verb, its options and words, help. The verbs are in commands/verbs-appliance.ts
 * and verbs-vendor.ts.
 */
import { parseArgs } from "node:util";
import { UsageError, messageOf } from "./errors.ts";
import { PARAMETERS } from "./model/cmdline.ts";
import type { Values, Verb } from "./commands/verb.ts";
import { APPLIANCE_VERBS } from "./commands/verbs-appliance.ts";
import { VENDOR_VERBS } from "./commands/verbs-vendor.ts";
import { VERSION } from "./version.ts";

export const VERBS: readonly Verb[] = [...APPLIANCE_VERBS, ...VENDOR_VERBS];

/** Runs what the words ask for. @throws UsageError */
export async function runCommand(argv: readonly string[]): Promise<void> {
  const [name, ...rest] = argv;
  if (name === "--version") return console.log(VERSION);
  if (name === undefined || name === "--help" || name === "help") return console.log(help());
  const verb = VERBS.find((candidate) => candidate.name === name);
  if (!verb) throw new UsageError(`there is no command "${name}"`);
  if (rest.includes("--help")) return console.log(usageOf(verb.name, rest[0]));
  const { values, positionals } = parseWords(verb, rest);
  const [least, most] = verb.words;
  if (positionals.length < least || positionals.length > most) {
    throw new UsageError(`zshield ${verb.name} takes ${printCount(least, most)} words`, name);
  }
  await verb.run(values, positionals);
}

function printCount(least: number, most: number): string {
  if (least === most) return String(least);
  return most === Infinity ? `${least} or more` : `${least} to ${most}`;
}

function parseWords(verb: Verb, args: string[]): { values: Values; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: verb.options ?? {},
      allowPositionals: true,
    });
    return { values: values as Values, positionals };
  } catch (error) {
    throw new UsageError(messageOf(error), verb.name);
  }
}

/** `part`: the word behind the verb; where it has a usage of its own only that is told. */
export function usageOf(name: string | undefined, part?: string): string {
  const verb = VERBS.find((candidate) => candidate.name === name);
  if (!verb) return help();
  const ways = verb.usage.split(" | ");
  const own = ways.filter((way) => way.split(" ")[1] === part);
  const lines = (own.length > 0 ? own : ways).flatMap((way) => wrap(`zshield ${way}`));
  return [
    ...lines.map((line, index) => `${index === 0 ? "usage: " : "       "}${line}`),
    `  ${verb.summary}`,
  ].join("\n");
}

const WIDEST = 80 - "usage: ".length;

/** Breaks in front of an option, and puts what follows further to the right. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const part of text.split(/ (?=\[|--)/)) {
    const last = lines.at(-1);
    if (last !== undefined && `${last} ${part}`.length <= WIDEST)
      lines.splice(-1, 1, `${last} ${part}`);
    else lines.push(last === undefined ? part : `    ${part}`);
  }
  return lines;
}

function help(): string {
  const width = Math.max(...VERBS.map(({ name }) => name.length));
  return [
    `zshield ${VERSION}: recovery for appliances`,
    "",
    "usage: zshield COMMAND [OPTIONS]",
    ...VERBS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "kernel command line of the rescue system:",
    ...PARAMETERS.map(
      ({ name, values, meaning }) => `  ${name}${values.replaceAll(", ", "|")}\n      ${meaning}`,
    ),
  ].join("\n");
}
