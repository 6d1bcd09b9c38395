/*
 * A disk of full size: the layout of the first customer, root 100 GiB, user a fifth, audit a tenth.
 * The image is sparse; what counts is what LVM's metadata says afterwards.
 */
import { GIB, MIB } from "../../src/model/size.ts";
import { flatten } from "../lab/images.ts";
import { readVolumes } from "../lab/inspect.ts";
import { blankDisk, disk, RESULT_SECONDS, startRescue } from "../lab/recovery.ts";
import { RESULT_LINE } from "../lab/result.ts";
import { must, type Scenario } from "../lab/scenario.ts";

/** A fifth of it is a little more than 100 GiB. */
const BYTES = 512 * GIB;

export const scenario: Scenario = {
  name: "full-size",
  title: "on a disk of 512 GiB the volumes get the sizes of the default layout",
  minutes: 3,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const image = await blankDisk(context, "disk", BYTES);
    const machine = await startRescue(context, {
      card,
      drives: [disk(image, { attach: "virtio" })],
    });
    // The copy is as everywhere else; by then the volumes and their file systems are made.
    await machine.waitFor(/step \d+\/\d+ copy-tree begins/, RESULT_SECONDS, RESULT_LINE);
    await machine.kill();
    const raw = await flatten(context.folder, "flat", image);
    const volumes = new Map(
      (await readVolumes(context.folder, raw.file)).map((volume) => [volume.name, volume]),
    );
    for (const [name, wanted] of [
      ["lv-root", 100 * GIB],
      ["lv-user", BYTES / 5],
      ["lv-audit", BYTES / 10],
    ] as const) {
      const found = volumes.get(name)?.sizeBytes ?? 0;
      must(Math.abs(found - wanted) < 4 * MIB, `${name} has ${found} bytes, not ${wanted}`);
      must(volumes.get(name)?.tags.includes("zshield") === true, `${name} does not carry our tag`);
    }
  },
};
