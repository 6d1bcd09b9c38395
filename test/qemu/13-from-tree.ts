/*
 * A card from a root that somebody brings: Debian with initramfs-tools and without dracut. Its rescue
 * system is built with our own dracut against that root's kernel, here without systemd: the plain hook
 * starts the same executable.
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
  name: "from-tree",
  title:
    "a root with initramfs-tools, brought by --from, is installed by a rescue system without systemd",
  minutes: 4,
  needs: ["classic"],
  async run(context) {
    const card = await context.card("classic");
    const image = await blankDisk(context);
    const drive = disk(image, { attach: "virtio" });
    // Its kernel is made for virtual machines and knows no AHCI.
    await finishRecovery(await startCard(context, card, [drive], { attach: "virtio" }));
    const differences = await compareWithGolden(context.folder, card.card, image);
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);

    const alone = await bootDisk(context, drive);
    checkBooted(alone);
    await alone.console.output("test ! -e /usr/bin/dracut && test -x /usr/sbin/update-initramfs");
    await checkInstalled(alone.console);
    await checkIdentity(alone.console);
  },
};
