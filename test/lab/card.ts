/*
 * The lab's cards: made once for a run, and put into machines as an empty layer over the image, so that
 * the image stays as it is and a write to the card is seen.
 * Owns: getting a card and what a test must know of it. build/card.ts makes it.
 */
import { parseCard, type CardDescription } from "../../src/model/card.ts";
import type { CardOptions } from "../../build/card.ts";
import { join } from "node:path";
import { command } from "./command.ts";
import type { Attachment, Drive } from "./hardware.ts";
import { writeLineConfig } from "./line.ts";
import { makeProduct } from "./product.ts";
import { writeLockedConfig } from "./locks.ts";
import { LAB_DIRECTORY } from "./scratch.ts";
import { makeLayer, readPartition, type Image, type ImagePartition } from "./images.ts";

/**
 * `classic`: a Debian root with initramfs-tools and no dracut, brought by `--from`; rescue without systemd.
 * `locked`: the small one with both passwords set (locks.ts). `line`: the small one with factory tests (line.ts).
 * `product`: a bundle that holds the small one, and the card as a qcow2 file (product.ts).
 */
export type RootName = "golden" | "small" | "classic" | "locked" | "line" | "product";

export interface LabCard {
  readonly image: Image;
  readonly vmlinuz: string;
  readonly initramfs: string;
  readonly description: CardDescription;
  readonly golden: ImagePartition;
}

/** The card in a machine: `layer` holds what was written to it, which must be nothing. */
export interface CardInUse {
  readonly card: LabCard;
  readonly layer: Image;
}

export const CARD_SERIAL = "ZS-CARD-1";
const made = new Map<RootName, Promise<LabCard>>();
let queue: Promise<unknown> = Promise.resolve();

/** Makes the card if it is missing; two at a time would fight for the same caches. */
export function labCard(root: RootName): Promise<LabCard> {
  const known = made.get(root);
  if (known) return known;
  const card = queue.then(() => makeLabCard(root));
  queue = card.catch(() => {});
  made.set(root, card);
  return card;
}

async function makeLabCard(root: RootName): Promise<LabCard> {
  // Loaded when it is needed: unit tests and --list do without a card.
  const { makeCard } = await import("../../build/card.ts");
  const { image, disk, rescue } = await makeCard(await optionsOf(root));
  const { stdout } = await command([
    "mcopy",
    "-n",
    "-i",
    `${image}@@2M`,
    "::/zshield/card.json",
    "-",
  ]);
  return {
    image: disk === undefined ? { file: image, format: "raw" } : { file: disk, format: "qcow2" },
    vmlinuz: rescue.vmlinuz,
    initramfs: rescue.initramfs,
    description: parseCard(stdout),
    golden: await readPartition(image, 3),
  };
}

async function optionsOf(root: RootName): Promise<CardOptions> {
  switch (root) {
    case "classic":
      return { lab: true, from: await ourGolden("classic"), systemd: false };
    case "locked": {
      const out = join(LAB_DIRECTORY, "locked");
      return { lab: true, root: "small", config: await writeLockedConfig(out), out };
    }
    case "line": {
      const out = join(LAB_DIRECTORY, "line");
      return { lab: true, root: "small", config: await writeLineConfig(out), out };
    }
    case "product": {
      const { file, keys, devices } = await makeProduct(await ourGolden("small"));
      const bundle = { file, keys, device: devices.plain, platform: undefined };
      return { lab: true, bundle, format: "qcow2", out: join(LAB_DIRECTORY, "product") };
    }
    default:
      return { lab: true, root };
  }
}

async function ourGolden(root: "small" | "classic"): Promise<string> {
  const { makeExecutable } = await import("../../build/executable.ts");
  const { makeGolden } = await import("../../build/golden.ts");
  return makeGolden({ root, lab: true, executable: await makeExecutable() });
}

export async function useCard(folder: string, name: string, card: LabCard): Promise<CardInUse> {
  return { card, layer: await makeLayer(folder, name, card.image) };
}

/** As a CompactFlash in an ATA slot, unless told otherwise. */
export function cardDrive({ layer }: CardInUse, boot?: number, attach: Attachment = "sata"): Drive {
  return {
    source: layer,
    attach,
    serial: CARD_SERIAL,
    ...(boot === undefined ? {} : { boot }),
  };
}
