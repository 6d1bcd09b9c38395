/*
 * The factory tests of a plan, one by one: what was begun and what came of it is in the record on the ESP before and
 * after each, so that a power cut goes on with the test that it cut. What the vendor's tests print lies on the audit
 * volume too, until tests are run anew. Owns: that order. The tests themselves are in factory-tests.ts.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { messageOf } from "../errors.ts";
import { MOST_REASON, type FactoryTest, type TestOutcome } from "../model/factory.ts";
import { beginTest, hasOutcome, withOutcome, type FactoryState } from "../model/factory-state.ts";
import type { DiskIdentity, Machine } from "../model/machine.ts";
import { AT, VENDOR_TESTS } from "../model/places.ts";
import type { BootProof, Plan, RootProof } from "../model/step.ts";
import { visible } from "../model/text.ts";
import { flushDirectory } from "./durable.ts";
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
const SCRATCH = ".zshield-test-";
const OUTPUTS = join(REPORTS, "outputs");

export async function runBuiltIn(
  test: FactoryTest,
  proofs: Proofs,
  world: FactoryWorld,
): Promise<void> {
  await runOnce(test.name, "built-in", world, () =>
    withScratch((scratch) => runFactoryTest(test, boxOf(world, proofs, scratch))),
  );
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
    const reason = visible(messageOf(error)).slice(0, MOST_REASON);
    await runOnce(of.name, of.origin, world, async () => ({
      ...{ ...of, outcome: "fail", reason, seconds: 0 },
    }));
    return;
  }
  for (const [index, name] of names.entries()) {
    await runOnce(visible(name), "vendor", world, () =>
      withScratch(async (scratch) => {
        const { outcome, output } = await runVendorTest(name, boxOf(world, {}, scratch), seconds);
        await keepOutput(index, outcome.name, output);
        return outcome;
      }),
    );
  }
}

/** `run` is called unless it has an outcome, or was begun too often. */
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
  const outcome = await run();
  world.log(`factory test ${name}: ${outcome.outcome.toUpperCase()}, ${outcome.reason}`);
  await world.keep(withOutcome(world.state(), { ...outcome, ...key }));
}

/** The manifest went with the card, should it have been taken out since the plan was made. */
function boxOf(
  { machine, disk, plan, log }: FactoryWorld,
  { proof, boot }: Proofs,
  scratch: string,
): Box {
  return {
    ...{ machine, disk, plan, root: AT.root, scratch, esp: AT.esp, log },
    ...(proof && machine.card ? { proof } : {}),
    ...(boot ? { boot } : {}),
  };
}

/** A directory on the user volume, empty, and gone afterwards; a power cut may have left an older one. */
async function withScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  for (const name of await readdir(AT.user)) {
    if (name.startsWith(SCRATCH)) await rm(join(AT.user, name), { recursive: true, force: true });
  }
  const directory = await mkdtemp(join(AT.user, SCRATCH));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
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
