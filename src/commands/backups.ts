/*
 * `zshield backup list | verify | remove | hold | release`: the backup that is there.
 */
import { Failure, Refusal, messageOf } from "../errors.ts";
import { verifyBackup } from "../host/verify-backup.ts";
import { changeAlarmMemory } from "../host/alarms.ts";
import { VERIFY } from "../host/left-over.ts";
import { withLock } from "../host/lock.ts";
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
import { checkSameBackup, look, mustAgree, ownInstallation, say } from "./facts.ts";
import { withRun } from "./run.ts";

export async function listBackups({ json }: { json: boolean }): Promise<void> {
  const { machine, facts } = await whileStill(look);
  const status = backupStatus(ownInstallation(machine), facts);
  if (json) return console.log(JSON.stringify(status === undefined ? [] : [status], null, 2));
  for (const line of backupLines(status)) say(line);
}

/** Writes to no volume: others may look meanwhile, but not verify, which needs its mapping. */
export async function verify(): Promise<void> {
  await withRun({}, ({ voice }) =>
    whileStill(() => withLock("exclusive", 0, () => verifyAlone(voice), VERIFY.lock)),
  );
}

async function verifyAlone(voice: Voice): Promise<void> {
  const installation = ownInstallation((await look()).machine);
  const { tags, volume } = validBackup(installation);
  const time = printTime(tags.timeSeconds);
  const backup = { group: installation.group.name, name: volume.name, origin: ROOT };
  try {
    const kernel = await verifyBackup(backup, voice.log);
    say(`the backup of ${time} is whole and starts with kernel ${kernel}`);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Failure(
      `the backup of ${time} is not whole: ${messageOf(error)}`,
      "`zshield backup` takes a new one, if the running system is sound",
      error,
    );
  }
}

export async function removeBackup({ yes }: { yes: boolean }): Promise<void> {
  // Nobody is kept waiting by a person who thinks: asked first, and looked again when alone.
  const asked = yes ? undefined : await whileStill(lookHere);
  if (asked) {
    tellLoss(asked);
    await mustAgree(yes, "Remove it?");
  }
  await spoken(async (voice) => {
    const installation = await lookHere();
    if (asked) checkSameBackup(asked, installation);
    else tellLoss(installation);
    const { group } = installation;
    const steps = backupsOf(group).map(({ volume }) =>
      removeVolume(group.name, volume.name, `remove the volume ${volume.name}`),
    );
    await change(installation, steps, voice);
    say("there is no backup now");
  });
}

async function lookHere(): Promise<Installation> {
  return ownInstallation((await look()).machine);
}

/** @throws Refusal where there is none. */
function tellLoss({ group }: Installation): void {
  const [first] = backupsOf(group);
  if (!first) throw new Refusal("there is no backup", "`zshield backup` takes one");
  const { tags } = first;
  say(`the backup of ${printTime(tags.timeSeconds)} (${tags.reason}) will be lost`);
  for (const { tags } of backupsOf(group)) {
    if (tags.hold !== undefined) say(`it is on hold: ${tags.hold}`);
  }
}

export async function hold(reason: string): Promise<void> {
  await spoken(async (voice) => {
    const installation = await lookHere();
    await change(installation, planHold(installation, reason), voice);
    say("the backup is kept until `zshield backup release`");
  });
}

export async function release(): Promise<void> {
  await spoken(async (voice) => {
    const installation = await lookHere();
    await change(installation, planRelease(installation), voice);
    changeAlarmMemory(withoutEvents, voice.log);
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

function spoken(work: (voice: Voice) => Promise<void>): Promise<void> {
  return withRun({}, ({ voice }) => alone(() => work(voice)));
}
