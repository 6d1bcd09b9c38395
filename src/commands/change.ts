/*
 * Steps in the running system. LVM flushes nothing, so the state on the ESP says `changing` while they are
 * performed, with a copy of LVM's metadata beside it: should the power fail, the rescue system repairs
 * first. Owns: the frame around the steps, and the lock. Must not decide anything.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Failure, Refusal, messageOf } from "../errors.ts";
import { ENDING } from "../host/signals.ts";
import { openEsp } from "../host/esp.ts";
import { saveMetadata } from "../host/lvm-metadata.ts";
import { closeLeftOver } from "../host/left-over.ts";
import { LOCK_DIRECTORY, withLock } from "../host/lock.ts";
import { succeeds, unmount } from "../host/mounts.ts";
import { perform, type World } from "../host/perform.ts";
import { readState, writeState } from "../host/state-files.ts";
import { AT } from "../model/places.ts";
import { atRest, STATE_DIRECTORY, type StateRecord } from "../model/state.ts";
import type { Plan } from "../model/step.ts";
import { actionsFor } from "../plan/actions.ts";
import { checkPhase } from "../plan/backup.ts";
import { partitionOf, type Installation } from "../plan/installation.ts";
import { byPartition } from "../plan/steps.ts";

/** A run of another zshield that takes longer than that is stuck. */
const LOCK_SECONDS = 120;
const LOOK_SECONDS = 60;
/**
 * Of one command of LVM, which takes a second. One that hangs must not hold the lock for ever; long enough that
 * nothing is killed which only waits for a slow disk, between suspending root and resuming it.
 */
const COMMAND_MS = 600_000;
const AGAIN = "correct the cause and try again";

export interface Voice {
  /** For people. */
  say(line: string): void;
  /** Commands and what they print. */
  log(line: string): void;
}

/** Alone, and with nothing left of a run that was killed. */
export function alone<T>(work: () => Promise<T>): Promise<T> {
  return withLock("exclusive", LOCK_SECONDS, async () => {
    try {
      await closeLeftOver();
    } catch (error) {
      throw failureOf(error, "what an ended run left mounted cannot be closed; nothing was done");
    }
    return work();
  });
}

/** While nobody changes anything. The rescue system is alone, and may have no flock. */
export function whileStill<T>(look: () => Promise<T>): Promise<T> {
  return existsSync("/etc/initrd-release") ? look() : withLock("shared", LOOK_SECONDS, look);
}

/** Backups with their hooks, "after" included, one after the other; looking and all else goes on meanwhile. */
export function oneBackup<T>(work: () => Promise<T>): Promise<T> {
  return withLock("exclusive", LOCK_SECONDS, work, join(LOCK_DIRECTORY, "backup"));
}

/** Signals wait until what is returned is called: in the middle of a change the next start would have to repair. */
export function ignoreSignals(say: (line: string) => void): () => void {
  const tell = () => say("a moment: what was begun is being finished");
  // One voice is enough where one such time lies in another.
  const signals = depth++ === 0 ? ENDING : [];
  for (const signal of signals) process.on(signal, tell);
  return () => {
    depth--;
    for (const signal of signals) process.off(signal, tell);
  };
}

let depth = 0;

/** Performs the plan. @throws Refusal before the first change; Failure that says how things are then. */
export async function changeGroup(
  installation: Installation,
  plan: Plan,
  { say, log }: Voice,
): Promise<void> {
  await withState(installation, say, async (directory, found) => {
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
      commandTimeoutMs: COMMAND_MS,
      log,
      progress: () => undefined,
      recordAfterStep: () => record,
      updateRecord() {
        throw new Error("no step of the running system changes the record");
      },
    };
    const end = () => {
      record = atRest({ ...record, sequence: record.sequence + 1 });
      writeState(directory, record);
      // From here on others change the group too; an old copy would be worse than none.
      forgetCopies();
    };
    let title = "";
    try {
      for (const [index, step] of plan.steps.entries()) {
        ({ title } = step);
        say(`${index + 1}/${plan.steps.length} ${step.title}`);
        const at = { disk: plan.disk.path, again: false, behind: false };
        for (const action of actionsFor(step, plan, at)) await perform(action, world);
      }
    } catch (error) {
      const readable = ["lvm", "vgs", "--devices", plan.physicalVolume, plan.group];
      const isWhole = await succeeds(readable).catch(() => false);
      if (isWhole) end();
      throw failureOf(
        error,
        `${title}: that failed; ` +
          (isWhole
            ? "the volume group is whole, and what was done before stays done"
            : "the volume group cannot be read now"),
        isWhole ? AGAIN : "restart the machine: the rescue system repairs it first",
      );
    }
    end();
  });
}

/** Puts one record in the place of the present one. */
export async function changeRecord(
  installation: Installation,
  say: (line: string) => void,
  plan: (record: StateRecord) => StateRecord,
): Promise<void> {
  await withState(installation, say, async (directory, found) =>
    writeState(directory, plan(found)),
  );
}

/** With the ESP open for writing, and the record as it stands there now. */
async function withState(
  installation: Installation,
  say: (line: string) => void,
  work: (directory: string, record: StateRecord) => Promise<void>,
): Promise<void> {
  const heed = ignoreSignals(say);
  try {
    await withEsp(installation, work);
  } finally {
    heed();
  }
}

async function withEsp(
  installation: Installation,
  work: (directory: string, record: StateRecord) => Promise<void>,
): Promise<void> {
  try {
    await openEsp(byPartition(partitionOf(installation, 2).uuid), AT.esp);
  } catch (error) {
    await unmount(AT.esp).catch(() => undefined);
    throw failureOf(error, "the disk's ESP cannot be opened; the volumes are as they were");
  }
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
  } catch (error) {
    await unmount(AT.esp).catch(() => undefined);
    throw failureOf(error, "the state on the disk's ESP cannot be kept; try again, or restart");
  }
  try {
    await unmount(AT.esp);
  } catch (error) {
    throw failureOf(error, "all is done, but the disk's ESP cannot be closed");
  }
}

/** What went wrong outside of us, with how things are now; a fault of our own stays one. */
export function failureOf(error: unknown, state: string, hint = AGAIN): unknown {
  if (error instanceof Refusal || error instanceof Failure) return error;
  const isOurs = [TypeError, RangeError, ReferenceError].some((kind) => error instanceof kind);
  return isOurs ? error : new Failure(`${state}: ${messageOf(error)}`, hint, error);
}

function forgetCopies(): void {
  const directory = dirname(AT.groupCopy);
  const prefix = `${basename(AT.groupCopy)}.`;
  for (const name of readdirSync(directory)) {
    if (name.startsWith(prefix)) rmSync(join(directory, name));
  }
}
