/*
 * The factory tests: what is measured against what, what came of it, and the report of a box.
 * A test with an expected value in `[factory]` of zshield.toml fails where there is nothing to measure; without one it
 * is skipped there, and what was measured is only told. Owns: these types and their schemas. No I/O.
 */
import * as v from "valibot";
import { because } from "./reasons.ts";

const Bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Inclusive; in the unit of the sensor: degrees Celsius, volts, revolutions a minute. */
const SensorRange = v.strictObject({ name: v.string(), least: v.number(), most: v.number() });
export type SensorRange = v.InferOutput<typeof SensorRange>;

/** One built-in test with what is expected; an absent key expects nothing. */
export const FactoryTest = v.variant("name", [
  v.strictObject({ name: v.literal("memory"), leastBytes: v.optional(Bytes) }),
  v.strictObject({
    name: v.literal("processors"),
    count: v.optional(Count),
    /** As `/proc/cpuinfo` has them: `aes`, `avx2`. */
    flags: v.array(v.string()),
  }),
  v.strictObject({
    name: v.literal("network"),
    /** Network ports that are hardware. */
    ports: v.optional(Count),
    /** How many of them have to have a link. */
    links: v.optional(Count),
  }),
  v.strictObject({
    name: v.literal("disk"),
    model: v.optional(v.string()),
    leastBytes: v.optional(Bytes),
  }),
  v.strictObject({ name: v.literal("smart"), required: v.boolean() }),
  /** Sequential, past the page cache; bytes a second. */
  v.strictObject({ name: v.literal("read-rate"), leastRate: v.optional(Bytes) }),
  v.strictObject({ name: v.literal("write-rate"), leastRate: v.optional(Bytes) }),
  /** Seconds since 1970: a clock that is behind this has lost its battery. */
  v.strictObject({ name: v.literal("clock"), after: v.optional(Count) }),
  v.strictObject({ name: v.literal("watchdog"), required: v.boolean() }),
  v.strictObject({ name: v.literal("sensors"), ranges: v.array(SensorRange) }),
  /** The installed root against golden's manifest, file by file. */
  v.strictObject({ name: v.literal("root") }),
  /** GRUB, the rescue system and the boot images on the ESP against the card's description. */
  v.strictObject({ name: v.literal("boot-loader") }),
]);
export type FactoryTest = v.InferOutput<typeof FactoryTest>;
export type FactoryTestName = FactoryTest["name"];

export const TEST_OUTCOMES = ["pass", "fail", "skip"] as const;

/** Longest texts of an outcome, in characters: many of them have to fit into the record on the ESP. */
export const MOST_REASON = 300;
/** More programs of the vendor than these are refused: their outcomes have to fit there too. */
export const MOST_VENDOR_TESTS = 64;

/** What came of one test. Texts are `visible` and short. */
export const TestOutcome = v.strictObject({
  /** Of a built-in test its own; of a vendor's the file name. */
  name: v.string(),
  origin: v.picklist(["built-in", "vendor"]),
  outcome: v.picklist(TEST_OUTCOMES),
  /** One sentence: why it failed or was skipped; what was measured where it passed. */
  reason: v.pipe(v.string(), v.maxLength(MOST_REASON)),
  seconds: v.number(),
});
export type TestOutcome = v.InferOutput<typeof TestOutcome>;

export const VERDICTS = ["PASS", "FAIL"] as const;
export type Verdict = (typeof VERDICTS)[number];

export const FACTORY_REPORT_KIND = "zshield-factory-report";

/** The report of one box, as it lies on the audit volume and on a stick. */
export const FactoryReport = v.strictObject({
  kind: v.literal(FACTORY_REPORT_KIND),
  schema: v.literal(1),
  /** Of the box, from DMI; "" where it tells none. */
  serial: v.string(),
  vendor: v.string(),
  model: v.string(),
  /** Version of the golden that was installed. */
  version: v.string(),
  disk: v.strictObject({
    path: v.string(),
    model: v.string(),
    serial: v.string(),
    wwn: v.string(),
    sizeBytes: Bytes,
  }),
  /** Seconds since 1970 by the box's own clock, when the tests had ended. */
  endedAt: Count,
  /** What the installation took, step by step added up; absent where it is not known any more. */
  installSeconds: v.optional(v.number()),
  testSeconds: v.number(),
  verdict: v.picklist(VERDICTS),
  /** Of a FAIL: `name: reason` of the first test that failed. */
  reason: v.optional(v.string()),
  tests: v.array(TestOutcome),
  /** What the vendor's tests printed, by name: visible lines, shortened in the middle. */
  outputs: v.record(v.string(), v.string()),
});
export type FactoryReport = v.InferOutput<typeof FactoryReport>;

/** FAIL with the first failure; a test that was skipped is no failure. No test at all is one. */
export function verdictOf(tests: readonly TestOutcome[]): { verdict: Verdict; reason?: string } {
  const failed = tests.find(({ outcome }) => outcome === "fail");
  if (failed) return { verdict: "FAIL", reason: `${failed.name}: ${failed.reason}` };
  if (tests.length === 0) return { verdict: "FAIL", reason: because("any.none") };
  return { verdict: "PASS" };
}
