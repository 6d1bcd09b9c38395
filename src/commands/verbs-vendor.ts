/*
 * The vendor's verbs: masks, keys, devices' records, packages and bundles. Their names, options, help, and what
 * each runs; the work is in the files beside this one.
 */
import { CommandError, Refusal, refusalOfSystem, UsageError } from "../errors.ts";
import { quote } from "../host/command.ts";
import { MASK_TEXT, MASK_TEXT_EXPECTED } from "../model/mask.ts";
import { build, clean, newProject } from "./bundle-build.ts";
import { applyFile, delta } from "./bundle-delta.ts";
import { bundleImage } from "./bundle-image.ts";
import { bundleRoot } from "./bundle-root.ts";
import { diffFiles, importFile, inspectBundle, verifyFile } from "./bundle.ts";
import { makeRecord, showRecord } from "./device.ts";
import { HARVEST_OPTIONS, HARVEST_USAGE, runHarvest } from "./harvest-words.ts";
import { changeKeyPassword, newKey, rotateKey, showKey } from "./key.ts";
import { checkMasks } from "./mask.ts";
import { diff, inspect, mountPackage, newPackage, pack } from "./package.ts";
import { checkPart, text, texts, type Values, type Verb } from "./verb.ts";

const VERBS: readonly Verb[] = [
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
      "key new [--out BASENAME] [--force] [--password-file FILE] | key show FILE | " +
      "key password FILE [--password-file FILE] [--new-password-file FILE] | " +
      "key rotate OLD.key NEW.pub [--chain FILE] [--password-file FILE]",
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
      "bundle clean DIR [--released] | bundle verify FILE|- --key PUB… | " +
      "bundle inspect FILE|- [--device RECORD… [--base 8.1]] [--platform NAME] [--key PUB…] [--json] | " +
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
      base: { type: "string" },
      chain: { type: "string" },
      out: { type: "string" },
      images: { type: "string" },
      format: { type: "string" },
      config: { type: "string" },
      builder: { type: "string" },
      platform: { type: "string" },
      "password-file": { type: "string" },
      release: { type: "boolean" },
      released: { type: "boolean" },
      "owner-root": { type: "boolean" },
      json: { type: "boolean" },
    },
    words: [2, 4],
    run: runBundle,
  },
];

/** These work on files that a person names, and what they make appears whole or not at all. */
export const VENDOR_VERBS: readonly Verb[] = VERBS.map((verb) => ({
  ...verb,
  run: (values, words) =>
    verb.run(values, words).catch((error: unknown) => {
      throw error instanceof CommandError ? refusalOfCommand(error) : refusalOfSystem(error);
    }),
}));

/** Debian's names, where a package is called otherwise than its program. */
const PACKAGES: Readonly<Record<string, string>> = {
  getfattr: "attr",
  ldconfig: "libc-bin",
  losetup: "mount",
  setpriv: "util-linux",
  unshare: "util-linux",
};
const LONGEST_COMMAND = 200;

/** A program of this machine that is not there or did not do its work: for whoever sits there to put right. */
function refusalOfCommand({ argv, outcome, message, stderrTail }: CommandError): Refusal {
  const [program = ""] = argv;
  if (outcome.kind === "not-found") {
    const name = PACKAGES[program] ?? program;
    return new Refusal(`there is no program ${program} on this machine`, `install ${name}`);
  }
  const said = stderrTail.trim().split("\n").slice(-3);
  const command = quote(argv);
  const shown =
    command.length > LONGEST_COMMAND ? `${command.slice(0, LONGEST_COMMAND)} …` : command;
  return new Refusal([message, ...said].join("\n"), `the command: ${shown}`);
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
      only(1, "released");
      return clean(file, isSet("released"));
    case "verify":
      only(1, "key");
      return verifyFile(file, keys);
    case "inspect":
      only(1, "device", "base", "platform", "key", "json");
      if (values["base"] !== undefined && values["device"] === undefined) {
        throw new UsageError("zshield bundle inspect --base needs --device", "bundle");
      }
      return inspectBundle(file, {
        keys,
        devices: texts(values["device"]),
        platform: text(values["platform"]),
        base: text(values["base"]),
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
      const format = text(values["format"]);
      // The builder would say so too, minutes later.
      if (format !== undefined && !["raw", "qcow2", "vmdk", "vhdx"].includes(format)) {
        throw new UsageError(`there is no format "${format}"`, "bundle");
      }
      return bundleImage({
        file,
        keys,
        out,
        device: oneDevice(values, what),
        platform: text(values["platform"]),
        format,
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
