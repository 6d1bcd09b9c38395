/*
 * Rescue systems that somebody made wrong: a zshield.toml with faults in it, and a tool that is missing.
 * Both are told in words before anything is touched. The wrong file is appended to the initramfs, where
 * the later one of a name wins.
 */
import { appendFileSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { packFiles } from "../../build/cpio.ts";
import { blankDisk, disk, refuse, watch } from "../lab/recovery.ts";
import type { Scenario } from "../lab/scenario.ts";

interface Case {
  readonly name: string;
  readonly title: string;
  readonly path: string;
  readonly text: string;
  readonly words: readonly RegExp[];
}

const CASES: readonly Case[] = [
  {
    name: "refuse-bad-configuration",
    title: "every fault of a wrong zshield.toml is told at once, with its path",
    path: "/etc/zshield/zshield.toml",
    text: '[disk]\nsmallst = "1 GiB"\n\n[volume.root]\nsize = 12\n\n[volume.user]\nsize = "many"\n',
    words: [/disk\.smallst: there is no such key/, /volume\.root\.size/, /volume\.user\.size/],
  },
  {
    name: "refuse-missing-tool",
    title: "a tool that is missing from the rescue system is named before anything is written",
    path: "/usr/bin/rsync",
    text: "not a program\n",
    words: [/tools are missing from this rescue system: rsync/],
  },
];

export const scenario: readonly Scenario[] = CASES.map(({ name, title, path, text, words }) => ({
  name,
  title,
  minutes: 1,
  needs: ["small"],
  async run(context) {
    const usual = await context.card("small");
    const initramfs = join(context.folder, "initramfs.img");
    copyFileSync(usual.card.initramfs, initramfs);
    // Without the bit that makes it a program it is as good as not there.
    appendFileSync(
      initramfs,
      packFiles({ [path]: { bytes: new TextEncoder().encode(text), mode: 0o644 } }),
    );
    const layer = await watch(context, "disk", await blankDisk(context, "blank"));
    await refuse(context, {
      card: { ...usual, card: { ...usual.card, initramfs } },
      drives: [disk(layer)],
      layers: [layer],
      words,
    });
  },
}));
