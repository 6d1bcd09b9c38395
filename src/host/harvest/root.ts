/*
 * Reads what a harvest has to know: a root's package database and accounts, and what a base or another package provides.
 * Owns: which files and programs tell that. dpkg's database is text; rpm's is read by rpm.
 */
import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Refusal } from "../../errors.ts";
import { type Accounts, parseAccounts } from "../../model/accounts.ts";
import {
  DPKG_ALTERNATIVES,
  DPKG_DIVERSIONS,
  DPKG_INFO,
  DPKG_STATUS,
  parseAlternative,
  parseDiversions,
  parseDpkgStatus,
  parseUcfRegister,
  UCF_REGISTER,
} from "../../model/dpkg-database.ts";
import {
  HARVEST_FILE,
  parseHarvestPaper,
  type Provided,
  type RootFacts,
  type TreeView,
} from "../../model/harvest.ts";
import { entriesOf, essentialOf, indexByName, type Installed } from "../../model/installed.ts";
import { parsePackageName } from "../../model/package-name.ts";
import { parseRpmQuery, RPM_DATABASES, RPM_QUERY } from "../../model/rpm-database.ts";
import { query } from "../command.ts";
import { viewDirectory } from "./view.ts";

/** @throws Refusal if there is no database that we know */
export async function readRoot(directory: string): Promise<RootFacts> {
  checkDirectory(directory);
  const view = viewDirectory(directory);
  const installed = await readInstalled(directory, view);
  if (!installed) {
    throw new Refusal(
      `${directory} holds no database of dpkg or rpm`,
      "--root takes the root directory of an installed system; --files alone needs none",
    );
  }
  return factsOf(view, installed);
}

/** Where only paths are asked for, no database is needed. */
export async function readPlainRoot(directory: string): Promise<RootFacts> {
  checkDirectory(directory);
  const view = viewDirectory(directory);
  return factsOf(view, (await readInstalled(directory, view)) ?? new Map());
}

function factsOf(view: TreeView, installed: Installed): RootFacts {
  return {
    view,
    installed,
    accounts: accountsOf(view),
    diversions: parseDiversions(view.text(DPKG_DIVERSIONS) ?? ""),
    alternatives: view
      .names(DPKG_ALTERNATIVES)
      .map((name) => parseAlternative(name, view.text(`${DPKG_ALTERNATIVES}/${name}`) ?? "")),
    laidOut: parseUcfRegister(view.text(UCF_REGISTER) ?? ""),
    scriptOf: (name) =>
      ["preinst", "postinst", "config"]
        .map((kind) => infoOf(view, name, installed.get(name)?.architecture ?? "", kind))
        .join("\n"),
  };
}

function accountsOf(view: TreeView): Accounts {
  return parseAccounts(view.text("/etc/passwd") ?? "", view.text("/etc/group") ?? "");
}

async function readInstalled(directory: string, view: TreeView): Promise<Installed | undefined> {
  const status = view.text(DPKG_STATUS);
  if (status !== undefined) {
    return indexByName(
      parseDpkgStatus(status, (name, architecture) => infoOf(view, name, architecture, "list")),
    );
  }
  const database = RPM_DATABASES.find((place) => view.names(place).length > 0);
  if (database === undefined) return undefined;
  const argv = ["rpm", "--root", resolve(directory), "--dbpath", database, "--query", "--all"];
  return indexByName(parseRpmQuery(await query([...argv, "--queryformat", RPM_QUERY])));
}

/** Packages that may be there in two architectures have it in their file's name. */
function infoOf(view: TreeView, name: string, architecture: string, kind: string): string {
  return (
    view.text(`${DPKG_INFO}/${name}.${kind}`) ??
    view.text(`${DPKG_INFO}/${name}:${architecture}.${kind}`) ??
    ""
  );
}

/** A whole system, or a directory that holds some of one; an empty one provides nothing. */
export async function readBase(directory: string): Promise<Provided> {
  checkDirectory(directory);
  const view = viewDirectory(directory);
  const installed = await readInstalled(directory, view);
  const paper = view.text(`/${HARVEST_FILE}`);
  return {
    name: "",
    isTree: true,
    packages: new Set(
      (installed && entriesOf(installed).map(([key]) => key)) ??
        parseHarvestPaper(paper ?? "") ??
        [],
    ),
    node: (path) => view.node(path),
    accounts: accountsOf(view),
  };
}

/** Where nobody names a base: what every system of this distribution has. */
export function essentialBase({ view, installed, accounts }: RootFacts): Provided {
  const packages = essentialOf(installed);
  const files = new Set([...packages].flatMap((name) => installed.get(name)?.files ?? []));
  // Accounts below 100 are the distribution's own (Debian policy 9.2); the rest came with packages.
  const users = accounts.users.filter(({ uid }) => uid < 100 || uid === 65534);
  const groups = accounts.groups.filter(({ gid }) => gid < 100 || gid === 65534);
  return {
    name: "",
    isTree: false,
    packages,
    // Lists may name a path through a link of a merged /usr.
    node: (path) =>
      files.has(path) || files.has(path.replace(/^\/usr\//, "/")) || ALWAYS.has(path)
        ? view.node(path)
        : undefined,
    accounts: { users, groups },
  };
}

/** Made when a system is installed, owned by nobody. */
const ALWAYS = new Set(["/etc/passwd", "/bin", "/sbin", "/lib", "/lib64"]);

/** A package that was harvested before, and will be there too. */
export function readOther(directory: string): Provided {
  checkDirectory(directory);
  const { name } = parsePackageName(basename(resolve(directory)));
  const view = viewDirectory(directory);
  const lines = view
    .names("/usr/lib/sysusers.d")
    .flatMap((file) => (view.text(`/usr/lib/sysusers.d/${file}`) ?? "").split("\n"));
  const named = (kind: string) =>
    lines.flatMap((line) => (line.startsWith(`${kind} `) ? [line.split(/\s+/)[1] ?? ""] : []));
  const memberships = lines.flatMap((line) => {
    const [, user, group] = /^m\s+(\S+)\s+(\S+)/.exec(line) ?? [];
    return user === undefined || group === undefined
      ? []
      : [{ name: group, gid: -1, members: [user] }];
  });
  return {
    name,
    isTree: true,
    packages: new Set(parseHarvestPaper(view.text(`/${HARVEST_FILE}`) ?? "") ?? []),
    node: (path) => view.node(path),
    accounts: {
      users: named("u").map((user) => ({
        name: user,
        uid: -1,
        gid: -1,
        comment: "",
        home: "",
        shell: "",
      })),
      groups: [
        ...[...named("g"), ...named("u")].map((group) => ({ name: group, gid: -1, members: [] })),
        ...memberships,
      ],
    },
  };
}

/** ID and VERSION_ID, as os-release(5) has them. */
export function readSystem({ view }: RootFacts): { readonly id: string; readonly version: string } {
  const text = view.text("/etc/os-release") ?? view.text("/usr/lib/os-release") ?? "";
  const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  return { id: value("ID"), version: value("VERSION_ID") };
}

function checkDirectory(directory: string): void {
  if (!existsSync(directory) || !statSync(join(directory, ".")).isDirectory()) {
    throw new Refusal(`${directory} is no directory`, "");
  }
}
