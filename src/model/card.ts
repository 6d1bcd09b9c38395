/*
 * card.json: what a card says of itself. Lies on the card's ESP at /zshield/card.json, is written by
 * build/, read by the agent. Its `golden` part is also inside the initramfs
 * (/etc/zshield/golden.json), so that rescue system and golden root belong together.
 * Owns: schema and parsing. No I/O.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { parseDocument } from "./document.ts";
import { because } from "./reasons.ts";

export const CARD_LABEL = "ZS-CARD";
export const GOLDEN_LABEL = "ZS-GOLDEN";
export const DISK_LABEL = "ZS-DISK";
/** Directory on both ESPs that holds everything of ours but EFI/ and state/. */
export const ESP_DIRECTORY = "zshield";

const Sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits"));
const Bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const FileDigest = v.strictObject({ sha256: Sha256, sizeBytes: Bytes });
/** A directory named by its digest: file name inside it (`/` between parts) → digest. */
export const DigestDirectory = v.strictObject({
  directory: v.pipe(v.string(), v.regex(/^(grub|rescue)-[0-9a-f]{16}$/)),
  files: v.record(v.string(), FileDigest),
});

export const GoldenDescription = v.strictObject({
  partitionUuid: v.pipe(v.string(), v.uuid()),
  /** Size of the ext4 file system; the block-hash tree begins right behind it. */
  fileSystemBytes: Bytes,
  verity: v.strictObject({
    hashOffsetBytes: Bytes,
    blockBytes: v.literal(4096),
    dataBlocks: Bytes,
    rootHash: Sha256,
    salt: v.string(),
  }),
  /** Sum of file sizes in the tree, hard links counted once. */
  treeBytes: Bytes,
  entries: Bytes,
  /** zstd-compressed JSON lines on the card's ESP, see model/manifest.ts. Digest of the compressed file. */
  manifest: v.strictObject({ path: v.string(), sha256: Sha256 }),
  /** Versions of the kernels in /boot, oldest first. */
  kernels: v.pipe(v.array(v.string()), v.minLength(1)),
  /** How GRUB's configuration inside root is made, run in a chroot of it: `["update-grub"]`. */
  updateGrub: v.pipe(v.array(v.string()), v.minLength(1)),
});

export const CardDescription = v.strictObject({
  schema: v.literal(1),
  product: v.string(),
  version: v.string(),
  lab: v.boolean(),
  golden: GoldenDescription,
  rescue: DigestDirectory,
  grub: DigestDirectory,
  /** Files below /zshield/boot on the ESP: boot.img, core.img, BOOTX64.EFI. */
  boot: v.strictObject({
    "boot.img": FileDigest,
    "core.img": FileDigest,
    "BOOTX64.EFI": FileDigest,
  }),
});

export type GoldenDescription = v.InferOutput<typeof GoldenDescription>;
export type CardDescription = v.InferOutput<typeof CardDescription>;
export type FileDigest = v.InferOutput<typeof FileDigest>;

/** @throws Refusal naming every fault with its path. */
export function parseCard(text: string): CardDescription {
  return parseDocument(CardDescription, parseJson(text), "card.json");
}

/** @throws Refusal naming every fault with its path. */
export function parseGolden(text: string): GoldenDescription {
  return parseDocument(GoldenDescription, parseJson(text), "golden.json");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(because("boot-loader.no-description"), "write the card anew");
  }
}

/** Stands for the whole description in plans and journals. */
export function digestOfCard(description: CardDescription): string {
  return createHash("sha256").update(JSON.stringify(description)).digest("hex");
}

/**
 * Name of the directory on the disk's ESP with the boot images and the description of the card that they
 * came from; so the description's digest can be told from the name.
 */
export function bootDirectoryOf(description: CardDescription): string {
  return `boot-${digestOfCard(description).slice(0, 16)}`;
}

export type CardPart = "everything" | "grub" | "rescue" | "boot" | "efi";

/** The files of a part of the card: path → digest. `everything`: paths from the ESP's root. */
export function filesOfCard(card: CardDescription, part: CardPart): Record<string, FileDigest> {
  switch (part) {
    case "grub":
      return card.grub.files;
    case "rescue":
      return card.rescue.files;
    case "boot":
      return card.boot;
    case "efi":
      return { "BOOTX64.EFI": card.boot["BOOTX64.EFI"] };
    case "everything": {
      const below = (directory: string, files: Record<string, FileDigest>) =>
        Object.entries(files).map(([name, digest]) => [
          `${ESP_DIRECTORY}/${directory}/${name}`,
          digest,
        ]);
      return Object.fromEntries([
        ...below(card.grub.directory, card.grub.files),
        ...below(card.rescue.directory, card.rescue.files),
        ...below("boot", card.boot),
      ]);
    }
  }
}
