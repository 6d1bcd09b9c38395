/*
 * The write order, not only the process: every write and flush of an installation is recorded, and disks
 * are made of it as a power cut could have left them; each is judged on the host. What was flushed is there,
 * of what was written after it any part may be: a flush that is missing in the agent, in LVM or in a file
 * system shows as a promise that is not kept. A control leaves flushes out, and must find faults.
 */
import { judgeCrashed, type Expectation } from "../lab/crash-judge.ts";
import { makeRaw } from "../lab/images.ts";
import { describeLog, isFaithful, judgeStates, phaseByPlace, record } from "../lab/recording.ts";
import { DISK_BYTES, finishRecovery, startRescue } from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";
import { readWriteLog } from "../lab/write-log.ts";

/** Of each phase so many states in the ordinary run; the soak takes table, LVM and ESP whole. */
const FEW = { table: 7, lvm: 7, esp: 8, data: 4, bulk: 3 };
const MANY = { data: 200, bulk: 200 };
/** The control has to find a fault within so many states. */
const CONTROL = { table: 2, lvm: 4, esp: 4, data: 5, bulk: 5 };

function writeOrder(
  name: string,
  minutes: number,
  most: Readonly<Record<string, number>>,
  soak: boolean,
): Scenario {
  return {
    name,
    title: "an installation's writes, cut off anywhere, leave a disk that is found for what it is",
    minutes,
    needs: ["small"],
    soak,
    async run(context) {
      const card = await context.card("small");
      const recording = await record(
        context.folder,
        "blank",
        makeRaw(context.folder, "blank", DISK_BYTES),
      );
      const machine = await startRescue(context, { card, drives: [recording.drive] });
      const { disk } = await finishRecovery(machine);
      must(disk !== undefined, "the result names no disk");
      context.note(describeLog(readWriteLog(recording.logFile)));
      must(await isFaithful(context.folder, recording), "the replay does not give the disk again");

      const expected: Expectation = {
        folder: `${context.folder}/judge`,
        disk,
        group: "vgroup",
        card: card.card.description,
        fromBlank: true,
        phases: ["recovering", "installed"],
      };
      const seed = Math.floor(context.random() * 2 ** 32);
      const seen = new Map<string, number>();
      const judged = await judgeStates(recording, {
        folder: context.folder,
        seed,
        phaseOf: phaseByPlace(DISK_BYTES),
        most,
        async judge(crashed) {
          const { faults, found } = await judgeCrashed(crashed, expected);
          seen.set(found, (seen.get(found) ?? 0) + 1);
          return faults;
        },
      });
      report(context, seed, judged, seen);
      const bad = judged.filter(({ faults }) => faults.length > 0);
      must(
        bad.length === 0,
        `${bad.length} of ${judged.length} states are faulty:\n` +
          bad.map(({ state, faults }) => `${state.name}:\n  ${faults.join("\n  ")}`).join("\n"),
      );
      must(seen.has("installed"), "no state was seen in which the installation is whole");

      const control = await judgeStates(recording, {
        folder: context.folder,
        seed,
        phaseOf: phaseByPlace(DISK_BYTES),
        most: CONTROL,
        heeds: (flush) => flush % 25 === 0,
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
    },
  };
}

function report(
  context: Context,
  seed: number,
  judged: Awaited<ReturnType<typeof judgeStates>>,
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

export const scenario: readonly Scenario[] = [
  writeOrder("write-order", 4, FEW, false),
  writeOrder("soak-write-order", 40, MANY, true),
];
