/*
 * The kernel command line with which the golden system is started out of the rescue system: the same kernel and
 * initramfs, without zshield_recovery=. What GRUB gives for its entry of that name (grub/golden.cfg) holds here
 * too, and a test compares the two. Pure.
 */
import type { GoldenDescription } from "../model/card.ts";

const ARGUMENTS = [
  ...["ro", "rootfstype=ext4", "rootflags=noload", "rd.live.overlay.overlayfs=1"],
  ...["rd.auto=0", "rd.md=0", "rd.lvm=0", "rd.luks=0", "fsck.mode=skip"],
  ...["rd.shell=0", "rd.emergency=halt", "rd.timeout=60", "rd.retry=60"],
];

/** What is the rescue system's own. */
const OWN = /^(zshield|root=|rd\.|fsck\.mode=|quiet$|loglevel=|BOOT_IMAGE=|initrd=|ro$|rw$)/;

/** Consoles and what else this machine needs are taken over from the `current` one. */
export function goldenCommandLine(
  current: string,
  { partitionUuid }: Pick<GoldenDescription, "partitionUuid">,
): string {
  const kept = current.split(/\s+/).filter((word) => word !== "" && !OWN.test(word));
  return [`root=PARTUUID=${partitionUuid}`, ...ARGUMENTS, ...kept].join(" ");
}
