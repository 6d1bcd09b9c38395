/*
 * The plan for "recover to factory default". A pure function from what was found to a list of steps,
 * or a Refusal that says why not. Everything random or dated comes in as an argument.
 */
import { Refusal } from "../errors.ts";
import { OUR_TAG } from "../model/backup.ts";
import { volumeSizes, type Config } from "../model/config.ts";
import type { Ids } from "../model/ids.ts";
import type { Disk, Machine, VolumeGroup } from "../model/machine.ts";
import { say } from "../model/messages.ts";
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
  if (!group) checkUnkept(content, disk, wish);
  return group
    ? planBeside({ machine, config, ids, card, disk, group, wish, rootBytes: sizes.root })
    : planFresh({ machine, config, ids, card, disk, content, wish, sizes });
}

/**
 * Data that is to be kept and cannot be: unasked it is never given up. A first installation (it has no version yet)
 * holds none. @throws Refusal
 */
function checkUnkept(content: Content, disk: Disk, wish: Wish): void {
  if (wish.keep === "nothing") return;
  if (content.kind !== "ours" && content.kind !== "interrupted") return;
  if (content.record.document.version === "") return;
  if (!content.group) {
    const goesOn = content.kind === "interrupted" && content.journal.plan.operation === "latest";
    throw new Refusal(
      say("torn", disk),
      goesOn ? say("goes-on-by-itself", "latest") : say("repair-first"),
    );
  }
  if (wish.confirm === "yes") return;
  throw new Refusal(say("cannot-keep", disk, [USER, AUDIT]), say("keep-nothing"));
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
