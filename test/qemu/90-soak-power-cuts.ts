/*
 * `npm run soak`: the power fails at the start and in the middle of every step of an installation, one
 * disk each, and the next boot has to succeed. Hours rather than minutes.
 */
import { compareWithGolden } from "../lab/inspect.ts";
import { installedDisk } from "../lab/installed.ts";
import { makeRaw } from "../lab/images.ts";
import { cutPower, forgettingMedium, type Cut } from "../lab/power-cut.ts";
import { bootDisk, checkBooted, disk, DISK_BYTES, recover } from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";

export const scenario: Scenario = {
  name: "soak-power-cuts",
  title: "a power cut at the start and in the middle of every step is survived",
  minutes: 120,
  needs: ["small"],
  soak: true,
  async run(context) {
    const { result: usual } = await installedDisk();
    const card = await context.card("small");
    const seen = new Map<string, number>();
    const cuts: { readonly cut: Cut; readonly seconds: number }[] = [];
    for (const { kind, seconds } of usual.steps) {
      const index = seen.get(kind) ?? 0;
      seen.set(kind, index + 1);
      for (const share of [0, 0.5]) cuts.push({ cut: { kind, index, share }, seconds });
    }
    for (const { cut, seconds } of cuts) {
      const folder = makeFolder("soak");
      const own = { ...context, folder };
      const blank = forgettingMedium(makeRaw(folder, "blank", DISK_BYTES));
      const { image } = await cutPower(own, blank, { card }, cut, seconds);
      await recover(own, { card, drives: [disk(image)] });
      const differences = await compareWithGolden(folder, card.card, image);
      must(
        differences.length === 0,
        `differs from golden:\n${differences.slice(0, 20).join("\n")}`,
      );
      const booted = await bootDisk(own, disk(image));
      checkBooted(booted);
      await booted.machine.kill();
      dropFolder(folder);
    }
    context.note(`${cuts.length} power cuts`);
  },
};
