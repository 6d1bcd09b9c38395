/*
 * The card: the disk with the golden partition that this rescue system belongs to, and what its ESP says.
 * Only reads; the ESP is mounted read-only and unmounted again.
 */
import { readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import {
  CARD_LABEL,
  ESP_DIRECTORY,
  parseCard,
  parseGolden,
  type CardDescription,
  type GoldenDescription,
} from "../model/card.ts";
import type { Card, Disk, Machine } from "../model/machine.ts";
import { MIB } from "../model/size.ts";
import { tellFailure } from "./command.ts";
import { lookAtRegion, lookInto } from "./mounted.ts";
import type { KernelPartition, Usage } from "./usage.ts";

export const GOLDEN_FILE = "/etc/zshield/golden.json";
const CARD_FILE = `${ESP_DIRECTORY}/card.json`;
const MOST_BYTES = 16 * MIB;

export interface CardSearch {
  readonly disks: readonly Disk[];
  readonly kernelPartitions: readonly KernelPartition[];
  readonly usage: Usage;
  readonly goldenFile: string;
  /** Where to mount the card's ESP for a moment; default: a directory of our own. */
  readonly mountPoint: string | undefined;
}

/** The card, or why there is none. Never throws. */
export async function readCard(search: CardSearch): Promise<Pick<Machine, "card" | "cardTrouble">> {
  try {
    const text = await readFile(search.goldenFile, "utf8").catch(() => undefined);
    if (text === undefined) {
      return {
        cardTrouble: `this is not the rescue system of a card (there is no ${search.goldenFile})`,
      };
    }
    const found = await findCard(search, parseGolden(text));
    return typeof found === "string" ? { cardTrouble: found } : { card: found };
  } catch (error) {
    return { cardTrouble: tellFailure(error) };
  }
}

/** Golden's partition is known by its UUID; a second one that carries it leaves open which is meant. */
export function findGolden(
  disks: readonly Disk[],
  uuid: string,
): { disk: Disk; goldenPath: string } | string {
  const found = disks.flatMap((disk) =>
    disk.partitions
      .filter((partition) => partition.uuid === uuid.toLowerCase())
      .map((partition) => ({ disk, goldenPath: partition.path })),
  );
  const [only] = found;
  if (!only) return `no partition carries golden's UUID, ${uuid}`;
  if (found.length === 1) return only;
  return `more than one partition carries golden's UUID: ${found.map(({ goldenPath }) => goldenPath).join(", ")}`;
}

async function findCard(search: CardSearch, golden: GoldenDescription): Promise<Card | string> {
  const found = findGolden(search.disks, golden.partitionUuid);
  if (typeof found === "string") return found;
  const { disk, goldenPath } = found;
  const esp = disk.partitions.find(({ number }) => number === 2);
  if (!esp) return `${disk.path} carries golden, but it has no second partition`;
  if (!esp.signatures.some(({ type, label }) => type === "vfat" && label === CARD_LABEL)) {
    return `${esp.path} should be the card's ESP, but is no FAT file system labelled ${CARD_LABEL}`;
  }
  const known = search.kernelPartitions.find(({ path }) => path === esp.path);
  const mounted = search.usage.mounts.find(
    ({ device, root }) => device === known?.device && root === "/",
  );
  const look = (directory: string) => readDescription(`${directory}/${CARD_FILE}`);
  const at = search.mountPoint;
  const description =
    mounted !== undefined
      ? look(mounted.target)
      : known !== undefined
        ? await lookInto(known.path, look, at)
        : await lookAtRegion(disk.path, esp.startBytes, esp.sizeBytes, (device) =>
            lookInto(device, look, at),
          );
  if (!isDeepStrictEqual(description.golden, golden)) {
    return `${esp.path}: the card describes another golden than the one that this rescue system was made for`;
  }
  return { disk: disk.path, espPath: esp.path, goldenPath, description };
}

function readDescription(path: string): CardDescription {
  const { size } = statSync(path);
  if (size > MOST_BYTES) throw new Error(`${path} is too large to be a description of a card`);
  return parseCard(readFileSync(path, "utf8"));
}
