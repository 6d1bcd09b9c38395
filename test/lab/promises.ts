/*
 * What a disk has promised by the record on its ESP: a step that the journal calls done must have its effect
 * on the disk, whatever the power cut took; of the step at work nothing is promised.
 * Owns: reading promises off a record. Pure. The crash judge holds the disk to them.
 */
import type { StateRecord } from "../../src/model/state.ts";
import type { Step } from "../../src/model/step.ts";

export interface Promises {
  /** LVM's metadata can be read, or put back from the copy on the ESP. */
  readonly group: boolean;
  /** GRUB in both ways and the rescue system, whole. */
  readonly boot: boolean;
  /** Volumes that are there. */
  readonly volumes: readonly string[];
  /** Volumes whose file system is sound once its journal is replayed. */
  readonly fileSystems: readonly string[];
}

export const NOTHING: Promises = { group: false, boot: false, volumes: [], fileSystems: [] };

export const INSTALLED: Promises = {
  group: true,
  boot: true,
  volumes: ["lv-root", "lv-user", "lv-audit", "snap0"],
  fileSystems: ["lv-root", "lv-user", "lv-audit"],
};

/** `before`: what held when the recovery began. Without a journal it is over: all of `after` holds. */
export function promisesOf(
  record: StateRecord,
  before: Promises = NOTHING,
  after: Promises = INSTALLED,
): Promises {
  const journal = record.document.journal;
  if (!journal) return record.phase === "recovering" ? before : after;
  const { steps } = journal.plan;
  const promised = {
    ...before,
    volumes: new Set(before.volumes),
    fileSystems: new Set(before.fileSystems),
  };
  for (const step of steps.slice(0, journal.next)) keep(promised, step);
  const atWork = steps[journal.next];
  if (atWork) doubt(promised, atWork);
  return {
    ...promised,
    volumes: [...promised.volumes],
    fileSystems: [...promised.fileSystems].filter((name) => promised.volumes.has(name)),
  };
}

interface Growing {
  group: boolean;
  boot: boolean;
  volumes: Set<string>;
  fileSystems: Set<string>;
}

function keep(promised: Growing, step: Step): void {
  switch (step.kind) {
    case "make-group":
      promised.group = true;
      promised.volumes.clear();
      promised.fileSystems.clear();
      break;
    case "make-volume":
      promised.volumes.add(step.name);
      break;
    case "make-filesystem":
      promised.fileSystems.add(volumeOf(step.device));
      break;
    case "install-boot":
      promised.boot = true;
      break;
    case "rename-volumes":
      for (const { from, to } of step.renames) {
        for (const names of [promised.volumes, promised.fileSystems]) {
          if (names.delete(from)) names.add(to);
        }
      }
      break;
    case "remove-volume":
      promised.volumes.delete(step.name);
      break;
    case "take-backup":
      promised.volumes.add(step.name);
      break;
    case "merge-backup":
      promised.volumes.delete(step.name);
      break;
    default:
      break;
  }
}

/** The step at work may have done anything from nothing to all of it. */
function doubt(promised: Growing, step: Step): void {
  switch (step.kind) {
    case "make-group":
      promised.group = false;
      promised.volumes.clear();
      break;
    case "make-volume":
    case "remove-volume":
    case "take-backup":
    case "merge-backup":
      promised.volumes.delete(step.name);
      break;
    case "make-filesystem":
      promised.fileSystems.delete(volumeOf(step.device));
      break;
    case "rename-volumes":
      for (const { from, to } of step.renames) {
        promised.volumes.delete(from);
        promised.volumes.delete(to);
      }
      break;
    default:
      break;
  }
}

/** `/dev/vgroup/lv-root` → `lv-root`. */
function volumeOf(device: string): string {
  return device.slice(device.lastIndexOf("/") + 1);
}
