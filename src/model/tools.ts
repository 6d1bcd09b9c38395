/*
 * The programs that the agent calls, and what for. The one list: the dracut module takes these along
 * (`zshield tools`), the agent checks at its start that they are there, the README prints it.
 */

export interface Tool {
  readonly name: string;
  readonly purpose: string;
  /** Needed to look; the others only to recover. */
  readonly forLooking: boolean;
  /** A recovery is not refused without it. */
  readonly dispensable?: true;
}

export const TOOLS: readonly Tool[] = [
  { name: "lsblk", purpose: "list disks and partitions", forLooking: true },
  { name: "blkid", purpose: "recognise file systems", forLooking: true },
  { name: "wipefs", purpose: "recognise and remove signatures", forLooking: true },
  { name: "sfdisk", purpose: "read and write partition tables", forLooking: true },
  { name: "udevadm", purpose: "wait for devices", forLooking: true },
  { name: "lvm", purpose: "volumes and snapshots", forLooking: true },
  {
    name: "losetup",
    purpose: "reach a part of a disk that has no partition yet",
    forLooking: true,
  },
  { name: "mount", purpose: "mount file systems", forLooking: true },
  { name: "umount", purpose: "unmount them", forLooking: true },
  { name: "cat", purpose: "read what is typed at each console", forLooking: false },
  { name: "stty", purpose: "wait until a console has sent everything", forLooking: false },
  {
    name: "setsid",
    purpose: "give the shell of zshield.then=shell its terminal",
    forLooking: false,
  },
  { name: "dmesg", purpose: "keep the kernel's words in a report", forLooking: false },
  { name: "blockdev", purpose: "protect disks from writing, flush buffers", forLooking: false },
  {
    name: "dmsetup",
    purpose: "open golden so that the kernel checks each block",
    forLooking: false,
  },
  { name: "mkfs.vfat", purpose: "make the ESP", forLooking: false },
  { name: "fsck.fat", purpose: "check the ESP", forLooking: false },
  { name: "mkfs.ext4", purpose: "make file systems", forLooking: false },
  { name: "e2fsck", purpose: "check file systems", forLooking: false },
  { name: "rsync", purpose: "copy golden", forLooking: false },
  { name: "getfattr", purpose: "read extended attributes back", forLooking: false },
  {
    name: "chroot",
    purpose: "run golden's own GRUB configuration and key tools, and the vendor's factory tests",
    forLooking: false,
  },
  {
    name: "unshare",
    purpose: "keep what a vendor's factory test mounts to itself",
    forLooking: false,
  },
  {
    name: "smartctl",
    purpose: "ask a disk for its health (factory tests)",
    forLooking: false,
    dispensable: true,
  },
  {
    name: "modprobe",
    purpose: "load the drivers of network cards (factory tests)",
    forLooking: false,
    dispensable: true,
  },
];
