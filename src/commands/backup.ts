/*
 * `zshield backup`: takes snap0 anew. Alone, hooks around it, the plan made from a look that is not older
 * than the hooks, and at the end a look whether there is a valid backup. Safe against being killed anywhere:
 * the next run's plan begins with what was left.
 */
import { EXIT, Failure, Refusal, messageOf } from "../errors.ts";
import { checkIsRoot } from "../host/lock.ts";
import { findTool, quote } from "../host/command.ts";
import { listHooks, runHook } from "../host/hooks.ts";
import { readInitramfs } from "../host/initramfs.ts";
import { hasReachedTarget, readBootId, readHalfInstalled } from "../host/running.ts";
import type { Config } from "../model/config.ts";
import type { Machine } from "../model/machine.ts";
import { printTime } from "../model/text.ts";
import { outcomeOf, planBackup, type BackupPlan, type BackupWish } from "../plan/backup.ts";
import { actionsFor } from "../plan/actions.ts";
import { describeAction, isQuiet } from "../plan/describe.ts";
import { printAge } from "../plan/findings.ts";
import { newestBackup } from "../plan/installation.ts";
import { heldBackup, whyKeep, type Health } from "../plan/keep.ts";
import { backupStatus } from "../plan/status.ts";
import { explain } from "../ui/explain.ts";
import { alone, changeGroup, ignoreSignals, oneBackup, whileStill, type Voice } from "./change.ts";
import { isInstalledSystem, look, nowSeconds, ownInstallation, say, type Seen } from "./facts.ts";
import { withRun, type Run } from "./run.ts";

export const BACKUP_HOOKS = "/etc/zshield/backup.d";
/** Beside those that looking needs. */
const TOOLS = ["fsck.fat", "blockdev", "dmsetup"] as const;

export interface BackupOptions {
  readonly scheduled: boolean;
  readonly force: boolean;
  readonly reason: string;
}

export async function backup(options: BackupOptions): Promise<void> {
  const { scheduled } = options;
  checkIsRoot();
  if (scheduled && !isInstalledSystem()) {
    return say("this is not the installed system; no backup is taken");
  }
  // A night that fails is an alarm, whatever it fails with.
  const how = scheduled ? { isUnit: true, alarm: "failed-backup" as const } : {};
  await withRun(how, async (run) => {
    // A boot that still goes on is waited for, and nobody is kept waiting meanwhile.
    const health = scheduled
      ? { reachedTarget: await hasReachedTarget(), halfInstalled: await readHalfInstalled() }
      : undefined;
    await oneBackup(() => alone(() => takeUnlessKept(run, options, health)).finally(run.finish));
  });
}

async function takeUnlessKept(
  run: Run,
  { reason, force }: BackupOptions,
  health: Health | undefined,
): Promise<void> {
  const seen = await look();
  const installation = ownInstallation(seen.machine);
  const why = health && whyKeep(installation, health);
  if (why !== undefined) {
    run.raise("kept-backup", `the old backup was kept: ${why}`, seen.machine);
    process.exitCode = EXIT.trouble;
    return;
  }
  const held = heldBackup(installation);
  if (held && !force) {
    throw new Refusal(
      `the backup is on hold: ${held.tags.hold}`,
      "`zshield backup release` ends that, --force replaces it all the same",
    );
  }
  await take(run, seen, { reason });
}

/** Within the lock. @throws Refusal, Failure; then the alarm has been raised, unless nothing was tried. */
export async function take(
  run: Run,
  seen: Seen,
  wanted: { reason: string; hold?: string },
): Promise<void> {
  const { voice } = run;
  // A look ahead: what is refused anyway is refused before a hook has stopped anybody's database.
  const wish = (): BackupWish => ({ ...wanted, nowSeconds: nowSeconds(), boot: readBootId() });
  planBackup(seen.machine, seen.config, wish());
  await checkNextStart(voice);
  const missing = TOOLS.filter((name) => findTool(name) === undefined);
  if (missing.length > 0) {
    throw new Refusal(`programs are missing: ${missing.join(", ")}`, "install dosfstools and lvm2");
  }
  let outcome = "failed";
  const heed = ignoreSignals(voice.say);
  // Before any alarm that is raised here: what the hooks stopped has waited long enough.
  run.later(() => after(seen.config, outcome, voice).finally(heed));
  try {
    const hooks = await before(seen.config, voice);
    const machine = hooks === 0 ? seen.machine : (await look()).machine;
    await perform({ ...seen, machine }, planBackup(machine, seen.config, wish()), voice);
    outcome = "taken";
  } catch (error) {
    const { message, lines } = explain(error, quote);
    for (const line of lines) voice.log(line);
    // The alarm is about the backup that is there now, which may be a new one all the same.
    const now = await look().catch(() => seen);
    const text = error instanceof Failure ? message : `no new backup: ${message}`;
    run.raise("failed-backup", text, now.machine);
    throw error;
  }
}

async function perform(seen: Seen, { plan, remarks }: BackupPlan, voice: Voice): Promise<void> {
  for (const remark of remarks) voice.say(remark);
  const { group } = ownInstallation(seen.machine);
  let failed: Failure | undefined;
  try {
    await changeGroup(ownInstallation(seen.machine), plan, voice);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failed = error;
  }
  const now = await look().catch((error: unknown) => Promise.reject(failed ?? error));
  const installation = ownInstallation(now.machine);
  const found = newestBackup(installation.group);
  const told = outcomeOf(group, installation.group, failed);
  if (told !== undefined) throw told;
  const status = backupStatus(installation, now.facts);
  const isWatched = ["", "monitored"].includes(now.facts.snapshot?.monitor ?? "");
  if (status?.covering === false && !isWatched) {
    throw new Failure(
      "the backup was taken, but dmeventd does not watch it: it will not grow when it fills",
      "systemctl status dm-event.socket lvm2-monitor.service",
    );
  }
  if (!found) return;
  voice.say(
    `backup taken: ${printTime(found.tags.timeSeconds)} (${found.tags.reason})` +
      (status?.covering === true ? ", can never overflow" : ", grows while it fills"),
  );
}

/** Once root has a snapshot, an initramfs without dm-snapshot finds no root. */
async function checkNextStart(voice: Voice): Promise<void> {
  const { without, unknown } = await readInitramfs();
  for (const words of unknown)
    voice.say(`whether the next start finds dm-snapshot cannot be told: ${words}`);
  if (without.length === 0) return;
  throw new Refusal(
    `${without.join(", ")} holds no dm-snapshot: with a backup the next start would not find its root`,
    "add dm-snapshot to the initramfs (dracut: add_drivers, initramfs-tools: modules) and make it anew",
  );
}

/** Returns how many there were. @throws Refusal from the first that fails. */
async function before(config: Config, { say, log }: Voice): Promise<number> {
  const hooks = listHooks(BACKUP_HOOKS);
  for (const path of hooks) {
    say(`before: ${path}`);
    try {
      await runHook(path, ["before"], { seconds: config.backup["hook-seconds"], log });
    } catch (error) {
      throw new Refusal(
        `${path} stopped the backup: ${messageOf(error)}`,
        "its output is in the journal: journalctl -t zshield-backup",
      );
    }
  }
  return hooks.length;
}

/** Each of them, whatever the others do. */
async function after(config: Config, outcome: string, { say, log }: Voice): Promise<void> {
  for (const path of listHooks(BACKUP_HOOKS)) {
    say(`after: ${path}`);
    try {
      await runHook(path, ["after", outcome], { seconds: config.backup["hook-seconds"], log });
    } catch (error) {
      say(`${path}: ${messageOf(error)}`);
    }
  }
}

/** `zshield plan backup`: the same objects that would be performed. */
export async function planned({ json }: { json: boolean }): Promise<void> {
  const { machine, config, facts } = await whileStill(look);
  const { plan, remarks } = planBackup(machine, config, {
    nowSeconds: facts.nowSeconds,
    reason: "manual",
    boot: readBootId(),
  });
  if (json) return console.log(JSON.stringify(plan, null, 2));
  for (const remark of remarks) say(remark);
  tellAge(machine, facts.nowSeconds);
  for (const [index, step] of plan.steps.entries()) {
    say(`${String(index + 1).padStart(3)}  ${step.kind}: ${step.title}`);
    const at = { disk: plan.disk.path, again: false, behind: false };
    for (const action of actionsFor(step, plan, at).filter((one) => !isQuiet(one))) {
      for (const line of describeAction(action, quote)) say(`       ${line}`);
    }
  }
}

function tellAge(machine: Machine, nowSeconds: number): void {
  const found = newestBackup(ownInstallation(machine).group);
  if (found)
    say(`the backup that is there is ${printAge(nowSeconds - found.tags.timeSeconds)} old`);
}
