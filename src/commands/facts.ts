/*
 * What the verbs of the running system look at, in one place: the machine without its card, and what only
 * the running system knows. Also what they have in common: telling, asking on a terminal.
 */
import { createInterface } from "node:readline/promises";
import { Refusal } from "../errors.ts";
import { readAlarmMemory } from "../host/alarms.ts";
import { loadConfig } from "../host/config-file.ts";
import { readMachine } from "../host/probe.ts";
import { readBootId, readHealth, readRunningRoot, readSnapshotFacts } from "../host/running.ts";
import { IDENTIFIER, LEVEL, writeJournal } from "../host/system-journal.ts";
import { isAbout } from "../model/alarm.ts";
import type { Config } from "../model/config.ts";
import type { Machine } from "../model/machine.ts";
import type { RunningFacts } from "../model/status.ts";
import { visible } from "../model/text.ts";
import {
  backupsOf,
  findInstallation,
  isInstallation,
  neededInstallation,
  newestBackup,
  type Installation,
} from "../plan/installation.ts";
import { ROOT } from "../plan/volumes.ts";
import type { Voice } from "./change.ts";

export interface Seen {
  readonly config: Config;
  readonly machine: Machine;
  readonly facts: RunningFacts;
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export function say(line: string): void {
  console.log(visible(line));
}

/** Under systemd what is printed is in the journal already. */
export function makeVoice({ isUnit }: { isUnit: boolean }): Voice & { flush(): Promise<void> } {
  const lines: string[] = [];
  return {
    say,
    log(line) {
      if (isUnit) say(line);
      else lines.push(line);
    },
    async flush() {
      for (const line of lines.splice(0)) {
        await writeJournal({
          MESSAGE: line,
          PRIORITY: LEVEL.info,
          SYSLOG_IDENTIFIER: IDENTIFIER,
        });
      }
    },
  };
}

export async function look(): Promise<Seen> {
  const config = loadConfig();
  const machine = await readMachine({ wantCard: false });
  return { config, machine, facts: await readFacts(machine, config) };
}

async function readFacts(machine: Machine, config: Config): Promise<RunningFacts> {
  const found = findInstallation(machine);
  const here = isInstallation(found);
  const backup = here ? newestBackup(found.group) : undefined;
  const snapshot =
    here && backup ? await readSnapshotFacts(found.group.name, backup.volume.name) : undefined;
  const memory = readAlarmMemory();
  return {
    nowSeconds: nowSeconds(),
    alarmAfterSeconds: config.backup["alarm-after"],
    ...(snapshot === undefined ? {} : { snapshot }),
    boot: readBootId(),
    // What an older backup gave rise to does not count any more.
    alarms: isAbout(memory, backupKey(machine)) ? memory.alarms : [],
    disks: here ? [await readHealth(found.disk.path)] : [],
  };
}

/** Not the golden system on a card, which has the same timers and hooks, nor any other live system. */
export function isInstalledSystem(): boolean {
  return readRunningRoot() !== undefined;
}

/** The installation that this system runs from. @throws Refusal, also for the golden system on a card. */
export function ownInstallation(machine: Machine): Installation {
  const installation = neededInstallation(machine);
  const { group, disk } = installation;
  if (machine.runsFrom !== undefined) return installation;
  throw new Refusal(
    `this system does not run from ${group.name}/${ROOT} on ${disk.path}`,
    "start the installed system",
  );
}

/** @throws Refusal if the backup is not the one that a person agreed to lose or to put back. */
export function checkSameBackup(before: Installation, now: Installation): void {
  const uuids = ({ group }: Installation) => backupsOf(group).map(({ volume }) => volume.uuid);
  if (uuids(before).join() === uuids(now).join()) return;
  throw new Refusal("another backup was taken or removed since you were asked", "try again");
}

/** What LVM calls the backup, by which alarms are remembered; "" where there is none. */
export function backupKey(machine: Machine): string {
  const found = findInstallation(machine);
  return isInstallation(found) ? (newestBackup(found.group)?.volume.uuid ?? "") : "";
}

/** @throws Refusal where nobody can be asked, or the answer was another one. */
export async function mustAgree(yes: boolean, question: string): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new Refusal("this has to be agreed to, and nobody can be asked", "add --yes");
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question(`${question} Type yes and press Enter: `);
    if (answer.trim() === "yes") return;
  } finally {
    terminal.close();
  }
  throw new Refusal("the answer was not yes");
}
