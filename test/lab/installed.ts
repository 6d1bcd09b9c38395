/*
 * An installed disk for the scenarios that begin with one: the small root, made once for a run by an
 * ordinary recovery, then only read; each scenario works on a layer of its own.
 * Owns: making it once.
 */
import type { Result } from "../../src/model/result.ts";
import { makeLayer, type Image } from "./images.ts";
import { blankDisk, disk, recover } from "./recovery.ts";
import { openContext, type Context, type OpenContext } from "./scenario.ts";

export interface InstalledDisk {
  readonly image: Image;
  /** The verdict of the recovery that made it, with the seconds of each step. */
  readonly result: Result;
}

let made: Promise<InstalledDisk> | undefined;

/** The finished image; do not write to it, take a layer. */
export function installedDisk(): Promise<InstalledDisk> {
  made ??= install(openContext("prepare-installed", 0));
  return made;
}

export async function installedLayer(context: Context, name = "disk"): Promise<Image> {
  const { image } = await installedDisk();
  return makeLayer(context.folder, name, image);
}

/** The context stays open: the image is in its folder, which goes when the process ends. */
async function install(context: OpenContext): Promise<InstalledDisk> {
  const image = await blankDisk(context);
  const card = await context.card("small");
  const result = await recover(context, { card, drives: [disk(image)], memoryMiB: 1024 });
  return { image, result };
}
