/*
 * Where GRUB and the rescue system come from: the card where there is one, so that the disk's copy stays
 * in step with it, else what an earlier card left on the disk's own ESP. Pure.
 */
import { Refusal } from "../errors.ts";
import { bootDirectoryOf, digestOfCard } from "../model/card.ts";
import { type Card, type Disk, type Machine } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import type { BootSource, Step } from "../model/step.ts";

export interface BootOrigin {
  readonly source: BootSource;
  /** The card's ESP, or "". */
  readonly espDevice: string;
  /** Digest of the description. */
  readonly card: string;
  readonly boot: string;
  readonly grub: string;
  readonly rescue: string;
}

export function fromCard({ espPath, description }: Card): BootOrigin {
  return {
    source: "card",
    espDevice: espPath,
    card: digestOfCard(description),
    boot: bootDirectoryOf(description),
    grub: description.grub.directory,
    rescue: description.rescue.directory,
  };
}

/** @throws Refusal if there is neither a card nor a whole copy on the disk. */
export function bootOrigin(machine: Machine, disk: Disk): BootOrigin {
  if (machine.card) return fromCard(machine.card);
  if (disk.bootFiles) {
    const { card, boot, grub, rescue } = disk.bootFiles;
    return { source: "disk", espDevice: "", card, boot, grub, rescue };
  }
  throw new Refusal(say("no-boot-files", disk, machine.cardTrouble), say("put-card-in"));
}

export function openBootFiles({ source, espDevice }: BootOrigin): Step {
  return {
    kind: "open-boot-files",
    title:
      source === "card"
        ? "open the card's GRUB and rescue system, read-only"
        : "take GRUB and the rescue system from the disk itself",
    repeats: true,
    source,
    espDevice,
  };
}
