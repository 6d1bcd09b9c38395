/*
 * The applications that seed 2 integrates: the rows of its last table, in its order, each with the recipe that gives it
 * here, or why there is none. Pure data.
 */

export interface Application {
  readonly name: string;
  /** As the seed prints it, in megabytes. */
  readonly seedSize: number;
  /** Name of the recipe; undefined where there is none. */
  readonly recipe: string | undefined;
  /** Why the recipe is another one than the name, or why there is none. */
  readonly note?: string;
}

const row = (name: string, seedSize: number): Application => ({ name, seedSize, recipe: name });
const instead = (name: string, seedSize: number, recipe: string | undefined, note: string) => ({
  name,
  seedSize,
  recipe,
  note,
});

export const APPLICATIONS: readonly Application[] = [
  ...[row("grub2", 3.1), row("kernel", 7.8), row("initrd", 14)],
  ...[row("system", 15.4), row("libmnl", 0.12), row("driver-wireless", 0.32), row("driver", 3.2)],
  ...[row("udev", 1.1), row("udev", 1.1), row("nvidia", 43)],
  instead(
    "fsServer",
    5.4,
    undefined,
    "the seed's own server for upgrades; here that is zshield itself",
  ),
  ...[row("telnet", 0.08), row("ssh", 0.08), row("network", 0.02), row("iscsiclient", 0.57)],
  ...[
    row("zabbix", 1.1),
    row("vsftpd", 0.08),
    row("zfs", 1.5),
    row("smb", 8.1),
    row("nginx", 0.58),
  ],
  ...[
    row("phpext", 0.63),
    row("php", 4.4),
    row("mariadb", 6.9),
    row("git", 3.4),
    row("virtual", 3.4),
  ],
  instead(
    "ossfs",
    2.2,
    "s3fs",
    "not in Debian; s3fs is what it was made from, and the provider speaks S3",
  ),
  ...[row("lvs", 0.1), row("iptables", 0.29), row("pppd", 0.21), row("pptpd", 0.05)],
  ...[row("ipsec", 4.6), row("xl2tpd", 0.09)],
  instead("jpegipp", 13, "jpeg-turbo", "Intel's library is not free; libjpeg-turbo does the same"),
  row("ffmpeg", 13),
  instead(
    "zos",
    8.6,
    undefined,
    "the seed's own video software; a vendor's own program takes its place",
  ),
  ...[row("mail", 18), row("x265", 0.79), row("x264", 0.81), row("wireshark", 20)],
  row("valgrind", 1.2),
  instead(
    "tools-oem",
    0.44,
    undefined,
    "one customer's tools: `harvest --files` makes a package of such",
  ),
  ...[row("tools", 0.49), row("tc", 0.22)],
  instead(
    "rpcapd",
    0.1,
    "tcpdump",
    "Debian does not build it; tcpdump over ssh feeds a Wireshark far away",
  ),
  ...[row("qemu-nbd", 0.64), row("nvidia-tool", 0.83), row("ntp", 1.8), row("ntfs-3g", 0.29)],
  ...[row("nmap", 0.91), row("nft", 0.25), row("ncat", 0.2), row("mysql-upgrade", 1.8)],
  ...[row("mariadbtool", 1.1), row("journalctl", 0.03), row("ipcs", 0.03)],
  instead("iopp", 0.01, "iotop", "no longer in Debian; iotop-c shows the same and more"),
  instead("iopp", 0.01, "iotop", "named twice in the seed"),
  ...[row("opencv", 5), row("iftop", 0.08), row("ifstat", 0.03), row("htop", 0.08)],
  ...[row("gitweb", 0.94), row("ftp", 0.04)],
  instead("dhsdk", 9.2, undefined, "a camera maker's kit, which only that maker may pass on"),
];
