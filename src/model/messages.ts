/*
 * Every message about a recovery that people may have to read in their own language: refusals, failures, hints,
 * and what is told on the way. Owns: the keys, what each is about, and the English; ui/messages-zh.ts has the
 * Chinese. No I/O.
 */
import { english, type Message, type Words } from "../words.ts";
import { describeOutcome, type CommandOutcome } from "../errors.ts";
import type { DiskSelector } from "./cmdline.ts";
import type { Found } from "./loss.ts";
import { describeDisk, type Difference, type DiskIdentity } from "./machine.ts";
import type { Operation } from "./operation.ts";
import { describeWhyNot, type WhyNot } from "./overview.ts";
import { because } from "./reasons.ts";
import { printSize } from "./size.ts";
import type { Step } from "./step.ts";

/** A disk, or a file system on one, and what is to be said of it. */
export interface Row {
  readonly disk: DiskIdentity;
  readonly device?: string;
  readonly words: Words;
}

export interface GroupRow {
  readonly uuid: string;
  readonly where: string;
  readonly sizeBytes: number;
  readonly isHere: boolean;
}

const on = (disk: DiskIdentity) => describeDisk(disk, printSize);
const matching = (selector: DiskSelector | undefined) =>
  selector === undefined ? "" : ` that matches ${selector.by}:${selector.text}`;
const listed = (rows: readonly Row[]) =>
  rows
    .map(
      ({ disk, device, words }) =>
        `  ${device === undefined ? "" : `${device} on `}${on(disk)}: ${english(words)}`,
    )
    .join("\n");
const listedOrNone = (rows: readonly Row[]) =>
  rows.length === 0 ? "no disk was found at all" : listed(rows);

export const MESSAGES = {
  // What has to hold before anything.
  "no-card": (trouble: string | undefined): string =>
    `the card with the golden system cannot be used: ${trouble ?? "none was found"}`,
  "put-card-in": (): string => "put the card in, and start from it",
  "missing-tools": (tools: readonly string[]): string =>
    `tools are missing from this rescue system: ${tools.join(", ")}`,
  "make-card-anew": (): string => "make the card anew; `zshield tools` lists what is needed",
  "groups-untold": (trouble: string): string => `what the disks hold cannot be told: ${trouble}`,
  "take-out-silent-disk": (): string => "take out the disk that does not answer, and start again",
  "no-room-for-golden": (treeBytes: number, rootBytes: number): string =>
    `golden holds ${printSize(treeBytes)}, and the root volume would have ${printSize(rootBytes)}`,
  "larger-disk": (): string => "use a larger disk",
  "larger-disk-or-card": (): string => "use a larger disk, or a card with another zshield.toml",
  "same-name": (name: string, groups: readonly GroupRow[]): string => {
    const list = groups.map(
      ({ uuid, where, sizeBytes, isHere }) =>
        `  ${uuid} on ${where}, ${printSize(sizeBytes)}${isHere ? ", the one on this disk" : ""}`,
    );
    return (
      `another disk holds a volume group that is called "${name}" too, and the installed system could not ` +
      `tell the two apart:\n${list.join("\n")}`
    );
  },
  "take-out-or-rename": (): string => "take that disk out, or rename its group",

  // Which disk.
  "no-disk": (selector: DiskSelector | undefined, rows: readonly Row[]): string =>
    `there is no disk to install on${matching(selector)}:\n${listedOrNone(rows)}`,
  "several-disks": (
    count: number,
    selector: DiskSelector | undefined,
    rows: readonly Row[],
  ): string =>
    `there are ${count} disks to install on${matching(selector)}, and exactly one is needed:\n${listed(rows)}`,
  "no-installed-disk": (selector: DiskSelector | undefined, rows: readonly Row[]): string =>
    `there is no disk with an installation of zshield${matching(selector)}:\n${listedOrNone(rows)}`,
  "several-installed": (
    count: number,
    selector: DiskSelector | undefined,
    rows: readonly Row[],
  ): string =>
    `there are ${count} disks with an installation of zshield${matching(selector)}, and exactly one is needed:\n${listed(rows)}`,
  "name-disk": (): string =>
    "name the disk on the kernel command line, for example zshield.disk=serial:ABC123, or attach the right one",
  "attach-or-default": (): string =>
    'attach the right disk, or choose "Recover to factory default"',
  "could-be-used": (): string => "could be used",
  "holds-installation": (): string => "holds an installation",
  "why-not": (why: WhyNot): string => describeWhyNot(why),
  "is-blank": (): string => "it is blank",
  "begun-here": (): string => "an installation was begun here and holds nothing yet",
  holds: (found: readonly Found[]): string => `it holds ${describeFound(found)}`,
  "state-trouble": (trouble: string): string => `its state: ${trouble}`,
  "no-state": (): string => "it has no state of ours",
  "state-of-other-disk": (difference: Difference): string =>
    `its state was written for another disk: ${describeDifference(difference)}`,
  "group-not-found": (): string => "its volume group was not found",
  "group-not-whole": (trouble: string | undefined): string =>
    `its volume group is not whole or not ours${trouble === undefined ? "" : `: ${trouble}`}`,

  // What was interrupted.
  "no-journal": (disk: DiskIdentity, attempts: number): string =>
    `the recovery of ${on(disk)} did not get as far as its journal in ${attempts} attempts in a row`,
  stuck: (attempts: number, step: Words, reason: Words): string =>
    `the recovery got no further in ${attempts} attempts in a row, at "${english(step)}": ${english(reason)}`,
  "way-there": (): string => "the way to the step that is next",
  "power-failed": (): string => "the power failed or the machine was reset",
  "anew-or-broken": (): string =>
    "start anew at the console; if it stops here again, the disk is probably broken",
  torn: (disk: DiskIdentity): string =>
    `the volume group on ${on(disk)} cannot be read: the power failed while its volumes were being changed`,
  "repair-first": (): string =>
    'choose "Repair the installed system", which puts it back; zshield.keep=nothing gives it up',
  "other-interrupted": (disk: DiskIdentity, step: Words): string =>
    `on ${on(disk)} another recovery was interrupted at "${english(step)}", and the root is not whole`,
  "goes-on-by-itself": (operation: Operation): string =>
    `start the machine without a choice, and that recovery (${operation}) goes on`,
  step: (step: Step): string => step.title,
  "its-end": (): string => "its end",
  closing: (): string => "close the recovery",

  // Why a plan cannot be made.
  "erase-other-disk": (disk: DiskIdentity, erase: string, found: readonly Found[]): string =>
    `${on(disk)} is not the disk that zshield.erase=${erase} names, and it holds ${describeFound(found)}`,
  "correct-erase": (): string =>
    "correct the serial number, or answer at the console without zshield.erase=",
  "not-blank": (disk: DiskIdentity, found: readonly Found[]): string =>
    `${on(disk)} is not blank and not ours: it holds ${describeFound(found)}`,
  "use-erase": (): string =>
    "zshield.erase= with its serial number gives its content up without a question",
  "other-table": (disk: DiskIdentity): string =>
    `the partition table of ${on(disk)} is not as zshield wrote it`,
  "cannot-keep": (disk: DiskIdentity, volumes: readonly string[]): string =>
    `the volume group on ${on(disk)} is not as zshield made it (its name, its tags, or one of ` +
    `${volumes.join(", ")}), and what is in it cannot be kept`,
  "keep-nothing": (): string => "zshield.keep=nothing makes everything anew",
  "no-room-for-root": (rootBytes: number): string =>
    `the volume group has no room for a new root of ${printSize(rootBytes)}, not even without the old one`,
  "no-room-for-backup": (freeBytes: number, leastBytes: number): string =>
    `the volume group would have no room for a backup afterwards: ${printSize(freeBytes)} free, ` +
    `and at least ${printSize(leastBytes)} are needed`,
  "make-room": (group: string): string =>
    `remove or shrink a volume of ${group} that is not needed; zshield.keep=nothing makes everything anew`,
  "no-root": (group: string, uuid: string, root: string): string =>
    `the volume group ${group} (${uuid}) has no volume ${root}`,
  "choose-default": (): string => 'choose "Recover to factory default": user and audit data stay',
  "no-backup": (disk: DiskIdentity, isBegun: boolean): string =>
    `there is no backup on ${on(disk)}${isBegun ? ", only one that was never finished" : ""}`,
  "invalid-backup": (disk: DiskIdentity): string =>
    `the backup on ${on(disk)} is not valid: it overflowed, or its store is damaged, and it cannot be put back any more`,
  "other-snapshots": (disk: DiskIdentity, names: readonly string[]): string =>
    `the root volume on ${on(disk)} has snapshots that are not ours (${names.join(", ")}): they would be lost, ` +
    "and there is nobody to ask",
  "remove-snapshots": (group: string): string =>
    `choose the recovery at the console, which asks, or remove them (lvremove ${group}/NAME)`,
  "no-boot-files": (disk: DiskIdentity, cardTrouble: string | undefined): string =>
    `${on(disk)} has no whole copy of GRUB's files and of the rescue system, and ` +
    `there is no card (${cardTrouble ?? "none was found"})`,

  "no-factory-tests": (): string =>
    "there are no factory tests: the zshield.toml of this rescue system has no table [factory]",
  "without-tests": (): string =>
    'start from a card that has one; "Boot the installed system" in GRUB starts the box untested; ' +
    '"Recover to factory default" with this card asks for no tests',

  // Before the first write.
  cancelled: (): string => "it was cancelled at the console",
  "not-agreed": (): string => "the answer was not the one that starts it",
  "choose-again": (): string => "choose again",
  "disk-gone": (disk: DiskIdentity): string => `${on(disk)} has gone`,
  "other-disk": (disk: DiskIdentity, difference: Difference): string =>
    `${on(disk)} is not the disk that was planned for: ${describeDifference(difference)}`,
  "disk-read-only": (disk: DiskIdentity): string => `${on(disk)} is read-only`,
  "disk-in-use": (disk: DiskIdentity, uses: readonly string[]): string =>
    `${on(disk)} is in use: ${uses.join(", ")}`,
  "look-at-cables": (): string =>
    "nothing was written; look at the machine's cables and start again",
  "other-card": (): string => "the card is not the one that this recovery was planned with",
  "put-that-card-in": (): string => "put that card in",
  "bad-backup": (name: string, why: string): string =>
    `the backup ${name} is not valid (${why}): it overflowed, or its store is damaged, and it cannot be put back any more`,
  "no-snapshot": (name: string): string => `${name} is no snapshot`,
  "unreadable-backup": (name: string, trouble: string): string =>
    `the backup ${name} cannot be read: ${trouble}`,

  // What a step can end with.
  "at-step": (index: number, total: number, step: Words, cause: Words): string =>
    `step ${index + 1} of ${total}, ${english(step)}: ${english(cause)}`,
  command: (program: string, outcome: CommandOutcome): string =>
    `${program} ${describeOutcome(outcome)}`,
  "root-differs": (differences: readonly string[]): string => {
    const more = differences.length > 5 ? `; and ${differences.length - 5} more` : "";
    return because("root.differs", `${differences.slice(0, 5).join("; ")}${more}`);
  },
  "bad-manifest": (): string => because("root.bad-manifest"),
  "bad-file": (path: string, why: string): string => because("boot-loader.file", path, why),
  "unreadable-at": (path: string, atBytes: number, trouble: string): string =>
    `${path} cannot be read at ${printSize(atBytes)}: ${trouble}`,
  "ends-early": (path: string, atBytes: number, wantedBytes: number): string =>
    `${path} ends at ${printSize(atBytes)}, it should have ${printSize(wantedBytes)}`,
  "not-appeared": (path: string, seconds: number): string =>
    `${path} did not appear within ${seconds} s`,
  "half-merged": (name: string, why: string): string =>
    `the merge of ${name} failed (${why}): the root is half of the backup and half of what it was; ` +
    'only "Recover to factory default" makes it whole',
  "merge-open": (root: string): string =>
    `a backup was being put back into ${root}, and that has not come to its end: the root is half of the backup ` +
    "and half of what it was",
  "choose-latest": (): string => 'choose "Recover to latest backup", which brings that to its end',
  "other-root": (root: string): string =>
    `${root} is not the root that the machine is to start from: a factory recovery was cut while it changed the ` +
    "old one for the new one",
  "merge-stands-still": (name: string, minutes: number): string =>
    `the merge of ${name} got no further in ${minutes} minutes`,
  "goes-on": (): string => "start the same recovery again: it goes on where it stopped",
  "correct-cause": (): string => "correct the cause and start again",
  bug: (trouble: string): string => `bug in zshield: ${trouble}`,
  "report-bug": (): string => "please report this with the lines above",
  refused: (): string => "REFUSED, nothing was changed:",

  // On the way.
  begins: (version: string): string => `zshield ${version}: recovery`,
  "waiting-for-disks": (): string => "waiting for the card and the disk to appear …",
  "lost-snapshots": (names: readonly string[]): string =>
    `snapshots of the root that were not ours were lost with it: ${names.join(", ")}`,
  "no-audit-report": (cause: Words): string =>
    `the report is not on the audit volume: ${english(cause)}`,
  "volume-full": (): string => "the volume is full",
  "no-look": (cause: Words): string =>
    `what is in this machine could not be looked at: ${english(cause)}`,
  "no-golden": (cause: Words): string => `the golden system cannot be started: ${english(cause)}`,
  "there-is-no-card": (): string => "there is no card",
  password: (): string => "Type the rescue password and press Enter:",
  "wrong-password": (): string => "That is not the rescue password.",
  "unchecked-password": (trouble: string): string =>
    `The password could not be checked: ${trouble}.`,
  "next-try": (trouble: Words, seconds: number): string =>
    `${english(trouble)} The next try is in ${seconds} s.`,
  rebooting: (): string => "rebooting",
  "switching-off": (): string => "switching the power off",
  halted: (): string => "halted; the power can be switched off",
  "starting-golden": (): string => "starting: Start the golden system",
  "starting-shell": (): string =>
    "a shell, because zshield.then=shell was given; the machine halts after it",

  // The report on a stick.
  "looking-for-stick": (label: string): string => `looking for a stick labelled ${label} …`,
  "silent-stick": (): string => "the stick does not answer, and no report was saved",
  "several-sticks": (count: number, label: string, rows: readonly Row[]): string =>
    `there are ${count} file systems labelled ${label}, and exactly one is needed:\n${listed(rows)}`,
  "pull-others-out": (): string => "no report was saved; pull the others out and try again",
  "no-stick": (label: string, rows: readonly Row[]): string =>
    `there is no stick labelled ${label}${rows.length === 0 ? "" : ` that a report can go to:\n${listed(rows)}`}`,
  "put-stick-in": (label: string): string =>
    `no report was saved; put in a stick with FAT or ext4 and the label ${label}, and try again`,
  "on-card": (): string => "it is on the card",
  "on-planned-disk": (): string => "it is on the disk of this recovery",
  "on-installed-disk": (): string => "it is on a disk with an installation of zshield",
  "on-used-disk": (uses: readonly string[]): string => `its disk is in use (${uses.join(", ")})`,
  "other-file-system": (type: string): string => `it is ${type}, not FAT or ext4`,
  "report-saved": (name: string, files: number, bytes: number): string =>
    `the report is on the stick: ${name} (${files} files, ${printSize(bytes)}); it can be pulled out`,
  "report-not-saved": (device: string, why: Words): string =>
    `the report could not be saved on ${device}: ${english(why)}`,
  "stick-full": (): string => "the stick is full",
  "stick-protected": (): string => "the stick is write-protected",
  "stick-not-whole": (): string =>
    "what is on the stick may not be whole; try again with another one",
};

export type Messages = typeof MESSAGES;
export type MessageKey = keyof Messages;

export function say<K extends MessageKey>(key: K, ...params: Parameters<Messages[K]>): Message {
  const make = MESSAGES[key] as (...params: Parameters<Messages[K]>) => string;
  return { key, params, english: make(...params) };
}

/** `a GPT partition table, ext4 "data" on /dev/vda1, …`: what a person would lose. */
export function describeFound(found: readonly Found[]): string {
  return found.map(describePart).join("; ");
}

function describePart(part: Found): string {
  switch (part.kind) {
    case "table":
      return `a ${part.type} partition table`;
    case "signature":
      return describeSignature(part);
    case "partition": {
      const { path, sizeBytes, signatures } = part;
      return `${path} (${[printSize(sizeBytes), ...signatures.map(describeSignature)].join(", ")})`;
    }
    case "group":
      return `the volume group "${part.name}" (${part.volumes.join(", ") || "empty"})`;
    case "state":
      return `a damaged zshield state (${part.trouble})`;
    case "unknown":
      return part.text === "" ? "unknown data" : part.text;
  }
}

function describeSignature({ type, label }: { type: string; label: string }): string {
  return label === "" ? type : `${type} "${label}"`;
}

export function describeDifference({ of, found, wanted }: Difference): string {
  switch (of) {
    case "serial":
      return `its serial number is "${found}", not "${wanted}"`;
    case "wwn":
      return `its WWN is "${found}", not "${wanted}"`;
    case "size":
      return `its size is ${found} bytes, not ${wanted}`;
    case "model":
      return `its model is "${found}", not "${wanted}"`;
  }
}
