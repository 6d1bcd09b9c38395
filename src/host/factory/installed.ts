/*
 * What was installed, read from the disk once more: the root against golden's manifest, and what boots it against
 * the description of the card. Owns: what is compared with what.
 */
import { readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { digestOfCard, filesOfCard, parseCard, type CardDescription } from "../../model/card.ts";
import { AT } from "../../model/places.ts";
import { because } from "../../model/reasons.ts";
import { printSize } from "../../model/size.ts";
import { checkBootImages } from "../boot-images.ts";
import { forgetCache } from "../device.ts";
import { checkFiles, sumBytes } from "../digest-files.ts";
import { readMountCount } from "../file-system.ts";
import { verifyTree } from "../verify.ts";
import { failed, nothing, passed, type Box, type Finding } from "./box.ts";

/** `card`: where the card's ESP is mounted. `forget`: for tests. */
export async function testRoot(
  { proof, root, disk }: Box,
  card: string = AT.card,
  forget = forgetCache,
): Promise<Finding> {
  if (!proof) return nothing("no card is in that has the manifest of what is installed", false);
  if ((await readMountCount(proof.device)) !== proof.mounts) {
    return nothing("the system has been started since it was installed, and has written", false);
  }
  const manifestPath = join(card, proof.manifest.path);
  if (!existsSync(manifestPath)) return failed(because("root.no-manifest"));
  await forget([disk.path]);
  const { files, mayDiffer } = proof;
  const entries = await verifyTree(
    { root, manifestPath, manifestSha256: proof.manifest.sha256, files, mayDiffer },
    () => undefined,
  );
  return passed(`${entries} entries are as golden has them`);
}

export async function testBootLoader(
  { boot: proof, esp, disk }: Box,
  forget = forgetCache,
): Promise<Finding> {
  if (!proof) return nothing(because("boot-loader.untold"), true);
  await forget([disk.path]);
  const boot = join(esp, "zshield", proof.boot);
  const card = parseCard(await readFile(join(boot, "card.json"), "utf8"));
  if (digestOfCard(card) !== proof.card) {
    return failed(because("boot-loader.other-card"));
  }
  const bytes = await checkParts(card, [
    { root: join(esp, "zshield", proof.grub), part: "grub" },
    { root: join(esp, "zshield", proof.rescue), part: "rescue" },
    { root: boot, part: "boot" },
    { root: join(esp, "EFI/BOOT"), part: "efi" },
  ]);
  if (proof.sectorBytes === 512) {
    await checkBootImages(disk.path, join(boot, "boot.img"), join(boot, "core.img"));
  }
  return passed(`GRUB, the rescue system and the boot images are whole (${printSize(bytes)})`);
}

async function checkParts(
  card: CardDescription,
  parts: readonly { root: string; part: "grub" | "rescue" | "boot" | "efi" }[],
): Promise<number> {
  let bytes = 0;
  for (const { root, part } of parts) {
    const files = filesOfCard(card, part);
    await checkFiles(root, files, () => undefined);
    bytes += sumBytes(files);
  }
  return bytes;
}
