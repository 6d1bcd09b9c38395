/*
 * The way back to the last backup, twice: from the card, and then from the disk's own rescue entry with the
 * power cut right after the damage. Each time the root is what it was when the backup was taken, to the
 * byte, and user and audit data are as they were left.
 */
import { installedLayer } from "../lab/installed.ts";
import {
  agree,
  bootDisk,
  checkBooted,
  chooseEntry,
  disk,
  finishRecovery,
  shutDown,
  startCard,
} from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { checkInstalled } from "../lab/system.ts";

const DAMAGE = [
  "echo stays > /user/mark && echo stays > /audit/mark",
  "echo changed >> /etc/hosts && echo new > /etc/new-file",
  "rm /usr/bin/tac && dd if=/dev/urandom of=/usr/lib/new-library bs=1M count=60 status=none",
  // A kernel that the backup does not know, and the old one gone: nothing boots without a recovery.
  `cp "/boot/vmlinuz-$(uname -r)" /boot/vmlinuz-99.1.0-later && rm "/boot/vmlinuz-$(uname -r)"`,
  `rm -r "/lib/modules/$(uname -r)" && echo broken > /boot/grub/grub.cfg`,
  "sync",
];

export const scenario: Scenario = {
  name: "latest",
  title: "the last backup is put back, from the card and again from the disk alone; data stays",
  minutes: 5,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const drive = disk(await installedLayer(context));
    const before = await bootDisk(context, drive, { name: "before" });
    checkBooted(before);
    await before.console.output(DAMAGE.join(" && "));
    await shutDown(before);

    const first = await startCard(context, card, [drive], { name: "from-card" });
    await chooseEntry(first, "latest");
    await agree(first);
    const result = await finishRecovery(first);
    must(result.operation === "latest", `it did ${result.operation}`);

    const between = await bootDisk(context, drive, { name: "between" });
    checkBooted(between);
    await checkInstalled(between.console);
    await between.console.output("test -x /usr/bin/tac && test ! -e /etc/new-file");
    await between.console.output(
      "test ! -e /boot/vmlinuz-99.1.0-later && ! grep changed /etc/hosts",
    );
    await between.console.output("grep stays /user/mark /audit/mark && rm /user/mark");
    await between.console.output("rm -rf /usr/lib/systemd /etc/passwd && sync");
    await between.machine.kill();

    const second = await context.start({ name: "from-disk", drives: [{ ...drive, boot: 0 }] });
    await chooseEntry(second, "latest");
    await agree(second);
    await finishRecovery(second);

    const after = await bootDisk(context, drive, { name: "after" });
    checkBooted(after);
    await checkInstalled(after.console);
    await after.console.output("test ! -e /user/mark && grep stays /audit/mark");
  },
};
