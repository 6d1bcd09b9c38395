/*
 * A disk made from nothing: claim, ESP with the journal, table, volumes, root. For blank disks, for those
 * whose content was given up, and where nothing of ours is to be kept. Pure.
 */
import { Refusal } from "../errors.ts";
import { OUR_TAG } from "../model/backup.ts";
import { DISK_LABEL } from "../model/card.ts";
import { CLAIM_BYTES, CLAIM_OFFSET_BYTES } from "../model/claim.ts";
import { EXTENT_BYTES, groupBytes, type Config } from "../model/config.ts";
import type { Ids } from "../model/ids.ts";
import type { Loss } from "../model/loss.ts";
import type { Card, Disk, Machine } from "../model/machine.ts";
import { identityOf } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import { MIB, printSize } from "../model/size.ts";
import type { Plan, Step } from "../model/step.ts";
import { fromCard } from "./boot-source.ts";
import * as layout from "./layout.ts";
import * as steps from "./steps.ts";
import type { Content } from "./target.ts";
import { AUDIT, ROOT, USER } from "./volumes.ts";
import type { Wish } from "./wish.ts";

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

/** @throws Refusal where the content is not to be given up. */
export function planFresh({ machine, config, ids, card, disk, content, wish, sizes }: Fresh): Plan {
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
  const planned: Step[] = [
    ...steps.planPrologue(machine, disk),
    ...steps.checks(card),
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
    steps.openEsp(ids.partitions.esp),
    steps.clearClaim(),
    {
      kind: "make-group",
      title: `make the volume group ${group}`,
      repeats: false,
      device: steps.byPartition(ids.partitions.group),
      group,
      tags: [OUR_TAG],
    },
    steps.activate(group),
    make(ROOT, sizes.root),
    make(USER, sizes.user),
    make(AUDIT, sizes.audit),
    steps.makeFileSystem(group, USER, ids.userUuid),
    steps.makeFileSystem(group, AUDIT, ids.auditUuid),
    ...steps.rootSteps({ card, config, ids, group, volume: ROOT }),
    steps.installBoot(fromCard(card), ids.partitions.esp, disk.logicalSectorBytes),
    steps.switchRoot(group, ROOT),
    steps.takeBackup(
      group,
      layout.backupBytes(sizes.root, free, config.backup.chunk),
      config.backup.chunk,
      steps.factoryTags(card, ids),
    ),
    ...steps.epilogue(fromCard(card)),
  ];
  return {
    operation: "default",
    version: card.description.version,
    disk: identityOf(disk),
    loses,
    keeps: [],
    asks: consent.asks,
    group,
    physicalVolume: steps.byPartition(ids.partitions.group),
    reportVolume: AUDIT,
    steps: planned,
  };
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
    case "torn":
      return { why: "console", asks: wish.confirm === "yes" };
    case "foreign": {
      if (wish.erase && wish.erase === disk.serial) return { why: "erase", asks: false };
      if (wish.erase) {
        throw new Refusal(
          say("erase-other-disk", disk, wish.erase, content.what),
          say("correct-erase"),
        );
      }
      if (wish.confirm === "no") {
        throw new Refusal(say("not-blank", disk, content.what), say("use-erase"));
      }
      return { why: "console", asks: true };
    }
  }
}

function loss(content: Content, machine: Machine, disk: Disk): Loss[] {
  switch (content.kind) {
    case "blank":
    case "begun":
      return [];
    case "foreign":
      return [{ kind: "content", what: [...content.what], sizeBytes: disk.sizeBytes }];
    default:
      return [
        {
          kind: "everything",
          volumes: machine.groups
            .filter((group) =>
              group.physicalVolumes.some((path) => disk.partitions.some((p) => p.path === path)),
            )
            .flatMap(({ volumes }) => volumes.map(({ name, sizeBytes }) => ({ name, sizeBytes }))),
        },
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
