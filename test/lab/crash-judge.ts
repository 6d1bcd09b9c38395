/*
 * Judges a disk as a power cut left it, on the host and without a guest: is it found for what it is, and
 * does it keep what its record promises? Every fault is a sentence; none is the good case.
 * Owns: the order of the questions. judge-esp, judge-group and judge-volumes look; promises.ts says what
 * has to hold; the caller says what is allowed.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseClaim, CLAIM_BYTES, CLAIM_OFFSET_BYTES } from "../../src/model/claim.ts";
import type { CardDescription } from "../../src/model/card.ts";
import type { DiskIdentity } from "../../src/model/machine.ts";
import { MIB } from "../../src/model/size.ts";
import type { Phase, StateRecord } from "../../src/model/state.ts";
import { planPartitions } from "../../src/plan/layout.ts";
import { command } from "./command.ts";
import { readPartitions, type ImagePartition } from "./images.ts";
import type { VolumePlace } from "./inspect.ts";
import { faultsOfBoot, readEsp } from "./judge-esp.ts";
import { readGroup } from "./judge-group.ts";
import { faultsOfFileSystem, fingerprintOfBackup, fingerprintOfVolume } from "./judge-volumes.ts";
import { promisesOf, type Promises } from "./promises.ts";
import type { CrashedDisk } from "./replay.ts";
import { isZero } from "./sparse.ts";

export interface Expectation {
  /** For what the judge unpacks. */
  readonly folder: string;
  readonly diskBytes: number;
  readonly group: string;
  readonly card: CardDescription;
  /** The recording began with this disk blank: before there is a record, its claim has to be found, or nothing. */
  readonly blank?: DiskIdentity;
  readonly phases: readonly Phase[];
  /** What a record promises; by its journal if absent. */
  readonly promises?: (record: StateRecord) => Promises;
  /** Fingerprints (judge-volumes.ts) that a volume may have, where that is known. */
  readonly contents?: (record: StateRecord, volumes: readonly VolumePlace[]) => readonly Content[];
}

export interface Content {
  readonly volume: string;
  /** `volume`: what it counts as, seen through a merge. `backup`: what the snapshot of this name holds. */
  readonly as: "volume" | "backup";
  readonly allowed: readonly string[];
  readonly words: string;
}

export interface Verdict {
  readonly faults: readonly string[];
  /** `blank`, `claim`, or the phase and the step at work: shows what a campaign has seen. */
  readonly found: string;
}

const ENDS_BYTES = 16 * MIB;

export async function judgeCrashed(disk: CrashedDisk, expected: Expectation): Promise<Verdict> {
  mkdirSync(expected.folder, { recursive: true });
  const table = await readTable(disk, expected.diskBytes);
  const esp =
    typeof table === "string" ? undefined : await readEsp(disk, join(expected.folder, "esp"));
  const state = esp?.state;
  if (typeof table === "string" || !esp || !state || "trouble" in state) {
    const trouble = state && "trouble" in state ? state.trouble : String(table);
    return withoutRecord(disk, expected, trouble);
  }
  const { record } = state;
  const found = describeRecord(record);
  const faults = [...esp.faults];
  if (!expected.phases.includes(record.phase)) faults.push(`the phase is ${record.phase}`);
  const promised = (expected.promises ?? promisesOf)(record);
  if (promised.boot) faults.push(...faultsOfBoot(disk, esp, expected.card));
  const place = table.find(({ number }) => number === 3);
  if (promised.group && place) {
    const mayRestore = record.phase === "recovering" || record.phase === "changing";
    const copies = mayRestore ? join(esp.files, "state/group") : undefined;
    const group = await readGroup(disk, place, expected.group, copies);
    if (typeof group === "string") return { found, faults: [...faults, group] };
    if (group.uuid !== record.document.groupUuid) {
      faults.push(`the group is ${group.uuid}, the record says ${record.document.groupUuid}`);
    }
    faults.push(...(await faultsOfVolumes(disk, expected, record, promised, group.volumes)));
    return { found: group.isRestored ? `${found}, LVM's metadata put back` : found, faults };
  }
  return { found, faults };
}

async function faultsOfVolumes(
  disk: CrashedDisk,
  expected: Expectation,
  record: StateRecord,
  promised: Promises,
  volumes: readonly VolumePlace[],
): Promise<string[]> {
  const faults: string[] = [];
  const missing = promised.volumes.filter((name) => !volumes.some((one) => one.name === name));
  for (const name of missing) faults.push(`the volume ${name} is missing`);
  const rootUuid = record.root.split("/")[2];
  if (record.phase !== "recovering" && !volumes.some(({ uuid }) => uuid === rootUuid)) {
    faults.push(`GRUB is told of the root ${record.root}, which is not there`);
  }
  for (const name of promised.fileSystems) {
    if (missing.includes(name)) continue;
    faults.push(...(await faultsOfFileSystem(disk.file, volumes, name, expected.folder)));
  }
  for (const { name, snapshot } of volumes) {
    if (!snapshot || snapshot.isMerging || !promised.volumes.includes(name)) continue;
    const backup = fingerprintOfBackup(disk.file, volumes, name);
    if ("trouble" in backup) faults.push(backup.trouble);
  }
  for (const { volume, as, allowed, words } of expected.contents?.(record, volumes) ?? []) {
    const has =
      as === "volume"
        ? { fingerprint: fingerprintOfVolume(disk.file, volumes, volume) }
        : fingerprintOfBackup(disk.file, volumes, volume);
    if ("trouble" in has) faults.push(has.trouble);
    else if (!allowed.includes(has.fingerprint)) faults.push(`${volume} is not ${words}`);
  }
  return faults;
}

/** The agent goes on by itself only with a claim, or with a disk that is proved blank. */
function withoutRecord(disk: CrashedDisk, expected: Expectation, trouble: string): Verdict {
  if (!expected.blank) return { found: "no record", faults: [trouble] };
  const claim = parseClaim(disk.read(CLAIM_OFFSET_BYTES, CLAIM_BYTES), expected.blank);
  if (claim) return { found: "claim", faults: [] };
  const { sizeBytes } = expected.blank;
  const ends = [disk.read(0, ENDS_BYTES), disk.read(sizeBytes - ENDS_BYTES, ENDS_BYTES)];
  if (ends.every(isZero)) return { found: "blank", faults: [] };
  return {
    found: "neither record nor claim",
    faults: [`the disk is not blank, has no claim, and no record: ${trouble}`],
  };
}

/**
 * The three partitions at their places, or why not. The backup table alone does not count: a kernel does not
 * look at it unless it is told to.
 */
async function readTable(disk: CrashedDisk, diskBytes: number): Promise<ImagePartition[] | string> {
  const verify = await command(["sfdisk", "--verify", disk.file], { accept: [0, 1] });
  const words = `${verify.stdout}\n${verify.stderr}`;
  if (/unrecognized partition table type/.test(words)) return "there is no table";
  if (/primary GPT table is corrupt/.test(words)) return "the first partition table is damaged";
  const found = await readPartitions(disk.file);
  const uuids = { biosBoot: "", esp: "", group: "" };
  for (const { number, startBytes, sizeBytes } of planPartitions(diskBytes, uuids)) {
    const same = found.find((one) => one.number === number);
    if (same?.startBytes !== startBytes || same.sizeBytes !== sizeBytes) {
      return `partition ${number} is not at its place`;
    }
  }
  return found;
}

function describeRecord({ phase, document: { journal } }: StateRecord): string {
  if (!journal) return phase;
  const step = journal.plan.steps[journal.next];
  return `${phase}, ${step ? `${journal.next + 1} ${step.kind}` : "all steps done"}`;
}
