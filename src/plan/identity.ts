/*
 * What makes a clone a machine of its own: fstab, machine-id, and what must not be cloned.
 * Pure texts; the executor writes them.
 */
import type { Config } from "../model/config.ts";

export interface IdentityFile {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** Names of devices, never UUIDs: origin and snapshot carry the same one (lvm2 issue 146). */
export function fstab(config: Config): string {
  const { user, audit } = config.volume;
  const group = config.group.name;
  return [
    "# written by zshield at recovery; volumes by name, because a snapshot carries its origin's UUID",
    `/dev/${group}/lv-root  /  ${config.volume.root["file-system"]}  errors=remount-ro  0  1`,
    `/dev/${group}/lv-user  ${user.mount}  ${user["file-system"]}  defaults  0  2`,
    `/dev/${group}/lv-audit  ${audit.mount}  ${audit["file-system"]}  defaults  0  2`,
    "",
  ].join("\n");
}

export function identityFiles(config: Config, machineId: string): IdentityFile[] {
  return [
    { path: "/etc/fstab", mode: 0o644, text: fstab(config) },
    { path: "/etc/machine-id", mode: 0o444, text: `${machineId}\n` },
  ];
}

/** Removed from the clone: what belongs to one machine only. A trailing `*` stands for any ending. */
export const MACHINE_ONLY = [
  "/etc/ssh/ssh_host_*",
  "/etc/lvm/devices/system.devices",
  "/etc/udev/rules.d/70-persistent-net.rules",
  "/var/lib/systemd/random-seed",
  "/var/lib/dhcp/*",
] as const;

/** Where the installed root may differ from golden besides the files above: made anew on each machine. */
export const MADE_ANEW = [
  "/etc/ssh/",
  "/boot/grub/",
  "/boot/grub2/",
  "/lost+found/",
  "/var/lib/dhcp/",
] as const;
