/*
 * The volume group: its volumes, and the root's backup among them. Every change of it is followed by a copy of LVM's
 * metadata, so that the next one may be cut anywhere. Pure.
 */
import type { Action } from "../../model/action.ts";
import { AT } from "../../model/places.ts";
import type { Plan } from "../../model/step.ts";
import { lvm, mounted, run, type Part } from "./part.ts";

/** For what the running system does too: LVM's own copies below /etc fail with a full root, and the command with them. */
function change(plan: Plan, command: string, ...rest: string[]): string[] {
  return lvm(plan, command, "--autobackup", "n", ...rest);
}

/**
 * After every change of the group, so that the next change may be cut anywhere. The ESP has to be open
 * (AT.esp), in the rescue system as in the running one.
 */
function saveGroup(plan: Plan): Action {
  return { do: "save-group", device: plan.physicalVolume, file: AT.groupCopy };
}

/** Where the power failed while LVM wrote. */
function restoreGroup(plan: Plan, group: string): Action {
  return {
    do: "restore-group",
    device: plan.physicalVolume,
    file: AT.groupCopy,
    readable: lvm(plan, "vgs", group),
  };
}

export const VOLUMES: Part<
  | "make-group"
  | "restore-group"
  | "activate-group"
  | "make-volume"
  | "rename-volumes"
  | "remove-volume"
  | "merge-backup"
  | "check-backup"
  | "take-backup"
  | "check-snapshot"
  | "grow-volume"
  | "tag-volume"
  | "watch-backup"
> = {
  "make-group": (step, plan) => [
    { do: "wait-for", path: step.device, seconds: 60 },
    run(lvm(plan, "vgchange", "--activate", "n", step.group), {
      onlyIf: lvm(plan, "vgs", step.group),
    }),
    run(["wipefs", "--all", "--force", step.device]),
    run(lvm(plan, "pvcreate", "-ff", "--yes", "--zero", "y", step.device)),
    run(
      lvm(
        plan,
        "vgcreate",
        "--yes",
        "--physicalextentsize",
        "4m",
        ...step.tags.flatMap((tag) => ["--addtag", tag]),
        step.group,
        step.device,
      ),
    ),
    saveGroup(plan),
    { do: "learn-group", group: step.group },
  ],

  "restore-group": (step, plan) => [
    { do: "wait-for", path: plan.physicalVolume, seconds: 60 },
    restoreGroup(plan, step.group),
  ],

  "activate-group": (step, plan, { behind }) => [
    behind ? restoreGroup(plan, step.group) : saveGroup(plan),
    run(lvm(plan, "vgchange", "--activate", "y", "--sysinit", step.group)),
    run(["udevadm", "settle", "--timeout=30"]),
  ],

  "make-volume": (step, plan) => {
    const name = `${step.group}/${step.name}`;
    return [
      run(lvm(plan, "lvremove", "--force", "--yes", name), { onlyIf: lvm(plan, "lvs", name) }),
      run(
        lvm(
          plan,
          "lvcreate",
          "--yes",
          "--wipesignatures",
          "y",
          "--name",
          step.name,
          "--size",
          `${step.sizeBytes}b`,
          ...step.tags.flatMap((tag) => ["--addtag", tag]),
          step.group,
        ),
      ),
      { do: "wait-for", path: `/dev/${name}`, seconds: 30 },
      saveGroup(plan),
    ];
  },

  "rename-volumes": (step, plan) =>
    step.renames.flatMap(({ from, to }, index) => [
      run(change(plan, "lvrename", step.group, from, to), {
        // What makes way for a later one does so only while that one is to come: afterwards the name is that one's.
        onlyIf: lvm(
          plan,
          "lvs",
          ...step.renames
            .slice(index + 1)
            .filter((later) => later.to === from)
            .map((later) => `${step.group}/${later.from}`),
          `${step.group}/${from}`,
        ),
        // Done before the power failed: both names are taken, or the source is gone.
        unless: lvm(plan, "lvs", `${step.group}/${to}`),
      }),
      saveGroup(plan),
    ]),

  "remove-volume": (step, plan) => {
    const name = `${step.group}/${step.name}`;
    return [
      run(change(plan, "lvremove", "--force", "--yes", name), { onlyIf: lvm(plan, "lvs", name) }),
      saveGroup(plan),
    ];
  },

  "merge-backup": (step, plan, { again }) => [
    {
      do: "merge",
      group: step.group,
      name: step.name,
      origin: step.origin,
      // In the foreground: it ends when the snapshot is merged and gone, and tells how far it is.
      start: lvm(plan, "lvconvert", "--interval", "1", "--merge", `${step.group}/${step.name}`),
      // The kernel goes on by itself when the volume is activated; this is what ends it.
      goOn: [
        ...lvm(plan, "lvchange", "--config", "activation/polling_interval=1"),
        ...["--poll", "y", `${step.group}/${step.origin}`],
      ],
      remove: change(plan, "lvremove", "--force", "--yes", `${step.group}/${step.name}`),
      begunBefore: again,
    },
    saveGroup(plan),
  ],

  // Ended again afterwards: nothing may hold the disk when its identity is read a last time.
  "check-backup": (step, plan) => [
    run(lvm(plan, "vgchange", "--activate", "y", "--sysinit", step.group)),
    run(["udevadm", "settle", "--timeout=30"]),
    { do: "check-snapshot", group: step.group, name: step.name, origin: step.origin },
    ...mounted(
      { device: `/dev/${step.group}/${step.name}`, fileSystem: step.fileSystem },
      "ro,noload",
      [{ do: "check-bootable", root: AT.root }],
    ),
    run(lvm(plan, "vgchange", "--activate", "n", step.group)),
  ],

  "take-backup": (step, plan) => {
    const name = `${step.group}/${step.name}`;
    const chunk = step.chunkBytes === undefined ? [] : ["--chunksize", `${step.chunkBytes}b`];
    const size = ["--size", `${step.sizeBytes}b`];
    const tags = step.tags.flatMap((tag) => ["--addtag", tag]);
    return [
      run(change(plan, "lvremove", "--force", "--yes", name), { onlyIf: lvm(plan, "lvs", name) }),
      run(
        change(
          plan,
          "lvcreate",
          ...["--yes", "--snapshot", "--name", step.name],
          ...[...size, ...chunk, `${step.group}/${step.origin}`],
        ),
      ),
      // LVM flushes nothing: after a power cut the volume may be there and its empty store not, but what
      // an older backup left in that place. Only what is flushed gets the tags that make it a backup.
      saveGroup(plan),
      run(change(plan, "lvchange", ...tags, name)),
      saveGroup(plan),
    ];
  },

  "check-snapshot": (step) => [{ do: "check-valid", group: step.group, name: step.name }],

  "grow-volume": (step, plan) => [
    { do: "grow-volume", group: step.group, name: step.name, sizeBytes: step.sizeBytes },
    saveGroup(plan),
  ],

  "tag-volume": (step, plan) => [
    run(
      change(
        plan,
        "lvchange",
        ...step.remove.flatMap((tag) => ["--deltag", tag]),
        ...step.add.flatMap((tag) => ["--addtag", tag]),
        `${step.group}/${step.name}`,
      ),
    ),
    saveGroup(plan),
  ],

  // Off and on again: what dmeventd runs when it fills has the name in it that it had when it was taken.
  "watch-backup": (step, plan) =>
    ["n", "y"].map((value) =>
      run(change(plan, "lvchange", "--monitor", value, `${step.group}/${step.name}`)),
    ),
};
