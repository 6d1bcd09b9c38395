/*
 * What has to hold before any plan of a factory recovery: card, tools, LVM's answer, room, names. Each
 * check throws the Refusal that says what to do. Pure.
 */
import { Refusal } from "../errors.ts";
import { parseDiskSelector } from "../model/cmdline.ts";
import type { Config } from "../model/config.ts";
import type { Card, Disk, Machine } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import { MIB, sizeOn } from "../model/size.ts";
import type { Message } from "../words.ts";

export function neededCard(machine: Machine): Card {
  if (machine.card) return machine.card;
  throw new Refusal(say("no-card", machine.cardTrouble), say("put-card-in"));
}

export function checkTools(machine: Machine): void {
  if (machine.missingTools.length === 0) return;
  throw new Refusal(say("missing-tools", machine.missingTools), say("make-card-anew"));
}

/** Smaller disks are no candidates. */
export function smallestBytes(config: Config): number {
  return sizeOn(config.disk.smallest, 0, 1);
}

export function configuredDisk(config: Config) {
  if (config.disk.select === "") return undefined;
  const selector = parseDiskSelector(config.disk.select);
  return typeof selector === "string" ? undefined : selector;
}

/** Without LVM's answer an empty list of groups means nothing. */
export function checkGroups(machine: Machine): void {
  if (machine.groupsTrouble === undefined) return;
  throw new Refusal(say("groups-untold", machine.groupsTrouble), say("take-out-silent-disk"));
}

export function checkRoom(card: Card, rootBytes: number, machine: Machine): void {
  const { treeBytes } = card.description.golden;
  // ext4's own tables and its reserve take less than a tenth.
  if (treeBytes * 1.1 + 64 * MIB <= rootBytes) return;
  throw new Refusal(
    say("no-room-for-golden", treeBytes, rootBytes),
    say(machine.disks.length > 1 ? "larger-disk-or-card" : "larger-disk"),
  );
}

/** Two groups of one name: the installed system could not tell them apart (rescuezilla issue 483). */
export function checkNames(machine: Machine, disk: Disk, name: string): void {
  const trouble = nameTrouble(machine, disk, name);
  if (trouble === undefined) return;
  throw new Refusal(trouble, say("take-out-or-rename"));
}

/** Why the name of the group on this disk does not tell which group is meant, or undefined. */
export function nameTrouble(machine: Machine, disk: Disk, name: string): Message | undefined {
  const own = new Set([disk.path, ...disk.partitions.map((partition) => partition.path)]);
  const other = machine.groups.find(
    (group) => group.name === name && group.physicalVolumes.some((path) => !own.has(path)),
  );
  if (!other) return undefined;
  const mine = machine.groups.find(
    (group) => group.name === name && group.physicalVolumes.some((path) => own.has(path)),
  );
  const rows = [other, ...(mine ? [mine] : [])].map(({ uuid, physicalVolumes, sizeBytes }) => {
    const where = physicalVolumes.join(", ");
    return { uuid, where, sizeBytes, isHere: where === mine?.physicalVolumes.join(", ") };
  });
  return say("same-name", name, rows);
}
