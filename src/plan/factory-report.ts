/*
 * What the factory tests of a box come to: the verdict as a result, and the report. Pure.
 */
import {
  FACTORY_REPORT_KIND,
  verdictOf,
  type FactoryReport,
  type TestOutcome,
} from "../model/factory.ts";
import { identityOf, type DiskIdentity, type Machine } from "../model/machine.ts";
import type { Result } from "../model/result.ts";
import { MIB } from "../model/size.ts";
import type { Plan } from "../model/step.ts";

/** Longer lists of tests are in the report only: a line has to be read at its end. */
const MOST_LISTED = 2000;
/** Of all outputs, in characters. */
const MOST_OUTPUT = MIB;
const HINT = 'correct the cause, then "Run the factory tests"';

export interface Tested {
  readonly machine: Pick<Machine, "serial" | "vendor" | "model">;
  readonly plan: Plan;
  /** Under its name in this boot. */
  readonly disk: DiskIdentity;
  readonly tests: readonly TestOutcome[];
  readonly outputs: Readonly<Record<string, string>>;
  /** Seconds since 1970. */
  readonly endedAt: number;
  /** How the last recovery ended, before the tests. */
  readonly lastResult: Result | undefined;
}

export function factoryReport(tested: Tested): FactoryReport {
  const { machine, plan, disk, tests, outputs, endedAt, lastResult } = tested;
  const installSeconds =
    lastResult?.operation === "default" && lastResult.outcome === "success"
      ? { installSeconds: sum(lastResult.steps) }
      : {};
  const { serial, vendor, model } = machine;
  return {
    kind: FACTORY_REPORT_KIND,
    schema: 1,
    ...{ serial, vendor, model },
    version: plan.version,
    disk: identityOf(disk),
    endedAt,
    ...installSeconds,
    testSeconds: sum(tests),
    ...verdictOf(tests),
    tests: [...tests],
    outputs: shortened(outputs),
  };
}

/** What a test run is beside the steps that it took: a FAIL is a failure of the operation. */
export function resultOfTests({
  verdict,
  reason,
  tests,
}: FactoryReport): Pick<Result, "outcome" | "verdict" | "tests" | "error"> {
  const listed = tests.map(({ name, outcome }) => ({ name, outcome }));
  return {
    outcome: verdict === "PASS" ? "success" : "failed",
    verdict,
    ...(JSON.stringify(listed).length > MOST_LISTED ? {} : { tests: listed }),
    ...(verdict === "PASS" ? {} : { error: { message: reason ?? "", hint: HINT } }),
  };
}

/** Together no more than that, so that the report goes onto a stick as it is: each loses its middle. */
function shortened(outputs: Readonly<Record<string, string>>): Record<string, string> {
  const all = Object.entries(outputs);
  const most = Math.floor(MOST_OUTPUT / Math.max(1, all.length));
  return Object.fromEntries(
    all.map(([name, text]) => {
      const half = Math.floor(most / 2);
      const short = `${text.slice(0, half)}\n[… the middle is left out …]\n${text.slice(-half)}`;
      return [name, text.length <= most ? text : short];
    }),
  );
}

function sum(parts: readonly { readonly seconds: number }[]): number {
  return Math.round(parts.reduce((total, { seconds }) => total + seconds, 0) * 100) / 100;
}
