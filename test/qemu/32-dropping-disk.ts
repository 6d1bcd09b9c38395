/*
 * A disk that lies: it acknowledges some large writes of the copy and does not store them. Only reading
 * back from the device can notice; the recovery must fail, and say which file.
 */
import { GIB, KIB } from "../../src/model/size.ts";
import { join } from "node:path";
import { serveDroppingDisk } from "../lab/dropping-disk.ts";
import { makeRaw } from "../lab/images.ts";
import { disk, DISK_BYTES, readResult, startRescue } from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { dropFolder, makeSocketFolder } from "../lab/scratch.ts";

export const scenario: Scenario = {
  name: "dropping-disk",
  title: "a disk that acknowledges writes and drops them is caught by the read-back",
  minutes: 3,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const image = makeRaw(context.folder, "lying", DISK_BYTES);
    const sockets = makeSocketFolder();
    const lying = await serveDroppingDisk(image.file, join(sockets, "nbd"));
    try {
      const drives = [disk({ nbdSocket: lying.socket })];
      const machine = await startRescue(context, { card, drives });
      await machine.waitFor(/zshield: step \d+\/\d+ copy-tree begins/, 300);
      lying.arm({
        startBytes: GIB,
        endBytes: DISK_BYTES - GIB,
        leastBytes: 32 * KIB,
        skip: 20 + Math.floor(context.random() * 100),
        most: 3,
      });
      const result = await readResult(machine);
      context.note(`${lying.dropped()} writes dropped, ${lying.lostBytes()} bytes missing`);
      context.note(`the agent: ${result.error?.message ?? result.outcome}`);
      must(lying.lostBytes() > 0, "the fault did not happen: nothing is missing on the disk");
      must(result.outcome === "failed", `the outcome is ${result.outcome}`);
      must(result.changed, "the result says that nothing was changed");
    } finally {
      await lying.close();
      dropFolder(sockets);
    }
  },
};
