/*
 * The verbs of `zshield`: names, options, help, and what each runs. Parsing of the command line only; the
 * verbs themselves are in commands/.
 */
import { parseArgs } from "node:util";
import { UsageError, messageOf } from "./errors.ts";
import { PARAMETERS } from "./model/cmdline.ts";
import { OPERATIONS } from "./model/operation.ts";
import { TOOLS } from "./model/tools.ts";
import { checkConfigFile, planRecovery, probe, status } from "./commands/look.ts";
import { recover } from "./commands/recover.ts";
import { VERSION } from "./version.ts";

type Values = Record<string, string | boolean | undefined>;

interface Verb {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly options: NonNullable<Parameters<typeof parseArgs>[0]>["options"];
  /** How many words may follow the verb. */
  readonly words: readonly [least: number, most: number];
  run(values: Values, words: readonly string[]): Promise<void>;
}

const text = (value: string | boolean | undefined) =>
  typeof value === "string" ? value : undefined;

export const VERBS: readonly Verb[] = [
  {
    name: "probe",
    usage: "probe [--json]",
    summary: "look at the machine: disks, what lies on them, the card",
    options: { json: { type: "boolean" } },
    words: [0, 0],
    run: (values) => probe({ json: values["json"] === true }),
  },
  {
    name: "plan",
    usage:
      "plan default|latest|repair [--json] [--machine FILE] [--config FILE] [--disk BY:TEXT] [--erase SERIAL] [--keep data|nothing] [--confirm yes|no]",
    summary: "print what a recovery would do, and do nothing",
    options: {
      json: { type: "boolean" },
      machine: { type: "string" },
      config: { type: "string" },
      disk: { type: "string" },
      erase: { type: "string" },
      keep: { type: "string" },
      confirm: { type: "string" },
    },
    words: [1, 1],
    run(values, [name]) {
      const operation = OPERATIONS.find((known) => known === name);
      if (operation === undefined) {
        throw new UsageError(`there is no plan "${name}"; known: ${OPERATIONS.join(", ")}`, "plan");
      }
      // The same words as on the kernel command line, judged by the same rules.
      const parameters = ["disk", "erase", "keep", "confirm"].flatMap((name) => {
        const value = text(values[name]);
        return value === undefined ? [] : [`zshield.${name}="${value}"`];
      });
      return planRecovery({
        operation,
        json: values["json"] === true,
        machine: text(values["machine"]),
        config: text(values["config"]),
        cmdline: [`zshield_recovery=${operation}`, ...parameters].join(" "),
      });
    },
  },
  {
    name: "status",
    usage: "status [--json]",
    summary: "what is installed, the root, the backup, the last recovery",
    options: { json: { type: "boolean" } },
    words: [0, 0],
    run: (values) => status({ json: values["json"] === true }),
  },
  {
    name: "config",
    usage: "config FILE",
    summary: "check a zshield.toml and print the layout it gives",
    options: {},
    words: [1, 1],
    run: (_values, [file = ""]) => checkConfigFile(file),
  },
  {
    name: "tools",
    usage: "tools [--purpose]",
    summary: "the programs that zshield calls, one a line",
    options: { purpose: { type: "boolean" } },
    words: [0, 0],
    async run(values) {
      for (const { name, purpose } of TOOLS) {
        console.log(values["purpose"] === true ? `${name}\t${purpose}` : name);
      }
    },
  },
  {
    name: "recover",
    usage: "recover",
    summary: "what the rescue system runs; reads the kernel command line",
    options: {},
    words: [0, 0],
    run: () => recover(),
  },
];

/** Runs what the words ask for. @throws UsageError */
export async function runCommand(argv: readonly string[]): Promise<void> {
  const [name, ...rest] = argv;
  if (name === "--version") return console.log(VERSION);
  if (name === undefined || name === "--help" || name === "help") return console.log(help());
  const verb = VERBS.find((candidate) => candidate.name === name);
  if (!verb) throw new UsageError(`there is no command "${name}"`);
  if (rest.includes("--help")) return console.log(usageOf(verb.name));
  const { values, positionals } = parseWords(verb, rest);
  const [least, most] = verb.words;
  if (positionals.length < least || positionals.length > most) {
    throw new UsageError(
      `zshield ${verb.name} takes ${least === most ? least : `${least} to ${most}`} words`,
      name,
    );
  }
  await verb.run(values, positionals);
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

export function usageOf(name: string | undefined): string {
  const verb = VERBS.find((candidate) => candidate.name === name);
  return verb ? `usage: zshield ${verb.usage}\n  ${verb.summary}` : help();
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
