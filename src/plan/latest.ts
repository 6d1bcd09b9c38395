/*
 * The plan for "recover to latest backup": the snapshot is merged into the root, and a new backup is taken
 * of what that gives before anything writes to it. User and audit volumes are not touched. Pure.
 */
import { Refusal } from "../errors.ts";
import { isFinished, parseBackupTags } from "../model/backup.ts";
import type { Config } from "../model/config.ts";
import type { Ids } from "../model/ids.ts";
import type { Disk, Machine, Volume, VolumeGroup } from "../model/machine.ts";
import { identityOf } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import { printSize } from "../model/size.ts";
import { isRestoreRequested, type StateRecord } from "../model/state.ts";
import type { Plan, Step } from "../model/step.ts";
import { printTime } from "../model/text.ts";
import { bootOrigin, openBootFiles, type BootOrigin } from "./boot-source.ts";
import { otherSnapshots, untoldSnapshots, validBackups } from "./installation.ts";
import * as layout from "./layout.ts";
import { checkNames } from "./preconditions.ts";
import * as steps from "./steps.ts";
import { AUDIT, BACKUP, NEW_BACKUP, ROOT, USER } from "./volumes.ts";
import type { Wish } from "./wish.ts";

const HINT = say("choose-default");

interface Latest {
  readonly machine: Machine;
  readonly config: Config;
  readonly wish: Wish;
  readonly ids: Ids;
  readonly disk: Disk;
  readonly record: StateRecord;
  readonly group: VolumeGroup;
}

/** @throws Refusal with the one sentence that says what to do instead. */
export function planLatest({ machine, config, wish, ids, disk, record, group }: Latest): Plan {
  checkNames(machine, disk, group.name);
  const name = group.name;
  const origin = bootOrigin(machine, disk);
  const { esp, pv } = partitionsOf(disk);
  const root = group.volumes.find((volume) => volume.name === ROOT);
  if (!root) {
    throw new Refusal(say("no-root", name, group.uuid, ROOT), HINT);
  }
  const backup = backupIn(group, disk);
  const tags = parseBackupTags(backup.tags);
  const others = snapshotsOf(group).filter((volume) => volume.name !== backup.name);
  const halfMade = group.volumes.filter(
    (volume) => [BACKUP, NEW_BACKUP].includes(volume.name) && volume.origin === "",
  );
  const gone = [...others, ...halfMade];
  const free =
    group.freeBytes + [...gone, backup].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const strangers = otherSnapshots(group);
  // Who asked for it in the running system was told there of those that there were.
  const isRequested = isRestoreRequested(record);
  const untold = isRequested ? untoldSnapshots(group, record) : strangers;
  const isAgreed = isRequested && untold.length === 0;
  if (untold.length > 0 && wish.confirm === "no") {
    const names = untold.map((volume) => volume.name);
    throw new Refusal(say("other-snapshots", disk, names), say("remove-snapshots", name));
  }
  const version = tags.version === "" ? record.document.version : tags.version;
  const sizeBytes = layout.backupBytes(root.sizeBytes, free, config.backup.chunk);
  // A merge that goes on already has to come to its end, whatever there is room for then.
  if (!root.merging && sizeBytes < layout.LEAST_BACKUP_BYTES) {
    throw new Refusal(
      say("no-room-for-backup", free, layout.LEAST_BACKUP_BYTES),
      say("make-room", name),
    );
  }
  const device = `/dev/${name}/${ROOT}`;
  const fileSystem = config.volume.root["file-system"];
  const { user, audit } = config.volume;
  const since = printTime(tags.timeSeconds);
  const sizeOf = (volume: string) =>
    group.volumes.find((candidate) => candidate.name === volume)?.sizeBytes ?? 0;
  return {
    operation: "latest",
    version,
    disk: identityOf(disk),
    loses: [
      { kind: "changes", sinceSeconds: tags.timeSeconds, sizeBytes: usedBytes(backup) },
      ...strangers.map((volume) => steps.lossOfSnapshot(volume)),
    ],
    keeps: [
      {
        kind: "backed-up",
        sinceSeconds: tags.timeSeconds,
        reason: tags.reason,
        sizeBytes: root.sizeBytes,
      },
      { kind: "user", mount: user.mount, sizeBytes: sizeOf(USER) },
      { kind: "audit", mount: audit.mount, sizeBytes: sizeOf(AUDIT) },
    ],
    asks: !isAgreed && wish.confirm === "yes",
    group: name,
    physicalVolume: steps.byPartition(pv),
    reportVolume: AUDIT,
    steps: [
      ...prologue(machine, disk, origin),
      // A merge that goes on already cannot be looked at, only waited for.
      ...(root.merging ? [] : [checkBackup(name, backup.name, fileSystem)]),
      steps.openEsp(esp),
      ...steps.clearOldClaim(disk),
      steps.activate(name),
      ...gone.map((volume) => removeVolume(name, volume)),
      ...(backup.name === BACKUP ? [] : [renameTo(name, backup.name)]),
      {
        kind: "merge-backup",
        title: `put the backup back (${printSize(usedBytes(backup))} kept in it)`,
        repeats: false,
        destroys: `what was changed in the system since ${since}`,
        group: name,
        name: BACKUP,
        origin: ROOT,
      },
      {
        kind: "check-filesystem",
        title: "check the file system of the restored root",
        repeats: false,
        device,
        fileSystem,
      },
      {
        kind: "check-root",
        title: "check that the restored root has a kernel with its modules",
        repeats: false,
        device,
        fileSystem,
      },
      steps.installBoot(origin, esp, disk.logicalSectorBytes),
      steps.takeBackup(name, sizeBytes, config.backup.chunk, {
        timeSeconds: ids.nowSeconds,
        reason: "restored",
        version,
      }),
      ...steps.epilogue(origin),
    ],
  };
}

/** The steps before the first look at the backup; always as many, whatever the boot files come from. */
export function prologue(machine: Machine, disk: Disk, origin: BootOrigin): Step[] {
  return [steps.protectDisks(machine, disk), openBootFiles(origin)];
}

/** The steps of an interrupted plan that depend on this boot: device names, and whether the card is in. */
export function resumed(plan: Plan, machine: Machine, disk: Disk): Plan {
  const origin = bootOrigin(machine, disk);
  const { esp } = partitionsOf(disk);
  const now = [
    ...prologue(machine, disk, origin),
    steps.installBoot(origin, esp, disk.logicalSectorBytes),
    ...steps.epilogue(origin),
  ];
  const renewed = plan.steps.map((step) => now.find(({ kind }) => kind === step.kind) ?? step);
  return { ...plan, disk: identityOf(disk), steps: renewed };
}

/** ESP and physical volume, by their UUIDs. @throws Refusal where the table is not ours any more. */
export function partitionsOf(disk: Disk): { readonly esp: string; readonly pv: string } {
  const [esp, pv] = [2, 3].map((number) => disk.partitions.find((part) => part.number === number));
  if (esp && pv) return { esp: esp.uuid, pv: pv.uuid };
  throw new Refusal(say("other-table", disk), HINT);
}

/** Whole snapshots of the root, or one that is being merged into it. */
function snapshotsOf(group: VolumeGroup): Volume[] {
  return group.volumes.filter(({ origin }) => origin === ROOT);
}

/** The newest one; while one replaces the other there are two for a moment. */
function backupIn(group: VolumeGroup, disk: Disk): Volume {
  const snapshots = snapshotsOf(group);
  const [best] = validBackups(group);
  if (best) return best.volume;
  if (snapshots.some(({ invalid }) => invalid))
    throw new Refusal(say("invalid-backup", disk), HINT);
  throw new Refusal(say("no-backup", disk, snapshots.length > 0), HINT);
}

function usedBytes({ sizeBytes, dataPercent }: Volume): number {
  return Math.round((sizeBytes * (dataPercent ?? 0)) / 100);
}

function checkBackup(group: string, name: string, fileSystem: "ext4"): Step {
  return {
    kind: "check-backup",
    title: `check the backup ${name}: valid, readable, able to start`,
    repeats: false,
    group,
    name,
    origin: ROOT,
    fileSystem,
  };
}

function removeVolume(group: string, volume: Volume): Step {
  const { name, origin, tags } = volume;
  if (origin === ROOT && ![BACKUP, NEW_BACKUP].includes(name)) {
    // While a merge goes on, every chunk of it would be copied into this one until it overflows.
    const what = `the snapshot ${name} of the root`;
    return steps.removeVolume(group, name, `remove ${what}`, what);
  }
  return {
    kind: "remove-volume",
    title:
      origin === "" || !isFinished(tags)
        ? `remove ${name}, which was never finished`
        : `remove the older backup ${name}`,
    repeats: false,
    group,
    name,
  };
}

function renameTo(group: string, from: string): Step {
  return {
    kind: "rename-volumes",
    title: `give the backup its name, ${BACKUP}`,
    repeats: false,
    group,
    renames: [{ from, to: BACKUP }],
  };
}
