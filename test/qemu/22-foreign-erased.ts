/*
 * Foreign content given up by its owner's word, with nobody there: the disk is named by its own serial
 * number, and it carries a volume group with our name. A degraded mirror, a file system with a dirty
 * journal, ZFS and plain disks beside it stay as they are, to the byte.
 */
import { makeForeignDisk } from "../lab/foreign.ts";
import { bytesWritten, type Image } from "../lab/images.ts";
import { compareWithGolden } from "../lab/inspect.ts";
import {
  bootDisk,
  checkBooted,
  disk,
  DISK_BYTES,
  DISK_SERIAL,
  recover,
  watch,
} from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";

const OTHERS = ["degraded-md", "dirty-ext4", "gpt-ext4", "zfs", "dos-fat"] as const;

export const scenario: Scenario = {
  name: "foreign-erased",
  title: "the named foreign disk is given up for zshield.erase=, the others stay to the byte",
  minutes: 3,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const image = await makeForeignDisk(context.folder, "lvm-vgroup", DISK_BYTES);
    const others: Image[] = [];
    for (const kind of OTHERS) {
      const other = await makeForeignDisk(context.folder, kind, DISK_BYTES);
      others.push(await watch(context, kind, other));
    }
    await recover(context, {
      ...{ card, saved: true },
      drives: [
        ...others.map((layer, index) => disk(layer, { serial: `OTHER-${index}` })),
        disk(image),
      ],
      parameters: [`zshield.disk=serial:${DISK_SERIAL}`, `zshield.erase=${DISK_SERIAL}`],
    });
    for (const layer of others) {
      const bytes = await bytesWritten(layer);
      must(bytes === 0, `${layer.file}: ${bytes} bytes were written`);
    }
    const differences = await compareWithGolden(context.folder, card.card, image);
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);
    checkBooted(await bootDisk(context, disk(image)));
  },
};
