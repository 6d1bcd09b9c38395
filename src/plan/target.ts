/*
 * Which disk, and what lies on it. Pure decisions over a Machine.
 * Owns: the candidates, the refusals that list them, and the meaning of "blank", "ours", "foreign".
 */
import { Refusal } from "../errors.ts";
import { OUR_TAG } from "../model/backup.ts";
import type { DiskSelector } from "../model/cmdline.ts";
import type { Disk, Machine, VolumeGroup } from "../model/machine.ts";
import { describeDisk, whyNotSameDisk } from "../model/machine.ts";
import type { Journal } from "../model/journal.ts";
import { describeWhyNot, type WhyNot } from "../model/overview.ts";
import { printSize } from "../model/size.ts";
import type { StateRecord } from "../model/state.ts";

/** What lies on a disk, as far as a recovery cares. */
export type Content =
  /** Nothing at all. */
  | { readonly kind: "blank" }
  /** A recovery of ours began here and did not get as far as its journal; consent was given then. */
  | {
      readonly kind: "begun";
      readonly attempts: number;
      readonly consent: "blank" | "erase" | "console";
    }
  /** A recovery of ours was interrupted and has a journal. */
  | {
      readonly kind: "interrupted";
      readonly record: StateRecord;
      readonly journal: Journal;
      readonly group?: VolumeGroup;
    }
  /** A whole installation of ours. */
  | { readonly kind: "ours"; readonly record: StateRecord; readonly group: VolumeGroup }
  /** An installation of ours whose volumes were being changed when the power failed, and cannot be read. */
  | { readonly kind: "torn"; readonly record: StateRecord }
  /** Anything else; `what` says it in words. */
  | { readonly kind: "foreign"; readonly what: string };

export function contentOf(disk: Disk, machine: Machine): Content {
  const record = disk.state;
  if (record && whyNotSameDisk(disk, record.document.disk) === undefined) {
    const group = groupOn(disk, machine, record.document.groupUuid);
    const journal = record.document.journal;
    if (record.phase === "recovering" && journal) {
      return group
        ? { kind: "interrupted", record, journal, group }
        : { kind: "interrupted", record, journal };
    }
    const isWhole = group && !group.partial && group.tags.includes(OUR_TAG);
    if (record.phase !== "recovering" && isWhole) return { kind: "ours", record, group };
    if (record.phase === "changing" && !group) return { kind: "torn", record };
  }
  if (disk.claim) {
    return { kind: "begun", attempts: disk.claim.attempts, consent: disk.claim.consent };
  }
  if (disk.blank === true) return { kind: "blank" };
  return { kind: "foreign", what: describeContent(disk, machine) };
}

/** What an installation of ours can be found as. */
export type Installed = Extract<Content, { readonly record: StateRecord }>;

function isInstalled(content: Content | undefined): content is Installed {
  return content !== undefined && "record" in content;
}

/** The group of this UUID whose physical volumes all lie on this disk. */
function groupOn(disk: Disk, machine: Machine, uuid: string): VolumeGroup | undefined {
  if (uuid === "") return undefined;
  const own = new Set([disk.path, ...disk.partitions.map((partition) => partition.path)]);
  return machine.groups.find(
    (group) => group.uuid === uuid && group.physicalVolumes.every((path) => own.has(path)),
  );
}

/** `a GPT partition table, ext4 "data" on /dev/vda1, …`: what a person would lose. */
export function describeContent(disk: Disk, machine: Machine): string {
  const parts: string[] = [];
  if (disk.table !== "none") parts.push(`a ${disk.table} partition table`);
  const name = (type: string, label: string) => (label === "" ? type : `${type} "${label}"`);
  for (const signature of disk.signatures) {
    if (!["gpt", "dos", "PMBR"].includes(signature.type))
      parts.push(name(signature.type, signature.label));
  }
  for (const partition of disk.partitions) {
    const signatures = partition.signatures.map((signature) =>
      name(signature.type, signature.label),
    );
    parts.push(
      `${partition.path} (${printSize(partition.sizeBytes)}${signatures.length > 0 ? `, ${signatures.join(", ")}` : ""})`,
    );
  }
  const own = new Set([disk.path, ...disk.partitions.map((partition) => partition.path)]);
  for (const group of machine.groups) {
    if (!group.physicalVolumes.some((path) => own.has(path))) continue;
    const volumes = group.volumes.map((volume) => volume.name).join(", ");
    parts.push(`the volume group "${group.name}" (${volumes === "" ? "empty" : volumes})`);
  }
  if (disk.stateTrouble !== undefined) parts.push(`a damaged zshield state (${disk.stateTrouble})`);
  if (parts.length === 0) parts.push(typeof disk.blank === "string" ? disk.blank : "unknown data");
  return parts.join("; ");
}

/** Why this disk is no candidate, or undefined. `named`: a person or the configuration chose it. */
export function whyNotCandidate(
  disk: Disk,
  machine: Machine,
  smallestBytes: number,
  named: boolean,
): WhyNot | undefined {
  if (machine.card?.disk === disk.path) return { kind: "card" };
  if (disk.readOnly) return { kind: "read-only" };
  if (disk.inUse.length > 0) return { kind: "in-use", by: disk.inUse };
  if (!named && (disk.removable || disk.transport === "usb")) return { kind: "removable" };
  if (disk.sizeBytes < smallestBytes) return { kind: "small", neededBytes: smallestBytes };
  return undefined;
}

export interface Candidacy {
  readonly disk: Disk;
  /** Absent on a disk that could be used. */
  readonly why?: WhyNot;
}

/** Every disk, and the one to work on; that is absent unless exactly one fits. */
export function candidatesFor(
  machine: Machine,
  selector: DiskSelector | undefined,
  smallestBytes: number,
): { readonly rows: readonly Candidacy[]; readonly chosen: Disk | undefined } {
  const rows = machine.disks.map((disk): Candidacy => {
    const named = selector !== undefined && isSelected(disk, selector);
    const why: WhyNot | undefined =
      selector !== undefined && !named
        ? { kind: "not-named" }
        : whyNotCandidate(disk, machine, smallestBytes, named);
    return why === undefined ? { disk } : { disk, why };
  });
  const candidates = rows.filter((row) => row.why === undefined);
  // Two that fit, but on just one of them a recovery of ours was interrupted: that is the one.
  const begun = candidates.filter(({ disk }) =>
    ["begun", "interrupted"].includes(contentOf(disk, machine).kind),
  );
  const [only] = candidates.length === 1 ? candidates : begun.length === 1 ? begun : [];
  return { rows, chosen: only?.disk };
}

/**
 * The one disk to work on.
 * @throws Refusal that lists every disk with its model, serial number, size and why it is not the one.
 */
export function chooseDisk(
  machine: Machine,
  selector: DiskSelector | undefined,
  smallestBytes: number,
): Disk {
  const { rows, chosen } = candidatesFor(machine, selector, smallestBytes);
  if (chosen) return chosen;
  const candidates = rows.filter((row) => row.why === undefined);
  const list = rows
    .map(
      ({ disk, why }) =>
        `  ${describeDisk(disk, printSize)}: ${why ? describeWhyNot(why) : "could be used"}`,
    )
    .join("\n");
  const wanted = selector === undefined ? "" : ` that matches ${selector.by}:${selector.text}`;
  const found = rows.length === 0 ? "no disk was found at all" : list.trimEnd();
  if (candidates.length === 0) {
    throw new Refusal(`there is no disk to install on${wanted}:\n${found}`, HINT_DISK);
  }
  throw new Refusal(
    `there are ${candidates.length} disks to install on${wanted}, and exactly one is needed:\n${list}`,
    HINT_DISK,
  );
}

/**
 * The one disk with an installation of ours, for what needs one. The others are no candidates, however
 * large. @throws Refusal that lists every disk and what lies on it.
 */
export function chooseInstalled(
  machine: Machine,
  selector: DiskSelector | undefined,
): { readonly disk: Disk; readonly content: Installed } {
  const rows = machine.disks.map((disk) => ({
    disk,
    why: whyNotInstalled(disk, machine, selector),
  }));
  const [only, ...more] = rows.filter(({ why }) => why === undefined);
  const content = only && contentOf(only.disk, machine);
  if (only && isInstalled(content) && more.length === 0) return { disk: only.disk, content };
  const list = rows
    .map(({ disk, why }) => `  ${describeDisk(disk, printSize)}: ${why ?? "holds an installation"}`)
    .join("\n");
  const wanted = selector === undefined ? "" : ` that matches ${selector.by}:${selector.text}`;
  if (!only) {
    throw new Refusal(
      `there is no disk with an installation of zshield${wanted}:\n${rows.length === 0 ? "no disk was found at all" : list}`,
      'attach the right disk, or choose "Recover to factory default"',
    );
  }
  throw new Refusal(
    `there are ${more.length + 1} disks with an installation of zshield${wanted}, and exactly one is needed:\n${list}`,
    HINT_DISK,
  );
}

function whyNotInstalled(
  disk: Disk,
  machine: Machine,
  selector: DiskSelector | undefined,
): string | undefined {
  if (selector !== undefined && !isSelected(disk, selector))
    return "it is not the one that was named";
  const why = whyNotCandidate(disk, machine, 0, true);
  if (why !== undefined) return describeWhyNot(why);
  const content = contentOf(disk, machine);
  if (isInstalled(content)) return undefined;
  switch (content.kind) {
    case "blank":
      return "it is blank";
    case "begun":
      return "an installation was begun here and holds nothing yet";
    case "foreign":
      return disk.state ? whyNotOurs(disk, machine) : `it holds ${content.what}`;
  }
}

/** Why a disk with a record of ours does not count as an installation. */
export function whyNotOurs(disk: Disk, machine: Machine): string {
  if (disk.stateTrouble !== undefined) return `its state: ${disk.stateTrouble}`;
  if (!disk.state) return "it has no state of ours";
  const why = whyNotSameDisk(disk, disk.state.document.disk);
  if (why !== undefined) return `its state was written for another disk: ${why}`;
  const { groupUuid } = disk.state.document;
  const group = machine.groups.find(({ uuid }) => uuid === groupUuid);
  if (!group) return "its volume group was not found";
  return `its volume group is not whole or not ours${group.trouble === undefined ? "" : `: ${group.trouble}`}`;
}

const HINT_DISK =
  "name the disk on the kernel command line, for example zshield.disk=serial:ABC123, or attach the right one";

function isSelected(disk: Disk, { by, text }: DiskSelector): boolean {
  return disk[by] === text;
}
