/*
 * Step → actions: the exact commands of each kind of step. Pure; the one table that a forgotten kind
 * breaks at compile time. Every step may be started again from its beginning after a power cut.
 */
import type { Action } from "../model/action.ts";
import { CLAIM_BYTES, CLAIM_OFFSET_BYTES } from "../model/claim.ts";
import { AT } from "../model/places.ts";
import type { Plan, Step, StepKind, StepOf } from "../model/step.ts";
import { tableScript } from "./layout.ts";

/** What is only known when a step is performed. */
export interface Surroundings {
  /** The disk of the plan under its name in this boot. */
  readonly disk: string;
  /** The step was begun before, without being done. */
  readonly again: boolean;
  /** The step was done before this boot, and is repeated because its effect ends with the power. */
  readonly behind: boolean;
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

type Table = { [K in StepKind]: (step: StepOf<K>, plan: Plan, at: Surroundings) => Action[] };

export function actionsFor(step: Step, plan: Plan, at: Surroundings): Action[] {
  const make = TABLE[step.kind] as (step: Step, plan: Plan, at: Surroundings) => Action[];
  return make(step, plan, at);
}

/** Inside an initramfs LVM exists only as `lvm …`; it is shown our partition and nothing else. */
function lvm(plan: Plan, command: string, ...rest: string[]): string[] {
  return ["lvm", command, "--devices", plan.physicalVolume, ...rest];
}

/** For what the running system does too: LVM's own copies below /etc fail with a full root, and the command with them. */
function change(plan: Plan, command: string, ...rest: string[]): string[] {
  return lvm(plan, command, "--autobackup", "n", ...rest);
}

function run(
  argv: string[],
  more: { stdin?: string; onlyIf?: string[]; unless?: string[]; progress?: "rsync" } = {},
): Action {
  return { do: "run", argv, ...more };
}

function mounted(
  step: { device: string; fileSystem: string },
  options: string,
  inside: Action[],
): Action[] {
  const mount: Action = {
    do: "mount",
    device: step.device,
    at: AT.root,
    fileSystem: step.fileSystem,
    options,
  };
  return [mount, ...inside, { do: "unmount", at: AT.root }];
}

const TABLE: Table = {
  "protect-disks": (step) => [{ do: "protect", devices: step.devices }],

  "open-golden": (step) => [
    { do: "open-golden", device: step.device, espDevice: step.espDevice, golden: step.golden },
  ],

  "open-boot-files": (step) =>
    step.source === "card" ? [{ do: "open-card", espDevice: step.espDevice }] : [],

  "check-golden": (step) => [{ do: "read-through", path: AT.goldenDevice, bytes: step.bytes }],

  "check-card": (step) => [
    {
      do: "check-files",
      root: AT.card,
      card: { path: AT.cardDescription, digest: step.card },
      part: "everything",
    },
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

  "claim-disk": (step, _plan, { disk }) => [{ do: "write-claim", disk, consent: step.consent }],

  "clear-disk": (step, _plan, { disk }) => [
    ...step.partitions.map((partition) =>
      run(["wipefs", "--all", "--force", partition], {
        onlyIf: ["blockdev", "--getro", partition],
      }),
    ),
    ...step.ranges.map((range): Action => ({ do: "zero", device: disk, ...range })),
    { do: "reread-table", disk },
  ],

  "make-esp": (step, _plan, { disk }) => [
    {
      do: "make-esp",
      disk,
      offsetBytes: step.offsetBytes,
      sizeBytes: step.sizeBytes,
      label: step.label,
      volumeId: step.volumeId,
    },
  ],

  "write-table": (step, _plan, { disk }) => [
    run(["sfdisk", "--wipe=never", "--wipe-partitions=never", "--no-tell-kernel", disk], {
      stdin: tableScript(step.diskUuid, step.sectorBytes, step.partitions),
    }),
    run(["blockdev", "--flushbufs", disk]),
    { do: "reread-table", disk },
    ...step.partitions.map(({ uuid }): Action => ({
      do: "wait-for",
      path: `/dev/disk/by-partuuid/${uuid}`,
      seconds: 60,
    })),
  ],

  "open-esp": (step) => [
    { do: "wait-for", path: step.device, seconds: 60 },
    { do: "open-esp", device: step.device },
  ],

  "clear-claim": (_step, _plan, { disk }) => [
    { do: "zero", device: disk, offsetBytes: CLAIM_OFFSET_BYTES, sizeBytes: CLAIM_BYTES },
  ],

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

  "make-filesystem": (step) => [
    run([
      "mkfs.ext4",
      "-q",
      "-F",
      "-U",
      step.uuid,
      "-L",
      step.label,
      "-E",
      "lazy_itable_init=1,lazy_journal_init=0",
      step.device,
    ]),
  ],

  "copy-tree": (step, _plan, { again }) =>
    mounted(step, "rw", [
      run(
        [
          "rsync",
          "--archive",
          "--hard-links",
          "--acls",
          "--xattrs",
          "--sparse",
          "--numeric-ids",
          "--one-file-system",
          "--delete",
          "--whole-file",
          // What an interrupted attempt left is trusted only by its content.
          ...(again ? ["--checksum"] : []),
          "--exclude=/lost+found",
          "--info=progress2",
          "--no-inc-recursive",
          `${AT.golden}/`,
          `${AT.root}/`,
        ],
        { progress: "rsync" },
      ),
    ]),

  "write-identity": (step) =>
    mounted(step, "rw", [
      {
        do: "write-files",
        root: AT.root,
        files: step.files,
        directories: step.directories,
        remove: step.remove,
      },
      { do: "chroot", root: AT.root, argv: ["ssh-keygen", "-A"], ifThere: true },
    ]),

  "configure-grub": (step) =>
    mounted(step, "rw", [{ do: "chroot", root: AT.root, argv: step.argv, ifThere: false }]),

  "verify-tree": (step, _plan, { disk }) => [
    { do: "forget-cache", devices: [step.device, disk] },
    ...mounted(step, "ro", [
      {
        do: "verify-tree",
        root: AT.root,
        manifest: step.manifest,
        files: step.files,
        mayDiffer: step.mayDiffer,
        bytes: step.bytes,
      },
    ]),
  ],

  "install-boot": (step, _plan, { disk }) => {
    const own = `${AT.esp}/zshield/${step.boot}`;
    const isCard = step.source === "card";
    const images = isCard ? `${AT.card}/zshield/boot` : own;
    const path = isCard ? AT.cardDescription : `${own}/card.json`;
    const card = { path, digest: step.card };
    const directories = [
      { name: step.grub, part: "grub", from: `${AT.card}/zshield/${step.grub}` },
      { name: step.rescue, part: "rescue", from: `${AT.card}/zshield/${step.rescue}` },
      { name: step.boot, part: "boot", from: images },
    ] as const;
    const copies = directories.map(({ name, part, from }): Action => ({
      do: "copy-directory",
      from,
      to: `${AT.esp}/zshield/${name}`,
      card,
      part,
    }));
    const checks = directories.map(({ name, part }): Action => ({
      do: "check-files",
      root: `${AT.esp}/zshield/${name}`,
      card,
      part,
    }));
    return [
      ...(isCard
        ? [...copies, { do: "copy-description", card, to: `${own}/card.json` } as const]
        : checks),
      {
        do: "replace-file",
        from: `${images}/BOOTX64.EFI`,
        to: `${AT.esp}/EFI/BOOT/BOOTX64.EFI`,
        card,
        part: "efi",
      },
      {
        do: "write-boot-images",
        disk,
        bootImage: `${images}/boot.img`,
        coreImage: `${images}/core.img`,
        sectorBytes: step.sectorBytes,
      },
      { do: "reopen-esp", device: step.espDevice },
      ...checks,
      { do: "check-files", root: `${AT.esp}/EFI/BOOT`, card, part: "efi" },
      { do: "use-boot", grub: step.grub, rescue: step.rescue },
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

  "check-filesystem": (step) => [
    {
      do: "check-filesystem",
      // A look writes nothing, so that the volume stays as the backup had it.
      look: ["e2fsck", "-f", "-n", step.device],
      repair: ["e2fsck", "-f", "-y", step.device],
    },
  ],

  "check-root": (step, _plan, { disk }) => [
    { do: "forget-cache", devices: [step.device, disk] },
    ...mounted(step, "ro,noload", [{ do: "check-bootable", root: AT.root }]),
  ],

  "switch-root": (step) => [{ do: "switch-root", group: step.group, name: step.name }],

  "rename-volumes": (step, plan) =>
    step.renames.flatMap(({ from, to }) => [
      run(change(plan, "lvrename", step.group, from, to), {
        onlyIf: lvm(plan, "lvs", `${step.group}/${from}`),
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

  "tidy-esp": (step) => [
    // From here on the running system changes the group; an old copy would be worse than none.
    {
      do: "write-files",
      root: AT.esp,
      files: [],
      directories: [],
      remove: [`${AT.groupCopy.slice(AT.esp.length)}.*`],
    },
    {
      do: "remove-directories",
      root: `${AT.esp}/zshield`,
      prefixes: ["grub-", "rescue-", "boot-"],
      keep: step.keep,
    },
  ],

  finish: (_step, _plan, { disk }) => [{ do: "check-table", disk }],
};
