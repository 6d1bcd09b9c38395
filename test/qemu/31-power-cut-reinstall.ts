/*
 * The power fails while an installed disk is made new: before the change-over, in it, and while the
 * volumes get their names. User data stays.
 */
import { makeLayer } from "../lab/images.ts";
import { compareWithGolden } from "../lab/inspect.ts";
import { installedDisk, installedLayer } from "../lab/installed.ts";
import { cutPower, keepingMedium, secondsOf, type Cut } from "../lab/power-cut.ts";
import { bootDisk, checkBooted, disk, recover, shutDown } from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { checkInstalled } from "../lab/system.ts";

/** What a blank disk has no such step for, or no old system to lose by; the rest is power-cut-blank's. */
const CUTS: readonly Cut[] = [{ kind: "switch-root" }, { kind: "rename-volumes" }];

export const scenario: Scenario = {
  name: "power-cut-reinstall",
  title: "a new root beside the old one survives power cuts in change-over and renaming",
  minutes: 6,
  needs: ["small"],
  async run(context) {
    const { result: usual } = await installedDisk();
    const card = await context.card("small");
    const before = await installedLayer(context, "before");
    const marked = await bootDisk(context, disk(before), { name: "mark" });
    await marked.console.output("echo stays > /user/mark && sync");
    await shutDown(marked);

    let medium = keepingMedium(before);
    for (const cut of CUTS) {
      const options = { card, parameters: ["zshield.confirm=no"] };
      medium = await cutPower(context, medium, options, cut, secondsOf(usual, cut.kind));
    }
    const { image } = medium;
    // From here on nobody says `confirm=no`: a recovery of ours that resumes asks nothing.
    const result = await recover(context, { card, drives: [disk(image)] });
    must(result.resumedAt !== undefined, "the result does not say that it was resumed");

    const judged = await makeLayer(context.folder, "judged", image);
    const differences = await compareWithGolden(context.folder, card.card, judged);
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);
    const alone = await bootDisk(context, disk(image));
    checkBooted(alone);
    must((await alone.console.output("cat /user/mark")) === "stays", "/user was lost");
    await checkInstalled(alone.console);
  },
};
