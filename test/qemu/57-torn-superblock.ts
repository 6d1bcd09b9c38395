/*
 * Half of a superblock was written when the power failed: no kernel mounts that, e2fsck asks, and nobody is there to
 * answer. The installed system repairs it and starts.
 */
import { flatten, type Image } from "../lab/images.ts";
import { installedLayer } from "../lab/installed.ts";
import { readVolume, readVolumes } from "../lab/inspect.ts";
import { bootDisk, checkBooted, disk } from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";
import { withOpen, writeBytes } from "../lab/sparse.ts";

const VOLUMES = ["lv-root", "lv-user"];
/** s_wtime lies in the first sector of the superblock, its checksum in the second. */
const TORN_AT_BYTES = 1024 + 0x30;

export const scenario: Scenario = {
  name: "torn-superblock",
  title: "an installed system whose superblocks were half written starts by itself",
  minutes: 2,
  needs: ["small"],
  soak: true,
  async run(context) {
    const torn = await tear(context, await installedLayer(context));
    for (const name of VOLUMES) {
      const refused = await readVolume(context.folder, torn, name, async () => "").catch(String);
      must(/mount/.test(refused), `${name} can be mounted as it is: ${refused || "no error"}`);
    }
    const booted = await bootDisk(context, disk(torn));
    checkBooted(booted);
    for (const name of VOLUMES) {
      await booted.console.output(
        `findmnt --noheadings /dev/mapper/vgroup-${name.replace("-", "--")}`,
      );
    }
    await booted.machine.kill();
  },
};

async function tear(context: Context, image: Image): Promise<Image> {
  const torn = await flatten(context.folder, "torn", image);
  const volumes = await readVolumes(context.folder, torn.file);
  withOpen(torn.file, "r+", (file) => {
    for (const { name, startBytes } of volumes) {
      if (VOLUMES.includes(name)) writeBytes(file, startBytes + TORN_AT_BYTES, Buffer.from("half"));
    }
  });
  return torn;
}
