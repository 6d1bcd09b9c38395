/*
 * What an administrator wants to know at a glance, from the picture of the machine and what the running
 * system knows beside it. Pure.
 */
import type { Machine } from "../model/machine.ts";
import type { StateDocument } from "../model/state.ts";
import type { BackupStatus, LastRecovery, RunningFacts, Status } from "../model/status.ts";
import { findingsOf } from "./findings.ts";
import {
  findInstallation,
  isInstallation,
  newestBackup,
  volumeOf,
  type Installation,
} from "./installation.ts";
import { coveringBytes } from "./layout.ts";
import { ROOT } from "./volumes.ts";

export function statusOf(machine: Machine, facts: RunningFacts): Status {
  const trouble = findingsOf(machine, facts)
    // Each threshold below the highest one says the same.
    .filter(({ name }, index, all) => !name.startsWith("fill-") || all[index + 1] === undefined)
    .map(({ text }) => text);
  const { alarms, disks } = facts;
  const always = { alarms, disks, trouble, good: trouble.length === 0 && alarms.length === 0 };
  const found = findInstallation(machine);
  if (!isInstallation(found)) {
    return { version: "", disk: "", root: "", phase: "", ...always };
  }
  const { disk, record } = found;
  const { version } = record.document;
  const lastRecovery = lastRecoveryOf(record.document);
  const backup = backupStatus(found, facts);
  return {
    version,
    disk: disk.path,
    root: record.root,
    phase: record.phase,
    ...(record.phase === "requested" ? { operation: record.operation } : {}),
    ...(backup === undefined ? {} : { backup }),
    ...(lastRecovery === undefined ? {} : { lastRecovery }),
    ...always,
  };
}

/** What the record on the disk tells; undefined where no recovery has ended yet. */
export function lastRecoveryOf({
  lastResult,
  lastResultSeconds,
}: StateDocument): LastRecovery | undefined {
  if (!lastResult) return undefined;
  const { operation, outcome, version } = lastResult;
  const time = lastResultSeconds === undefined ? {} : { timeSeconds: lastResultSeconds };
  return { operation, outcome, version, ...time };
}

/** The backup as `status` and `backup list` tell it; undefined where there is none. */
export function backupStatus(
  { group }: Installation,
  { nowSeconds, snapshot }: Pick<RunningFacts, "nowSeconds" | "snapshot">,
): BackupStatus | undefined {
  const backup = newestBackup(group);
  if (!backup) return undefined;
  const { volume, tags, why } = backup;
  const root = volumeOf(group, ROOT);
  const covering =
    snapshot !== undefined && root !== undefined
      ? volume.sizeBytes >= coveringBytes(root.sizeBytes, snapshot.chunkBytes)
      : undefined;
  return {
    ...tags,
    ageSeconds: nowSeconds - tags.timeSeconds,
    sizeBytes: volume.sizeBytes,
    percent: volume.dataPercent ?? 0,
    ...(covering === undefined ? {} : { covering }),
    valid: why === undefined,
  };
}
