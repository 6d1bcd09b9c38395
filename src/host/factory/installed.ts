/*
 * What was installed, read from the disk once more: the root against golden's manifest, and what boots it against
 * the description of the card. Owns: finding in the plan what to compare with.
 */
import { readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { digestOfCard, filesOfCard, parseCard, type CardDescription } from "../../model/card.ts";
import { AT } from "../../model/places.ts";
import { printSize } from "../../model/size.ts";
import type { Plan, StepKind, StepOf } from "../../model/step.ts";
import { checkBootImages } from "../boot-images.ts";
import { forgetCache } from "../device.ts";
import { checkFiles, sumBytes } from "../digest-files.ts";
import { verifyTree } from "../verify.ts";
import { failed, nothing, passed, type Box, type Finding } from "./box.ts";

/** `card`: where the card's ESP is mounted. `forget`: for tests. */
export async function testRoot(
  { plan, root, disk }: Box,
  card: string = AT.card,
  forget = forgetCache,
): Promise<Finding> {
  const step = stepOf(plan, "verify-tree");
  if (!step) return nothing("the plan has no root that golden's manifest describes", true);
  const manifestPath = join(card, step.manifest.path);
  if (!existsSync(manifestPath)) return failed("golden's manifest is not there: is the card in?");
  await forget([disk.path]);
  const { files, mayDiffer } = step;
  const entries = await verifyTree(
    { root, manifestPath, manifestSha256: step.manifest.sha256, files, mayDiffer },
    () => undefined,
  );
  return passed(`${entries} entries are as golden has them`);
}

export async function testBootLoader(
  { plan, esp, disk }: Box,
  forget = forgetCache,
): Promise<Finding> {
  const step = stepOf(plan, "install-boot");
  if (!step) return nothing("the plan has no boot loader", true);
  await forget([disk.path]);
  const boot = join(esp, "zshield", step.boot);
  const card = parseCard(await readFile(join(boot, "card.json"), "utf8"));
  if (digestOfCard(card) !== step.card) {
    return failed("the card's description on the ESP is not the one that was installed from");
  }
  const bytes = await checkParts(card, [
    { root: join(esp, "zshield", step.grub), part: "grub" },
    { root: join(esp, "zshield", step.rescue), part: "rescue" },
    { root: boot, part: "boot" },
    { root: join(esp, "EFI/BOOT"), part: "efi" },
  ]);
  if (step.sectorBytes === 512) {
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

function stepOf<K extends StepKind>(plan: Plan, kind: K): StepOf<K> | undefined {
  return plan.steps.find((step): step is StepOf<K> => step.kind === kind);
}
