/*
 * The verbs of `zshield`: names, options, help, and what each runs. Parsing of the command line only; the
 * verbs themselves are in commands/.
 */
import { parseArgs } from "node:util";
import { UsageError, messageOf } from "./errors.ts";
import { PARAMETERS } from "./model/cmdline.ts";
import { MASK_TEXT, MASK_TEXT_EXPECTED } from "./model/mask.ts";
import { OPERATIONS } from "./model/operation.ts";
import { TOOLS } from "./model/tools.ts";
import { backup, planned } from "./commands/backup.ts";
import { hold, listBackups, release, removeBackup, verify } from "./commands/backups.ts";
import { build, clean, newProject } from "./commands/bundle-build.ts";
import { applyFile, delta } from "./commands/bundle-delta.ts";
import { bundleImage } from "./commands/bundle-image.ts";
import { bundleRoot } from "./commands/bundle-root.ts";
import { diffFiles, importFile, inspectBundle, verifyFile } from "./commands/bundle.ts";
import { check } from "./commands/check.ts";
import { collect } from "./commands/collect.ts";
import { makeRecord, showRecord } from "./commands/device.ts";
import { HARVEST_OPTIONS, HARVEST_USAGE, runHarvest } from "./commands/harvest-words.ts";
import { changeKeyPassword, newKey, rotateKey, showKey } from "./commands/key.ts";
import { checkConfigFile, planRecovery, probe, status } from "./commands/look.ts";
import { checkMasks } from "./commands/mask.ts";
import { diff, inspect, mountPackage, newPackage, pack } from "./commands/package.ts";
import { makePassword } from "./commands/password.ts";
import { recover } from "./commands/recover.ts";
import { restoreCancel, restoreLatest } from "./commands/restore.ts";
import { checkGuardName, upgradeGuard } from "./commands/upgrade-guard.ts";

import { writeCards } from "./commands/write-cards.ts";
import { VERSION } from "./version.ts";

type Values = Record<string, string | boolean | readonly string[] | undefined>;

interface Verb {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly options: NonNullable<Parameters<typeof parseArgs>[0]>["options"];
  /** How many words may follow the verb. */
  readonly words: readonly [least: number, most: number];
  run(values: Values, words: readonly string[]): Promise<void>;
}

const text = (value: Values[string]) => (typeof value === "string" ? value : undefined);
/** Of an option that may be there several times. */
const texts = (value: Values[string]) => (typeof value === "object" ? value : []);

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
      "plan default|latest|repair|test|backup [--json] [--machine FILE] [--config FILE] [--disk BY:TEXT] [--erase SERIAL] [--keep data|nothing] [--confirm yes|no]",
    summary: "print what a recovery or a backup would do, and do nothing",
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
      if (name === "backup") return planned({ json: values["json"] === true });
      const operation = OPERATIONS.find((known) => known === name);
      if (operation === undefined) {
        throw new UsageError(
          `there is no plan "${name}"; known: ${[...OPERATIONS, "backup"].join(", ")}`,
          "plan",
        );
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
    name: "backup",
    usage:
      "backup [--reason WORD] [--force] [--scheduled] | backup list [--json] | backup verify | " +
      "backup hold REASON | backup release | backup remove [--yes]",
    summary: "take the backup of root anew, or look after the one that is there",
    options: {
      reason: { type: "string" },
      force: { type: "boolean" },
      scheduled: { type: "boolean" },
      json: { type: "boolean" },
      yes: { type: "boolean" },
    },
    words: [0, 2],
    run: runBackup,
  },
  {
    name: "restore",
    usage: "restore latest [--yes] | restore cancel",
    summary: "put the backup back at the next start, or not",
    options: { yes: { type: "boolean" } },
    words: [1, 1],
    run(values, [what]) {
      if (what === "latest") return restoreLatest({ yes: values["yes"] === true });
      if (what === "cancel") return restoreCancel();
      throw new UsageError(`there is no restore "${what}"`, "restore");
    },
  },
  {
    name: "check",
    usage: "check",
    summary: "look for trouble and raise the alarm; a timer calls it",
    options: {},
    words: [0, 0],
    run: () => check(),
  },
  {
    name: "upgrade-guard",
    usage: "upgrade-guard begin|end NAME",
    summary: "what package managers call around an upgrade",
    options: {},
    words: [2, 2],
    run(_values, [moment, name = ""]) {
      if (moment !== "begin" && moment !== "end") {
        throw new UsageError(`there is no moment "${moment}"`, "upgrade-guard");
      }
      checkGuardName(name);
      return upgradeGuard(moment, name);
    },
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
    name: "password",
    usage: "password",
    summary: "make the hash of a rescue password for zshield.toml",
    options: {},
    words: [0, 0],
    run: () => makePassword(),
  },
  {
    name: "mask",
    usage: "mask check --system HEX --prefix TEXT [--names mask.txt] NAME…",
    summary: "which packages a device with this mask and prefix needs, and why",
    options: {
      system: { type: "string" },
      prefix: { type: "string" },
      names: { type: "string" },
    },
    words: [2, Infinity],
    async run(values, [what, ...names]) {
      if (what !== "check") throw new UsageError(`there is no "mask ${what}"`, "mask");
      checkMasks({
        system: text(values["system"]),
        prefix: text(values["prefix"]),
        names: text(values["names"]),
        packages: names,
      });
    },
  },
  {
    name: "key",
    usage:
      "key new [--out BASENAME] [--force] | key show FILE | key password FILE [--new-password-file FILE] | " +
      "key rotate OLD NEW [--chain FILE] (each that needs a password: [--password-file FILE])",
    summary: "a vendor's keys: make them, look at them, hand over to another one",
    options: {
      out: { type: "string" },
      force: { type: "boolean" },
      chain: { type: "string" },
      "password-file": { type: "string" },
      "new-password-file": { type: "string" },
    },
    words: [1, 3],
    run: runKey,
  },
  {
    name: "device",
    usage:
      "device record --id ID --mask HEX --prefix TEXT --epoch N --key FILE [--password-file FILE] " +
      "[--out FILE] [--force] [--release] | device show FILE --key FILE.pub",
    summary: "sign what a device is allowed, or look at it",
    options: {
      id: { type: "string" },
      mask: { type: "string" },
      prefix: { type: "string" },
      epoch: { type: "string" },
      key: { type: "string" },
      "password-file": { type: "string" },
      out: { type: "string" },
      force: { type: "boolean" },
      release: { type: "boolean" },
    },
    words: [1, 2],
    run: runDevice,
  },
  {
    name: "package",
    usage:
      "package new DIR | package pack DIR [--out FILE] [--owner-root] | package inspect FILE | " +
      "package diff OLD NEW | package mount FILE DIR [--root-hash HEX] [--no-verity] | " +
      HARVEST_USAGE,
    summary:
      "make a package of a directory tree or of what a distribution installed, or look into one",
    options: {
      ...HARVEST_OPTIONS,
      "owner-root": { type: "boolean" },
      "root-hash": { type: "string" },
      "no-verity": { type: "boolean" },
    },
    words: [1, Infinity],
    run: runPackage,
  },
  {
    name: "bundle",
    usage:
      "bundle new DIR | bundle build DIR --key FILE [--chain FILE] [--release] [--out DIR] [--owner-root] [--password-file FILE] | " +
      "bundle clean DIR | bundle verify FILE|- --key PUB… | " +
      "bundle inspect FILE|- [--device RECORD…] [--platform NAME] [--key PUB…] [--json] | " +
      "bundle diff OLD NEW [--json] | bundle delta OLD NEW FILE.upd [--key PUB…] [--json] | " +
      "bundle apply-delta OLD FILE.upd [--out FILE.upt] [--images DIR] [--key PUB…] | " +
      "bundle import LAYOUT FILE [--key PUB…] | " +
      "bundle root FILE DIR --key PUB… --device RECORD [--platform NAME] | " +
      "bundle image FILE --key PUB… --device RECORD --out FILE.qcow2 [--format raw|qcow2|vmdk|vhdx] [--platform NAME] " +
      "[--config FILE] [--builder DIR]",
    summary: "one signed file for all customers and platforms: make it, check it, look into it",
    options: {
      key: { type: "string", multiple: true },
      device: { type: "string", multiple: true },
      chain: { type: "string" },
      out: { type: "string" },
      images: { type: "string" },
      format: { type: "string" },
      config: { type: "string" },
      builder: { type: "string" },
      platform: { type: "string" },
      "password-file": { type: "string" },
      release: { type: "boolean" },
      "owner-root": { type: "boolean" },
      json: { type: "boolean" },
    },
    words: [2, 4],
    run: runBundle,
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
    name: "report",
    usage: "report collect DIR… [--csv FILE] [--html FILE] [--json]",
    summary: "make one table of the factory reports below directories",
    options: { csv: { type: "string" }, html: { type: "string" }, json: { type: "boolean" } },
    words: [2, Infinity],
    run(values, [what, ...directories]) {
      if (what !== "collect") throw new UsageError(`there is no report "${what}"`, "report");
      return collect(directories, {
        csv: text(values["csv"]),
        html: text(values["html"]),
        json: values["json"] === true,
      });
    },
  },
  {
    name: "card",
    usage: "card write IMAGE [DEVICE…] [--serial SERIAL]… [--yes]",
    summary: "write a card image to one or many cards, and check what was written",
    options: { serial: { type: "string", multiple: true }, yes: { type: "boolean" } },
    words: [2, Infinity],
    run(values, [what, image = "", ...devices]) {
      if (what !== "write") throw new UsageError(`there is no card "${what}"`, "card");
      const serials = Array.isArray(values["serial"]) ? (values["serial"] as string[]) : [];
      if (devices.length + serials.length === 0) {
        throw new UsageError("zshield card write needs a device, or --serial", "card");
      }
      return writeCards({ image, devices, serials, yes: values["yes"] === true });
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

function runBackup(values: Values, [what, word]: readonly string[]): Promise<void> {
  const given = Object.keys(values);
  const only = (...allowed: string[]) => {
    const other = given.find((name) => !allowed.includes(name));
    if (other !== undefined) {
      throw new UsageError(`zshield backup ${what ?? ""} knows no --${other}`, "backup");
    }
    if ((word !== undefined) !== (what === "hold")) {
      throw new UsageError(
        what === "hold" ? "zshield backup hold needs a reason" : `what is "${word}"?`,
        "backup",
      );
    }
  };
  const isSet = (name: string) => values[name] === true;
  switch (what) {
    case undefined: {
      only("reason", "force", "scheduled");
      const reason = text(values["reason"]) ?? "manual";
      return backup({ reason, force: isSet("force"), scheduled: isSet("scheduled") });
    }
    case "list":
      only("json");
      return listBackups({ json: isSet("json") });
    case "verify":
      only();
      return verify();
    case "remove":
      only("yes");
      return removeBackup({ yes: isSet("yes") });
    case "hold":
      only();
      return hold(word ?? "");
    case "release":
      only();
      return release();
    default:
      throw new UsageError(`there is no "backup ${what}"`, "backup");
  }
}

/** @throws UsageError for an option that this part of a verb does not know, or for other words than it takes. */
function checkPart(
  verb: string,
  what: string,
  values: Values,
  words: readonly string[],
  part: { readonly options: readonly string[]; readonly words: number },
): void {
  const other = Object.keys(values).find((name) => !part.options.includes(name));
  if (other !== undefined) {
    throw new UsageError(`zshield ${verb} ${what} knows no --${other}`, verb);
  }
  if (words.length !== part.words) {
    throw new UsageError(
      `zshield ${verb} ${what} takes ${part.words} words, not ${words.length}`,
      verb,
    );
  }
}

async function runKey(values: Values, [what = "", ...words]: readonly string[]): Promise<void> {
  const only = (count: number, ...options: string[]) =>
    checkPart("key", what, values, words, { options, words: count });
  const [file = "", other = ""] = words;
  const passwordFile = text(values["password-file"]);
  switch (what) {
    case "new":
      only(0, "out", "force", "password-file");
      return newKey({ out: text(values["out"]), force: values["force"] === true, passwordFile });
    case "show":
      only(1);
      return showKey(file);
    case "password": {
      only(1, "password-file", "new-password-file");
      const newPasswordFile = text(values["new-password-file"]);
      return changeKeyPassword(file, { passwordFile, newPasswordFile });
    }
    case "rotate":
      only(2, "chain", "password-file");
      return rotateKey(file, other, { chain: text(values["chain"]), passwordFile });
    default:
      throw new UsageError(`there is no "key ${what}"`, "key");
  }
}

async function runDevice(values: Values, [what = "", ...words]: readonly string[]): Promise<void> {
  const only = (count: number, ...options: string[]) =>
    checkPart("device", what, values, words, { options, words: count });
  const need = (name: string) => {
    const value = text(values[name]);
    if (value === undefined)
      throw new UsageError(`zshield device ${what} needs --${name}`, "device");
    return value;
  };
  switch (what) {
    case "record": {
      const wanted = ["id", "mask", "prefix", "epoch", "key"];
      only(0, ...wanted, "password-file", "out", "force", "release");
      const mask = need("mask");
      const epoch = need("epoch");
      if (!MASK_TEXT.test(mask)) {
        throw new UsageError(`--mask "${mask}" must be ${MASK_TEXT_EXPECTED}`, "device");
      }
      if (!/^[1-9]\d{0,15}$/.test(epoch)) {
        throw new UsageError(`--epoch "${epoch}" must be a whole number from 1 on`, "device");
      }
      return makeRecord(
        {
          device: need("id"),
          mask: Number.parseInt(mask, 16),
          prefix: need("prefix"),
          epoch: Number(epoch),
        },
        {
          key: need("key"),
          passwordFile: text(values["password-file"]),
          out: text(values["out"]),
          force: values["force"] === true,
          isRelease: values["release"] === true,
        },
      );
    }
    case "show":
      only(1, "key");
      return showRecord(words[0] ?? "", text(values["key"]));
    default:
      throw new UsageError(`there is no "device ${what}"`, "device");
  }
}

async function runPackage(values: Values, [what = "", ...words]: readonly string[]): Promise<void> {
  const [first = "", second = ""] = words;
  const takes = (count: number, ...options: string[]) =>
    checkPart("package", what, values, words, { options, words: count });
  switch (what) {
    case "harvest":
      takes(words.length, ...Object.keys(HARVEST_OPTIONS));
      return runHarvest(values, words);
    case "new":
      takes(1);
      return newPackage(first);
    case "pack":
      takes(1, "out", "owner-root");
      return pack(first, { out: text(values["out"]), ownerRoot: values["owner-root"] === true });
    case "inspect":
      takes(1);
      return inspect(first);
    case "diff":
      takes(2);
      return diff(first, second);
    case "mount": {
      takes(2, "root-hash", "no-verity");
      const rootHash = text(values["root-hash"]);
      if (rootHash !== undefined && !/^[0-9a-f]{64}$/.test(rootHash)) {
        throw new UsageError("--root-hash takes 64 small hexadecimal digits", "package");
      }
      return mountPackage(first, second, { noVerity: values["no-verity"] === true, rootHash });
    }
    default:
      throw new UsageError(`there is no "package ${what}"`, "package");
  }
}

async function runBundle(values: Values, [what = "", ...words]: readonly string[]): Promise<void> {
  const only = (count: number, ...options: string[]) =>
    checkPart("bundle", what, values, words, { options, words: count });
  const [file = "", other = "", third = ""] = words;
  const isSet = (name: string) => values[name] === true;
  const keys = texts(values["key"]);
  switch (what) {
    case "new":
      only(1);
      return newProject(file);
    case "build": {
      only(1, "key", "chain", "release", "out", "owner-root", "password-file");
      const [key, ...others] = keys;
      if (key === undefined || others.length > 0) {
        throw new UsageError("zshield bundle build takes one --key", "bundle");
      }
      return build(file, {
        key,
        chain: text(values["chain"]),
        passwordFile: text(values["password-file"]),
        isRelease: isSet("release"),
        out: text(values["out"]),
        ownerRoot: isSet("owner-root"),
      });
    }
    case "clean":
      only(1);
      return clean(file);
    case "verify":
      only(1, "key");
      return verifyFile(file, keys);
    case "inspect":
      only(1, "device", "platform", "key", "json");
      return inspectBundle(file, {
        keys,
        devices: texts(values["device"]),
        platform: text(values["platform"]),
        json: isSet("json"),
      });
    case "diff":
      only(2, "json");
      return diffFiles(file, other, isSet("json"));
    case "delta":
      only(3, "key", "json");
      return delta({ older: file, newer: other, out: third }, { keys, json: isSet("json") });
    case "apply-delta": {
      only(2, "out", "images", "key");
      const targets = { out: text(values["out"]), images: text(values["images"]) };
      if (targets.out === undefined && targets.images === undefined) {
        throw new UsageError("zshield bundle apply-delta needs --out, --images, or both", "bundle");
      }
      return applyFile(file, other, targets, keys);
    }
    case "import":
      only(2, "key");
      return importFile(file, other, keys);
    case "image": {
      only(1, "key", "device", "platform", "out", "format", "config", "builder");
      const out = text(values["out"]);
      if (keys.length === 0 || out === undefined) {
        throw new UsageError("zshield bundle image needs --key and --out", "bundle");
      }
      return bundleImage({
        file,
        keys,
        out,
        device: oneDevice(values, what),
        platform: text(values["platform"]),
        format: text(values["format"]),
        config: text(values["config"]),
        builder: text(values["builder"]),
      });
    }
    case "root":
      only(2, "key", "device", "platform");
      return bundleRoot(file, other, {
        keys,
        device: oneDevice(values, what),
        platform: text(values["platform"]),
      });
    default:
      throw new UsageError(`there is no "bundle ${what}"`, "bundle");
  }
}

/** @throws UsageError */
function oneDevice(values: Values, what: string): string {
  const [device, ...others] = texts(values["device"]);
  if (device !== undefined && others.length === 0) return device;
  throw new UsageError(`zshield bundle ${what} takes one --device`, "bundle");
}

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
