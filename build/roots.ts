/*
 * The roots that the build makes of Debian packages: which packages, and which of their files are
 * left out. Pure data; build/debian.ts makes them, build/debian.lock pins every package.
 */

export type RootName = "golden" | "small" | "classic" | "rescue";

export interface RootSpec {
  readonly purpose: string;
  /** Asked for, beside Debian's Essential ones. Their dependencies follow, recommendations do not. */
  readonly packages: readonly string[];
  /** dpkg's path-exclude, in order with the path-include that takes a part back. */
  readonly leaveOut: readonly PathRule[];
}

export type PathRule = { readonly exclude: string } | { readonly include: string };

const exclude = (...paths: string[]): PathRule[] => paths.map((pattern) => ({ exclude: pattern }));
const include = (...paths: string[]): PathRule[] => paths.map((pattern) => ({ include: pattern }));

/** What a person never reads on an appliance. Licences stay: they go with the software. */
const NO_DOCUMENTS: readonly PathRule[] = [
  ...exclude("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"),
  ...exclude("/usr/share/lintian/*", "/usr/share/bash-completion/*", "/usr/share/zsh/*"),
  ...include("/usr/share/doc/*/copyright"),
];

/** Beside documents: what a system of few megabytes can do without and still boot and log in. */
const BARE: readonly PathRule[] = [
  ...NO_DOCUMENTS,
  ...exclude("/usr/share/i18n/*", "/usr/lib/x86_64-linux-gnu/gconv/*", "/usr/share/zoneinfo/*"),
  ...exclude("/usr/share/gdb/*", "/usr/share/systemd/kbd-model-map", "/usr/lib/systemd/catalog/*"),
  ...exclude("/lib/udev/hwdb.d/*", "/usr/lib/udev/hwdb.d/*", "/boot/System.map-*"),
  ...include("/usr/share/zoneinfo/Etc/UTC", "/usr/share/zoneinfo/UTC"),
];

/**
 * The modules of Debian's ordinary kernel that a machine in QEMU or an appliance needs to boot. The
 * cloud kernel would be smaller still, but it has neither ahci nor megaraid_sas nor a watchdog.
 */
const FEW_MODULES: readonly PathRule[] = [
  ...exclude("/lib/modules/*/kernel/sound/*", "/lib/modules/*/kernel/net/*"),
  ...exclude("/lib/modules/*/kernel/drivers/*", "/lib/modules/*/kernel/fs/*"),
  ...[
    ...["acpi", "ata", "block", "cdrom", "char", "firmware", "hid", "hv", "input", "md"],
    ...["nvme", "pci", "tty", "virtio", "watchdog", "usb/host", "usb/storage", "usb/core"],
    ...["usb/common", "net/virtio_net.ko", "net/net_failover.ko", "thermal", "mfd", "i2c", "dca"],
    ...["scsi/scsi_", "scsi/sd_mod", "scsi/sr_mod", "scsi/sg.ko", "scsi/raid_class", "scsi/virtio"],
    ...["scsi/megaraid/megaraid_sas", "scsi/mpt3sas", "scsi/hpsa", "scsi/aacraid", "scsi/libsas"],
  ].flatMap((part) => include(`/lib/modules/*/kernel/drivers/${part}*`)),
  ...[
    ...["ext4", "jbd2", "mbcache.ko", "fat", "nls", "overlayfs", "autofs", "efivarfs", "configfs"],
    ...["binfmt_misc.ko", "fuse", "erofs"],
  ].flatMap((part) => include(`/lib/modules/*/kernel/fs/${part}*`)),
  ...exclude("/lib/modules/*/kernel/arch/x86/kvm/*", "/lib/modules/*/kernel/lib/test_*"),
  ...exclude("/lib/modules/*/kernel/drivers/hid/hid-*"),
  ...include("/lib/modules/*/kernel/drivers/hid/hid-generic*"),
  ...["core/failover.ko", "unix", "packet", "ipv4/tcp_diag.ko"].flatMap((part) =>
    include(`/lib/modules/*/kernel/net/${part}*`),
  ),
];

/** What grub-mkconfig needs to find kernels: each of its scripts takes seconds on an emulated processor. */
const LITTLE_GRUB: readonly PathRule[] = [
  ...exclude("/etc/grub.d/05_*", "/etc/grub.d/20_*", "/etc/grub.d/30_*"),
  ...[
    "mkrescue",
    "fstest",
    "render-label",
    "syslinux2cfg",
    "mount",
    "mkstandalone",
    "mknetdir",
  ].flatMap((name) => exclude(`/usr/bin/grub-${name}`)),
  ...exclude("/usr/sbin/grub-install", "/usr/sbin/grub-macbless", "/usr/share/grub/unicode.pf2"),
];

/** What boots, logs in, has volumes, and lets GRUB be configured. */
const BOOTS = [
  ...["systemd", "systemd-sysv", "udev", "kmod", "lvm2", "dmsetup", "e2fsprogs", "util-linux"],
  ...["login", "passwd", "mount", "iproute2", "attr", "zstd", "grub-common", "grub2-common"],
  // sfdisk, which `zshield probe` and `status` look at the disk with.
  "fdisk",
];

const SSH = ["openssh-server", "openssh-client"];

export const ROOTS: Readonly<Record<RootName, RootSpec>> = {
  golden: {
    purpose: "the appliance: a whole small Debian server",
    packages: [
      ...BOOTS,
      ...SSH,
      ...["linux-image-amd64", "dracut", "dbus", "libpam-systemd", "grub-pc-bin"],
      ...["grub-efi-amd64-bin", "rsync", "dosfstools", "less", "vim-tiny", "apt", "procps"],
      ...["ca-certificates", "ncurses-term", "iputils-ping", "netbase", "nano", "gdisk", "file"],
    ],
    leaveOut: [],
  },
  small: {
    // Without ssh: making its host keys takes half a minute on an emulated processor.
    purpose: "a golden for test scenarios, as small as it boots",
    packages: [...BOOTS, "linux-image-amd64", "dracut"],
    leaveOut: [...BARE, ...FEW_MODULES, ...LITTLE_GRUB],
  },
  classic: {
    purpose: "a golden with initramfs-tools and no dracut",
    packages: [...BOOTS, ...SSH, "linux-image-cloud-amd64", "initramfs-tools", "busybox"],
    leaveOut: [...BARE, ...FEW_MODULES],
  },
  rescue: {
    purpose: "where the rescue initramfs is built, and where its programs come from",
    packages: [
      ...["dracut-core", "systemd", "systemd-sysv", "udev", "lvm2", "dmsetup", "rsync", "kmod"],
      ...["e2fsprogs", "dosfstools", "util-linux", "mount", "fdisk", "attr", "coreutils", "zstd"],
      ...["cpio", "ncurses-base", "ncurses-bin", "procps", "smartmontools"],
      // GRUB for card and disk is made inside this root, from these.
      ...["grub-common", "grub-pc-bin", "grub-efi-amd64-bin"],
    ],
    leaveOut: BARE,
  },
};
