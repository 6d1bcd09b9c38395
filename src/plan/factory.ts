/*
 * The plan for "recover to factory default". A pure function from what was found to a list of steps,
 * or a Refusal that says why not. Everything random or dated comes in as an argument.
 */
import { OUR_TAG } from "../model/backup.ts";
import { volumeSizes, type Config } from "../model/config.ts";
import type { Ids } from "../model/ids.ts";
import type { Machine, VolumeGroup } from "../model/machine.ts";
import type { Plan } from "../model/step.ts";
import { planBeside } from "./beside.ts";
import { planFresh } from "./fresh.ts";
import * as preconditions from "./preconditions.ts";
import { chooseDisk, contentOf, type Content } from "./target.ts";
import { AUDIT, USER } from "./volumes.ts";
import type { Wish } from "./wish.ts";

/** @throws Refusal; then nothing has been changed. */
export function planFactory(machine: Machine, config: Config, wish: Wish, ids: Ids): Plan {
  const card = preconditions.neededCard(machine);
  preconditions.checkTools(machine);
  preconditions.checkGroups(machine);
  const selector = wish.disk ?? preconditions.configuredDisk(config);
  const disk = chooseDisk(machine, selector, preconditions.smallestBytes(config));
  const sizes = volumeSizes(config, disk.sizeBytes);
  preconditions.checkRoom(card, sizes.root, machine);
  preconditions.checkNames(machine, disk, config.group.name);
  const content = contentOf(disk, machine);
  const group = keptGroup(content, config.group.name, wish.keep);
  return group
    ? planBeside({ machine, config, ids, card, disk, group, wish, rootBytes: sizes.root })
    : planFresh({ machine, config, ids, card, disk, content, wish, sizes });
}

/** The group whose user and audit volumes stay; undefined: everything is made anew. */
function keptGroup(
  content: Content,
  name: string,
  keep: "data" | "nothing",
): VolumeGroup | undefined {
  if (keep === "nothing") return undefined;
  if (content.kind !== "ours" && content.kind !== "interrupted") return undefined;
  const group = content.group;
  if (!group || group.partial || group.name !== name || !group.tags.includes(OUR_TAG))
    return undefined;
  const whole = [USER, AUDIT].every((wanted) =>
    group.volumes.some((volume) => volume.name === wanted),
  );
  return whole && content.record.document.version !== "" ? group : undefined;
}
