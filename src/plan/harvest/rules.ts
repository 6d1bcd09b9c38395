/*
 * What a harvest leaves by rule: what nobody reads on an appliance, what only a compiler wants, what belongs to one
 * machine, and what is made anew on each. Owns: these patterns. Pure.
 */
import { makeMatcher } from "../../model/tree-path.ts";

type Rules = readonly (readonly [why: string, patterns: readonly string[]])[];

/** Licences stay: they go with the software. */
const LICENCES = [
  "/usr/share/doc/*/copyright",
  "/usr/share/licenses",
  "/usr/share/common-licenses",
];

/** Of files that packages own. */
const OWNED: Rules = [
  [
    "documents",
    [
      ...["/usr/share/doc", "/usr/share/man", "/usr/share/info", "/usr/share/doc-base"],
      ...["/usr/share/gtk-doc", "/usr/share/lintian", "/usr/share/bug", "/usr/share/reportbug"],
      ...["/usr/share/apport", "/usr/share/menu", "/usr/share/metainfo", "/usr/share/appdata"],
    ],
  ],
  ["translations", ["/usr/share/locale", "/usr/share/help"]],
  [
    "completion of shells",
    ["/usr/share/bash-completion", "/usr/share/zsh", "/usr/share/fish", "/etc/bash_completion.d"],
  ],
  [
    "only a compiler wants it",
    [
      ...["/usr/include", "/usr/lib/pkgconfig", "/usr/share/pkgconfig", "/usr/lib/*/pkgconfig"],
      ...[
        "/usr/lib/*/perl/*/CORE",
        "/usr/lib/**.a",
        "/usr/lib/**.la",
        "/usr/lib/**.o",
        "/usr/share/aclocal",
        "/usr/lib/*/cmake",
      ],
    ],
  ],
  ["for another init", ["/etc/sv", "/etc/init", "/usr/share/runit"]],
  ["directories of the running system", ["/run", "/proc", "/sys", "/dev", "/tmp"]],
];

/** Of files that no package owns: its scripts or somebody made them. */
const MADE: Rules = [
  [
    "accounts: sysusers.d has them",
    ["/etc/{}", "/etc/{}-"].flatMap((form) =>
      ["passwd", "group", "shadow", "gshadow", "subuid", "subgid"].map((name) =>
        form.replace("{}", name),
      ),
    ),
  ],
  [
    "made for one machine",
    [
      ...[
        "/etc/machine-id",
        "/etc/hostname",
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/mtab",
        "/etc/adjtime",
      ],
      ...[
        "/etc/ssh/ssh_host_*",
        "/etc/ssl/private",
        "/etc/ssl/certs/ssl-cert-*",
        "/etc/fstab",
        "/etc/apt",
      ],
      ...[
        "/etc/iscsi/initiatorname.iscsi",
        "/etc/hostid",
        "/etc/*/private",
        "/etc/dpkg",
        "/etc/.pwd.lock",
      ],
    ],
  ],
  ["put there to install", ["/usr/sbin/policy-rc.d"]],
  ["made by ldconfig on the device", ["/etc/ld.so.cache"]],
  ["Python makes it again", ["/usr/**/__pycache__"]],
  ["links of another init", ["/etc/rc?.d", "/etc/rcS.d"]],
  ["alternatives: taken by what they point to", ["/etc/alternatives"]],
];

/** What others depend on for their maintainers' scripts only: nothing of it runs on an appliance. */
export const INSTALLERS: ReadonlySet<string> = new Set([
  ...["adduser", "debconf", "debconf-2.0", "dbconfig-common", "dpkg", "init-system-helpers"],
  ...["install-info", "lsb-base", "sensible-utils", "sysuser-helper", "ucf", "update-inetd"],
]);

/** Caches that many packages would share: an overlay shows only one, so that the device makes them again. */
export const SHARED_CACHES: readonly (readonly [pattern: string, madeBy: string])[] = [
  ["/usr/share/mime", "update-mime-database /usr/share/mime"],
  [
    "/usr/share/glib-2.0/schemas/gschemas.compiled",
    "glib-compile-schemas /usr/share/glib-2.0/schemas",
  ],
  ["/usr/lib/*/gio/modules/giomodule.cache", "gio-querymodules"],
  ["/usr/lib/*/gdk-pixbuf-2.0/*/loaders.cache", "gdk-pixbuf-query-loaders --update-cache"],
  ["/usr/lib/modules/*/modules.*", "depmod"],
  ["/usr/lib/udev/hwdb.bin", "systemd-hwdb update"],
  ["/etc/udev/hwdb.bin", "systemd-hwdb update"],
  ["/usr/share/icons/*/icon-theme.cache", "gtk-update-icon-cache"],
];

export function whyLeftOwned(keep: readonly string[]): (path: string) => string | undefined {
  const isKept = makeMatcher([...LICENCES, ...keep]);
  return makeJudge(OWNED, isKept);
}

export function whyLeftMade(keep: readonly string[]): (path: string) => string | undefined {
  return makeJudge([...MADE, ...OWNED], makeMatcher([...LICENCES, ...keep]));
}

function makeJudge(
  rules: Rules,
  isKept: (path: string) => string | undefined,
): (path: string) => string | undefined {
  const matchers = rules.map(([why, patterns]) => ({ why, matches: makeMatcher(patterns) }));
  return (path) =>
    isKept(path) === undefined
      ? matchers.find(({ matches }) => matches(path) !== undefined)?.why
      : undefined;
}
