/*
 * The power fails while the backup is being put back, again and again, at random times, and every fourth
 * time the kernel crashes instead. At each cut the root must count as what the backup held, half merged as
 * it is. What was cut is started and cut once more; and the next start must end with that root and with a new
 * backup of it, with no key pressed.
 * The judge reads disk images on the host, without any part of zshield.
 */
import { join } from "node:path";
import { faultsOfRestored, readRootState } from "../lab/backup-judge.ts";
import type { CardInUse } from "../lab/card.ts";
import { changedDisk, type ChangedDisk } from "../lab/changed-disk.ts";
import { makeLayer, type Image } from "../lab/images.ts";
import type { Machine } from "../lab/machine.ts";
import { mutate } from "../lab/mutant.ts";
import {
  chooseEntry,
  disk,
  finishRecovery,
  goOn,
  startCard,
  startRescue,
  UNATTENDED,
} from "../lab/recovery.ts";
import { findSteps, RESULT_LINE } from "../lab/result.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";

const MERGE = /zshield: step \d+\/\d+ merge-backup begins/;
const MERGED = /zshield: step \d+\/\d+ merge-backup done/;
/** As often as not a cut hits; a merge that is over is another case, and is counted as such. */
const LEAST_SHARE = 0.5;

interface Cut {
  readonly image: Image;
  /** The disk says itself that a merge was going on. */
  readonly isMerging: boolean;
  /** How much of the merge was still to be done, 0 to 1. */
  readonly left: number;
}

interface CutWish {
  readonly name: string;
  readonly seconds: number;
  readonly crash: boolean;
}

/** A machine at the moment before it merges: each cut goes on from there. */
interface Ready {
  readonly memory: string;
  readonly image: Image;
}

async function saveBeforeMerge(
  context: Context,
  card: CardInUse,
  changed: ChangedDisk,
): Promise<Ready> {
  const image = await makeLayer(context.folder, "ready", changed.image);
  const rescue = { card, drives: [disk(image)], parameters: UNATTENDED } as const;
  const machine = await startRescue(context, { ...rescue, operation: "latest", name: "ready" });
  await machine.waitFor(MERGE, 240, RESULT_LINE);
  const memory = join(context.folder, "ready.memory");
  await machine.save(memory);
  return { memory, image };
}

async function goOnMerging(
  context: Context,
  card: CardInUse,
  { memory, image: before }: Ready,
  name: string,
): Promise<{ readonly machine: Machine; readonly image: Image }> {
  const image = await makeLayer(context.folder, name, before);
  const rescue = { card, drives: [disk(image)], parameters: UNATTENDED } as const;
  const machine = await goOn(context, { ...rescue, operation: "latest", name }, memory);
  return { machine, image };
}

/** Takes the power of a machine that merges after `seconds`, and judges what it leaves. */
async function cutMerge(
  context: Context,
  { machine, image }: { readonly machine: Machine; readonly image: Image },
  { wanted, exceptions }: ChangedDisk,
  { name, seconds, crash }: CutWish,
): Promise<Cut> {
  await Bun.sleep(seconds * 1000);
  if (crash) {
    await machine.qmp.execute("inject-nmi");
    await machine.waitForEnd(60);
  } else {
    await machine.kill();
  }
  const step = findSteps(machine.serial.text()).at(-1)?.kind ?? "merge-backup";
  const state = await readRootState(context.folder, image);
  must(
    state.root === wanted || state.backup === wanted,
    `${name}: neither the root nor a backup is what the backup held`,
  );
  context.note(
    `${name}: ${crash ? "crash" : "power cut"} after ${seconds.toFixed(2)} s (step ${step}): ` +
      (state.isMerging ? `${state.exceptions} of ${exceptions} chunks left` : "no merge going on"),
  );
  return { image, isMerging: state.isMerging, left: state.exceptions / exceptions };
}

/** Starts what was cut, up to the moment when it waits for the interrupted merge. */
async function resumeMerging(
  context: Context,
  card: CardInUse,
  { image: before }: Cut,
  name: string,
): Promise<{ readonly machine: Machine; readonly image: Image }> {
  const image = await makeLayer(context.folder, name, before);
  const rescue = { card, drives: [disk(image)], parameters: UNATTENDED, saved: true } as const;
  const machine = await startRescue(context, { ...rescue, operation: "latest", name });
  await machine.waitFor(MERGE, 240, RESULT_LINE);
  return { machine, image };
}

async function usualMerge(
  context: Context,
  card: CardInUse,
  ready: Ready,
  { wanted, exceptions }: ChangedDisk,
): Promise<number> {
  const started = Date.now();
  const { machine, image } = await goOnMerging(context, card, ready, "uncut");
  await machine.waitFor(MERGED, 240, RESULT_LINE);
  const seconds = (Date.now() - started) / 1000;
  await finishRecovery(machine);
  const faults = faultsOfRestored(await readRootState(context.folder, image), wanted);
  must(faults.length === 0, `an undisturbed recovery: ${faults.join("; ")}`);
  context.note(`an undisturbed merge of ${exceptions} chunks took ${seconds.toFixed(1)} s`);
  return seconds;
}

function mergeCuts(name: string, title: string, cuts: number, minutes: number): Scenario {
  return {
    name,
    title,
    minutes,
    needs: ["small"],
    soak: cuts > 20,
    async run(context) {
      const card = await context.card("small");
      const changed = await changedDisk();
      const ready = await saveBeforeMerge(context, card, changed);
      const usualSeconds = await usualMerge(context, card, ready, changed);
      const isCrash = (index: number) => index % 4 === 0;
      const half = await cutEarly(context, card, ready, changed, usualSeconds);
      await checkGrubRefuses(context, half);
      await checkControl(context, card, half, changed);
      let [done, hits, starts] = [0, 0, 0];
      // A machine that is quicker than it was in the undisturbed merge is cut sooner.
      let pace = 0.8;
      const cutNow = async (
        merging: { readonly machine: Machine; readonly image: Image },
        share: number,
      ): Promise<Cut> => {
        done += 1;
        const seconds = context.random() * usualSeconds * pace * share;
        const wish = { name: `cut ${done}`, seconds, crash: isCrash(done) };
        const cut = await cutMerge(context, merging, changed, wish);
        if (cut.isMerging) hits += 1;
        else pace = Math.max(pace * 0.95, 0.5);
        return cut;
      };
      const wanted = cuts * LEAST_SHARE;
      while (done < cuts || (hits < wanted && done < 1.5 * cuts)) {
        const begun = await goOnMerging(context, card, ready, `cut-${done + 1}`);
        let last = await cutNow(begun, 1);
        if (last.isMerging && done < cuts) {
          last = await cutNow(
            await resumeMerging(context, card, last, `cut-${done + 1}`),
            last.left,
          );
        }
        const again = await makeLayer(context.folder, `again-${done}`, last.image);
        starts += 1;
        const machine = await startAgain(context, card, again, starts);
        const result = await finishRecovery(machine);
        must(result.resumedAt !== undefined, "the result does not say that it was resumed");
        const faults = faultsOfRestored(await readRootState(context.folder, again), changed.wanted);
        must(faults.length === 0, `after cut ${done}: ${faults.join("; ")}`);
      }
      context.note(`${done} cuts, ${hits} of them while the disk said that it was merging`);
      must(hits >= wanted, `only ${hits} of ${done} cuts hit the merge`);
    },
  };
}

/** A merge whose power goes soon after it has begun: most of it is left. */
async function cutEarly(
  context: Context,
  card: CardInUse,
  ready: Ready,
  changed: ChangedDisk,
  usualSeconds: number,
): Promise<Image> {
  for (const share of [0.2, 0.3, 0.4]) {
    const name = `early-${share}`;
    const begun = await goOnMerging(context, card, ready, name);
    const wish = { name, seconds: usualSeconds * share, crash: false };
    const { image, isMerging, left } = await cutMerge(context, begun, changed, wish);
    if (isMerging && left > 0.5) return image;
  }
  throw new Error("no early cut left most of the merge to be done");
}

/** A person who chooses the half merged root in GRUB's menu is told why not, and nothing is booted. */
async function checkGrubRefuses(context: Context, image: Image): Promise<void> {
  const layer = await makeLayer(context.folder, "half-merged", image);
  const drives = [disk(layer, { boot: 0 })];
  const machine = await context.start({ name: "half-merged", drives });
  await chooseEntry(machine, "installed", "latest");
  await machine.waitFor(/root is not whole until that ends/, 60, /Linux version/);
  await machine.kill();
}

/**
 * The first two starts are whole ones, from the disk alone and from the card: GRUB has to choose by itself
 * to go on. The others take up a saved rescue system.
 */
async function startAgain(
  context: Context,
  card: CardInUse,
  image: Image,
  index: number,
): Promise<Machine> {
  const name = `again-${index}`;
  if (index > 2) {
    const rescue = { card, drives: [disk(image)], parameters: UNATTENDED, saved: true } as const;
    return startRescue(context, { ...rescue, operation: "latest", name });
  }
  const machine =
    index === 1
      ? await context.start({ name, drives: [disk(image, { boot: 0 })] })
      : await startCard(context, card, [disk(image)], { name });
  await machine.waitFor("starting: Recover to latest backup", 120);
  return machine;
}

/**
 * The same start without the waiting for the interrupted merge. Where the step says that it is done the power
 * is taken, and the judge must find that it is not: any other end of this start proves nothing.
 */
async function checkControl(
  context: Context,
  card: CardInUse,
  before: Image,
  { exceptions }: ChangedDisk,
): Promise<void> {
  const hasty = await mutate(context.folder, card, {
    file: "host/merge.ts",
    from: "await waitForEnd(action, onProgress);",
    to: "return;",
  });
  const image = await makeLayer(context.folder, "control", before);
  const machine = await startRescue(context, {
    ...{ card: hasty, drives: [disk(image)], operation: "latest", name: "control" },
    // The kernel goes on by itself, and would be done before anybody looks.
    parameters: [...UNATTENDED, "dm_snapshot.snapshot_copy_throttle=1"],
  });
  await machine.waitFor(MERGED, 240, RESULT_LINE);
  await machine.kill();
  const state = await readRootState(context.folder, image);
  must(
    state.isMerging && state.exceptions > 0,
    "without waiting for the interrupted merge it was over where the step said so: this scenario proves nothing",
  );
  context.note(
    `control, without the waiting: the step said that it was done, ${state.exceptions} of ${exceptions} chunks were left`,
  );
}

export const scenario: readonly Scenario[] = [
  mergeCuts("merge-cuts", "a merge that is cut 20 times ends with the root of the backup", 20, 8),
  mergeCuts("soak-merge-cuts", "a merge that is cut 200 times ends the same", 200, 90),
];
