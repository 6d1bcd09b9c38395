/*
 * An installed disk for the scenarios that begin with one: a root, made once for a run by an
 * ordinary recovery, then only read; each scenario works on a layer of its own.
 * Owns: making it once.
 */
import type { Result } from "../../src/model/result.ts";
import type { RootName } from "./card.ts";
import { makeLayer, type Image } from "./images.ts";
import { blankDisk, disk, recover } from "./recovery.ts";
import { openContext, type Context, type OpenContext } from "./scenario.ts";

export interface InstalledDisk {
  readonly image: Image;
  /** The verdict of the recovery that made it, with the seconds of each step. */
  readonly result: Result;
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
  const result = await recover(context, { card, drives: [disk(image)], memoryMiB: 1024 });
  return { image, result };
}
