/*
 * The steps that plans are put together from, each with its title. Pure: sizes, names and UUIDs come in.
 */
import { printBackupTags } from "../model/backup.ts";
import { digestOfCard } from "../model/card.ts";
import type { Config } from "../model/config.ts";
import type { Ids } from "../model/ids.ts";
import type { Loss } from "../model/loss.ts";
import type { Card, Disk, Machine, Volume } from "../model/machine.ts";
import { printSize } from "../model/size.ts";
import type { Step } from "../model/step.ts";
import type { BootOrigin } from "./boot-source.ts";
import { identityFiles, MACHINE_ONLY, MADE_ANEW } from "./identity.ts";
import { neededCard } from "./preconditions.ts";
import { BACKUP, NEW_ROOT, ROOT } from "./volumes.ts";

/** A partition has a protection of its own since Linux 5.11: that of its disk does not cover it. */
export function protectDisks(machine: Machine, disk: Disk): Step {
  const others = machine.disks.filter(({ path }) => path !== disk.path);
  return {
    kind: "protect-disks",
    title: "set every other disk read-only",
    repeats: true,
    devices: others.flatMap(({ path, partitions }) => [
      path,
      ...partitions.map(({ path }) => path),
    ]),
  };
}

/** The steps that depend on this boot's device names; planned anew when a recovery is resumed. */
export function planPrologue(machine: Machine, disk: Disk): Step[] {
  const card = neededCard(machine);
  return [
    protectDisks(machine, disk),
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

export function checks(card: Card): Step[] {
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

export function openEsp(uuid: string): Step {
  return {
    kind: "open-esp",
    title: "open the disk's ESP",
    repeats: true,
    device: byPartition(uuid),
  };
}

/** Left there, it would give the disk up unasked should its state ever be damaged. Once the journal can be found. */
export function clearClaim(): Step {
  return {
    kind: "clear-claim",
    title: "take the mark back, now that the journal can be found",
    repeats: false,
  };
}

/** A recovery that was cut right after its journal was written may have left its claim. */
export function clearOldClaim({ claim }: Disk): Step[] {
  return claim === undefined ? [] : [clearClaim()];
}

export function activate(group: string): Step {
  return {
    kind: "activate-group",
    title: `activate the volume group ${group}`,
    repeats: true,
    group,
  };
}

export function makeFileSystem(group: string, volume: string, uuid: string): Step {
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

export function rootSteps(at: {
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
      mayDiffer: mayDiffer(config.volume.user.mount, config.volume.audit.mount),
      bytes: golden.treeBytes,
    },
  ];
}

/** Where an installed root may differ from golden, besides the files that recovery writes. */
export function mayDiffer(...mounts: readonly string[]): string[] {
  return [...MADE_ANEW, ...MACHINE_ONLY, ...mounts];
}

export function installBoot(origin: BootOrigin, espUuid: string, sectorBytes: number): Step {
  const { source, card, boot, grub, rescue } = origin;
  return {
    kind: "install-boot",
    title: "install GRUB for BIOS and UEFI, and the rescue system",
    repeats: false,
    espDevice: byPartition(espUuid),
    source,
    card,
    boot,
    grub,
    rescue,
    sectorBytes,
  };
}

export function switchRoot(group: string, name: string): Step {
  return {
    kind: "switch-root",
    title: "make the new root the one that boots",
    repeats: false,
    group,
    name,
  };
}

/** `destroys`: what people lose by it. */
export function removeVolume(group: string, name: string, title: string, destroys: string): Step {
  return { kind: "remove-volume", title, repeats: false, destroys, group, name };
}

export function lossOfSnapshot({ name, sizeBytes }: Volume): Loss {
  return { kind: "snapshot", name, sizeBytes };
}

export function takeBackup(
  group: string,
  sizeBytes: number,
  chunkBytes: number,
  tags: { readonly timeSeconds: number; readonly reason: string; readonly version: string },
): Step {
  return {
    kind: "take-backup",
    title: `take a new backup, ${BACKUP} (${printSize(sizeBytes)})`,
    repeats: false,
    group,
    origin: ROOT,
    name: BACKUP,
    sizeBytes,
    chunkBytes,
    tags: printBackupTags({ ...tags, boot: "" }),
  };
}

export function factoryTags(card: Card, ids: Ids) {
  const { version } = card.description;
  return { timeSeconds: ids.nowSeconds, reason: "factory", version };
}

export function epilogue({ boot, grub, rescue }: BootOrigin): Step[] {
  return [
    {
      kind: "tidy-esp",
      title: "remove older GRUB and rescue files from the ESP",
      repeats: false,
      keep: [grub, rescue, boot],
    },
    { kind: "finish", title: "read the disk back a last time and close it", repeats: false },
  ];
}

export function byPartition(uuid: string): string {
  return `/dev/disk/by-partuuid/${uuid}`;
}
