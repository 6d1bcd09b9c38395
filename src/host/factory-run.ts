/*
 * The factory tests of a plan, one by one: what was begun and what came of it is in the record on the ESP before and
 * after each, so that a power cut goes on with the test that it cut. What the vendor's tests print lies on the audit
 * volume too, until tests are run anew. Owns: that order. The tests themselves are in factory-tests.ts.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { messageOf } from "../errors.ts";
import type { FactoryTest, TestOutcome } from "../model/factory.ts";
import { beginTest, hasOutcome, withOutcome, type FactoryState } from "../model/factory-state.ts";
import type { DiskIdentity, Machine } from "../model/machine.ts";
import { AT, VENDOR_TESTS } from "../model/places.ts";
import { because } from "../model/reasons.ts";
import type { BootProof, Plan, RootProof } from "../model/step.ts";
import { visible } from "../model/text.ts";
import { flushDirectory } from "./durable.ts";
import { outcomeOf, shortReason } from "./factory/box.ts";
import { listVendorTests, runFactoryTest, runVendorTest, type Box } from "./factory-tests.ts";

export interface FactoryWorld {
  readonly plan: Plan;
  readonly machine: Machine;
  readonly disk: DiskIdentity;
  log(line: string): void;
  /** As the record has it now. */
  state(): FactoryState;
  /** On the disk when it returns. */
  keep(state: FactoryState): Promise<void>;
}

/** What the tests of the root and of the boot loader compare with. */
export interface Proofs {
  readonly proof?: RootProof;
  readonly boot?: BootProof;
}

const REPORTS = join(AT.audit, "zshield/factory");
const OUTPUTS = join(REPORTS, "outputs");

export async function runBuiltIn(
  test: FactoryTest,
  proofs: Proofs,
  world: FactoryWorld,
): Promise<void> {
  await runOnce(test.name, "built-in", world, () => runFactoryTest(test, boxOf(world, proofs)));
}

/** Where they cannot be listed (an odd name, too many) none is run, and that is a failure with the reason. */
export async function runVendorTests(seconds: number, world: FactoryWorld): Promise<void> {
  if (world.state().tests.every(({ origin }) => origin !== "vendor")) {
    await rm(OUTPUTS, { recursive: true, force: true });
  }
  let names: readonly string[];
  try {
    names = listVendorTests(AT.root);
  } catch (error) {
    const of = { name: basename(VENDOR_TESTS), origin: "vendor" } as const;
    const reason = shortReason(messageOf(error));
    await runOnce(of.name, of.origin, world, async () => ({
      ...{ ...of, outcome: "fail", reason, seconds: 0 },
    }));
    return;
  }
  for (const [index, name] of names.entries()) {
    await runOnce(visible(name), "vendor", world, async () => {
      const { outcome, output } = await runVendorTest(name, boxOf(world, {}), seconds);
      return withKept(outcome, () => keepOutput(index, outcome.name, output));
    });
  }
}

/** `run` is called unless it has an outcome, or was begun too often; what it throws is a failure of the test. */
export async function runOnce(
  name: string,
  origin: TestOutcome["origin"],
  world: Pick<FactoryWorld, "log" | "state" | "keep">,
  run: () => Promise<TestOutcome>,
): Promise<void> {
  const key = { name, origin };
  if (hasOutcome(world.state(), key)) return;
  await world.keep(beginTest(world.state(), key));
  // Given up: it was begun too often.
  if (hasOutcome(world.state(), key)) return;
  const outcome = await outcomeOf(key, run);
  world.log(`factory test ${name}: ${outcome.outcome.toUpperCase()}, ${outcome.reason}`);
  await world.keep(withOutcome(world.state(), outcome));
}

/** The manifest went with the card, should it have been taken out since the plan was made. */
function boxOf({ machine, disk, plan, log }: FactoryWorld, { proof, boot }: Proofs): Box {
  return {
    ...{ machine, disk, plan, root: AT.root, scratch: AT.user, esp: AT.esp, log },
    ...(proof && machine.card ? { proof } : {}),
    ...(boot ? { boot } : {}),
  };
}

/** What a test found counts also where there is no room for what it printed; the report says so then. */
export async function withKept(
  outcome: TestOutcome,
  keep: () => Promise<void>,
): Promise<TestOutcome> {
  try {
    await keep();
    return outcome;
  } catch (error) {
    const trouble = messageOf(error);
    const reason =
      outcome.reason === ""
        ? because("any.unkept", trouble)
        : because("any.also-unkept", outcome.reason, trouble);
    return { ...outcome, reason: shortReason(reason) };
  }
}

/** By number: a name may hold anything. */
async function keepOutput(index: number, name: string, output: string): Promise<void> {
  await mkdir(OUTPUTS, { recursive: true });
  const file = join(OUTPUTS, `${String(index).padStart(2, "0")}.output`);
  await writeFile(file, JSON.stringify({ name, output }), { flush: true });
}

/** What the tests so far have printed, also before a power cut; a file that it has cut is left out. */
export async function readOutputs(): Promise<Record<string, string>> {
  const outputs: [string, string][] = [];
  for (const file of (await readdir(OUTPUTS).catch(() => [])).sort()) {
    try {
      const kept: unknown = JSON.parse(await readFile(join(OUTPUTS, file), "utf8"));
      if (isOutput(kept)) outputs.push([kept.name, kept.output]);
    } catch (error) {
      outputs.push([file, `[it cannot be read any more: ${messageOf(error)}]`]);
    }
  }
  return Object.fromEntries(outputs);
}

/**
 * Report and readable text, flushed, as `NAME.json` and `NAME.txt` on the audit volume. The outputs stay beside them:
 * after a power cut before the record tells the verdict, the report is written once more. `nameOf`: among the names that are taken. Returns the name.
 */
export async function writeFactoryReport(
  nameOf: (taken: readonly string[]) => string,
  report: { readonly json: string; readonly text: string },
): Promise<string> {
  await mkdir(REPORTS, { recursive: true });
  const taken = (await readdir(REPORTS)).map((file) => file.replace(/\.(json|txt)$/, ""));
  const name = nameOf(taken);
  await writeFile(join(REPORTS, `${name}.json`), report.json, { flush: true, flag: "wx" });
  await writeFile(join(REPORTS, `${name}.txt`), report.text, { flush: true, flag: "wx" });
  for (const directory of [REPORTS, join(AT.audit, "zshield"), AT.audit]) {
    await flushDirectory(directory);
  }
  return name;
}

function isOutput(value: unknown): value is { readonly name: string; readonly output: string } {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    "output" in value &&
    typeof value.name === "string" &&
    typeof value.output === "string"
  );
}
