/*
 * The factory tests: one function runs a built-in test to its outcome, the vendor's are found and run beside it.
 * Owns: which test looks at what; what each means is said in factory/. None of it throws but listVendorTests.
 */
import type { FactoryTest, FactoryTestName, TestOutcome } from "../model/factory.ts";
import { because } from "../model/reasons.ts";
import { findTool, tellFailure } from "./command.ts";
import { nothing, outcomeOf, type Box, type Finding } from "./factory/box.ts";
import {
  judgeDisk,
  judgeHealth,
  judgeRate,
  measureReading,
  measureWriting,
} from "./factory/disk.ts";
import { testBootLoader, testRoot } from "./factory/installed.ts";
import * as kernel from "./factory/kernel.ts";
import { judgeNetwork, readNetwork } from "./factory/network.ts";
import { readHealth } from "./running.ts";

export type { Box } from "./factory/box.ts";
export { listVendorTests, runVendorTest, type VendorRun } from "./factory/vendor.ts";

type Of<N extends FactoryTestName> = Extract<FactoryTest, { name: N }>;
type Table = { [N in FactoryTestName]: (test: Of<N>, box: Box) => Promise<Finding> };

const TABLE: Table = {
  memory: async ({ leastBytes }) => kernel.judgeMemory(await kernel.readMemory(), leastBytes),

  processors: async (wanted) => kernel.judgeProcessors(await kernel.readProcessors(), wanted),

  network: async (wanted) => judgeNetwork(await readNetwork(wanted), wanted),

  disk: async (wanted, { disk }) => judgeDisk(disk, wanted),

  async smart({ required }, { disk }) {
    const { verdict } = await readHealth(disk.path);
    return judgeHealth(verdict, { hasTool: findTool("smartctl") !== undefined, required });
  },

  "read-rate": async ({ leastRate }, { disk }) =>
    judgeRate(await measureReading(disk.path, disk.sizeBytes), "read", leastRate),

  async "write-rate"({ leastRate }, { scratch }) {
    const rate = await measureWriting(scratch);
    return rate
      ? judgeRate(rate, "written", leastRate)
      : nothing(because("rate.no-room"), leastRate !== undefined);
  },

  clock: async ({ after }) => kernel.judgeClock(await kernel.readClock(), after),

  watchdog: async ({ required }) => kernel.judgeWatchdog(await kernel.readWatchdogs(), required),

  sensors: async ({ ranges }) => kernel.judgeSensors(await kernel.readSensors(), ranges),

  root: (_test, box) => testRoot(box),

  "boot-loader": (_test, box) => testBootLoader(box),
};

/** Never throws: what goes wrong is an outcome. */
export async function runFactoryTest(test: FactoryTest, box: Box): Promise<TestOutcome> {
  const act = TABLE[test.name] as (test: FactoryTest, box: Box) => Promise<Finding>;
  const of = { name: test.name, origin: "built-in" } as const;
  return outcomeOf(of, () => act(test, box), tellFailure);
}
