/*
 * The power fails while the running system changes its volumes, and takes LVM's metadata with it: GRUB starts
 * the repair first, which puts back the copy from the ESP, loses nothing and asks nobody; the next backup
 * puts in order what the cut left.
 */
import { onlyBackup, zshield } from "../lab/backups.ts";
import { flatten, readPartition, type Image } from "../lab/images.ts";
import { installedLayer } from "../lab/installed.ts";
import { readGroup } from "../lab/judge-group.ts";
import { bootDisk, checkBooted, disk, finishRecovery } from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";
import { readBytes, withOpen, writeBytes } from "../lab/sparse.ts";
import { MIB } from "../../src/model/size.ts";

export const scenario: Scenario = {
  name: "repair",
  title: "the power fails inside a backup and LVM's metadata is lost: the next start repairs it",
  minutes: 4,
  soak: true,
  needs: ["golden"],
  async run(context) {
    const image = await installedLayer(context, "disk", "golden");
    const { machine, console } = await bootDisk(context, disk(image), { name: "cut" });
    await console.output("echo stays > /etc/mark && sync");
    console.send("zshield backup");
    const step = 1 + Math.floor(context.random() * 3);
    const begun = await machine.waitFor(new RegExp(`${step}/\\d+ [a-z ]+`), 400);
    const delay = context.random() * 0.4;
    await Bun.sleep(delay * 1000);
    await machine.kill();
    context.note(`cut ${delay.toFixed(1)} s after: ${begun.text}`);

    const torn = await tearMetadata(context, image);
    const drive = disk(torn);
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

/** A copy of the disk with each text of LVM's metadata damaged, as LVM itself confirms. */
async function tearMetadata(context: Context, image: Image): Promise<Image> {
  const torn = await flatten(context.folder, "torn", image);
  const place = await readPartition(torn.file, 3);
  withOpen(torn.file, "r+", (file) => {
    const area = readBytes(file, place.startBytes, MIB);
    for (let at = area.indexOf("lv-audit"); at >= 0; at = area.indexOf("lv-audit", at + 1)) {
      writeBytes(file, place.startBytes + at, Buffer.from("LV"));
    }
  });
  const untouchable = () => {
    throw new Error("this look writes nothing");
  };
  const read = (startBytes: number, sizeBytes: number) =>
    withOpen(torn.file, "r", (file) => readBytes(file, startBytes, sizeBytes));
  const crashed = { file: torn.file, read, write: untouchable };
  const found = await readGroup(crashed, place, "vgroup", undefined);
  must(typeof found === "string", "LVM can still read its metadata");
  context.note(found);
  return torn;
}
