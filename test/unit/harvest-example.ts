/*
 * A made-up root: a merged /usr, a package database, a web server with a library, a script, a user, an alternative and a
 * unit; and what makes such trees of a few lines.
 */
import { parseAccounts } from "../../src/model/accounts.ts";
import type { Elf } from "../../src/model/elf.ts";
import type { HarvestWish, Node, Provided, RootFacts, TreeView } from "../../src/model/harvest.ts";
import { indexByName, type InstalledPackage } from "../../src/model/installed.ts";
import { parentOf } from "../../src/model/tree-path.ts";
import { NO_ACCOUNTS } from "../../src/plan/harvest/accounts.ts";

export interface Item {
  readonly text?: string;
  readonly target?: string;
  readonly directory?: true;
  readonly socket?: true;
  readonly needs?: readonly string[];
  readonly runPath?: readonly string[];
  readonly loader?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

function typeOf({ target, directory, socket }: Item): Node["type"] {
  if (target !== undefined) return "symlink";
  return directory ? "directory" : socket ? "socket" : "file";
}

/** Directories above need not be named. */
export function makeView(items: Readonly<Record<string, Item>>): TreeView {
  const nodes = new Map<string, Node>();
  const add = (path: string, item: Item) => {
    if (path !== "/" && !nodes.has(parentOf(path))) add(parentOf(path), { directory: true });
    nodes.set(path, {
      type: typeOf(item),
      mode: item.mode ?? 0o755,
      uid: item.uid ?? 0,
      gid: item.gid ?? 0,
      sizeBytes: item.text?.length ?? 0,
      target: item.target,
    });
  };
  for (const [path, item] of Object.entries(items)) add(path, item);
  return {
    node: (path) => nodes.get(path),
    names: (directory) =>
      [...nodes.keys()]
        .filter((path) => path !== "/" && parentOf(path) === directory)
        .map((path) => path.slice(directory === "/" ? 1 : directory.length + 1))
        .sort(),
    text: (path) => items[path]?.text,
    elf: (path): Elf | undefined => {
      const { needs, runPath = [], loader } = items[path] ?? {};
      if (!needs) return undefined;
      return {
        machine: "62/64",
        interpreter: loader,
        needed: needs,
        soname: undefined,
        runPath,
      };
    },
    interpreter: (path) => /^#!(.*)/.exec(items[path]?.text ?? "")?.[1],
  };
}

export function makePackage(name: string, rest: Partial<InstalledPackage>): InstalledPackage {
  return {
    name,
    version: "1.0-1",
    architecture: "amd64",
    isEssential: false,
    needs: [],
    provides: [],
    files: [],
    ...rest,
  };
}

export const WISH: HarvestWish = {
  packages: [],
  files: [],
  keep: [],
  leave: [],
  without: [],
  enable: [],
  disable: [],
};

export function makeFacts(
  items: Readonly<Record<string, Item>>,
  packages: readonly InstalledPackage[],
  rest: Partial<RootFacts> = {},
): RootFacts {
  return {
    view: makeView(items),
    installed: indexByName(packages),
    accounts: NO_ACCOUNTS,
    diversions: [],
    alternatives: [],
    laidOut: new Map(),
    scriptOf: () => "",
    ...rest,
  };
}

export function makeProvided(
  name: string,
  packages: readonly string[],
  items: Readonly<Record<string, Item>>,
): Provided {
  const view = makeView(items);
  return {
    name,
    isTree: true,
    packages: new Set(packages),
    node: view.node,
    accounts: NO_ACCOUNTS,
  };
}

const BASE_ITEMS: Readonly<Record<string, Item>> = {
  "/bin": { target: "usr/bin" },
  "/lib": { target: "usr/lib" },
  "/sbin": { target: "usr/sbin" },
  "/etc/passwd": { text: "root:x:0:0:root:/root:/bin/sh\n" },
  "/usr/bin/sh": { needs: ["libc.so.6"] },
  "/usr/lib/x86_64-linux-gnu/libc.so.6": { needs: [] },
};

export const BASE: Provided = {
  ...makeProvided("", ["libc6", "dash"], BASE_ITEMS),
  accounts: parseAccounts("root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n"),
};

/** Of a web server, as Debian would have installed it. */
export const WEB_ITEMS: Readonly<Record<string, Item>> = {
  ...BASE_ITEMS,
  "/usr/sbin/web": { needs: ["libc.so.6", "libpage.so.1"], gid: 101 },
  "/usr/bin/web-log": { text: "#!/usr/bin/env lang -w\n" },
  "/usr/bin/webview.real": { needs: ["libc.so.6"] },
  "/usr/bin/webview": { target: "/etc/alternatives/webview" },
  "/etc/alternatives/webview": { target: "/usr/bin/webview.real" },
  "/etc/web.conf": { text: "listen 80\n", mode: 0o644 },
  "/etc/web/made.conf": { text: "by a script\n", mode: 0o644 },
  "/usr/share/doc/web/copyright": { text: "free\n", mode: 0o644 },
  "/usr/share/doc/web/README": { text: "read me\n", mode: 0o644 },
  "/usr/lib/systemd/system/web.service": {
    text: "[Service]\nUser=web\nExecStart=/usr/sbin/web -g\n[Install]\nWantedBy=multi-user.target\n",
    mode: 0o644,
  },
  "/var/lib/web": { directory: true, uid: 100, gid: 101 },
  "/var/lib/web/state": { text: "state\n" },
  "/usr/lib/x86_64-linux-gnu/libpage.so.1": { target: "libpage.so.1.2" },
  "/usr/lib/x86_64-linux-gnu/libpage.so.1.2": { needs: ["libc.so.6"] },
  "/usr/share/doc/libpage1/copyright": { text: "free too\n" },
  "/usr/bin/lang": { needs: ["libc.so.6"] },
  "/usr/lib/lang/words": { text: "words\n", mode: 0o644 },
};

export const WEB_PACKAGES: readonly InstalledPackage[] = [
  makePackage("libc6", { isEssential: true, files: ["/lib/x86_64-linux-gnu/libc.so.6"] }),
  makePackage("dash", { isEssential: true, needs: [["libc6"]], files: ["/bin/sh"] }),
  makePackage("web", {
    version: "1:2.7-3",
    needs: [["libc6"], ["nothing", "libpage1"], ["debconf"]],
    files: [
      ...["/etc", "/etc/web.conf", "/usr/sbin/web", "/bin/web-log", "/usr/bin/webview.real"],
      ...["/usr/share/doc/web", "/usr/share/doc/web/copyright", "/usr/share/doc/web/README"],
      ...["/lib/systemd/system/web.service", "/usr/share/man/man8/web.8.gz"],
    ],
  }),
  makePackage("libpage1", {
    needs: [["libc6"]],
    files: [
      ...["/usr/lib/x86_64-linux-gnu/libpage.so.1", "/usr/lib/x86_64-linux-gnu/libpage.so.1.2"],
      "/usr/share/doc/libpage1/copyright",
    ],
  }),
  makePackage("lang", { files: ["/usr/bin/lang", "/usr/lib/lang/words"] }),
  makePackage("debconf", { files: ["/usr/bin/debconf"] }),
];

export const WEB_FACTS: Partial<RootFacts> = {
  accounts: {
    users: [
      { name: "root", uid: 0, gid: 0, comment: "root", home: "/root", shell: "/bin/sh" },
      {
        name: "web",
        uid: 100,
        gid: 101,
        comment: "Web,,,",
        home: "/var/lib/web",
        shell: "/bin/false",
      },
      { name: "other", uid: 105, gid: 105, comment: "", home: "/", shell: "/bin/false" },
    ],
    groups: [
      { name: "root", gid: 0, members: [] },
      { name: "web", gid: 101, members: [] },
      { name: "pages", gid: 102, members: ["web"] },
      { name: "other", gid: 105, members: [] },
    ],
  },
  alternatives: [{ name: "webview", links: [{ name: "webview", link: "/usr/bin/webview" }] }],
  scriptOf: (name) =>
    name === "web"
      ? "addgroup --system pages\nif deb-systemd-helper --quiet was-enabled 'web.service'; then\n"
      : "",
};
