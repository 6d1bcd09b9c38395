/*
 * `zshield package harvest`: what a distribution installed becomes a package's directory.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { EXIT, Refusal, UsageError, messageOf } from "../errors.ts";
import { withInstalled } from "../host/harvest/apt-root.ts";
import { copyHarvest } from "../host/harvest/copy.ts";
import {
  essentialBase,
  readBase,
  readOther,
  readPlainRoot,
  readRoot,
  readSystem,
} from "../host/harvest/root.ts";
import { keepNumbers } from "../host/harvest/user-numbers.ts";
import { hasPrivateMounts, startWithPrivateMounts } from "../host/private-mounts.ts";
import { type OwnAccounts, printSysusers } from "../model/accounts.ts";
import {
  HARVEST_FILE,
  type Harvest,
  type Judged,
  printHarvestPaper,
  type Provided,
  type RootFacts,
} from "../model/harvest.ts";
import { parsePackageName, printPackageName } from "../model/package-name.ts";
import { PACKAGE_FILE, printPackage } from "../model/package-toml.ts";
import { checkRecipe, packageFields, type Recipe } from "../model/recipe.ts";
import { printSize } from "../model/size.ts";
import { visible } from "../model/text.ts";
import { renumber } from "../plan/harvest/accounts.ts";
import { writeJson } from "./write-out.ts";
import { planHarvest } from "../plan/harvest/harvest.ts";

export interface HarvestOptions {
  readonly root: string;
  /** Where the package's directory is made. */
  readonly out: string;
  /** What every device has; without, the distribution's essential packages. */
  readonly base: string | undefined;
  /** Directories of packages that will be there too. */
  readonly others: readonly string[];
  readonly apt: boolean;
  readonly aptConfiguration?: string | undefined;
  readonly aptCache?: string | undefined;
  /** File with the numbers of users and groups; it grows. */
  readonly users: string | undefined;
  readonly log?: (line: string) => void;
}

export interface Harvested {
  /** Of the package's directory. */
  readonly directory: string;
  readonly name: string;
  readonly version: string;
  readonly sizeBytes: number;
  readonly harvest: Harvest;
}

/** Harvests as the recipe says. Nothing is left behind if it is refused. */
export async function harvestRecipe(recipe: Recipe, asked: HarvestOptions): Promise<Harvested> {
  // Programs start in another directory.
  const options = { ...asked, out: resolve(asked.out) };
  // For what scripts of packages make too.
  if (harvesting++ === 0) umaskBefore = process.umask(0o022);
  try {
    return await harvestWith(recipe, options);
  } finally {
    if (--harvesting === 0) process.umask(umaskBefore);
  }
}

/** How many harvests go on: the umask is the whole process's, and the last one gives it back. */
let harvesting = 0;
let umaskBefore = 0;

async function harvestWith(recipe: Recipe, options: HarvestOptions): Promise<Harvested> {
  const { wish } = recipe;
  const others = options.others.map(readOther);
  const { installed } = await readPlainRoot(options.root);
  const absent = [recipe.versionOf, ...wish.packages, ...recipe.beside].filter(
    (name) => name !== "" && name !== "*" && !installed.has(name),
  );
  if (!options.apt || absent.length === 0)
    return harvestFrom(options.root, recipe, options, others);
  const apt = {
    scratch: options.out,
    cache: options.aptCache,
    configuration: options.aptConfiguration,
    ...(options.log ? { log: options.log } : {}),
  };
  return withInstalled(options.root, [...new Set(absent)], apt, (root) =>
    harvestFrom(root, recipe, options, others),
  );
}

async function harvestFrom(
  root: string,
  recipe: Recipe,
  options: HarvestOptions,
  others: readonly Provided[],
): Promise<Harvested> {
  const { wish } = recipe;
  const facts = wish.packages.length === 0 ? await readPlainRoot(root) : await readRoot(root);
  const base = options.base === undefined ? essentialBase(facts) : await readBase(options.base);
  const harvest = planHarvest(facts, wish, [base, ...others]);
  const system = readSystem(facts);
  const version = versionOf(recipe, facts, system.version);
  const name = printPackageName(packageFields(recipe, version, system.version));
  parsePackageName(name);
  const accounts = await numbered(harvest, options.users);
  mkdirSync(options.out, { recursive: true });
  const directory = join(options.out, name);
  await copyHarvest(root, directory, harvest, accounts, {
    [HARVEST_FILE]: printHarvestPaper(harvest, system),
    [PACKAGE_FILE]: printPackage({
      version: version.replaceAll(/[^A-Za-z0-9.+:~^_-]/g, "_"),
      description: recipe.description,
      needs: [...harvest.needs],
      ...recipe.commands,
      seconds: recipe.seconds,
    }),
    ...sysusersFile(recipe.name, facts, { ...accounts, memberships: harvest.memberships }),
  });
  return { directory, name, version, sizeBytes: sizeOf(facts, harvest), harvest };
}

function versionOf(recipe: Recipe, { installed }: RootFacts, system: string): string {
  return installed.get(recipe.versionOf)?.version ?? (system === "" ? "0" : system);
}

async function numbered({ users, groups }: Harvest, file: string | undefined) {
  const names = [...new Set([...users, ...groups].map(({ name }) => name))];
  const numbers = file === undefined ? new Map() : await keepNumbers(resolve(file), names);
  return renumber({ users, groups }, numbers);
}

function sysusersFile(name: string, facts: RootFacts, accounts: OwnAccounts) {
  const { users, groups } = accounts;
  if (users.length + groups.length === 0) return {};
  const nameOfGroup = (gid: number) =>
    [...groups, ...facts.accounts.groups].find((group) => group.gid === gid)?.name ?? String(gid);
  return { [`usr/lib/sysusers.d/${name}.conf`]: printSysusers(accounts, nameOfGroup) };
}

function sizeOf({ view }: RootFacts, { take }: Harvest): number {
  return take.reduce((sum, { path }) => {
    const node = view.node(path);
    return node?.type === "file" ? sum + node.sizeBytes : sum;
  }, 0);
}

/** @throws Refusal if there is no recipe in it */
export function readRecipe(file: string): Recipe {
  let value: unknown;
  try {
    value = Bun.TOML.parse(readText(file));
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`${file}: ${messageOf(error)}`);
  }
  return checkRecipe(value, file);
}

/** Paths and patterns, one a line; lines that begin with `#` say nothing. @throws Refusal */
export function readList(file: string): string[] {
  const lines = readText(file)
    .split(/\r?\n/)
    .filter((line) => line !== "" && !line.startsWith("#"));
  const wrong = lines.find((line) => !line.startsWith("/"));
  if (wrong !== undefined) throw new Refusal(`${file}: "${wrong}" is no absolute path`);
  return lines;
}

function readText(file: string): string {
  try {
    return readFileSync(resolve(file), "utf8");
  } catch (error) {
    throw new Refusal(`${file} cannot be read: ${messageOf(error)}`);
  }
}

export async function harvest(
  recipe: Recipe,
  options: HarvestOptions & { readonly json: boolean },
): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Refusal("only root can copy files with their owners", "use sudo");
  }
  if (options.apt && !hasPrivateMounts()) {
    process.exitCode = await startWithPrivateMounts();
    return;
  }
  const done = await harvestRecipe(recipe, options);
  if (options.json) {
    const { name, version, sizeBytes, directory } = done;
    writeJson({ schema: 1, name, version, directory, sizeBytes, ...done.harvest });
  } else for (const line of harvestLines(done)) console.log(visible(line));
  if (done.harvest.missing.length > 0) process.exitCode = EXIT.trouble;
}

/** What was taken and left, and why, with the many in one line. */
export function harvestLines({ directory, sizeBytes, harvest: found }: Harvested): string[] {
  const row = (word: string, text: string, why: string) => `${word.padEnd(8)} ${text}  (${why})`;
  const whole = found.packages.filter(({ isWhole }) => isWhole);
  const byWhy = (judged: readonly Judged[]) => {
    const groups = new Map<string, string[]>();
    for (const { path, why } of judged) groups.set(why, [...(groups.get(why) ?? []), path]);
    return [...groups].map(([why, paths]) => ({
      why,
      text: paths.length === 1 ? (paths[0] ?? "") : `${paths.length} paths, like ${paths[0]}`,
    }));
  };
  const names = new Set(whole.map(({ name }) => name));
  const alone = found.take.filter(({ why }) => !names.has(why));
  return [
    ...whole.map(({ name, version, why }) => {
      const count = found.take.filter((taken) => taken.why === name).length;
      return row("package", `${name} ${version}, ${count} paths`, why);
    }),
    ...byWhy(alone).map(({ text, why }) => row("taken", text, why)),
    ...found.links.map(({ path, target, why }) => row("link", `${path} → ${target}`, why)),
    ...found.users.map(({ name }) => row("user", name, "sysusers.d")),
    ...found.groups.map(({ name }) => row("group", name, "sysusers.d")),
    ...found.memberships.map(({ user, group }) =>
      row("member", `${user} of ${group}`, "sysusers.d"),
    ),
    ...found.leftPackages.map(({ name, why }) => row("left", `package ${name}`, why)),
    ...byWhy(found.leave).map(({ text, why }) => row("left", text, why)),
    ...found.missing.map(({ path, why }) => row("missing", why, path)),
    ...found.notices.map((notice) => `note     ${notice}`),
    `${directory}: ${found.take.length} paths, ${printSize(sizeBytes)}`,
  ];
}

/** The recipe of a command line without one. @throws UsageError, Refusal */
export function recipeOf(words: {
  readonly packages: readonly string[];
  readonly list: string | undefined;
  readonly name: string | undefined;
  readonly sequence: string | undefined;
  readonly revision: string | undefined;
  readonly mask: string | undefined;
  readonly patterns: Readonly<
    Record<"keep" | "leave" | "without" | "enable" | "disable", readonly string[]>
  >;
}): Recipe {
  const files = words.list === undefined ? [] : readList(words.list);
  const name = words.name ?? words.packages[0];
  if (name === undefined)
    throw new UsageError("--files alone needs a --name for the package", "package");
  const number = (key: "sequence" | "revision", absent: number) => {
    const text = words[key];
    if (text !== undefined && !/^\d{1,6}$/.test(text)) {
      throw new UsageError(`--${key} takes a number from 0 to 999999`, "package");
    }
    return text === undefined ? absent : Number(text);
  };
  return checkRecipe(
    {
      format: 1,
      name,
      kind: "extra",
      packages: words.packages,
      files,
      sequence: number("sequence", 50),
      revision: number("revision", 1),
      ...(words.mask === undefined ? {} : { mask: words.mask }),
      ...words.patterns,
    },
    "the command line",
  );
}
