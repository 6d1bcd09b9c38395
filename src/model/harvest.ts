/*
 * A harvest: what is taken out of a root to become a package, what is left, and why. Owns: the types that reading,
 * deciding and copying share, and the paper that lies in the package (`__zshield/harvest.json`). No I/O.
 */
import type { Accounts, Group, Membership, User } from "./accounts.ts";
import type { Alternative, Diversion } from "./dpkg-database.ts";
import type { Elf } from "./elf.ts";
import type { Installed } from "./installed.ts";
import type { Entry } from "./manifest.ts";

export interface Node {
  readonly type: Entry["type"];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Of symbolic links. */
  readonly target?: string | undefined;
}

/** A tree that can be asked. Paths are absolute inside it; the last part of a path is never followed. */
export interface TreeView {
  node(path: string): Node | undefined;
  /** What lies in a directory, sorted; nothing where there is none. */
  names(directory: string): readonly string[];
  /** Of a small file; undefined where there is none. */
  text(path: string): string | undefined;
  elf(path: string): Elf | undefined;
  /** What stands behind `#!` in the first line. */
  interpreter(path: string): string | undefined;
}

export interface RootFacts {
  readonly view: TreeView;
  readonly installed: Installed;
  readonly accounts: Accounts;
  readonly diversions: readonly Diversion[];
  readonly alternatives: readonly Alternative[];
  /** Configuration that a script laid out → its package. */
  readonly laidOut: ReadonlyMap<string, string>;
  /** What a package's maintainer runs when it is installed. */
  scriptOf(name: string): string;
}

/** What a device has without the package: the base, or another package that is there too. */
export interface Provided {
  /** Of another package; "" for the base. */
  readonly name: string;
  /** The distribution's packages in it. */
  readonly packages: ReadonlySet<string>;
  /** A tree of its own, not a part of the root: what of the root it lacks came later. */
  readonly isTree: boolean;
  node(path: string): Node | undefined;
  readonly accounts: Accounts;
}

export interface HarvestWish {
  /** Of the distribution; "*" is all of the root. */
  readonly packages: readonly string[];
  /** Paths and patterns, taken whatever the rules say. */
  readonly files: readonly string[];
  /** Patterns of what the rules would leave. */
  readonly keep: readonly string[];
  /** Patterns. */
  readonly leave: readonly string[];
  /** Packages that others depend on, and that are left all the same. */
  readonly without: readonly string[];
  readonly enable: readonly string[];
  readonly disable: readonly string[];
}

export interface Judged {
  readonly path: string;
  readonly why: string;
}

export interface TakenPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly why: string;
  /** Whether all of it was meant, or some of its files only. */
  readonly isWhole: boolean;
}

export interface Harvest {
  readonly packages: readonly TakenPackage[];
  /** Names of packages of ours that hold what this one depends on. */
  readonly needs: readonly string[];
  readonly take: readonly Judged[];
  readonly leave: readonly Judged[];
  readonly leftPackages: readonly { readonly name: string; readonly why: string }[];
  /** Links that the root does not have. */
  readonly links: readonly {
    readonly path: string;
    readonly target: string;
    readonly why: string;
  }[];
  readonly users: readonly User[];
  readonly groups: readonly Group[];
  readonly memberships: readonly Membership[];
  /** Libraries, interpreters and programs that nobody has. */
  readonly missing: readonly Judged[];
  /** What a person should know. */
  readonly notices: readonly string[];
}

/** Inside the package's tree. */
export const HARVEST_FILE = "__zshield/harvest.json";

/** Which packages of the distribution are in it, for whoever looks for known faults of theirs. */
export function printHarvestPaper(
  { packages, needs }: Harvest,
  system: { readonly id: string; readonly version: string },
): string {
  const listed = packages.map(({ name, version, architecture, isWhole }) => ({
    name,
    version,
    architecture,
    whole: isWhole,
  }));
  return `${JSON.stringify({ format: 1, system, needs, packages: listed }, null, 2)}\n`;
}

/** The packages that a paper says are wholly there. Undefined where it is none of ours. */
export function parseHarvestPaper(text: string): string[] | undefined {
  try {
    const value = JSON.parse(text) as {
      format?: unknown;
      packages?: { name?: unknown; whole?: unknown }[];
    };
    if (value.format !== 1 || !Array.isArray(value.packages)) return undefined;
    return value.packages.flatMap(({ name, whole }) =>
      typeof name === "string" && whole === true ? [name] : [],
    );
  } catch {
    return undefined;
  }
}
