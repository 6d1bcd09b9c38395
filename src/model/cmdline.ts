/*
 * What the kernel command line asks for. Anything of ours that is not known is refused with the list of
 * what is: a misspelt `zshield.keep=` must not cost somebody their data.
 * Owns: the parameters, their values and defaults. No I/O.
 */
import { Refusal } from "../errors.ts";
import { OPERATIONS, type Operation } from "./operation.ts";

export interface Request {
  readonly operation: "none" | Operation | "menu";
  /** Which disk; undefined: the only one that fits. */
  readonly disk: DiskSelector | undefined;
  readonly confirm: "yes" | "no";
  /** Serial number of the disk whose foreign content may be given up without asking. */
  readonly erase: string | undefined;
  readonly keep: "data" | "nothing";
  /** undefined: what zshield.toml says, else reboot. */
  readonly then: "reboot" | "poweroff" | "halt" | "shell" | undefined;
  readonly test: "yes" | "no";
  readonly ui: "auto" | "screen" | "plain";
  readonly lang: "en" | "zh";
}

export interface DiskSelector {
  readonly by: "serial" | "wwn" | "path" | "model";
  readonly text: string;
}

interface Parameter {
  readonly name: string;
  readonly values: string;
  readonly meaning: string;
}

export const PARAMETERS: readonly Parameter[] = [
  {
    name: "zshield_recovery=",
    values: "default, latest, repair, test, menu",
    meaning: "what to do; absent or empty: nothing",
  },
  {
    name: "zshield.disk=",
    values: "serial:TEXT, wwn:TEXT, path:TEXT, model:TEXT",
    meaning: "which disk; must match exactly one",
  },
  { name: "zshield.confirm=", values: "yes, no", meaning: "ask before anything is lost" },
  {
    name: "zshield.erase=",
    values: "a serial number",
    meaning: "give up foreign content of that disk without asking",
  },
  {
    name: "zshield.keep=",
    values: "data, nothing",
    meaning: "keep the user and audit volumes, or not",
  },
  { name: "zshield.then=", values: "reboot, poweroff, halt, shell", meaning: "afterwards" },
  {
    name: "zshield.test=",
    values: "yes, no",
    meaning: "factory tests after an installation that asked nobody",
  },
  { name: "zshield.ui=", values: "auto, screen, plain", meaning: "blessed screen or plain lines" },
  { name: "zshield.lang=", values: "en, zh", meaning: "language of the screens" },
];

/** The command line's words; double quotes keep blanks inside a word, as the kernel has it. */
export function splitCmdline(text: string): string[] {
  return (text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []).map((word) => word.replaceAll('"', ""));
}

/** @throws Refusal naming every fault at once. */
export function parseCmdline(text: string): Request {
  const faults: string[] = [];
  const found = new Map<string, string>();
  for (const word of splitCmdline(text)) {
    if (!/^zshield/i.test(word)) continue;
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals + 1);
    if (!PARAMETERS.some((parameter) => parameter.name === name)) {
      faults.push(`there is no parameter "${name}"`);
    } else if (found.has(name)) {
      faults.push(`${name} is given twice`);
    } else {
      found.set(name, word.slice(equals + 1));
    }
  }
  const oneOf = <T extends string>(name: string, values: readonly T[], otherwise: T): T => {
    const value = found.get(name);
    if (value === undefined) return otherwise;
    const known = values.find((candidate) => candidate === value);
    if (known === undefined) faults.push(`${name}${value}: must be ${values.join(" or ")}`);
    return known ?? otherwise;
  };
  const recovery = found.get("zshield_recovery=");
  const operation =
    recovery === undefined || recovery === ""
      ? "none"
      : oneOf("zshield_recovery=", [...OPERATIONS, "menu"], "menu");
  const selector = found.get("zshield.disk=");
  const disk = selector === undefined ? undefined : parseDiskSelector(selector);
  if (typeof disk === "string") faults.push(disk);
  const erase = found.get("zshield.erase=");
  if (erase === "") faults.push("zshield.erase= needs the serial number of the disk");
  const then = oneOf("zshield.then=", ["", "reboot", "poweroff", "halt", "shell"], "");
  const request: Request = {
    operation,
    disk: typeof disk === "string" ? undefined : disk,
    confirm: oneOf("zshield.confirm=", ["yes", "no"], "yes"),
    erase,
    keep: oneOf("zshield.keep=", ["data", "nothing"], "data"),
    then: then === "" ? undefined : then,
    test: oneOf("zshield.test=", ["yes", "no"], "yes"),
    ui: oneOf("zshield.ui=", ["auto", "screen", "plain"], "auto"),
    lang: oneOf("zshield.lang=", ["en", "zh"], "en"),
  };
  if (faults.length > 0) {
    const known = PARAMETERS.map(({ name, values }) => `  ${name}  ${values}`).join("\n");
    throw new Refusal(
      `the kernel command line is wrong:\n${faults.map((fault) => `  ${fault}`).join("\n")}`,
      `known parameters:\n${known}`,
    );
  }
  return request;
}

/** The selector, or a sentence that says what is wrong with it. */
export function parseDiskSelector(text: string): DiskSelector | string {
  const match = /^(serial|wwn|path|model):(.+)$/.exec(text);
  if (!match) {
    return `zshield.disk=${text}: must be serial:, wwn:, path: or model: and the text to look for`;
  }
  const [, by, wanted] = match;
  return { by: by as DiskSelector["by"], text: wanted ?? "" };
}
