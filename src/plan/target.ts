/*
 * Which disk, and what lies on it. Pure decisions over a Machine.
 * Owns: the candidates, the refusals that list them, and the meaning of "blank", "ours", "foreign".
 */
import { Refusal } from "../errors.ts";
import { OUR_TAG } from "../model/backup.ts";
import type { DiskSelector } from "../model/cmdline.ts";
import type { Disk, Machine, Signature, VolumeGroup } from "../model/machine.ts";
import type { Found } from "../model/loss.ts";
import { whyNotSameDisk } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import type { Journal } from "../model/journal.ts";
import type { WhyNot } from "../model/overview.ts";
import type { StateRecord } from "../model/state.ts";
import type { Message } from "../words.ts";

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
  /** Anything else. */
  | { readonly kind: "foreign"; readonly what: readonly Found[] };

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
  return { kind: "foreign", what: foundOn(disk, machine) };
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

/** What a person would lose, part by part; never none. */
export function foundOn(disk: Disk, machine: Machine): Found[] {
  const name = ({ type, label }: Signature) => ({ type, label });
  const own = new Set([disk.path, ...disk.partitions.map((partition) => partition.path)]);
  const found: Found[] = [
    ...(disk.table === "none" ? [] : [{ kind: "table", type: disk.table } as const]),
    ...disk.signatures
      .filter(({ type }) => !["gpt", "dos", "PMBR"].includes(type))
      .map((signature) => ({ kind: "signature", ...name(signature) }) as const),
    ...disk.partitions.map(
      ({ path, sizeBytes, signatures }) =>
        ({ kind: "partition", path, sizeBytes, signatures: signatures.map(name) }) as const,
    ),
    ...machine.groups
      .filter(({ physicalVolumes }) => physicalVolumes.some((path) => own.has(path)))
      .map(
        ({ name, volumes }) =>
          ({ kind: "group", name, volumes: volumes.map((volume) => volume.name) }) as const,
      ),
    ...(disk.stateTrouble === undefined
      ? []
      : [{ kind: "state", trouble: disk.stateTrouble } as const]),
  ];
  if (found.length > 0) return found;
  return [{ kind: "unknown", text: typeof disk.blank === "string" ? disk.blank : "" }];
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
  const listed = rows.map(({ disk, why }) => ({
    disk,
    words: why ? say("why-not", why) : say("could-be-used"),
  }));
  throw new Refusal(
    candidates.length === 0
      ? say("no-disk", selector, listed)
      : say("several-disks", candidates.length, selector, listed),
    say("name-disk"),
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
  const listed = rows.map(({ disk, why }) => ({ disk, words: why ?? say("holds-installation") }));
  if (!only) {
    throw new Refusal(say("no-installed-disk", selector, listed), say("attach-or-default"));
  }
  throw new Refusal(say("several-installed", more.length + 1, selector, listed), say("name-disk"));
}

/** Whether there is a disk with an installation of ours; there may be several. */
export function hasInstalled(machine: Machine, selector: DiskSelector | undefined): boolean {
  return machine.disks.some((disk) => whyNotInstalled(disk, machine, selector) === undefined);
}

function whyNotInstalled(
  disk: Disk,
  machine: Machine,
  selector: DiskSelector | undefined,
): Message | undefined {
  if (selector !== undefined && !isSelected(disk, selector)) {
    return say("why-not", { kind: "not-named" });
  }
  const why = whyNotCandidate(disk, machine, 0, true);
  if (why !== undefined) return say("why-not", why);
  const content = contentOf(disk, machine);
  if (isInstalled(content)) return undefined;
  switch (content.kind) {
    case "blank":
      return say("is-blank");
    case "begun":
      return say("begun-here");
    case "foreign":
      return disk.state ? whyNotOurs(disk, machine) : say("holds", content.what);
  }
}

/** Why a disk with a record of ours does not count as an installation. */
export function whyNotOurs(disk: Disk, machine: Machine): Message {
  if (disk.stateTrouble !== undefined) return say("state-trouble", disk.stateTrouble);
  if (!disk.state) return say("no-state");
  const difference = whyNotSameDisk(disk, disk.state.document.disk);
  if (difference !== undefined) return say("state-of-other-disk", difference);
  const { groupUuid } = disk.state.document;
  const group = machine.groups.find(({ uuid }) => uuid === groupUuid);
  return group ? say("group-not-whole", group.trouble) : say("group-not-found");
}

function isSelected(disk: Disk, { by, text }: DiskSelector): boolean {
  return disk[by] === text;
}
