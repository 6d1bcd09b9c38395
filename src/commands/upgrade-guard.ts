/*
 * `zshield upgrade-guard begin|end NAME`: what apt and dnf call around a change of packages. Begin takes a
 * backup and holds it; end ends that hold if the packages are whole. A second begin of the same upgrade, or
 * of one that repairs a failed one, keeps the first backup: it is the way back.
 */
import { EXIT, Refusal } from "../errors.ts";
import { readAlarmMemory, writeAlarmMemory } from "../host/alarms.ts";
import { loadConfig } from "../host/config-file.ts";
import { quote } from "../host/command.ts";
import { readHalfInstalled } from "../host/running.ts";
import { printTime } from "../model/text.ts";
import { checkPhase } from "../plan/backup.ts";
import { withoutEvents } from "../plan/findings.ts";
import { hasMarks, validBackups } from "../plan/installation.ts";
import { heldBackup, planRelease, UPGRADE_HOLD } from "../plan/keep.ts";
import { explain } from "../ui/explain.ts";
import { take } from "./backup.ts";
import { change } from "./backups.ts";
import { alone, type Voice } from "./change.ts";
import { look, ownInstallation, makeVoice, raiseEvent, say, type Seen } from "./facts.ts";

const SWITCH =
  "an upgrade without a backup: upgrades-need-backup = false below [backup] in /etc/zshield/zshield.toml";

export async function upgradeGuard(moment: "begin" | "end", name: string): Promise<void> {
  const { backup } = loadConfig();
  if (!backup["before-upgrades"]) return;
  const voice = makeVoice({ isUnit: false });
  try {
    await alone(async () => {
      const seen = await look();
      if (!hasMarks(seen.machine))
        return say("zshield: not installed by zshield, no backup is taken");
      await (moment === "begin" ? begin(seen, name, voice) : end(seen, name, voice));
    });
  } catch (error) {
    if (moment === "end") throw error;
    if (backup["upgrades-need-backup"]) {
      say("zshield: the upgrade is stopped, since no backup could be taken before it");
      say(`zshield: ${SWITCH}`);
      throw error;
    }
    for (const line of explain(error, quote).lines) say(`zshield: ${line}`);
    say("zshield: the upgrade goes on without a new backup");
  } finally {
    await voice.flush();
  }
}

async function begin(seen: Seen, name: string, voice: Voice): Promise<void> {
  const installation = ownInstallation(seen.machine);
  checkPhase(installation);
  const held = heldBackup(installation);
  if (held)
    return say(
      `zshield: the backup of ${printTime(held.tags.timeSeconds)} is kept (${held.tags.hold})`,
    );
  if (validBackups(installation.group).length > 0 && (await readHalfInstalled()) !== "") {
    return say("zshield: packages are not whole; the backup that is there is kept");
  }
  say(`zshield: taking a backup before ${name} changes packages`);
  await take(seen, { reason: name, hold: `${UPGRADE_HOLD}${name}` }, voice);
}

async function end(seen: Seen, name: string, voice: Voice): Promise<void> {
  const installation = ownInstallation(seen.machine);
  const steps = planRelease(installation, `${UPGRADE_HOLD}${name}`);
  if (steps.length === 0) return;
  if ((await readHalfInstalled()) === "") {
    await change(installation, steps, voice);
    writeAlarmMemory(withoutEvents(readAlarmMemory()));
    return;
  }
  const text =
    "packages are not whole after an upgrade; the backup taken before it is kept. Repair them and " +
    "`zshield backup release`, or go back with `zshield restore latest`";
  await raiseEvent(seen, "failed-upgrade", text, voice);
  process.exitCode = EXIT.trouble;
}

/** @throws Refusal for a name that cannot stand in a tag. */
export function checkGuardName(name: string): void {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) {
    throw new Refusal(
      `"${name}" is no name of a package manager`,
      "small letters, digits and dashes",
    );
  }
}
