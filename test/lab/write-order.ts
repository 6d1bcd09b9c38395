/*
 * A campaign over one recording: states of it are judged on the host, one of them is started for real, and
 * two controls have to be noticed: flushes that are left out, and damages to the disk as it is at the end.
 * Owns: the course of a campaign, and its report. The scenario says what is recorded and what has to hold.
 */
import { join } from "node:path";
import { DAMAGES, undetectedDamages } from "./broken-disks.ts";
import { judgeCrashed, type Expectation } from "./crash-judge.ts";
import type { Selection } from "./crash-states.ts";
import { command } from "./command.ts";
import type { Image } from "./images.ts";
import { readVolumes } from "./inspect.ts";
import {
  describeLog,
  isFaithful,
  judgeStates,
  withEnd,
  type JudgedState,
  type Recording,
} from "./recording.ts";
import type { CrashedDisk } from "./replay.ts";
import { must, type Context } from "./scenario.ts";
import { readWriteLog } from "./write-log.ts";

export interface Campaign {
  readonly recording: Recording;
  readonly expected: Expectation;
  readonly phaseOf: Selection["phaseOf"];
  /** Of each phase so many states; a phase that is not named is taken whole. */
  readonly most: Readonly<Record<string, number>>;
  /** What must have been seen at least once, as `Verdict.found` begins. */
  readonly sees: readonly string[];
  /** Of each phase so many states in which the control has to find a fault. */
  readonly control: Readonly<Record<string, number>>;
  /** Starts a disk as the power cut left it, and @throws Error if it does not end well by itself. */
  start(crashed: Image, name: string): Promise<void>;
}

export interface Judged {
  readonly states: number;
}

/** In the control one of so many flushes is heeded. */
const HEEDED = 25;

/** @throws Error with every fault. */
export async function runCampaign(context: Context, campaign: Campaign): Promise<Judged> {
  const { recording, expected, phaseOf, most } = campaign;
  const { folder } = context;
  context.note(describeLog(readWriteLog(recording.logFile)));
  must(await isFaithful(folder, recording), "the replay does not give the disk again");

  const seed = Math.floor(context.random() * 2 ** 32);
  const seen = new Map<string, number>();
  const started = join(folder, "started.raw");
  let toStart: string | undefined;
  const judged = await judgeStates(recording, {
    ...{ folder, seed, phaseOf, most },
    async judge(crashed, state) {
      const isTaken = state.kind !== "flushed" && (toStart === undefined || context.random() < 0.3);
      if (isTaken) {
        // As the power cut left it: the judge may put LVM's metadata back.
        await command(["cp", "--sparse=always", crashed.file, started]);
        toStart = state.name;
      }
      const { faults, found } = await judgeCrashed(crashed, expected);
      seen.set(found, (seen.get(found) ?? 0) + 1);
      return faults;
    },
  });
  report(context, seed, judged, seen);
  const bad = judged.filter(({ faults }) => faults.length > 0);
  must(
    bad.length === 0,
    `${bad.length} of ${judged.length} states are faulty (seed ${seed}):\n` +
      bad.map(({ state, faults }) => `${state.name}:\n  ${faults.join("\n  ")}`).join("\n"),
  );
  for (const words of campaign.sees) {
    must(
      [...seen.keys()].some((found) => found.startsWith(words)),
      `no state was seen in which the disk is found as ${words}`,
    );
  }
  must(toStart !== undefined, "no state was kept to be started");
  await campaign.start({ file: started, format: "raw" }, "crashed");
  context.note(`started and ended well: ${toStart}`);

  const control = await judgeStates(recording, {
    ...{ folder, seed, phaseOf, most: campaign.control },
    heeds: (flush) => flush % HEEDED === 0,
    judge: async (crashed) => (await judgeCrashed(crashed, expected)).faults,
    tell: ({ faults }) => faults.length === 0,
  });
  const found = control.at(-1);
  must(
    found !== undefined && found.faults.length > 0,
    `with flushes left out, ${control.length} states were all good: this proves nothing`,
  );
  context.note(
    `control, flushes left out: after ${control.length} states ${found.state.name}: ${found.faults[0]?.slice(0, 300)}`,
  );

  const undetected = await withEnd(recording, folder, async (show) => {
    const volumes = await show(({ file }) => readVolumes(folder, file));
    const judge = async (broken: CrashedDisk) => (await judgeCrashed(broken, expected)).faults;
    return undetectedDamages(show, volumes, judge);
  });
  must(
    undetected.length === 0,
    `of ${DAMAGES.length} damages the judge did not notice ${undetected.length}:\n${undetected.join("\n")}`,
  );
  context.note(`control, a damaged disk: ${DAMAGES.length} of ${DAMAGES.length} damages noticed`);
  return { states: judged.length };
}

function report(
  context: Context,
  seed: number,
  judged: readonly JudgedState[],
  seen: ReadonlyMap<string, number>,
): void {
  const seconds = judged.map((one) => one.seconds);
  const sum = seconds.reduce((total, one) => total + one, 0);
  context.note(
    `${judged.length} states, seed ${seed}, ${(sum / judged.length).toFixed(2)} s each, ` +
      `at most ${Math.max(...seconds).toFixed(2)} s`,
  );
  const flushes = new Map<string, number[]>();
  for (const { state } of judged) {
    const key = `${state.phase} ${state.kind}`;
    flushes.set(key, [...(flushes.get(key) ?? []), state.epoch.flush]);
  }
  if (judged.length < 100) {
    context.note([...flushes].map(([key, list]) => `${key}: ${list.join(" ")}`).join("; "));
  }
  context.note([...seen].map(([found, count]) => `${count} ${found}`).join("; "));
}
