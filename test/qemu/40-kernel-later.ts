/*
 * A kernel that is installed later, in the running appliance: GRUB on the ESP hands over to the
 * configuration that the distribution makes inside root, so the new kernel is what boots. The second
 * boot has the card first in the boot order: its GRUB hands over just the same.
 */
import { installedLayer } from "../lab/installed.ts";
import { awaitBoot, bootDisk, checkBooted, disk, shutDown, startCard } from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";

/** Higher than any real one; the modules are those of the kernel that it is a copy of. */
const LATER = "99.1.0-later";

export const scenario: Scenario = {
  name: "kernel-later",
  title: "a kernel installed later is what GRUB boots, also with the card first in the boot order",
  minutes: 3,
  needs: ["small"],
  async run(context) {
    const drive = disk(await installedLayer(context));
    const before = await bootDisk(context, drive, { name: "before" });
    checkBooted(before);
    const initramfs = await before.console.output(
      `find /boot -name "initr*$(uname -r)*" -printf "%p\\n" | head -n 1`,
    );
    must(initramfs !== "", "there is no initramfs in /boot");
    await before.console.output(
      [
        `cp "/boot/vmlinuz-$(uname -r)" /boot/vmlinuz-${LATER}`,
        `cp "${initramfs}" "/boot/initrd.img-${LATER}"`,
        `ln -s "$(uname -r)" /lib/modules/${LATER}`,
        "update-grub",
        "sync",
      ].join(" && "),
      400,
    );
    await shutDown(before);
    const card = await context.card("small");
    const after = await awaitBoot(await startCard(context, card, [drive]));
    checkBooted(after);
    const cmdline = await after.console.output("cat /proc/cmdline");
    must(
      cmdline.includes(`BOOT_IMAGE=`) && cmdline.includes(`vmlinuz-${LATER}`),
      `the command line is ${cmdline}`,
    );
  },
};
