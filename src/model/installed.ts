/*
 * Packages as a distribution installed them into a root, whichever database told of them. Owns: the type, and which
 * package meets a dependency. No I/O.
 */

export interface InstalledPackage {
  readonly name: string;
  /** In full, as the distribution writes it. */
  readonly version: string;
  readonly architecture: string;
  /** Every system has it: Essential, or of the priority "required". */
  readonly isEssential: boolean;
  /** Each with the names that would do, the preferred one first. */
  readonly needs: readonly (readonly string[])[];
  /** Beside its own name. */
  readonly provides: readonly string[];
  /** As the database has them: not yet without symbolic links in their directories. */
  readonly files: readonly string[];
  /** The same package for other architectures, which is there too. */
  readonly beside?: readonly InstalledPackage[];
}

/** A database, by name; of a package with two architectures the machine's own comes first. */
export type Installed = ReadonlyMap<string, InstalledPackage>;

export function indexByName(packages: readonly InstalledPackage[]): Installed {
  const own = packages.find(({ name }) => name === "dpkg" || name === "rpm")?.architecture;
  const index = new Map<string, InstalledPackage>();
  for (const entry of packages) {
    const known = index.get(entry.name);
    if (!known) {
      index.set(entry.name, entry);
      continue;
    }
    const { beside = [], ...first } = known;
    const isOwn = entry.architecture === own && first.architecture !== own;
    const [main, other] = isOwn ? [entry, first] : [first, entry];
    index.set(entry.name, { ...main, beside: [...beside, other] });
  }
  return index;
}

/** All of a database: by name, those of other architectures by `name:architecture`. */
export function entriesOf(installed: Installed): [key: string, entry: InstalledPackage][] {
  return [...installed].flatMap(([key, entry]) => [
    [key, entry] as [string, InstalledPackage],
    ...(entry.beside ?? []).map((other): [string, InstalledPackage] => [
      `${key}:${other.architecture}`,
      other,
    ]),
  ]);
}

/** Who meets a need: by its own name, or by one that it provides. */
export function makeProviders(installed: Installed): (name: string) => readonly InstalledPackage[] {
  const providers = new Map<string, InstalledPackage[]>();
  for (const entry of installed.values()) {
    for (const name of new Set([entry.name, ...entry.provides])) {
      const known = providers.get(name);
      if (known) known.push(entry);
      else providers.set(name, [entry]);
    }
  }
  return (name) => {
    const own = installed.get(name);
    const all = providers.get(name) ?? [];
    return own ? [own, ...all.filter((entry) => entry !== own)] : all;
  };
}

/** Packages with all that they depend on; of alternatives the one that is met first. */
export function closureOf(names: Iterable<string>, installed: Installed): Set<string> {
  const whoMeets = makeProviders(installed);
  const found = new Set<string>();
  const queue = [...names].flatMap((name) => installed.get(name) ?? []);
  for (let next = queue.pop(); next; next = queue.pop()) {
    if (found.has(next.name)) continue;
    found.add(next.name);
    for (const alternatives of next.needs) {
      const met = alternatives.flatMap(whoMeets)[0];
      if (met) queue.push(met);
    }
  }
  return found;
}

/** What every system has, with what that needs: what counts as there where nobody names a base. */
export function essentialOf(installed: Installed): Set<string> {
  const essential = [...installed.values()].filter(({ isEssential }) => isEssential);
  return closureOf(
    essential.map(({ name }) => name),
    installed,
  );
}
