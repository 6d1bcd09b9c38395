/*
 * The verbs of an appliance and of those who look after it: recovery, backups, cards, the line's reports. Their
 * names, options, help, and what each runs; the work is in the files beside this one.
 */
import { UsageError } from "../errors.ts";
import { OPERATIONS } from "../model/operation.ts";
import { TOOLS } from "../model/tools.ts";
import { backup, planned } from "./backup.ts";
import { hold, listBackups, release, removeBackup, verify } from "./backups.ts";
import { check } from "./check.ts";
import { collect } from "./collect.ts";
import { checkConfigFile, planRecovery, probe, status } from "./look.ts";
import { makePassword } from "./password.ts";
import { recover } from "./recover.ts";
import { restoreCancel, restoreLatest } from "./restore.ts";
import { checkGuardName, upgradeGuard } from "./upgrade-guard.ts";
import { writeCards } from "./write-cards.ts";
import { text, texts, type Values, type Verb } from "./verb.ts";

export const APPLIANCE_VERBS: readonly Verb[] = [
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
      const serials = texts(values["serial"]);
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
