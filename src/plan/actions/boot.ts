/*
 * The card, and what the disk starts with: GRUB, the rescue system, which volume is root. Pure.
 */
import type { Action } from "../../model/action.ts";
import { AT } from "../../model/places.ts";
import { type Part } from "./part.ts";

export const BOOT: Part<
  | "open-golden"
  | "open-boot-files"
  | "check-golden"
  | "check-card"
  | "install-boot"
  | "switch-root"
  | "tidy-esp"
> = {
  "open-golden": (step) => [
    { do: "open-golden", device: step.device, espDevice: step.espDevice, golden: step.golden },
  ],

  "open-boot-files": (step) =>
    step.source === "card" ? [{ do: "open-card", espDevice: step.espDevice }] : [],

  "check-golden": (step) => [{ do: "read-through", path: AT.goldenDevice, bytes: step.bytes }],

  "check-card": (step) => [
    {
      do: "check-files",
      root: AT.card,
      card: { path: AT.cardDescription, digest: step.card },
      part: "everything",
    },
  ],

  "install-boot": (step, _plan, { disk }) => {
    const own = `${AT.esp}/zshield/${step.boot}`;
    const isCard = step.source === "card";
    const images = isCard ? `${AT.card}/zshield/boot` : own;
    const path = isCard ? AT.cardDescription : `${own}/card.json`;
    const card = { path, digest: step.card };
    const directories = [
      { name: step.grub, part: "grub", from: `${AT.card}/zshield/${step.grub}` },
      { name: step.rescue, part: "rescue", from: `${AT.card}/zshield/${step.rescue}` },
      { name: step.boot, part: "boot", from: images },
    ] as const;
    const copies = directories.map(({ name, part, from }): Action => ({
      do: "copy-directory",
      from,
      to: `${AT.esp}/zshield/${name}`,
      card,
      part,
    }));
    const checks = directories.map(({ name, part }): Action => ({
      do: "check-files",
      root: `${AT.esp}/zshield/${name}`,
      card,
      part,
    }));
    return [
      ...(isCard
        ? ([
            ...copies,
            { do: "copy-description", card, to: `${own}/card.json` },
            // The boot sector and the EFI file name these directories: they are on the disk before.
            { do: "reopen-esp", device: step.espDevice },
          ] as const)
        : []),
      ...checks,
      {
        do: "replace-file",
        from: `${images}/BOOTX64.EFI`,
        to: `${AT.esp}/EFI/BOOT/BOOTX64.EFI`,
        card,
        part: "efi",
      },
      {
        do: "write-boot-images",
        disk,
        bootImage: `${images}/boot.img`,
        coreImage: `${images}/core.img`,
        sectorBytes: step.sectorBytes,
      },
      { do: "reopen-esp", device: step.espDevice },
      ...(isCard ? [] : checks),
      { do: "check-files", root: `${AT.esp}/EFI/BOOT`, card, part: "efi" },
      { do: "use-boot", grub: step.grub, rescue: step.rescue },
    ];
  },

  "switch-root": (step) => [{ do: "switch-root", group: step.group, name: step.name }],

  "tidy-esp": (step) => [
    // From here on the running system changes the group; an old copy would be worse than none.
    {
      do: "write-files",
      root: AT.esp,
      files: [],
      directories: [],
      remove: [`${AT.groupCopy.slice(AT.esp.length)}.*`],
    },
    {
      do: "remove-directories",
      root: `${AT.esp}/zshield`,
      prefixes: ["grub-", "rescue-", "boot-"],
      keep: step.keep,
    },
  ],
};
