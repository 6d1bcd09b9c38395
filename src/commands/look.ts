/*
 * The verbs that only look: probe, plan, status, config.
 */
import { readFileSync } from "node:fs";
import { EXIT, Refusal, messageOf } from "../errors.ts";
import { loadConfig } from "../host/config-file.ts";
import { makeIds } from "../host/ids.ts";
import { readMachine } from "../host/probe.ts";
import { parseCmdline } from "../model/cmdline.ts";
import { volumeSizes } from "../model/config.ts";
import type { Operation } from "../model/operation.ts";
import type { Machine } from "../model/machine.ts";
import { parseMachine } from "../model/machine-schema.ts";
import { printSize, sizeOn } from "../model/size.ts";
import { visible } from "../model/text.ts";
import { decide } from "../plan/decide.ts";
import { statusOf } from "../plan/status.ts";
import { whileStill } from "./change.ts";
import { look } from "./facts.ts";
import { commandLines } from "./plan-lines.ts";
import { EN } from "../ui/texts-en.ts";
import { diskLines, machineLines, statusLines } from "../ui/plain.ts";

const print = (lines: readonly string[]) => {
  for (const line of lines) console.log(visible(line));
};

export async function probe({ json }: { json: boolean }): Promise<void> {
  const machine = await whileStill(() => readMachine());
  if (json) console.log(JSON.stringify(machine, null, 2));
  else
    print([...machineLines(machine), ...machine.disks.flatMap((disk) => diskLines(disk, machine))]);
}

export async function planRecovery(options: {
  operation: Operation;
  json: boolean;
  machine: string | undefined;
  config: string | undefined;
  cmdline: string;
}): Promise<void> {
  const request = parseCmdline(options.cmdline);
  const config = loadConfig(options.config);
  const machine =
    options.machine === undefined
      ? await whileStill(() => readMachine())
      : readMachineFile(options.machine);
  const decision = decide(machine, config, request, makeIds(), {
    operation: options.operation,
    anew: false,
  });
  if (options.json) {
    console.log(JSON.stringify(decision.plan, null, 2));
    return;
  }
  print(commandLines(decision, EN));
}

export async function status({ json }: { json: boolean }): Promise<void> {
  const { machine, facts } = await whileStill(look);
  const found = statusOf(machine, facts);
  if (json) console.log(JSON.stringify(found, null, 2));
  else print(statusLines(found));
  if (!found.good) process.exitCode = EXIT.trouble;
}

export async function checkConfigFile(file: string): Promise<void> {
  const config = loadConfig(file);
  const smallest = sizeOn(config.disk.smallest, 0, 1);
  for (const bytes of [smallest, 500_107_862_016]) {
    const { root, user, audit } = volumeSizes(config, bytes);
    print([
      `on a disk of ${printSize(bytes)}: root ${printSize(root)}, user ${printSize(user)} at ` +
        `${config.volume.user.mount}, audit ${printSize(audit)} at ${config.volume.audit.mount}`,
    ]);
  }
  const { rescue, factory } = config;
  const isAsked = rescue["password-hash"] !== "";
  const isLocked = rescue["grub-password-hash"] !== "";
  print([
    `factory tests: ${factory ? `after an installation that asked nobody, then ${factory.then}` : "none"}`,
    `rescue password: ${isAsked ? "asked for" : "none"}`,
    `editing GRUB's entries: ${isLocked ? `${rescue["grub-user"]}, with a password` : "everybody"}`,
  ]);
}

function readMachineFile(path: string): Machine {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Refusal(`${path} cannot be read: ${messageOf(error)}`);
  }
  return parseMachine(text, path);
}
