/*
 * Steps in the running system. LVM flushes nothing, so the state on the ESP says `changing` while they are
 * performed, with a copy of LVM's metadata beside it: should the power fail, the rescue system repairs
 * first. Owns: the frame around the steps, and the lock. Must not decide anything.
 */
import { readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Refusal } from "../errors.ts";
import { openEsp } from "../host/esp.ts";
import { saveMetadata } from "../host/lvm-metadata.ts";
import { closeLeftOver } from "../host/left-over.ts";
import { withLock } from "../host/lock.ts";
import { succeeds, unmount } from "../host/mounts.ts";
import { perform, type World } from "../host/perform.ts";
import { readState, writeState } from "../host/state-files.ts";
import { AT } from "../model/places.ts";
import { STATE_DIRECTORY, type StateRecord } from "../model/state.ts";
import type { Plan } from "../model/step.ts";
import { actionsFor } from "../plan/actions.ts";
import { checkPhase } from "../plan/backup.ts";
import { partitionOf, type Installation } from "../plan/installation.ts";
import { byPartition } from "../plan/steps.ts";

/** A run of another zshield that takes longer than that is stuck. */
const LOCK_SECONDS = 120;
const LOOK_SECONDS = 60;

export interface Voice {
  /** For people. */
  say(line: string): void;
  /** Commands and what they print. */
  log(line: string): void;
}

/** Alone, and with nothing left of a run that was killed. */
export function alone<T>(work: () => Promise<T>): Promise<T> {
  return withLock("exclusive", LOCK_SECONDS, async () => {
    await closeLeftOver();
    return work();
  });
}

/** While nobody changes anything. */
export function whileStill<T>(look: () => Promise<T>): Promise<T> {
  return withLock("shared", LOOK_SECONDS, look);
}

/** Performs the plan. @throws whatever the first failing step throws; LVM's metadata is whole then. */
export async function changeGroup(
  installation: Installation,
  plan: Plan,
  { say, log }: Voice,
): Promise<void> {
  await withState(installation, async (directory, found) => {
    checkPhase({ ...installation, record: found });
    await saveMetadata(plan.physicalVolume, AT.groupCopy);
    let record: StateRecord = {
      ...found,
      sequence: found.sequence + 1,
      phase: "changing",
      operation: "repair",
    };
    writeState(directory, record);
    const world: World = {
      plan,
      disk: installation.disk,
      claimAttempts: 0,
      at: AT,
      log,
      progress: () => undefined,
      recordAfterStep: () => record,
      updateRecord() {
        throw new Error("no step of the running system changes the record");
      },
    };
    const end = () => {
      record = { ...record, sequence: record.sequence + 1, phase: "installed" };
      writeState(directory, record);
      // From here on others change the group too; an old copy would be worse than none.
      forgetCopies();
    };
    try {
      for (const [index, step] of plan.steps.entries()) {
        say(`${index + 1}/${plan.steps.length} ${step.title}`);
        const at = { disk: plan.disk.path, again: false, behind: false };
        for (const action of actionsFor(step, plan, at)) await perform(action, world);
      }
    } catch (error) {
      const readable = ["lvm", "vgs", "--devices", plan.physicalVolume, plan.group];
      if (await succeeds(readable).catch(() => false)) end();
      throw error;
    }
    end();
  });
}

/** Puts one record in the place of the present one. */
export async function changeRecord(
  installation: Installation,
  plan: (record: StateRecord) => StateRecord,
): Promise<void> {
  await withState(installation, async (directory, found) => writeState(directory, plan(found)));
}

/** With the ESP open for writing, and the record as it stands there now. */
async function withState(
  installation: Installation,
  work: (directory: string, record: StateRecord) => Promise<void>,
): Promise<void> {
  await openEsp(byPartition(partitionOf(installation, 2).uuid), AT.esp);
  try {
    const directory = join(AT.esp, STATE_DIRECTORY);
    const reading = readState(directory);
    if ("trouble" in reading) {
      throw new Refusal(
        `the state on the disk cannot be read: ${reading.trouble}`,
        "restart the machine",
      );
    }
    await work(directory, reading.record);
  } finally {
    await unmount(AT.esp);
  }
}

function forgetCopies(): void {
  const directory = dirname(AT.groupCopy);
  const prefix = `${basename(AT.groupCopy)}.`;
  for (const name of readdirSync(directory)) {
    if (name.startsWith(prefix)) rmSync(join(directory, name));
  }
}
