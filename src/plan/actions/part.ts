/*
 * What the themes have in common: the type of their tables, and commands as actions. Pure.
 */
import type { Action } from "../../model/action.ts";
import { AT } from "../../model/places.ts";
import type { Plan, StepKind, StepOf } from "../../model/step.ts";

/** What is only known when a step is performed. */
export interface Surroundings {
  /** The disk of the plan under its name in this boot. */
  readonly disk: string;
  /** The step was begun before, without being done. */
  readonly again: boolean;
  /** The step was done before this boot, and is repeated because its effect ends with the power. */
  readonly behind: boolean;
}

/** The actions of some kinds of step. */
export type Part<K extends StepKind> = {
  readonly [Kind in K]: (step: StepOf<Kind>, plan: Plan, at: Surroundings) => Action[];
};

/** Inside an initramfs LVM exists only as `lvm …`; it is shown our partition and nothing else. */
export function lvm(plan: Plan, command: string, ...rest: string[]): string[] {
  return ["lvm", command, "--devices", plan.physicalVolume, ...rest];
}

export function run(
  argv: string[],
  more: { stdin?: string; onlyIf?: string[]; unless?: string[]; progress?: "rsync" } = {},
): Action {
  return { do: "run", argv, ...more };
}

export function mounted(
  step: { device: string; fileSystem: string },
  options: string,
  inside: Action[],
): Action[] {
  const { device, fileSystem } = step;
  const mount: Action =
    options === "rw"
      ? mountForWriting(device, AT.root, fileSystem)
      : { do: "mount", device, at: AT.root, fileSystem, options };
  return [mount, ...inside, { do: "unmount", at: AT.root }];
}

/**
 * What was open for writing when the power failed may have half a superblock: ext4 writes it in place, its checksum
 * covers two sectors, and the kernel looks at it before it reads the journal.
 */
export function mountForWriting(device: string, at: string, fileSystem: string): Action {
  const repair = ["e2fsck", "-f", "-y", device];
  return { do: "mount", device, at, fileSystem, options: "rw", repair };
}
