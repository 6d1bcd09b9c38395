/*
 * One installation of a blank disk, and the power fails again and again: inside the table, LVM, a file
 * system, the copy, GRUB, the change-over and the snapshot. The disk has a write cache that forgets: of
 * what was written since the last flush each sector is there or not, by chance. Each boot goes on where
 * the last one was; the last one starts through the card's GRUB, which has to choose that by itself.
 */
import { join } from "node:path";
import { compareWithGolden } from "../lab/inspect.ts";
import { installedDisk } from "../lab/installed.ts";
import { makeRaw } from "../lab/images.ts";
import { faultsOfInstalledEsp } from "../lab/judge-esp.ts";
import { cutPower, forgettingMedium, secondsOf, type Cut } from "../lab/power-cut.ts";
import {
  bootDisk,
  checkBooted,
  disk,
  DISK_BYTES,
  finishRecovery,
  startCard,
} from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { checkIdentity, checkInstalled } from "../lab/system.ts";

const CUTS: readonly Cut[] = [
  { kind: "write-table" },
  { kind: "make-volume" },
  { kind: "make-filesystem" },
  { kind: "copy-tree" },
  // The ESP's directories lie there in pieces then; what is put there later has to be found by GRUB.
  { kind: "install-boot", unflushed: 100_000 },
  { kind: "switch-root" },
  { kind: "take-backup" },
];

export const scenario: Scenario = {
  name: "power-cut-blank",
  title:
    "an installation that is cut in table, LVM, mkfs, copy, GRUB and change-over still succeeds",
  minutes: 7,
  needs: ["small"],
  async run(context) {
    const { result: usual } = await installedDisk();
    const card = await context.card("small");
    let medium = forgettingMedium(makeRaw(context.folder, "blank", DISK_BYTES));
    for (const cut of CUTS) {
      medium = await cutPower(context, medium, { card }, cut, secondsOf(usual, cut.kind));
    }
    const { image } = medium;
    const drive = disk(image);
    const machine = await startCard(context, card, [drive]);
    await machine.waitFor("starting: Recover to factory default", 120);
    const result = await finishRecovery(machine);
    must(result.resumedAt !== undefined, "the result does not say that it was resumed");
    context.note(`resumed at step ${result.resumedAt}`);

    const differences = await compareWithGolden(context.folder, card.card, image);
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);
    const { description } = card.card;
    const faults = await faultsOfInstalledEsp(
      image.file,
      join(context.folder, "judged-esp"),
      description,
    );
    must(faults.length === 0, `GRUB would not find it: ${faults.slice(0, 20).join("; ")}`);
    const alone = await bootDisk(context, drive);
    checkBooted(alone);
    await checkInstalled(alone.console);
    await checkIdentity(alone.console);
  },
};
