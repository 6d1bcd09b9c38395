/*
 * What has to hold before any plan of a factory recovery: card, tools, LVM's answer, room, names. Each
 * check throws the Refusal that says what to do. Pure.
 */
import { Refusal } from "../errors.ts";
import { parseDiskSelector } from "../model/cmdline.ts";
import type { Config } from "../model/config.ts";
import type { Card, Disk, Machine } from "../model/machine.ts";
import { MIB, printSize, sizeOn } from "../model/size.ts";

export function neededCard(machine: Machine): Card {
  if (machine.card) return machine.card;
  throw new Refusal(
    `the card with the golden system cannot be used: ${machine.cardTrouble ?? "none was found"}`,
    "put the card in, and start from it",
  );
}

export function checkTools(machine: Machine): void {
  if (machine.missingTools.length === 0) return;
  throw new Refusal(
    `tools are missing from this rescue system: ${machine.missingTools.join(", ")}`,
    "make the card anew; `zshield tools` lists what is needed",
  );
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
  throw new Refusal(
    `what the disks hold cannot be told: ${machine.groupsTrouble}`,
    "take out the disk that does not answer, and start again",
  );
}

export function checkRoom(card: Card, rootBytes: number, machine: Machine): void {
  const { treeBytes } = card.description.golden;
  // ext4's own tables and its reserve take less than a tenth.
  if (treeBytes * 1.1 + 64 * MIB <= rootBytes) return;
  throw new Refusal(
    `golden holds ${printSize(treeBytes)}, and the root volume would have ${printSize(rootBytes)}`,
    machine.disks.length > 1
      ? "use a larger disk, or a card with another zshield.toml"
      : "use a larger disk",
  );
}

/** Two groups of one name: the installed system could not tell them apart (rescuezilla issue 483). */
export function checkNames(machine: Machine, disk: Disk, name: string): void {
  const trouble = nameTrouble(machine, disk, name);
  if (trouble === undefined) return;
  throw new Refusal(trouble, "take that disk out, or rename its group");
}

/** Why the name of the group on this disk does not tell which group is meant, or undefined. */
export function nameTrouble(machine: Machine, disk: Disk, name: string): string | undefined {
  const own = new Set([disk.path, ...disk.partitions.map((partition) => partition.path)]);
  const other = machine.groups.find(
    (group) => group.name === name && group.physicalVolumes.some((path) => !own.has(path)),
  );
  if (!other) return undefined;
  const mine = machine.groups.find(
    (group) => group.name === name && group.physicalVolumes.some((path) => own.has(path)),
  );
  const list = [other, ...(mine ? [mine] : [])]
    .map(({ uuid, physicalVolumes, sizeBytes }) => {
      const where = physicalVolumes.join(", ");
      return `  ${uuid} on ${where}, ${printSize(sizeBytes)}${where === mine?.physicalVolumes.join(", ") ? ", the one on this disk" : ""}`;
    })
    .join("\n");
  return (
    `another disk holds a volume group that is called "${name}" too, and the installed system could not ` +
    `tell the two apart:\n${list}`
  );
}
