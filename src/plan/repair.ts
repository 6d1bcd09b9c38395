/*
 * The plan for "repair the installed system": the volume group readable again where the power failed while
 * LVM wrote, GRUB and the rescue system as they should be. Loses nothing, so nobody is asked. Pure.
 */
import { Refusal } from "../errors.ts";
import type { Config } from "../model/config.ts";
import type { Disk, Machine, VolumeGroup } from "../model/machine.ts";
import { identityOf } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import type { StateRecord } from "../model/state.ts";
import type { Plan } from "../model/step.ts";
import { bootOrigin } from "./boot-source.ts";
import { partitionsOf, prologue } from "./latest.ts";
import * as steps from "./steps.ts";
import { AUDIT, ROOT } from "./volumes.ts";

interface Repair {
  readonly machine: Machine;
  readonly config: Config;
  readonly disk: Disk;
  readonly record: StateRecord;
  /** Absent where it cannot be read; then the step that looks at the root tells what becomes of it. */
  readonly group: VolumeGroup | undefined;
  /** Another recovery of the disk was cut, and does not go on. */
  readonly isInterrupted: boolean;
}

/** @throws Refusal */
export function planRepair({ machine, config, disk, record, group, isInterrupted }: Repair): Plan {
  const name = config.group.name;
  if (group?.volumes.some((volume) => volume.name === ROOT && volume.merging)) {
    const hint = say(isInterrupted ? "choose-default" : "choose-latest");
    throw new Refusal(say("merge-open", `/dev/${name}/${ROOT}`), hint);
  }
  const origin = bootOrigin(machine, disk);
  const { esp, pv } = partitionsOf(disk);
  return {
    operation: "repair",
    version: record.document.version,
    disk: identityOf(disk),
    loses: [],
    keeps: [{ kind: "all" }],
    asks: false,
    group: name,
    physicalVolume: steps.byPartition(pv),
    reportVolume: AUDIT,
    steps: [
      ...prologue(machine, disk, origin),
      steps.openEsp(esp),
      ...steps.clearOldClaim(disk),
      {
        kind: "restore-group",
        title: `make the volume group ${name} readable, if it is not`,
        repeats: false,
        group: name,
      },
      steps.activate(name),
      {
        kind: "check-root",
        title: "check that the root has a kernel with its modules",
        repeats: false,
        device: `/dev/${name}/${ROOT}`,
        fileSystem: config.volume.root["file-system"],
      },
      steps.installBoot(origin, esp, disk.logicalSectorBytes),
      ...steps.epilogue(origin),
    ],
  };
}
