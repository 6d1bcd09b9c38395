/*
 * Actions in words, for `zshield plan`: the very objects that would be performed. Pure.
 */
import type { Action } from "../model/action.ts";
import type { FactoryTest } from "../model/factory.ts";
import { VENDOR_TESTS } from "../model/places.ts";
import { printSize } from "../model/size.ts";

type Quote = (argv: readonly string[]) => string;

/** Book-keeping that says nothing to a reader. */
export function isQuiet(action: Action): boolean {
  return action.do === "wait-for" || (action.do === "run" && action.argv[0] === "udevadm");
}

export function describeAction(action: Action, quote: Quote): string[] {
  switch (action.do) {
    case "run": {
      const stdin = action.stdin?.trimEnd().split("\n") ?? [];
      const only = action.onlyIf ? [`# only if this succeeds: ${quote(action.onlyIf)}`] : [];
      const unless = action.unless ? [`# and this fails: ${quote(action.unless)}`] : [];
      return [...only, ...unless, quote(action.argv), ...stdin.map((line) => `  < ${line}`)];
    }
    case "protect":
      return action.devices.map((device) => quote(["blockdev", "--setro", device]));
    case "reread-table":
      return [quote(["blockdev", "--rereadpt", action.disk])];
    case "wait-for":
      return [`wait for ${action.path}`];
    case "open-golden":
      return [`open ${action.device} behind dm-verity, root hash ${action.golden.verity.rootHash}`];
    case "read-through":
      return [`read ${printSize(action.bytes)} of ${action.path}`];
    case "open-card":
      return [quote(["mount", "-t", "vfat", "-o", "ro", action.espDevice, "/run/zshield/card"])];
    case "check-files":
      return [`check the digests of the files below ${action.root} (${action.part})`];
    case "write-claim":
      return [`write the claim to ${action.disk} (consent: ${action.consent})`];
    case "zero":
      return [
        `zero ${printSize(action.sizeBytes)} of ${action.device} at ${printSize(action.offsetBytes)}`,
      ];
    case "make-esp":
      return [
        `make FAT32 "${action.label}" at ${printSize(action.offsetBytes)} of ${action.disk}, with the journal in it`,
      ];
    case "open-esp":
    case "reopen-esp":
      return [`check and mount ${action.device}`];
    case "mount":
      return [
        quote(["mount", "-t", action.fileSystem, "-o", action.options, action.device, action.at]),
        ...(action.repair ? [`${quote(action.repair)}  # if it cannot be mounted`] : []),
      ];
    case "unmount":
      return [quote(["umount", action.at])];
    case "write-files":
      return [
        ...action.remove.map((path) => `remove ${path}`),
        ...action.files.map(({ path, mode }) => `write ${path} (mode 0${mode.toString(8)})`),
      ];
    case "chroot":
      return [
        quote(["chroot", action.root, ...action.argv]) +
          (action.ifThere ? "  # if it is there" : ""),
      ];
    case "forget-cache":
      return [`forget what is cached of ${action.devices.join(", ")}`];
    case "verify-tree":
      return [`compare every file below ${action.root} with ${action.manifest.path}`];
    case "copy-directory":
      return [`copy ${action.from} to ${action.to}, digests checked`];
    case "copy-description":
      return [`keep the card's description in ${action.to}`];
    case "replace-file":
      return [`replace ${action.to} if it differs`];
    case "write-boot-images":
      return [`write GRUB's core and then sector 0 of ${action.disk}`];
    case "save-group":
      return [`keep a copy of LVM's metadata in ${action.file}`];
    case "restore-group":
      return [
        `put LVM's metadata back from ${action.file} if this fails: ${quote(action.readable)}`,
      ];
    case "grow-volume":
      return [
        `make ${action.group}/${action.name} at least ${printSize(action.sizeBytes)} large (lvextend)`,
      ];
    case "check-snapshot":
      return [`check that ${action.group}/${action.name} is a valid snapshot of ${action.origin}`];
    case "check-valid":
      return [`check that ${action.group}/${action.name} is valid (dmsetup status)`];
    case "merge":
      return [
        quote(action.start),
        `# or, if the power failed while it merged: ${quote(action.goOn)}`,
      ];
    case "check-filesystem":
      return [quote(action.look), `# only if that finds faults: ${quote(action.repair)}`];
    case "check-root-volume":
      return [`check that ${action.volume} is the root of state/, and no merge into it is open`];
    case "check-bootable":
      return [`check that ${action.root} holds a kernel with its initramfs and modules`];
    case "learn-group":
      return [`note the UUID of the volume group ${action.group}`];
    case "factory-test":
      return [describeTest(action.test)];
    case "vendor-tests":
      return [
        `run each program in /${VENDOR_TESTS} of the installed root in a chroot of it, for at most ${action.seconds} s`,
      ];
    case "use-boot":
      return [`note in state/: GRUB from ${action.grub}, rescue from ${action.rescue}`];
    case "switch-root":
      return [`note in state/: root is ${action.group}/${action.name}`];
    case "remove-directories":
      return [
        `remove ${action.prefixes.join("*, ")}* below ${action.root}, except ${action.keep.join(", ")}`,
      ];
    case "check-table":
      return [`read the partition table of ${action.disk} back`];
  }
}

function describeTest({ name, ...expected }: FactoryTest): string {
  const words = Object.entries(expected).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  return `test ${name}${words.length === 0 ? "" : `: ${words.join(", ")}`}`;
}
