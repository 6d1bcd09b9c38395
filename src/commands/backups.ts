/*
 * `zshield backup list | verify | remove | hold | release`: the backup that is there.
 */
import { Failure, Refusal, messageOf } from "../errors.ts";
import { verifyBackup } from "../host/verify-backup.ts";
import { readAlarmMemory, writeAlarmMemory } from "../host/alarms.ts";
import { printTime } from "../model/text.ts";
import type { Step } from "../model/step.ts";
import { removeVolume, runningPlan } from "../plan/backup.ts";
import { withoutEvents } from "../plan/findings.ts";
import { backupsOf, type Installation } from "../plan/installation.ts";
import { planHold, planRelease, validBackup } from "../plan/keep.ts";
import { backupStatus } from "../plan/status.ts";
import { ROOT } from "../plan/volumes.ts";
import { backupLines } from "../ui/plain.ts";
import { alone, changeGroup, whileStill, type Voice } from "./change.ts";
import { look, ownInstallation, makeVoice, mustAgree, say } from "./facts.ts";

export async function listBackups({ json }: { json: boolean }): Promise<void> {
  const { machine, facts } = await whileStill(look);
  const status = backupStatus(ownInstallation(machine), facts);
  if (json) return console.log(JSON.stringify(status === undefined ? [] : [status], null, 2));
  for (const line of backupLines(status)) say(line);
}

export async function verify(): Promise<void> {
  await spoken(async (voice) => {
    const { machine } = await look();
    const { group } = ownInstallation(machine);
    const { tags, volume } = validBackup(ownInstallation(machine));
    try {
      const kernel = await verifyBackup(
        { group: group.name, name: volume.name, origin: ROOT },
        voice.log,
      );
      say(`the backup of ${printTime(tags.timeSeconds)} is whole and starts with kernel ${kernel}`);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw new Failure(
        `the backup of ${printTime(tags.timeSeconds)} is not whole: ${messageOf(error)}`,
        "`zshield backup` takes a new one, if the running system is sound",
        error,
      );
    }
  });
}

export async function removeBackup({ yes }: { yes: boolean }): Promise<void> {
  await spoken(async (voice) => {
    const installation = ownInstallation((await look()).machine);
    const { group } = installation;
    const there = backupsOf(group);
    const [first] = there;
    if (!first) throw new Refusal("there is no backup", "`zshield backup` takes one");
    const { tags } = first;
    say(`the backup of ${printTime(tags.timeSeconds)} (${tags.reason}) will be lost`);
    if (tags.hold !== undefined) say(`it is on hold: ${tags.hold}`);
    await mustAgree(yes, "Remove it?");
    const steps = there.map(({ volume }) =>
      removeVolume(group.name, volume.name, `remove the volume ${volume.name}`),
    );
    await change(installation, steps, voice);
    say("there is no backup now");
  });
}

export async function hold(reason: string): Promise<void> {
  await spoken(async (voice) => {
    const installation = ownInstallation((await look()).machine);
    await change(installation, planHold(installation, reason), voice);
    say("the backup is kept until `zshield backup release`");
  });
}

export async function release(): Promise<void> {
  await spoken(async (voice) => {
    const installation = ownInstallation((await look()).machine);
    await change(installation, planRelease(installation), voice);
    writeAlarmMemory(withoutEvents(readAlarmMemory()));
    say("the backup is on no hold");
  });
}

/** No steps: nothing is opened. */
export async function change(
  installation: Installation,
  steps: readonly Step[],
  voice: Voice,
): Promise<void> {
  if (steps.length === 0) return;
  await changeGroup(installation, runningPlan(installation, steps), voice);
}

async function spoken(work: (voice: Voice) => Promise<void>): Promise<void> {
  const voice = makeVoice({ isUnit: false });
  try {
    await alone(() => work(voice));
  } finally {
    await voice.flush();
  }
}
