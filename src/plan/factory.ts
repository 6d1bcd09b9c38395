/*
 * The plan for "recover to factory default". A pure function from what was found to a list of steps,
 * or a Refusal that says why not. Everything random or dated comes in as an argument.
 */
import { Refusal } from "../errors.ts";
import { CLAIM_BYTES, CLAIM_OFFSET_BYTES } from "../model/claim.ts";
import { parseDiskSelector, type Request } from "../model/cmdline.ts";
import { EXTENT_BYTES, groupBytes, volumeSizes, type Config } from "../model/config.ts";
import type { Card, Disk, Machine, VolumeGroup } from "../model/machine.ts";
import { describeDisk, identityOf } from "../model/machine.ts";
import type { Ids } from "../model/ids.ts";
import { MIB, printSize, sizeOn } from "../model/size.ts";
import { digestOfCard, DISK_LABEL } from "../model/card.ts";
import type { Plan, Step } from "../model/step.ts";
import { identityFiles, MACHINE_ONLY, MADE_ANEW } from "./identity.ts";
import * as layout from "./layout.ts";
import { chooseDisk, contentOf, OUR_TAG, type Content } from "./target.ts";

export type Wish = Pick<Request, "disk" | "confirm" | "erase" | "keep">;

export const ROOT = "lv-root";
export const NEW_ROOT = "lv-root-new";
export const OLD_ROOT = "lv-root-old";
export const USER = "lv-user";
export const AUDIT = "lv-audit";
export const BACKUP = "snap0";

/** @throws Refusal; then nothing has been changed. */
export function planFactory(machine: Machine, config: Config, wish: Wish, ids: Ids): Plan {
  const card = neededCard(machine);
  checkTools(machine);
  checkGroups(machine);
  const selector = wish.disk ?? configuredDisk(config);
  const disk = chooseDisk(machine, selector, smallestBytes(config));
  const sizes = volumeSizes(config, disk.sizeBytes);
  checkRoom(card, sizes.root, machine);
  checkNames(machine, disk, config.group.name);
  const content = contentOf(disk, machine);
  const group = keptGroup(content, config.group.name, wish.keep);
  return group
    ? planBeside({ machine, config, ids, card, disk, group, wish, rootBytes: sizes.root })
    : planFresh({ machine, config, ids, card, disk, content, wish, sizes });
}

/** The steps that depend on this boot's device names; planned anew when a recovery is resumed. */
export function planPrologue(machine: Machine, disk: Disk): Step[] {
  const card = neededCard(machine);
  return [
    {
      kind: "protect-disks",
      title: "set every other disk read-only",
      repeats: true,
      disks: machine.disks.filter(({ path }) => path !== disk.path).map(({ path }) => path),
    },
    {
      kind: "open-golden",
      title: "open golden on the card, read-only and checked block by block",
      repeats: true,
      device: card.goldenPath,
      espDevice: card.espPath,
      golden: card.description.golden,
    },
  ];
}

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

function checkRoom(card: Card, rootBytes: number, machine: Machine): void {
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
function checkNames(machine: Machine, disk: Disk, name: string): void {
  const own = new Set([disk.path, ...disk.partitions.map((partition) => partition.path)]);
  const other = machine.groups.find(
    (group) => group.name === name && group.physicalVolumes.some((path) => !own.has(path)),
  );
  if (!other) return;
  throw new Refusal(
    `another disk (${other.physicalVolumes.join(", ")}) holds a volume group that is called "${name}" too; ` +
      "the installed system could not tell the two apart",
    "take that disk out, or rename its group",
  );
}

/** The group whose user and audit volumes stay; undefined: everything is made anew. */
function keptGroup(
  content: Content,
  name: string,
  keep: "data" | "nothing",
): VolumeGroup | undefined {
  if (keep === "nothing") return undefined;
  if (content.kind !== "ours" && content.kind !== "interrupted") return undefined;
  const group = content.group;
  if (!group || group.partial || group.name !== name || !group.tags.includes(OUR_TAG))
    return undefined;
  const whole = [USER, AUDIT].every((wanted) =>
    group.volumes.some((volume) => volume.name === wanted),
  );
  return whole && content.record.document.version !== "" ? group : undefined;
}

interface Fresh {
  readonly machine: Machine;
  readonly config: Config;
  readonly ids: Ids;
  readonly card: Card;
  readonly disk: Disk;
  readonly content: Content;
  readonly wish: Wish;
  readonly sizes: { root: number; user: number; audit: number };
}

function planFresh({ machine, config, ids, card, disk, content, wish, sizes }: Fresh): Plan {
  const group = config.group.name;
  const consent = consentTo(content, disk, wish);
  const partitions = layout.planPartitions(disk.sizeBytes, ids.partitions);
  const lost =
    content.kind === "blank" || content.kind === "begun" ? undefined : "everything on this disk";
  const loses = loss(content, machine, disk);
  const make = (name: string, sizeBytes: number): Step => ({
    kind: "make-volume",
    title: `make the volume ${name} (${printSize(sizeBytes)})`,
    repeats: false,
    group,
    name,
    sizeBytes,
    tags: [OUR_TAG],
  });
  const free = groupBytes(disk.sizeBytes) - sizes.root - sizes.user - sizes.audit;
  const steps: Step[] = [
    ...planPrologue(machine, disk),
    ...checks(card),
    {
      kind: "claim-disk",
      title: "mark the disk as being installed",
      repeats: false,
      ...(lost === undefined ? {} : { destroys: lost }),
      consent: consent.why,
    },
    {
      kind: "clear-disk",
      title: "remove what lies on the disk",
      repeats: false,
      partitions: disk.partitions.map(({ path }) => path),
      ranges: rangesToClear(disk.sizeBytes),
    },
    {
      kind: "make-esp",
      title: "make the ESP with the journal at its final place",
      repeats: false,
      offsetBytes: layout.ESP_START_BYTES,
      sizeBytes: layout.ESP_BYTES,
      label: DISK_LABEL,
      volumeId: ids.espVolumeId,
    },
    {
      kind: "write-table",
      title: "write the partition table",
      repeats: false,
      diskUuid: ids.diskUuid,
      sectorBytes: disk.logicalSectorBytes,
      partitions,
    },
    openEsp(ids.partitions.esp),
    {
      kind: "make-group",
      title: `make the volume group ${group}`,
      repeats: false,
      device: byPartition(ids.partitions.group),
      group,
      tags: [OUR_TAG],
    },
    activate(group),
    make(ROOT, sizes.root),
    make(USER, sizes.user),
    make(AUDIT, sizes.audit),
    makeFileSystem(group, USER, ids.userUuid),
    makeFileSystem(group, AUDIT, ids.auditUuid),
    ...rootSteps({ card, config, ids, group, volume: ROOT }),
    installBoot(card, ids.partitions.esp, disk.logicalSectorBytes),
    switchRoot(group, ROOT),
    takeBackup(card, group, ids, layout.backupBytes(sizes.root, free)),
    ...epilogue(card),
  ];
  return {
    operation: "default",
    version: card.description.version,
    disk: identityOf(disk),
    loses,
    keeps: [],
    asks: consent.asks,
    group,
    physicalVolume: byPartition(ids.partitions.group),
    reportVolume: AUDIT,
    steps,
  };
}

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
function planBeside({ machine, config, ids, card, disk, group, wish, rootBytes }: Beside): Plan {
  const name = group.name;
  const has = (volume: string) => group.volumes.find((candidate) => candidate.name === volume);
  const esp = disk.partitions.find(({ number }) => number === 2);
  const pv = disk.partitions.find(({ number }) => number === 3);
  if (!esp || !pv) {
    throw new Refusal(
      `the partition table of ${describeDisk(disk, printSize)} is not as zshield wrote it`,
      "zshield.keep=nothing makes everything anew",
    );
  }
  // What is left over from an attempt with another card goes first, then the backup, then the old root.
  const leftOver = [NEW_ROOT, OLD_ROOT].filter(
    (volume) => has(volume) && !(volume === OLD_ROOT && !has(ROOT)),
  );
  let free = group.freeBytes + sum(leftOver.map((volume) => has(volume)?.sizeBytes ?? 0));
  const remove: string[] = [...leftOver];
  const early: string[] = [];
  for (const volume of [BACKUP, ROOT]) {
    const found = has(volume);
    if (free >= rootBytes || !found) continue;
    free += found.sizeBytes;
    early.push(volume);
  }
  remove.push(...early);
  if (free < rootBytes) {
    throw new Refusal(
      `the volume group has no room for a new root of ${printSize(rootBytes)}, not even without the old one`,
      "zshield.keep=nothing makes everything anew",
    );
  }
  const giveUp = (volume: string): Step => ({
    kind: "remove-volume",
    title: `remove the volume ${volume}`,
    repeats: false,
    ...(volume === ROOT
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
  const oldSize = early.includes(ROOT) ? 0 : (has(ROOT)?.sizeBytes ?? 0);
  const backupSize = early.includes(BACKUP) ? 0 : (has(BACKUP)?.sizeBytes ?? 0);
  const freeInTheEnd = free - rootBytes + oldSize + backupSize;
  const partitions = { esp: esp.uuid, group: pv.uuid };
  const keepsOldUntilSwitch = !early.includes(ROOT) && has(ROOT) !== undefined;
  const steps: Step[] = [
    ...planPrologue(machine, disk),
    ...checks(card),
    openEsp(partitions.esp),
    activate(name),
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
    ...rootSteps({ card, config, ids, group: name, volume: NEW_ROOT }),
    installBoot(card, partitions.esp, disk.logicalSectorBytes),
    {
      ...switchRoot(name, NEW_ROOT),
      ...(keepsOldUntilSwitch ? { destroys: "the installed system and its backup" } : {}),
    },
    ...(early.includes(BACKUP) || !has(BACKUP) ? [] : [giveUpAfter(name, BACKUP)]),
    {
      kind: "rename-volumes",
      title: "give the new root its name",
      repeats: false,
      group: name,
      renames: [
        { from: ROOT, to: OLD_ROOT },
        { from: NEW_ROOT, to: ROOT },
      ],
    },
    giveUpAfter(name, OLD_ROOT),
    takeBackup(card, name, ids, layout.backupBytes(rootBytes, freeInTheEnd)),
    ...epilogue(card),
  ];
  const { user, audit } = config.volume;
  return {
    operation: "default",
    version: card.description.version,
    disk: identityOf(disk),
    loses: [
      "the installed system with its settings (the root volume)",
      ...(has(BACKUP) ? ["the last backup"] : []),
    ],
    keeps: [`user data (${user.mount})`, `audit data (${audit.mount})`],
    asks: wish.confirm === "yes",
    group: name,
    physicalVolume: byPartition(partitions.group),
    reportVolume: AUDIT,
    steps,
  };
}

function giveUpAfter(group: string, name: string): Step {
  return { kind: "remove-volume", title: `remove the volume ${name}`, repeats: false, group, name };
}

function rootSteps(at: {
  card: Card;
  config: Config;
  ids: Ids;
  group: string;
  volume: string;
}): Step[] {
  const { card, config, ids } = at;
  const device = `/dev/${at.group}/${at.volume}`;
  const fileSystem = config.volume.root["file-system"];
  const golden = card.description.golden;
  const files = identityFiles(config, ids.machineId);
  const where = { device, fileSystem };
  return [
    makeFileSystem(at.group, at.volume, ids.rootUuid),
    {
      kind: "copy-tree",
      title: `copy golden to ${at.volume} (${printSize(golden.treeBytes)})`,
      repeats: false,
      ...where,
      bytes: golden.treeBytes,
    },
    {
      kind: "write-identity",
      title: "write fstab and what makes this machine one of its own",
      repeats: false,
      ...where,
      files,
      directories: [config.volume.user.mount, config.volume.audit.mount],
      remove: [...MACHINE_ONLY],
    },
    {
      kind: "configure-grub",
      title: "let the installed system write its GRUB configuration",
      repeats: false,
      ...where,
      argv: golden.updateGrub,
    },
    {
      kind: "verify-tree",
      title: "read the new root back and compare it with golden, file by file",
      repeats: false,
      ...where,
      manifest: golden.manifest,
      files,
      mayDiffer: [
        ...MADE_ANEW,
        ...MACHINE_ONLY,
        config.volume.user.mount,
        config.volume.audit.mount,
      ],
      bytes: golden.treeBytes,
    },
  ];
}

function checks(card: Card): Step[] {
  const { description } = card;
  return [
    {
      kind: "check-golden",
      title: "read golden through, every block checked",
      repeats: false,
      bytes: description.golden.fileSystemBytes,
    },
    {
      kind: "check-card",
      title: "check the rescue system and GRUB on the card",
      repeats: false,
      card: digestOfCard(description),
    },
  ];
}

function openEsp(uuid: string): Step {
  return {
    kind: "open-esp",
    title: "open the disk's ESP",
    repeats: true,
    device: byPartition(uuid),
  };
}

function activate(group: string): Step {
  return {
    kind: "activate-group",
    title: `activate the volume group ${group}`,
    repeats: true,
    group,
  };
}

function makeFileSystem(group: string, volume: string, uuid: string): Step {
  return {
    kind: "make-filesystem",
    title: `make the file system of ${volume}`,
    repeats: false,
    device: `/dev/${group}/${volume}`,
    fileSystem: "ext4",
    uuid,
    label: volume === NEW_ROOT ? ROOT : volume,
  };
}

function installBoot(card: Card, espUuid: string, sectorBytes: number): Step {
  const { description } = card;
  return {
    kind: "install-boot",
    title: "install GRUB for BIOS and UEFI, and the rescue system",
    repeats: false,
    espDevice: byPartition(espUuid),
    card: digestOfCard(description),
    grub: description.grub.directory,
    rescue: description.rescue.directory,
    sectorBytes,
  };
}

function switchRoot(group: string, name: string): Step {
  return {
    kind: "switch-root",
    title: "make the new root the one that boots",
    repeats: false,
    group,
    name,
  };
}

function takeBackup(card: Card, group: string, ids: Ids, sizeBytes: number): Step {
  return {
    kind: "take-backup",
    title: `take the first backup, ${BACKUP} (${printSize(sizeBytes)})`,
    repeats: false,
    group,
    origin: ROOT,
    name: BACKUP,
    sizeBytes,
    tags: [
      OUR_TAG,
      `zshield.time=${ids.nowSeconds}`,
      "zshield.reason=factory",
      `zshield.version=${card.description.version.replace(/[^A-Za-z0-9_+.\-]/g, "_")}`,
    ],
  };
}

function epilogue(card: Card): Step[] {
  const { grub, rescue } = card.description;
  return [
    {
      kind: "tidy-esp",
      title: "remove older GRUB and rescue files from the ESP",
      repeats: false,
      keep: [grub.directory, rescue.directory],
    },
    { kind: "finish", title: "read the disk back a last time and close it", repeats: false },
  ];
}

function consentTo(
  content: Content,
  disk: Disk,
  wish: Wish,
): { why: "blank" | "erase" | "console"; asks: boolean } {
  switch (content.kind) {
    case "blank":
      return { why: "blank", asks: false };
    case "begun":
      return { why: content.consent, asks: false };
    case "interrupted":
      return {
        why: "console",
        asks: content.record.document.version !== "" && wish.confirm === "yes",
      };
    case "ours":
      return { why: "console", asks: wish.confirm === "yes" };
    case "foreign": {
      if (wish.erase && wish.erase === disk.serial) return { why: "erase", asks: false };
      if (wish.erase) {
        throw new Refusal(
          `${describeDisk(disk, printSize)} is not the disk that zshield.erase=${wish.erase} names, ` +
            `and it holds ${content.what}`,
          "correct the serial number, or answer at the console without zshield.erase=",
        );
      }
      if (wish.confirm === "no") {
        throw new Refusal(
          `${describeDisk(disk, printSize)} is not blank and not ours: it holds ${content.what}`,
          "zshield.erase= with its serial number gives its content up without a question",
        );
      }
      return { why: "console", asks: true };
    }
  }
}

function loss(content: Content, machine: Machine, disk: Disk): string[] {
  switch (content.kind) {
    case "blank":
    case "begun":
      return [];
    case "foreign":
      return [content.what];
    default:
      return [
        `everything on the disk, user and audit data too: ${machine.groups
          .filter((group) =>
            group.physicalVolumes.some((path) => disk.partitions.some((p) => p.path === path)),
          )
          .flatMap((group) =>
            group.volumes.map((volume) => `${volume.name} (${printSize(volume.sizeBytes)})`),
          )
          .join(", ")}`,
      ];
  }
}

/** Both ends of the disk, where tables, md, LVM and ZFS keep their marks; not the claim's sector. */
export function rangesToClear(diskBytes: number): { offsetBytes: number; sizeBytes: number }[] {
  const end = 16 * MIB;
  const afterClaim = CLAIM_OFFSET_BYTES + Math.max(CLAIM_BYTES, 4096);
  return [
    { offsetBytes: 0, sizeBytes: CLAIM_OFFSET_BYTES },
    { offsetBytes: afterClaim, sizeBytes: end - afterClaim },
    // Where the volume group will begin: an old superblock there would outlive the new table.
    { offsetBytes: 514 * MIB, sizeBytes: EXTENT_BYTES },
    { offsetBytes: diskBytes - end, sizeBytes: end },
  ];
}

function byPartition(uuid: string): string {
  return `/dev/disk/by-partuuid/${uuid}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
