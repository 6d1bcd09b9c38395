/*
 * A new root beside the old one, on a disk of ours: what the system's users keep stays, and something
 * bootable is there at every instant for which the group has room. Pure.
 */
import { Refusal } from "../errors.ts";
import { OUR_TAG, parseBackupTags } from "../model/backup.ts";
import type { Config } from "../model/config.ts";
import type { Ids } from "../model/ids.ts";
import type { Loss } from "../model/loss.ts";
import type { Card, Disk, Machine, Volume, VolumeGroup } from "../model/machine.ts";
import { identityOf } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import { printSize } from "../model/size.ts";
import type { Plan, Step } from "../model/step.ts";
import { fromCard } from "./boot-source.ts";
import { otherSnapshots } from "./installation.ts";
import * as layout from "./layout.ts";
import * as steps from "./steps.ts";
import { AUDIT, BACKUP, NEW_BACKUP, NEW_ROOT, OLD_ROOT, ROOT, USER } from "./volumes.ts";
import type { Wish } from "./wish.ts";

interface Beside {
  readonly machine: Machine;
  readonly config: Config;
  readonly ids: Ids;
  readonly card: Card;
  readonly disk: Disk;
  readonly group: VolumeGroup;
  readonly wish: Wish;
  readonly rootBytes: number;
}

/** A new root beside the old one; what the system's users keep stays. */
export function planBeside({
  machine,
  config,
  ids,
  card,
  disk,
  group,
  wish,
  rootBytes,
}: Beside): Plan {
  const name = group.name;
  // A snapshot that is being merged goes with the root that it is merged into.
  const has = (volume: string) =>
    group.volumes.find(
      (candidate) => candidate.name === volume && !(candidate.origin !== "" && isMerging(group)),
    );
  // Without a root it is one that an earlier recovery had renamed already.
  const old = [ROOT, OLD_ROOT].find((volume) => has(volume));
  const esp = disk.partitions.find(({ number }) => number === 2);
  const pv = disk.partitions.find(({ number }) => number === 3);
  if (!esp || !pv) {
    throw new Refusal(say("other-table", disk), say("keep-nothing"));
  }
  // What is left over from an attempt with another card goes first, then the backup, then the old root.
  const leftOver = [NEW_ROOT, OLD_ROOT, ...(has(BACKUP) ? [NEW_BACKUP] : [])].filter(
    (volume) => has(volume) && volume !== old,
  );
  let free = group.freeBytes + sum(leftOver.map((volume) => has(volume)?.sizeBytes ?? 0));
  const remove: string[] = [...leftOver];
  const early: string[] = [];
  for (const volume of [BACKUP, old]) {
    const found = volume && has(volume);
    if (free >= rootBytes || !found) continue;
    free += found.sizeBytes;
    early.push(found.name);
  }
  remove.push(...early);
  if (free < rootBytes) {
    throw new Refusal(say("no-room-for-root", rootBytes), say("keep-nothing"));
  }
  const giveUp = (volume: string): Step => ({
    kind: "remove-volume",
    title: `remove the volume ${volume}`,
    repeats: false,
    ...(volume === old
      ? {
          destroys:
            "the installed system, before the new one is complete (there is no room for both)",
        }
      : volume === BACKUP
        ? { destroys: "the last backup" }
        : {}),
    group: name,
    name: volume,
  });
  const kept = old !== undefined && !early.includes(old) ? old : undefined;
  const oldSize = kept === undefined ? 0 : (has(kept)?.sizeBytes ?? 0);
  const backupSize = early.includes(BACKUP) ? 0 : (has(BACKUP)?.sizeBytes ?? 0);
  const freeInTheEnd = free - rootBytes + oldSize + backupSize;
  if (freeInTheEnd < layout.LEAST_BACKUP_BYTES) {
    throw new Refusal(
      say("no-room-for-backup", Math.max(0, freeInTheEnd), layout.LEAST_BACKUP_BYTES),
      say("make-room", name),
    );
  }
  const partitions = { esp: esp.uuid, group: pv.uuid };
  const planned: Step[] = [
    ...steps.planPrologue(machine, disk),
    ...steps.checks(card),
    steps.openEsp(partitions.esp),
    ...steps.clearOldClaim(disk),
    steps.activate(name),
    ...remove.map(giveUp),
    {
      kind: "make-volume",
      title: `make the volume ${NEW_ROOT} (${printSize(rootBytes)}) beside the old root`,
      repeats: false,
      group: name,
      name: NEW_ROOT,
      sizeBytes: rootBytes,
      tags: [OUR_TAG],
    },
    ...steps.rootSteps({ card, config, ids, group: name, volume: NEW_ROOT }),
    steps.installBoot(fromCard(card), partitions.esp, disk.logicalSectorBytes),
    {
      ...steps.switchRoot(name, NEW_ROOT),
      ...(kept === undefined ? {} : { destroys: "the installed system and its backup" }),
    },
    ...(early.includes(BACKUP) || !has(BACKUP) ? [] : [giveUpAfter(name, BACKUP)]),
    {
      kind: "rename-volumes",
      title: "give the new root its name",
      repeats: false,
      group: name,
      renames: [
        ...(kept === ROOT ? [{ from: ROOT, to: OLD_ROOT }] : []),
        { from: NEW_ROOT, to: ROOT },
      ],
    },
    ...(kept === undefined ? [] : [giveUpAfter(name, OLD_ROOT)]),
    steps.takeBackup(
      name,
      layout.backupBytes(rootBytes, freeInTheEnd, config.backup.chunk),
      config.backup.chunk,
      steps.factoryTags(card, ids),
    ),
    ...steps.epilogue(fromCard(card)),
  ];
  const { user, audit } = config.volume;
  const backup = has(BACKUP);
  const sizeOf = (volume: string) => has(volume)?.sizeBytes ?? 0;
  return {
    operation: "default",
    version: card.description.version,
    disk: identityOf(disk),
    loses: [
      { kind: "system", sizeBytes: sizeOf(old ?? ROOT) },
      ...(backup ? [lossOf(backup)] : []),
      ...otherSnapshots(group, [ROOT, OLD_ROOT]).map((volume) => steps.lossOfSnapshot(volume)),
    ],
    keeps: [
      { kind: "user", mount: user.mount, sizeBytes: sizeOf(USER) },
      { kind: "audit", mount: audit.mount, sizeBytes: sizeOf(AUDIT) },
    ],
    asks: wish.confirm === "yes",
    group: name,
    physicalVolume: steps.byPartition(partitions.group),
    reportVolume: AUDIT,
    steps: planned,
  };
}

function lossOf({ tags, sizeBytes }: Volume): Loss {
  return { kind: "backup", timeSeconds: parseBackupTags(tags).timeSeconds, sizeBytes };
}

function isMerging({ volumes }: VolumeGroup): boolean {
  return volumes.some(({ merging }) => merging);
}

function giveUpAfter(group: string, name: string): Step {
  return { kind: "remove-volume", title: `remove the volume ${name}`, repeats: false, group, name };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
