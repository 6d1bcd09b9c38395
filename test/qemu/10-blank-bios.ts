/*
 * The whole slice with the full golden system on BIOS, as an OEM's line has it: card first, blank disk,
 * 1 GiB of memory, nobody there. Then the disk alone, then the card again.
 */
import { MIB } from "../../src/model/size.ts";
import { compareWithGolden } from "../lab/inspect.ts";
import {
  blankDisk,
  bootDisk,
  checkBooted,
  disk,
  finishRecovery,
  startCard,
} from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { checkIdentity, checkInstalled, checkNoBun } from "../lab/system.ts";

export const scenario: Scenario = {
  name: "blank-bios",
  title: "a blank disk becomes an appliance on BIOS, with 1 GiB of memory and no key pressed",
  minutes: 8,
  needs: ["golden"],
  async run(context) {
    const card = await context.card("golden");
    const image = await blankDisk(context);
    const drive = disk(image, { attach: "virtio" });

    const recovery = await startCard(context, card, [drive], { memoryMiB: 1024 });
    await recovery.waitFor("starting: Recover to factory default", 120);
    const result = await finishRecovery(recovery, 1200);
    const peak = result.peakMemoryBytes;
    must(peak > 0 && peak < 256 * MIB, `the agent's peak memory was ${peak} bytes`);
    must(result.disk?.serial === drive.serial, `it worked on ${JSON.stringify(result.disk)}`);
    must(result.version === card.card.description.version, `it installed ${result.version}`);
    must(result.resumedAt === undefined, "an uninterrupted recovery says that it was resumed");
    const slowest = result.steps.toSorted((a, b) => b.seconds - a.seconds).slice(0, 4);
    context.note(`agent at most ${Math.ceil(peak / MIB)} MiB`);
    context.note(
      `slowest: ${slowest.map(({ kind, seconds }) => `${kind} ${seconds} s`).join(", ")}`,
    );

    const differences = await compareWithGolden(context.folder, card.card, image);
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);

    const alone = await bootDisk(context, drive);
    checkBooted(alone);
    await checkNoBun(alone.console);
    await checkInstalled(alone.console);
    await checkIdentity(alone.console);
  },
};
