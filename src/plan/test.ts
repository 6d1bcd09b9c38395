/*
 * The plan for the factory tests: what is installed is opened read-only, each built-in test is a step with what
 * zshield.toml expects, and the vendor's tests are one. Loses nothing, so nobody is asked. Pure.
 */
import { Refusal } from "../errors.ts";
import type { Config, FactoryConfig } from "../model/config.ts";
import type { FactoryTest } from "../model/factory.ts";
import { UNTESTED } from "../model/factory-state.ts";
import type { Disk, Machine, VolumeGroup } from "../model/machine.ts";
import { identityOf } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import type { StateRecord } from "../model/state.ts";
import type { BootProof, Plan, RootProof, Step } from "../model/step.ts";
import { fromCard, openBootFiles } from "./boot-source.ts";
import { identityFiles } from "./identity.ts";
import { partitionsOf } from "./latest.ts";
import { checkNames } from "./preconditions.ts";
import * as steps from "./steps.ts";
import { AUDIT, ROOT, USER } from "./volumes.ts";

const MACHINE_ID = "/etc/machine-id";

interface Tested {
  readonly machine: Machine;
  readonly config: Config;
  readonly disk: Disk;
  readonly record: StateRecord;
  readonly group: VolumeGroup;
}

/** @throws Refusal */
export function planTest({ machine, config, disk, record, group }: Tested): Plan {
  const { factory } = config;
  if (!factory) {
    throw new Refusal(say("no-factory-tests"), say("without-tests"));
  }
  checkNames(machine, disk, group.name);
  const name = group.name;
  const { esp, pv } = partitionsOf(disk);
  const device = (volume: string) => `/dev/${name}/${volume}`;
  return {
    operation: "test",
    version: record.document.version,
    disk: identityOf(disk),
    loses: [],
    keeps: [],
    asks: false,
    group: name,
    physicalVolume: steps.byPartition(pv),
    reportVolume: AUDIT,
    steps: [
      ...prologue(machine, disk),
      steps.openEsp(esp),
      {
        kind: "open-volumes",
        title: "open the installed system read-only, and the user and audit volumes",
        repeats: true,
        group: name,
        fileSystem: config.volume.root["file-system"],
        root: device(ROOT),
        user: device(USER),
        audit: device(AUDIT),
      },
      ...builtInTests(factory).map((test): Step => ({
        kind: "factory-test",
        title: `factory test: ${test.name}`,
        repeats: false,
        test,
        ...(test.name === "root" ? proofOf(machine, config, record, device(ROOT)) : {}),
        ...(test.name === "boot-loader" ? bootProofOf(machine, disk) : {}),
      })),
      {
        kind: "vendor-tests",
        title: "the vendor's factory tests",
        repeats: false,
        seconds: factory["test-seconds"],
      },
    ],
  };
}

/** The steps that depend on this boot's device names, and on whether the card is in. */
function prologue(machine: Machine, disk: Disk): Step[] {
  const nothing = {
    source: "disk",
    espDevice: "",
    card: "",
    boot: "",
    grub: "",
    rescue: "",
  } as const;
  const origin = machine.card ? fromCard(machine.card) : nothing;
  return [steps.protectDisks(machine, disk), openBootFiles(origin)];
}

/** The journalled plan in this boot. */
export function resumedTest(plan: Plan, machine: Machine, disk: Disk): Plan {
  const now = prologue(machine, disk);
  const renewed = plan.steps.map(
    (step) => now.find(({ kind }) => kind === step.kind) ?? provable(step, machine),
  );
  return { ...plan, disk: identityOf(disk), steps: renewed };
}

/** Without its proof where the card that is in now has another golden's manifest: there is nothing to compare with. */
function provable(step: Step, { card }: Machine): Step {
  if (step.kind !== "factory-test" || !step.proof) return step;
  const manifest = card?.description.golden.manifest;
  const { proof, ...bare } = step;
  return manifest?.sha256 === proof.manifest.sha256
    ? { ...bare, proof: { ...proof, manifest } }
    : bare;
}

/** The record that the tests begin with: what earlier ones found does not count any more. */
export function untested(record: StateRecord): StateRecord {
  return { ...record, document: { ...record.document, factory: UNTESTED } };
}

/** Quick ones first: what is wrong with a box is found before its disk is read. */
export function builtInTests(factory: FactoryConfig): FactoryTest[] {
  const given = <K extends string, T>(key: K, value: T | undefined) =>
    (value === undefined ? {} : { [key]: value }) as { readonly [Key in K]?: T };
  return [
    { name: "memory", ...given("leastBytes", factory.memory) },
    {
      name: "processors",
      ...given("count", factory.processors),
      flags: factory["processor-flags"],
    },
    {
      name: "network",
      ...given("ports", factory["network-ports"]),
      ...given("links", factory["network-links"]),
    },
    {
      name: "disk",
      ...given("model", factory["disk-model"]),
      ...given("leastBytes", factory["disk-size"]),
    },
    { name: "smart", required: factory.smart },
    { name: "clock", ...given("after", factory["clock-after"]) },
    { name: "watchdog", required: factory.watchdog },
    { name: "sensors", ranges: factory.sensors },
    { name: "read-rate", ...given("leastRate", factory["read-rate"]) },
    { name: "write-rate", ...given("leastRate", factory["write-rate"]) },
    { name: "root" },
    { name: "boot-loader" },
  ];
}

/** Only the card has golden's manifest, and only of the golden that it holds itself. */
function proofOf(
  { card }: Machine,
  config: Config,
  { document }: StateRecord,
  device: string,
): { readonly proof?: RootProof } {
  const { rootMounts } = document;
  if (card?.description.version !== document.version || rootMounts === undefined) return {};
  const { golden } = card.description;
  const { user, audit } = config.volume;
  return {
    proof: {
      manifest: golden.manifest,
      files: identityFiles(config, "").filter(({ path }) => path !== MACHINE_ID),
      mayDiffer: [...steps.mayDiffer(user.mount, audit.mount), MACHINE_ID],
      bytes: golden.treeBytes,
      device,
      mounts: rootMounts,
    },
  };
}

/** What the disk's own description says, which is that of the card it was installed from; else the card's. */
function bootProofOf(
  { card }: Machine,
  { bootFiles, logicalSectorBytes: sectorBytes }: Disk,
): { readonly boot?: BootProof } {
  const from = bootFiles ?? (card && fromCard(card));
  if (!from) return {};
  const { card: digest, boot, grub, rescue } = from;
  return { boot: { card: digest, boot, grub, rescue, sectorBytes } };
}
