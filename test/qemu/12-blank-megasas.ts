/*
 * The machine of the first customer: an LSI RAID volume as the system disk, the card in a USB reader.
 * GRUB reads both through the firmware, the kernel through its own drivers.
 */
import {
  blankDisk,
  bootDisk,
  checkBooted,
  disk,
  finishRecovery,
  startCard,
} from "../lab/recovery.ts";
import type { Scenario } from "../lab/scenario.ts";
import { checkIdentity, checkInstalled } from "../lab/system.ts";

export const scenario: Scenario = {
  name: "blank-megasas",
  title: "a volume of an LSI RAID card is installed from a card in a USB reader",
  minutes: 4,
  needs: ["small"],
  soak: true,
  async run(context) {
    const card = await context.card("small");
    const drive = disk(await blankDisk(context), { attach: "megasas" });
    await finishRecovery(await startCard(context, card, [drive], { attach: "usb" }));
    const alone = await bootDisk(context, drive);
    checkBooted(alone);
    await checkInstalled(alone.console);
    await checkIdentity(alone.console);
  },
};
