/*
 * The power fails while the running system changes its volumes: GRUB starts the repair first, which loses
 * nothing and asks nobody, and the next backup puts in order what the cut left.
 */
import { onlyBackup, zshield } from "../lab/backups.ts";
import { installedLayer } from "../lab/installed.ts";
import { bootDisk, checkBooted, disk, finishRecovery } from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";

export const scenario: Scenario = {
  name: "backup-cut",
  title:
    "the power fails inside a backup: repaired at the next start, and the next backup is whole",
  minutes: 5,
  needs: ["golden"],
  async run(context) {
    const drive = disk(await installedLayer(context, "disk", "golden"));
    const { machine, console } = await bootDisk(context, drive, { name: "cut" });
    await console.output("echo stays > /etc/mark && sync");
    console.send("zshield backup");
    await machine.waitFor(/\d\/\d take the backup/, 120);
    const delay = context.random() * 4;
    await Bun.sleep(delay * 1000);
    await machine.kill();
    context.note(`cut ${delay.toFixed(1)} s after the first step began`);

    const repair = await context.start({ name: "repair", drives: [{ ...drive, boot: 0 }] });
    const result = await finishRecovery(repair, 600);
    must(result.operation === "repair", `it did ${result.operation}`);

    const after = await bootDisk(context, drive, { name: "after" });
    checkBooted(after);
    await after.console.output("grep stays /etc/mark");
    await zshield(after.console, "backup", { says: /backup taken/ });
    await onlyBackup(after.console);
    await zshield(after.console, "status");
  },
};
