/*
 * The whole slice with the full golden system on BIOS, as an OEM's line has it: card first, blank disk,
 * 1 GiB of memory, nobody there. Then the disk alone.
 */
import { MIB } from "../../src/model/size.ts";
import { makeLayer } from "../lab/images.ts";
import { compareWithGolden } from "../lab/inspect.ts";
import { installedDisk } from "../lab/installed.ts";
import { bootDisk, checkBooted, disk, DISK_SERIAL } from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { checkIdentity, checkInstalled, checkNoBun } from "../lab/system.ts";

export const scenario: Scenario = {
  name: "blank-bios",
  title: "a blank disk becomes an appliance on BIOS, with 1 GiB of memory and no key pressed",
  minutes: 8,
  needs: ["golden"],
  async run(context) {
    const card = await context.card("golden");
    // The one golden installation of a run; other scenarios go on from it (test/lab/installed.ts).
    const { image: installed, result, said } = await installedDisk("golden");
    must(said.includes("starting: Recover to factory default"), "GRUB chose something else");
    const peak = result.peakMemoryBytes;
    must(peak > 0 && peak < 256 * MIB, `the agent's peak memory was ${peak} bytes`);
    must(result.disk?.serial === DISK_SERIAL, `it worked on ${JSON.stringify(result.disk)}`);
    must(result.version === card.card.description.version, `it installed ${result.version}`);
    must(result.resumedAt === undefined, "an uninterrupted recovery says that it was resumed");
    const slowest = result.steps.toSorted((a, b) => b.seconds - a.seconds).slice(0, 4);
    context.note(`agent at most ${Math.ceil(peak / MIB)} MiB`);
    context.note(
      `slowest: ${slowest.map(({ kind, seconds }) => `${kind} ${seconds} s`).join(", ")}`,
    );

    const differences = await compareWithGolden(context.folder, card.card, installed);
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);

    const image = await makeLayer(context.folder, "disk", installed);
    const alone = await bootDisk(context, disk(image));
    checkBooted(alone);
    await checkNoBun(alone.console);
    await checkInstalled(alone.console);
    await checkIdentity(alone.console);
  },
};
