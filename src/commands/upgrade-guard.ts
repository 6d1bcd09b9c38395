/*
 * `zshield upgrade-guard begin|end NAME`: what apt and dnf call around a change of packages. Begin takes a
 * backup and holds it; end ends that hold if the packages are whole. A second begin of the same upgrade, or
 * of one that repairs a failed one, keeps the first backup: it is the way back. So does one in a state that
 * the night would not back up.
 */
import { EXIT, Refusal } from "../errors.ts";
import { changeAlarmMemory } from "../host/alarms.ts";
import { loadConfig } from "../host/config-file.ts";
import { quote } from "../host/command.ts";
import {
  hasReachedTarget,
  readBootId,
  readHalfInstalled,
  readPackageTrouble,
} from "../host/running.ts";
import { printTime } from "../model/text.ts";
import { checkPhase } from "../plan/backup.ts";
import { withoutEvents } from "../plan/findings.ts";
import { hasMarks } from "../plan/installation.ts";
import {
  heldBackup,
  planHold,
  planRelease,
  recentBackup,
  UPGRADE_HOLD,
  validBackup,
  whyKeep,
  type Health,
} from "../plan/keep.ts";
import { explain } from "../ui/explain.ts";
import { take } from "./backup.ts";
import { change } from "./backups.ts";
import { alone, oneBackup } from "./change.ts";
import { isInstalledSystem, look, nowSeconds, ownInstallation, say } from "./facts.ts";
import { withRun, type Run } from "./run.ts";

const SWITCH =
  "an upgrade without a backup: upgrades-need-backup = false below [backup] in /etc/zshield/zshield.toml";

/** A boot that has not ended is not waited for: somebody sits before apt. */
const WAIT_SECONDS = 10;

export async function upgradeGuard(moment: "begin" | "end", name: string): Promise<void> {
  const { backup } = loadConfig();
  if (!backup["before-upgrades"]) return;
  if (!isInstalledSystem()) {
    return say("zshield: this is not the installed system; no backup is taken");
  }
  await withRun({}, async (run) => {
    try {
      await (moment === "begin" ? begin(run, name) : end(run, name));
    } catch (error) {
      if (moment === "end") throw error;
      if (backup["upgrades-need-backup"]) {
        say("zshield: the upgrade is stopped, since the backup before it did not succeed");
        say(`zshield: ${SWITCH}`);
        throw error;
      }
      for (const line of explain(error, quote).lines) say(`zshield: ${line}`);
      say("zshield: the upgrade goes on without a new backup");
    }
  });
}

async function begin(run: Run, name: string): Promise<void> {
  const health: Health = {
    reachedTarget: await hasReachedTarget(WAIT_SECONDS),
    halfInstalled: await readHalfInstalled(),
  };
  await oneBackup(() => alone(() => takeUnlessKept(run, name, health)).finally(run.finish));
}

async function takeUnlessKept(run: Run, name: string, health: Health): Promise<void> {
  const seen = await look();
  if (!hasMarks(seen.machine)) return say("zshield: not installed by zshield, no backup is taken");
  const installation = ownInstallation(seen.machine);
  checkPhase(installation);
  const why = whyKeep(installation, health);
  if (why !== undefined) {
    const { tags } = heldBackup(installation) ?? validBackup(installation);
    return say(`zshield: the backup of ${printTime(tags.timeSeconds)} is kept: ${why}`);
  }
  const hold = `${UPGRADE_HOLD}${name}`;
  const about = { reason: name, boot: readBootId(), nowSeconds: nowSeconds() };
  const recent = recentBackup(installation, about);
  if (recent) {
    await change(installation, planHold(installation, hold), run.voice);
    return say(
      `zshield: the backup of ${printTime(recent.tags.timeSeconds)}, taken before ${name} began, is kept`,
    );
  }
  say(`zshield: taking a backup before ${name} changes packages`);
  await take(run, seen, { reason: name, hold });
}

async function end(run: Run, name: string): Promise<void> {
  const trouble = await readPackageTrouble();
  await alone(async () => {
    const { machine } = await look();
    if (!hasMarks(machine)) return;
    const installation = ownInstallation(machine);
    const steps = planRelease(installation, `${UPGRADE_HOLD}${name}`);
    if (steps.length === 0) return;
    if (trouble === "") {
      await change(installation, steps, run.voice);
      return changeAlarmMemory(withoutEvents, run.voice.log);
    }
    const text =
      "packages are not whole after an upgrade; the backup taken before it is kept. Repair them and " +
      "`zshield backup release`, or go back with `zshield restore latest`";
    run.raise("failed-upgrade", text, machine);
    process.exitCode = EXIT.trouble;
  });
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
