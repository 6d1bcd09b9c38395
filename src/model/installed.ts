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
}

/** A database, by name; of a package with two architectures the machine's own comes first. */
export type Installed = ReadonlyMap<string, InstalledPackage>;

export function indexByName(packages: readonly InstalledPackage[]): Installed {
  const index = new Map<string, InstalledPackage>();
  for (const entry of packages) if (!index.has(entry.name)) index.set(entry.name, entry);
  return index;
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
