/*
 * Power cuts on a disk with a write cache: of what was written since the last flush, each sector is there
 * or not by chance. Proves that table, journal and boot loader are flushed before anything relies on them.
 */
import { join } from "node:path";
import { makeRaw } from "../lab/images.ts";
import { compareWithGolden } from "../lab/inspect.ts";
import { installedDisk } from "../lab/installed.ts";
import { secondsOf } from "../lab/power-cut.ts";
import {
  bootDisk,
  checkBooted,
  disk,
  DISK_BYTES,
  recover,
  RESULT_SECONDS,
  startRescue,
} from "../lab/recovery.ts";
import { findSteps, RESULT_LINE } from "../lab/result.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { dropFolder, makeSocketFolder } from "../lab/scratch.ts";
import { serveVolatileDisk } from "../lab/volatile-disk.ts";

const KINDS = ["make-esp", "make-group", "copy-tree", "install-boot", "take-backup"];

export const scenario: Scenario = {
  name: "volatile-disk",
  title: "power cuts that lose what was not flushed are survived too",
  minutes: 6,
  needs: ["small"],
  async run(context) {
    const { result: usual } = await installedDisk();
    const card = await context.card("small");
    const image = makeRaw(context.folder, "volatile", DISK_BYTES);
    const sockets = makeSocketFolder();
    const forgetful = await serveVolatileDisk(image.file, join(sockets, "nbd"));
    const drives = [disk({ nbdSocket: forgetful.socket })];
    let forgottenSectors = 0;
    try {
      for (const kind of KINDS) {
        const machine = await startRescue(context, { card, drives, name: `cut-${kind}` });
        const begins = new RegExp(`zshield: step \\d+/\\d+ ${kind} begins`);
        await machine.waitFor(begins, RESULT_SECONDS, RESULT_LINE);
        const delay = context.random() * secondsOf(usual, kind) * 0.9;
        await Bun.sleep(delay * 1000);
        await machine.kill();
        const { forgotten, unflushed } = forgetful.cutPower(context.random);
        forgottenSectors += forgotten;
        const hit = findSteps(machine.serial.text()).at(-1);
        context.note(
          `power cut ${delay.toFixed(2)} s into ${kind}: hit ${hit?.kind}, ` +
            `${forgotten} of ${unflushed} sectors forgotten`,
        );
      }
      must(forgottenSectors > 0, "the fault did not happen: no sector was forgotten");
      await recover(context, { card, drives });
    } finally {
      await forgetful.close();
      dropFolder(sockets);
    }
    const differences = await compareWithGolden(context.folder, card.card, image);
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);
    checkBooted(await bootDisk(context, disk(image)));
  },
};
