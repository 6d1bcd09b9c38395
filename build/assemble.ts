/*
 * Putting a card together from its parts: the configuration goes into the rescue system, everything is
 * named and described in card.json, and the image is written.
 * Owns: what card.json and card.cfg say, and which file lies where on the ESP.
 */
import { createHash } from "node:crypto";
import { copyFile, cp, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { publishFile } from "../src/host/durable.ts";
import { type CardDescription, parseCard } from "../src/model/card.ts";
import { VERSION } from "../src/version.ts";
import { digestOfFile } from "./cache.ts";
import { told } from "./command.ts";
import { describeFiles, digestOfFiles } from "./files.ts";
import type { Grub } from "./grub.ts";
import { type EspFile, makeImage } from "./image.ts";
import type { Golden } from "./parts.ts";
import { appendFiles } from "./rescue.ts";
import { withScratch } from "./scratch.ts";

/** Paths of what a card consists of on the build machine. */
export interface CardFiles {
  readonly directory: string;
  readonly image: string;
  /** JSON lines, see src/model/manifest.ts. */
  readonly manifest: string;
  readonly rescue: { readonly vmlinuz: string; readonly initramfs: string };
}

export interface Parts {
  readonly products: CardFiles;
  readonly config: string;
  readonly grub: Grub;
  /** Folder of the rescue system without its configuration. */
  readonly rescue: string;
  readonly golden: Golden;
  readonly lab: boolean;
}

export async function assemble(parts: Parts): Promise<CardDescription> {
  const { products, config, grub, golden, lab } = parts;
  await mkdir(path.dirname(products.rescue.vmlinuz), { recursive: true });
  const rescue = path.dirname(products.rescue.vmlinuz);
  await rm(rescue, { recursive: true, force: true });
  await cp(parts.rescue, rescue, { recursive: true });
  const goldenJson = JSON.stringify(golden.description);
  await appendFiles(products.rescue.initramfs, {
    "/etc/zshield/zshield.toml": { bytes: Buffer.from(config), mode: 0o644 },
    "/etc/zshield/golden.json": { bytes: Buffer.from(goldenJson), mode: 0o644 },
  });
  const loaded = await describeFiles(rescue);
  const sums = Object.entries(loaded)
    .map(([name, { sha256 }]) => `${sha256}  ${name}\n`)
    .join("");
  await writeFile(path.join(rescue, "SHA256SUMS"), sums);
  const rescueFiles = await describeFiles(rescue);
  const rescueName = `rescue-${digestOfFiles(rescueFiles)}`;

  const description: CardDescription = {
    schema: 1,
    product: "zshield",
    // Which golden, beside which zshield: two cards of one release differ by it.
    version: `${VERSION}+${golden.description.verity.rootHash.slice(0, 8)}`,
    lab,
    golden: golden.description,
    rescue: { directory: rescueName, files: rescueFiles },
    grub: { directory: grub.name, files: grub.files },
    boot: grub.boot as CardDescription["boot"],
  };
  const cardJson = JSON.stringify(description);
  parseCard(cardJson);
  const below = (folder: string, target: string, names: readonly string[]): EspFile[] =>
    names.map((name) => ({ path: `${target}/${name}`, source: path.join(folder, name) }));
  const esp: EspFile[] = [
    ...below(grub.bootDirectory, "/EFI/BOOT", ["BOOTX64.EFI"]),
    ...below(grub.bootDirectory, "/zshield/boot", Object.keys(grub.boot)),
    ...below(grub.directory, `/zshield/${grub.name}`, Object.keys(grub.files)),
    ...below(rescue, `/zshield/${rescueName}`, Object.keys(rescueFiles)),
    ...below(golden.folder, "/zshield", ["golden.manifest.zst"]),
    { path: "/zshield/card.json", text: cardJson },
    { path: "/zshield/card.cfg", text: cardFragment(description) },
  ];
  const unfinished = `${products.image}.new`;
  try {
    await told("card.img", () =>
      withScratch((scratch) =>
        makeImage({
          image: unfinished,
          seed: createHash("sha256").update(cardJson).digest("hex"),
          epoch: golden.epoch,
          esp,
          goldenImage: path.join(golden.folder, "golden.img"),
          goldenUuid: golden.description.partitionUuid,
          bootImage: path.join(grub.bootDirectory, "boot.img"),
          coreImage: path.join(grub.bootDirectory, "core.img"),
          scratch: scratch.directory,
        }),
      ),
    );
    await publishFile(unfinished, products.image);
  } finally {
    await rm(unfinished, { force: true });
  }
  await copyFile(path.join(golden.folder, "golden.manifest"), products.manifest);
  await writeFile(`${products.image}.sha256`, `${await digestOfFile(products.image)}  card.img\n`);
  await writeFile(path.join(products.directory, "card.json"), cardJson);
  return description;
}

/** What the card's GRUB must know (grub/card-menu.cfg). */
function cardFragment({ rescue, version, golden, lab }: CardDescription): string {
  return [
    `set zs_rescue=${rescue.directory}`,
    `set zs_version=${version}`,
    `set zs_golden=${golden.partitionUuid}`,
    `set zs_lab=${lab ? "yes" : "no"}`,
    "",
  ].join("\n");
}
