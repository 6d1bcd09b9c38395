/*
 * The same on UEFI, with the small root and an NVMe disk: GRUB comes from the ESPs there. That the card hands over to
 * the disk there is 42-grub-choice.ts's.
 */
import { compareWithGolden } from "../lab/inspect.ts";
import {
  blankDisk,
  bootDisk,
  checkBooted,
  disk,
  finishRecovery,
  startCard,
} from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { checkIdentity, checkInstalled } from "../lab/system.ts";

export const scenario: Scenario = {
  name: "blank-uefi",
  title: "a blank NVMe disk becomes an appliance on UEFI, with no key pressed",
  minutes: 5,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const image = await blankDisk(context);
    const drive = disk(image, { attach: "nvme" });
    await finishRecovery(await startCard(context, card, [drive], { firmware: "uefi" }));

    const differences = await compareWithGolden(context.folder, card.card, image);
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);

    const alone = await bootDisk(context, drive, { firmware: "uefi" });
    checkBooted(alone);
    await alone.console.output("test -d /sys/firmware/efi");
    await checkInstalled(alone.console);
    await checkIdentity(alone.console);
  },
};
