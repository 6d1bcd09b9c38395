/*
 * Decides what of a root becomes a package: the files of the distribution's packages in their own places, with what
 * they need and the base does not have. Owns: the order of the questions. It asks views only: no I/O.
 *
 * Dependencies of packages come first, since the distribution knows them. Then every taken file is looked at: a library
 * or interpreter that is still lacking is taken alone, and with it the licence of the package that owns it.
 */
import { Refusal } from "../../errors.ts";
import { enabledByScript } from "../../model/dpkg-database.ts";
import type {
  Harvest,
  HarvestWish,
  Judged,
  Node,
  Provided,
  RootFacts,
  TakenPackage,
} from "../../model/harvest.ts";
import {
  closureOf,
  entriesOf,
  type Installed,
  type InstalledPackage,
  makeProviders,
} from "../../model/installed.ts";
import { makeMatcher, nameOf, parentOf } from "../../model/tree-path.ts";
import {
  accountsOfUnit,
  ENABLED_UNITS,
  linksOfUnit,
  programsOfUnit,
  UNIT_DIRECTORIES,
} from "../../model/unit-file.ts";
import { planAccounts } from "./accounts.ts";
import { programOf } from "./complete.ts";
import { makeLibraries } from "./libraries.ts";
import { makePaths } from "./paths.ts";
import { INSTALLERS, SHARED_CACHES, whyLeftMade, whyLeftOwned } from "./rules.ts";

const PROGRAM_DIRECTORIES = ["/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const UNIT = /\.(service|socket|timer|path|mount|target|slice)$/;
const HELPER_STATE = "/var/lib/systemd/deb-systemd-helper-enabled";
/** Where scripts leave files that belong to the system; what lies elsewhere is nobody's package. */
const MADE_BELOW = ["/etc", "/opt", "/srv", "/usr", "/var"];
const ACCOUNT_FILES = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];
const BASE = "the base has it";
const ABSENT = "listed, but not in the root";

/** @throws Refusal if a package that is asked for is not installed, or a path is not there */
export function planHarvest(
  facts: RootFacts,
  wish: HarvestWish,
  provided: readonly Provided[],
): Harvest {
  const { view, installed } = facts;
  const paths = makePaths(view);
  const whoMeets = makeProviders(installed);
  const findLibrary = makeLibraries(view, paths);
  const isLeft = makeMatcher(wish.leave);
  const whyOwned = whyLeftOwned(wish.keep);
  const needs = new Set<string>();
  const notices: string[] = [];

  const packages = new Map<string, TakenPackage>();
  const leftPackages = new Map<string, string>();
  const take = new Map<string, string>();
  const leave = new Map<string, string>();
  const names = new Set<string>();
  const links = new Map<string, { target: string; why: string }>();
  const missing = new Map<string, Judged>();
  const lack = (path: string, why: string) => missing.set(`${path}\0${why}`, { path, why });
  const queue: string[] = [];

  const providerOf = (path: string) => provided.find((from) => from.node(path) !== undefined);
  const use = (from: Provided) => from.name !== "" && needs.add(from.name);

  const leaveUnnamed = (path: string) => {
    leave.set(path, "its name is not UTF-8");
    if (isLeft(path) !== undefined) return;
    notices.push(`${path} is left, with all below it: no package has names that are not UTF-8`);
  };

  /** Takes what lies at a path that is real, unless something speaks against it. */
  const claim = (path: string, why: string, isAsked = false): void => {
    if (take.has(path) || (leave.has(path) && !isAsked)) return;
    const node = view.node(path);
    if (!node) return void (isUnnameable(path) ? leaveUnnamed(path) : leave.set(path, ABSENT));
    if (node.type === "socket") return void leave.set(path, "a socket: its program makes it");
    const pattern = isLeft(path);
    if (pattern !== undefined) return void leave.set(path, `left as asked: ${pattern}`);
    if (!isAsked) {
      const reason = whyOwned(path);
      // A directory of documents may be a link to that of another package, with the licence in it.
      const isLicence = parentOf(path) === "/usr/share/doc" && node.type === "symlink";
      if (reason !== undefined && !isLicence) return void leave.set(path, reason);
      const from = providerOf(path);
      if (from && node.type === "directory") return;
      if (from) {
        use(from);
        leave.set(path, whyProvided(from));
        return;
      }
    }
    leave.delete(path);
    take.set(path, why);
    if (node.type !== "symlink" || paths.chain(path).length > 1) names.add(nameOf(path));
    queue.push(path);
  };

  const claimListed = ({ name, files }: InstalledPackage): void => {
    for (const listed of files) {
      const diversion = facts.diversions.find(({ from, by }) => from === listed && by !== name);
      claim(paths.real(diversion?.to ?? listed), name);
    }
  };

  const takePackage = (entry: InstalledPackage, why: string): void => {
    if (packages.get(entry.name)?.isWhole === true) return;
    const { name, version, architecture } = entry;
    packages.set(name, { name, version, architecture, why, isWhole: true });
    claimListed(entry);
    // What it pushes aside lies elsewhere on the distribution's own system.
    for (const { to, by } of facts.diversions) {
      if (by === name) claim(paths.real(to), `pushed aside by ${name}`);
    }
    for (const [file, owner] of facts.laidOut) {
      if (owner === name)
        claim(paths.real(file), `configuration of ${name}, laid out by its script`);
    }
    for (const alternatives of entry.needs) need(alternatives, name);
  };

  const need = (alternatives: readonly string[], by: string): void => {
    const met = alternatives.flatMap(whoMeets);
    const [first] = met;
    if (!first) {
      const left = alternatives.every((name) => wish.without.includes(name));
      if (!left)
        notices.push(`${by} needs ${alternatives.join(" or ")}, which the root does not have`);
      return;
    }
    // Of one that a library was borrowed from, the rest is lacking.
    if (met.some(({ name }) => packages.get(name)?.isWhole === true)) return;
    for (const { name } of met) {
      const from = provided.find((candidate) => candidate.packages.has(name));
      if (!from) continue;
      use(from);
      leftPackages.set(name, whyProvided(from));
      return;
    }
    const why =
      (wish.without.includes(first.name) && "left as asked") ||
      (INSTALLERS.has(first.name) && "only scripts of an installation want it");
    if (why) return void leftPackages.set(first.name, why);
    takePackage(first, `needed by ${by}`);
  };

  const isAll = wish.packages.includes("*");
  const asked = isAll
    ? [...installed.keys()].filter((name) => !wish.without.includes(name))
    : wish.packages;
  const unknown = asked.filter((name) => !installed.has(name));
  if (unknown.length > 0) {
    throw new Refusal(
      `the root has no package ${unknown.join(", ")}`,
      "install it there, or fetch it with --apt",
    );
  }
  for (const name of asked) {
    const entry = installed.get(name);
    if (entry) takePackage(entry, "asked for");
    if (isAll) for (const other of entry?.beside ?? []) claimListed(other);
  }
  const { found, none } = paths.expand(wish.files);
  if (none.length > 0) {
    throw new Refusal(`the root has no ${none.join(", ")}`, "paths are absolute, inside the root");
  }
  for (const path of found) claim(path, "asked for by its path", true);

  const owners = makeOwners(installed, paths.real);

  /** A file that something taken needs, and nobody has: alone, with its licence. */
  const borrow = (chain: readonly string[], why: string): void => {
    for (const path of chain) {
      claim(path, why);
      const owner = owners().get(path);
      if (!owner || packages.has(owner.name)) continue;
      const { name, version, architecture } = owner;
      packages.set(name, { name, version, architecture, why, isWhole: false });
      const licence = paths.chain(`/usr/share/doc/${name}/copyright`);
      for (const part of licence) claim(part, `licence of ${name}`);
    }
  };

  /** Whether a file is there on the device; another package that has it becomes a need. */
  const isThere = (chain: readonly string[]): boolean =>
    chain.length > 0 &&
    chain.every((path) => {
      if (take.has(path)) return true;
      const from = providerOf(path);
      if (from) use(from);
      return from !== undefined;
    });

  const lookAt = (path: string): void => {
    const node = view.node(path);
    if (node?.type === "symlink") return followLink(path);
    if (node?.type !== "file") return;
    const elf = view.elf(path);
    if (elf) {
      const { interpreter } = elf;
      if (interpreter !== undefined) wantProgram(path, interpreter, `loader of ${path}`);
      for (const soname of elf.needed) wantLibrary(path, soname);
      return;
    }
    const script = (node.mode & 0o111) === 0 ? undefined : view.interpreter(path);
    if (script !== undefined) wantInterpreter(path, script);
    if (UNIT.test(path) && UNIT_DIRECTORIES.includes(parentOf(path))) lookAtUnit(path);
  };

  /** A link whose file some other package of the root owns, as between a library and its versions. */
  const followLink = (path: string): void => {
    const chain = paths.chain(path).slice(1);
    const end = chain.at(-1);
    if (end === undefined || isThere(chain) || whyOwned(end) !== undefined) return;
    const isFile = view.node(end)?.type === "file";
    if (isFile) borrow(chain, `what ${path} points to`);
  };

  const wantLibrary = (path: string, soname: string): void => {
    const elf = view.elf(path);
    const library = elf && findLibrary(soname, path, elf);
    if (!library) {
      // Some are found only because the program that loads them brings their directory along.
      if (!names.has(soname)) lack(path, `library ${soname}`);
      return;
    }
    if (!isThere(library.chain)) borrow(library.chain, `library of ${path}`);
    if (library.needsCache) cached.add(parentOf(library.path));
  };
  const cached = new Set<string>();

  const wantProgram = (path: string, program: string, why: string): void => {
    const chain = paths.chain(program);
    if (chain.length === 0) lack(path, program);
    else if (!isThere(chain)) borrow(chain, why);
  };

  const wantInterpreter = (path: string, line: string): void => {
    const name = programOf(line);
    if (name === undefined) return;
    const places = name.startsWith("/")
      ? [name]
      : PROGRAM_DIRECTORIES.map((place) => `${place}/${name}`);
    const chain = places.map(paths.chain).find((found) => found.length > 0) ?? [];
    if (isThere(chain)) return;
    const owner = owners().get(chain.at(-1) ?? "");
    // A language is more than its interpreter.
    if (owner && !wish.without.includes(owner.name)) {
      takePackage(owner, `interpreter of ${path}`);
      borrow(chain, `interpreter of ${path}`);
    } else lack(path, `interpreter ${name}`);
  };

  const named = new Set<string>();
  const units = new Set<string>();
  const enabled = makeEnabledLinks(facts);

  const lookAtUnit = (path: string): void => {
    const text = view.text(path) ?? "";
    for (const account of accountsOfUnit(text)) named.add(account);
    for (const program of programsOfUnit(text)) {
      const chain = paths.chain(program);
      if (!isThere(chain)) lack(path, program);
    }
    const unit = nameOf(path);
    units.add(unit);
    if (wish.disable.includes(unit)) {
      for (const link of enabled(unit)) leave.set(link, `${unit} is left disabled, as asked`);
      return;
    }
    const mask = `${ENABLED_UNITS}/${unit}`;
    if (isMask(view.node(mask))) {
      if (!wish.enable.includes(unit)) {
        for (const link of enabled(unit)) leave.set(link, `${unit} is masked in the root`);
        notices.push(`${unit} is not enabled: it is masked in the root`);
        return;
      }
      leave.set(mask, `${unit} is enabled, as asked`);
    }
    const inRoot = enabled(unit);
    for (const link of inRoot) claim(link, `${unit} is enabled`);
    if (inRoot.length > 0 || !isEnabledByItsPackage(unit, path)) return;
    for (const link of linksOfUnit(path, text)) {
      if (!providerOf(link.path))
        links.set(link.path, { target: link.target, why: `[Install] of ${unit}` });
    }
  };

  const isEnabledByItsPackage = (unit: string, path: string): boolean => {
    if (wish.enable.includes(unit)) return true;
    const owner = owners().get(path)?.name;
    if (owner === undefined || !enabledByScript(facts.scriptOf(owner)).includes(unit)) return false;
    if (!view.node(`${HELPER_STATE}/${unit}.dsh-also`)) return true;
    notices.push(`${unit} is not enabled: somebody disabled it in the root`);
    return false;
  };

  const takeAlternatives = (): void => {
    for (const { links: all } of facts.alternatives) {
      const [main] = all;
      const target = main && paths.chain(`/etc/alternatives/${main.name}`).at(-1);
      if (!main || target === undefined) continue;
      for (const { name, link } of all) {
        const pointer = `/etc/alternatives/${name}`;
        const end = paths.chain(pointer);
        // What goes with the choice may be in another package than the choice itself.
        if (!take.has(target) && !take.has(end.at(-1) ?? "")) continue;
        if (end.length < 2 || !isThere(end.slice(1))) continue;
        const same = (path: string) =>
          providerOf(path)?.node(path)?.target === view.node(path)?.target;
        if (!same(pointer)) claim(pointer, `alternative ${main.name}`, true);
        if (!same(paths.real(link))) claim(paths.real(link), `alternative ${main.name}`, true);
      }
    }
  };

  const takeMade = (): void => {
    if (wish.packages.length === 0) return;
    if (provided.some(({ isTree }) => !isTree)) {
      notices.push("what scripts made cannot be told apart without --base: it is left");
      return;
    }
    const without = closureOf([...wish.without, ...INSTALLERS], installed);
    const strangers = entriesOf(installed).flatMap(([key, { name }]) => {
      const isTaken = (isAll || key === name) && packages.get(name)?.isWhole === true;
      const isKnown = without.has(name) || provided.some((from) => from.packages.has(key));
      return isTaken || isKnown ? [] : [key];
    });
    if (strangers.length > 0) {
      const which = strangers.length > 5 ? `${strangers.length} packages` : strangers.join(", ");
      notices.push(
        `what scripts made cannot be told apart from what those of ${which} made: it is left`,
      );
      return;
    }
    const whyMade = whyLeftMade(wish.keep);
    const hasAccounts = provided.some((from) => from.node("/etc/passwd") !== undefined);
    const owned = owners();
    const linksOnTop = view
      .names("/")
      .map((name) => `/${name}`)
      .filter((path) => view.node(path)?.type === "symlink");
    const tops = [...MADE_BELOW.filter((top) => view.node(top)), ...linksOnTop];
    for (const path of paths.expand(tops).found) {
      if (owned.has(path) || take.has(path) || leave.has(path)) continue;
      const node = view.node(path);
      if (!node) {
        if (isUnnameable(path)) leaveUnnamed(path);
        continue;
      }
      const from = providerOf(path);
      if (from) {
        if (
          hasChanged(node, from.node(path)) &&
          whyMade(path) === undefined &&
          !path.startsWith("/var/")
        )
          leave.set(path, "a file of the base that a script changed");
        continue;
      }
      const reason = ACCOUNT_FILES.includes(path) && !hasAccounts ? undefined : whyMade(path);
      if (reason !== undefined) leave.set(path, reason);
      else if (path.startsWith("/var/") && node.type !== "directory") {
        leave.set(path, "state: made when it runs");
      } else if (
        path.startsWith("/var/") &&
        /^\/var\/(cache|log|lib\/(dpkg|apt|systemd|ucf|pam))(\/|$)/.test(path)
      ) {
        leave.set(path, "state: made when it runs");
      } else claim(path, "made by a script", true);
    }
  };

  const settle = (): void => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) lookAt(next);
  };
  settle();
  takeMade();
  settle();
  takeAlternatives();
  settle();
  checkNames(wish, units, installed);
  for (const directory of cached) {
    notices.push(
      `libraries in ${directory} are found only after ldconfig, which the device runs when it puts packages together`,
    );
  }
  for (const [pattern, madeBy] of SHARED_CACHES) {
    const isCache = makeMatcher([pattern]);
    if ([...take.keys()].some((path) => isCache(path) !== undefined)) {
      notices.push(
        `${pattern} is shared with other packages: the device makes it again with ${madeBy}`,
      );
    }
  }

  const taken = [...packages.values()].sort(byName);
  const nodes = [...take.keys()].flatMap((path) => view.node(path) ?? []);
  const sysusers = [...take.keys()].filter((path) => parentOf(path) === "/usr/lib/sysusers.d");
  const hasAccounts = provided.some((from) => from.node("/etc/passwd") !== undefined);
  const accounts = hasAccounts
    ? planAccounts(facts, provided, {
        nodes,
        named,
        scripts: [
          ...taken.filter(({ isWhole }) => isWhole).map(({ name }) => facts.scriptOf(name)),
          ...sysusers.map((path) => view.text(path) ?? ""),
        ],
      })
    : { users: [], groups: [], memberships: [] };
  const judged = (map: ReadonlyMap<string, string>): Judged[] =>
    [...map].map(([path, why]) => ({ path, why })).sort(byPath);
  return {
    packages: taken,
    needs: [...needs].sort(),
    take: judged(take),
    leave: judged(leave),
    leftPackages: [...leftPackages].map(([name, why]) => ({ name, why })).sort(byName),
    links: [...links].map(([path, link]) => ({ path, ...link })).sort(byPath),
    ...accounts,
    missing: [...missing.values()].sort(byPath),
    notices: [...new Set(notices)],
  };
}

/** @throws Refusal: whoever mistypes a name would get what was to be left. */
function checkNames(
  { enable, disable, without }: HarvestWish,
  units: ReadonlySet<string>,
  installed: Installed,
): void {
  for (const [word, names] of Object.entries({ enable, disable })) {
    const name = names.find((one) => !units.has(one));
    if (name === undefined) continue;
    throw new Refusal(
      `${word} ${name}: no unit of what is harvested is called so`,
      units.size === 0
        ? "there is no unit in it"
        : `they are called in full, like ${[...units].sort()[0]}`,
    );
  }
  if (without.length === 0) return;
  const known = new Set(
    [...installed.values()].flatMap(({ name, provides, needs }) => [
      name,
      ...provides,
      ...needs.flat(),
    ]),
  );
  const name = without.find((one) => !known.has(one));
  if (name === undefined) return;
  throw new Refusal(
    `without ${name}: no package of the root is called so, and none needs one`,
    "names are those of the distribution's packages",
  );
}

/** As `systemctl mask` leaves it, or an empty file, which says the same. */
function isMask(node: Node | undefined): boolean {
  if (node?.type === "symlink") return node.target === "/dev/null";
  return node?.type === "file" && node.sizeBytes === 0;
}

/** Of a path that was listed and cannot be found: U+FFFD stands where its bytes were no UTF-8. */
function isUnnameable(path: string): boolean {
  return path.includes("\ufffd");
}

function whyProvided(from: Provided): string {
  return from.name === "" ? BASE : `${from.name} has it`;
}

function hasChanged(node: Node, before: Node | undefined): boolean {
  return node.type === "file" && before?.type === "file" && node.sizeBytes !== before.sizeBytes;
}

/** Real path → the package that owns it; made when it is asked for first. */
function makeOwners(
  installed: RootFacts["installed"],
  real: (path: string) => string,
): () => ReadonlyMap<string, InstalledPackage> {
  let owners: Map<string, InstalledPackage> | undefined;
  return () => {
    if (owners) return owners;
    owners = new Map();
    for (const { beside = [], ...entry } of installed.values()) {
      for (const one of [...beside, entry]) {
        for (const file of one.files) owners.set(real(file), one);
      }
    }
    return owners;
  };
}

/** The links below /etc/systemd/system that enable a unit, or an instance of a template. */
function makeEnabledLinks({ view }: RootFacts): (unit: string) => string[] {
  const found = new Map<string, string[]>();
  const note = (path: string) => {
    const { target } = view.node(path) ?? {};
    if (target === undefined) return;
    const unit = nameOf(target);
    found.set(unit, [...(found.get(unit) ?? []), path]);
  };
  for (const name of view.names(ENABLED_UNITS)) {
    const path = `${ENABLED_UNITS}/${name}`;
    if (!/\.(wants|requires)$/.test(name)) note(path);
    else for (const inner of view.names(path)) note(`${path}/${inner}`);
  }
  return (unit) => found.get(unit) ?? [];
}

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
