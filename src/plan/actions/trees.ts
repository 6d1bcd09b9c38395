/*
 * File systems and what lies in them: golden copied, made this machine's own, read back. Pure.
 */
import { AT } from "../../model/places.ts";
import { mounted, run, type Part } from "./part.ts";

export const TREES: Part<
  | "make-filesystem"
  | "copy-tree"
  | "write-identity"
  | "configure-grub"
  | "verify-tree"
  | "check-filesystem"
  | "check-root"
> = {
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

  "check-filesystem": (step) => [
    {
      do: "check-filesystem",
      // A look writes nothing, so that the volume stays as the backup had it.
      look: ["e2fsck", "-f", "-n", step.device],
      repair: ["e2fsck", "-f", "-y", step.device],
    },
  ],

  "check-root": (step, _plan, { disk }) => [
    { do: "check-root-volume", volume: step.device },
    { do: "forget-cache", devices: [step.device, disk] },
    ...mounted(step, "ro,noload", [{ do: "check-bootable", root: AT.root }]),
  ],
};
