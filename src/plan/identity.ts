/*
 * What makes a clone a machine of its own: fstab, machine-id, how GRUB starts it, and what must not be
 * cloned.
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
    { path: "/etc/grub.d/01_zshield", mode: 0o755, text: GRUB_ENTRIES },
  ];
}

/**
 * Where GRUB has a password (build/grub-password.ts), it holds in the menu of the installed system too, and
 * asks for it at every entry that does not say otherwise: this machine would not start unattended any
 * more. Every entry that grub-mkconfig writes has this variable in it, unquoted. Written on every
 * machine, for a password that a later card brings; without one it means nothing.
 */
const GRUB_ENTRIES = `#!/bin/sh
# Written by zshield at recovery. GRUB's password, where there is one, is for editing entries and for the
# command line; every entry here starts without it.
cat << 'EOF'
menuentry_id_option="--unrestricted $menuentry_id_option"
export menuentry_id_option
EOF
`;

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
