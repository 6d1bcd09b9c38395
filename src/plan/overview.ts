/*
 * What the main screen shows of a machine, with the same judgement of disks as the planners have. Pure.
 */
import type { Config } from "../model/config.ts";
import type { Disk, Machine } from "../model/machine.ts";
import type { DiskRow, Holding, Overview } from "../model/overview.ts";
import { findInstallation, isInstallation } from "./installation.ts";
import { configuredDisk, smallestBytes } from "./preconditions.ts";
import { backupStatus, lastRecoveryOf } from "./status.ts";
import { candidatesFor, contentOf } from "./target.ts";
import type { Wish } from "./wish.ts";

/** The card last: it is never worked on. */
export function overviewOf(
  machine: Machine,
  config: Config,
  wish: Pick<Wish, "disk">,
  nowSeconds: number,
): Overview {
  const selector = wish.disk ?? configuredDisk(config);
  const { rows, chosen } = candidatesFor(machine, selector, smallestBytes(config));
  const disks = rows.map(({ disk, why }): DiskRow => ({
    disk,
    holds: holdingOf(disk, machine),
    use: disk === chosen ? { kind: "used" } : (why ?? { kind: "several" }),
  }));
  const isCard = ({ holds }: DiskRow) => Number(holds.kind === "card");
  const found = findInstallation(machine);
  const here = isInstallation(found) ? found : undefined;
  const backup = here && backupStatus(here, { nowSeconds });
  const factory = here?.record.document.factory;
  const lastRecovery = here && lastRecoveryOf(here.record.document);
  return {
    machine,
    disks: disks.toSorted((a, b) => isCard(a) - isCard(b)),
    ...(backup ? { backup } : {}),
    ...(lastRecovery ? { lastRecovery } : {}),
    ...(factory ? { factory } : {}),
  };
}

function holdingOf(disk: Disk, machine: Machine): Holding {
  if (machine.card?.disk === disk.path) {
    return { kind: "card", version: machine.card.description.version };
  }
  const content = contentOf(disk, machine);
  switch (content.kind) {
    case "interrupted": {
      const { plan, next } = content.journal;
      return {
        kind: "interrupted",
        operation: plan.operation,
        step: next + 1,
        total: plan.steps.length,
      };
    }
    case "ours":
    case "torn":
      return { kind: content.kind, version: content.record.document.version };
    case "foreign":
      return { kind: "foreign", what: content.what };
    case "begun":
    case "blank":
      return { kind: content.kind };
  }
}
