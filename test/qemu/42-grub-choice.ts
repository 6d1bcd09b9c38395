/*
 * GRUB's decision table (design, section 4), with real GRUB on real images: what starts by itself for
 * each state of the disk, whole and damaged. A machine is ended as soon as GRUB has said its choice.
 */
import { checkGrubChoices } from "../lab/grub-choice.ts";
import { must, type Scenario } from "../lab/scenario.ts";

export const scenario: Scenario = {
  name: "grub-choice",
  title: "GRUB starts what the disk's record asks for, also when a copy of the record is damaged",
  minutes: 3,
  needs: ["small"],
  async run(context) {
    const { card } = await context.card("small");
    for (const only of [
      ...[
        "bios: ",
        "uefi: card, blank disk",
        "uefi: card, installed: ",
        "uefi: disk alone, installed",
      ],
    ]) {
      const verdicts = await checkGrubChoices(card.image.file, only);
      must(verdicts.length > 0, `no case is called ${only}`);
      for (const { name, wanted, got, seconds } of verdicts) {
        must(got === wanted, `${name}: wanted ${wanted}, got ${got}`);
        context.note(`${name}: ${seconds} s`);
      }
    }
  },
};
