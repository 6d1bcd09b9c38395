/*
 * An installed disk for the scenarios that begin with one: made once for a run by an ordinary recovery, then only
 * read; each scenario works on a layer of its own.
 * Owns: making it once.
 */
import type { Result } from "../../src/model/result.ts";
import type { CardInUse, RootName } from "./card.ts";
import { bytesWritten, makeLayer, type Image } from "./images.ts";
import { blankDisk, disk, finishRecovery, readResult, startCard, startRescue } from "./recovery.ts";
import { must, openContext, type Context, type OpenContext } from "./scenario.ts";

export interface InstalledDisk {
  readonly image: Image;
  /** The verdict of the recovery that made it, with the seconds of each step. */
  readonly result: Result;
  /** Of the factory tests that followed, where the card has some. */
  readonly tested?: Result;
  /** Everything that came over the serial line. */
  readonly said: string;
}

const made = new Map<RootName, Promise<InstalledDisk>>();

/** The finished image; do not write to it, take a layer. */
export function installedDisk(root: RootName = "small"): Promise<InstalledDisk> {
  const known = made.get(root);
  if (known) return known;
  const making = install(openContext(`prepare-installed-${root}`, 0), root);
  made.set(root, making);
  return making;
}

export async function installedLayer(
  context: Context,
  name = "disk",
  root: RootName = "small",
): Promise<Image> {
  const { image } = await installedDisk(root);
  return makeLayer(context.folder, name, image);
}

/** The context stays open: the image is in its folder, which goes when the process ends. */
async function install(context: OpenContext, root: RootName): Promise<InstalledDisk> {
  const image = await blankDisk(context);
  const card = await context.card(root);
  const drives = [disk(image)];
  if (root === "line") return installAndTest(context, image, card);
  const machine =
    root === "golden"
      ? // The whole way, which takes minutes, and which blank-bios judges.
        await startCard(context, card, drives, { memoryMiB: 1024 })
      : await startRescue(context, { card, drives, memoryMiB: 1024 });
  const result = await finishRecovery(machine);
  await checkUntouched(card);
  return { image, result, said: machine.serial.text() };
}

/** A box on the line: two verdicts, and the power is off. */
async function installAndTest(
  context: OpenContext,
  image: Image,
  card: CardInUse,
): Promise<InstalledDisk> {
  const machine = await startRescue(context, {
    ...{ card, drives: [disk(image)], memoryMiB: 1024, serialNumber: "LINE-1" },
  });
  const result = await readResult(machine);
  must(result.outcome === "success", `the installation ended so: ${JSON.stringify(result)}`);
  const tested = await readResult(machine);
  await machine.waitForEnd(120);
  await checkUntouched(card);
  return { image, result, tested, said: machine.serial.text() };
}

async function checkUntouched({ layer }: CardInUse): Promise<void> {
  const written = await bytesWritten(layer);
  must(written === 0, `the card was written to (${written} bytes)`);
}
