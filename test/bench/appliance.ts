/*
 * Two versions of the video appliance of build/catalogue, as a vendor's projects, and as one tree each for the tools
 * that know no packages. The newer one is the catalogue's; the older one has the older files of each Debian package of
 * which apt knows two versions. Owns: the trees. Needs `npm run catalogue`, or ZSHIELD_CATALOGUE=DIR, which it filled.
 */
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DIST } from "../../build/cache.ts";
import { parsePackageName, printPackageName } from "../../src/model/package-name.ts";
import { call } from "./measure.ts";

export interface Appliance {
  /** Directories: the older one, the newer one. */
  readonly projects: readonly [string, string];
  /** Everything of all packages in one tree each. */
  readonly trees: readonly [string, string];
  /** How many packages there are, and how many of them differ. */
  readonly packages: number;
  readonly changed: number;
  /** `name older newer` of each package of Debian that differs. */
  readonly upgrades: readonly string[];
}

const PLATFORM = "platform/x86_64";
/** Debian's packages name these, devices have them below /usr. */
const MERGED = /^(bin|sbin|lib|lib32|lib64|libx32)\//;

export function makeAppliance(folder: string, tell: (text: string) => void): Appliance {
  const catalogue = process.env.ZSHIELD_CATALOGUE ?? join(DIST, "catalogue");
  const video = join(catalogue, "video");
  if (!existsSync(join(video, PLATFORM))) {
    throw new Error(`there is no ${video}: \`npm run catalogue\` makes it`);
  }
  const debian = new Debian(catalogue, join(folder, "debs"));
  const projects = [join(folder, "older"), join(folder, "newer")] as const;
  // Linked: what is changed below is replaced, never written to.
  for (const project of projects) {
    call(["cp", "--archive", "--link", video, project]);
    for (const made of ["cache", "out"])
      rmSync(join(project, made), { recursive: true, force: true });
  }
  const [older, newer] = projects;
  for (const [release, project] of projects.entries()) setRelease(project, release + 1);
  const upgrades = new Set<string>();
  let [packages, changed] = [0, 0];
  for (const kind of ["base", "extra"]) {
    for (const name of readdirSync(join(older, PLATFORM, kind))) {
      packages += 1;
      const tree = join(older, PLATFORM, kind, name);
      const found = upgradesOf(tree, debian);
      for (const text of found) upgrades.add(text);
      if (found.length === 0) continue;
      changed += 1;
      renameSync(join(newer, PLATFORM, kind, name), join(newer, PLATFORM, kind, revised(name)));
    }
  }
  tell(`${packages} packages, ${changed} of them differ in ${upgrades.size} packages of Debian`);
  if (changed === 0) throw new Error("apt knows no package in two versions");
  const trees = [join(folder, "older-tree"), join(folder, "newer-tree")] as const;
  for (const [index, tree] of trees.entries()) merge(projects[index] ?? "", tree);
  return { projects, trees, packages, changed, upgrades: [...upgrades].sort() };
}

/** Gives the tree the files of the older packages; returns what was an older one. */
function upgradesOf(tree: string, debian: Debian): string[] {
  const text = readFileSync(join(tree, "__zshield/harvest.json"), "utf8");
  const { packages } = JSON.parse(text) as { packages: { name: string; version: string }[] };
  return packages.flatMap(({ name, version }) => {
    const older = debian.olderThan(name, version);
    if (older === undefined) return [];
    return takeFiles(debian.unpacked(name, older), tree) > 0 ? [`${name} ${older} ${version}`] : [];
  });
}

/** Of files that both have, those of `from` that differ. Returns how many. */
function takeFiles(from: string, tree: string): number {
  let taken = 0;
  for (const file of call(["find", ".", "-type", "f", "-printf", "%P\\0"], from).split("\0")) {
    if (file === "") continue;
    const target = join(tree, MERGED.test(file) ? `usr/${file}` : file);
    if (!lstatSync(target, { throwIfNoEntry: false })?.isFile()) continue;
    if (Bun.spawnSync(["cmp", "--silent", join(from, file), target]).exitCode === 0) continue;
    rmSync(target);
    call(["cp", "--preserve=mode,ownership,timestamps", join(from, file), target]);
    taken += 1;
  }
  return taken;
}

/** apt, as the catalogue set it up. */
class Debian {
  private readonly versions = new Map<string, readonly string[]>();

  constructor(
    private readonly catalogue: string,
    private readonly store: string,
  ) {
    mkdirSync(store, { recursive: true });
  }

  /** The newest of those that are older. */
  olderThan(name: string, version: string): string | undefined {
    const known = this.versions.get(name) ?? this.ask(name);
    this.versions.set(name, known);
    const isOlder = (one: string, other: string) =>
      Bun.spawnSync(["dpkg", "--compare-versions", one, "lt", other]).exitCode === 0;
    return known
      .filter((other) => isOlder(other, version))
      .reduce<string | undefined>(
        (best, other) => (best === undefined || isOlder(best, other) ? other : best),
        undefined,
      );
  }

  /** Where its files lie. */
  unpacked(name: string, version: string): string {
    const tree = join(this.store, name);
    if (existsSync(tree)) return tree;
    const fetched = join(this.store, ".deb");
    mkdirSync(fetched);
    this.apt(["apt-get", "--quiet", "download", `${name}=${version}`], fetched);
    for (const file of readdirSync(fetched)) {
      call(["dpkg-deb", "--extract", join(fetched, file), tree]);
    }
    rmSync(fetched, { recursive: true });
    return tree;
  }

  private ask(name: string): string[] {
    const lines = this.apt(["apt-cache", "madison", name]).split("\n");
    return [...new Set(lines.map((line) => line.split("|")[1]?.trim() ?? ""))].filter(Boolean);
  }

  private apt(argv: readonly string[], cwd?: string): string {
    return call(["env", `APT_CONFIG=${join(this.catalogue, "apt/apt.conf")}`, ...argv], cwd);
  }
}

/** The same package, one revision on. */
function revised(name: string): string {
  const fields = parsePackageName(name);
  return printPackageName({ ...fields, revision: fields.revision + 1 });
}

function setRelease(project: string, release: number): void {
  const file = join(project, "product.toml");
  const text = readFileSync(file, "utf8").replace(/^release = .*$/m, `release = ${release}`);
  rmSync(file);
  writeFileSync(file, text);
}

/** Lower sequence first, so that the higher one's file is what stays. */
function merge(project: string, tree: string): void {
  mkdirSync(tree);
  const all = ["base", "extra"].flatMap((kind) =>
    readdirSync(join(project, PLATFORM, kind)).map((name) => ({
      path: join(project, PLATFORM, kind, name),
      sequence: parsePackageName(name).sequence,
    })),
  );
  for (const { path } of all.toSorted((a, b) => a.sequence - b.sequence)) {
    const options = ["--archive", "--hard-links", "--xattrs", "--keep-dirlinks"];
    call(["rsync", ...options, "--exclude=/__zshield", `${path}/`, `${tree}/`]);
  }
  cpSync(join(project, PLATFORM, "boot"), join(tree, "boot"), { recursive: true });
}
