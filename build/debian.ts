/*
 * Roots made of Debian packages by mmdebstrap, from exactly the files that debian.lock names, and
 * the same to the byte each time. Owns: makeRoot and its cache (dist/cache). As a program:
 * `npx bun build/debian.ts lock` chooses the packages anew and writes the lock.
 */
import { existsSync } from "node:fs";
import { copyFile, link, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { Refusal } from "../src/errors.ts";
import { cacheDirectory, digestOf, dropUnused, keepFile, markUsed, REPOSITORY } from "./cache.ts";
import { asProgram, output, run, told } from "./command.ts";
import { type LockedPackage, parseLock, printLock, resolveLock } from "./debian-lock.ts";
import { debPath, fetchPackages } from "./debian-mirror.ts";
import { type RootName, ROOTS, type RootSpec } from "./roots.ts";
import { clampTimes, packTree, unpackTree } from "./tree.ts";

export type { RootName } from "./roots.ts";

const SUITE = "bookworm";
const LOCK_FILE = path.join(REPOSITORY, "build/debian.lock");
/** mmdebstrap's hook merges /usr, so that Debian's own conversion (and all of Perl) is not needed. */
const ALWAYS = ["usr-is-merged"];
const MERGED_USR = "/usr/share/mmdebstrap/hooks/merged-usr";
/** While a root is being made nobody needs dpkg's waiting for the disk. */
const UNSAFE = "force-unsafe-io";
/** To be changed when this file makes another tree of the same packages. */
const RECIPE = 1;

/** Lays the root `name` into `directory`, which must be absent or empty. */
export async function makeRoot(name: RootName, directory: string): Promise<void> {
  await unpackTree(await rootArchive(name), directory);
}

/** Stands for the content of the root `name`: equal digests, equal trees. */
export async function rootDigest(name: RootName): Promise<string> {
  return digestOfChoice(name, await choose(name));
}

/** SOURCE_DATE_EPOCH for everything that is made of the root `name`. */
export async function rootEpoch(name: RootName): Promise<number> {
  return (await choose(name)).epoch;
}

/** The packed root in the cache, made if it is not there yet. */
async function rootArchive(name: RootName): Promise<string> {
  const { packages, epoch } = await choose(name);
  const archive = archivePath(name, { packages, epoch });
  if (!existsSync(archive)) {
    await told(`root “${name}” of ${packages.length} Debian packages`, () =>
      install(ROOTS[name], packages, epoch, archive),
    );
  }
  await markUsed(archive);
  await dropUnused(path.dirname(archive));
  return archive;
}

interface Choice {
  readonly packages: readonly LockedPackage[];
  readonly epoch: number;
}

function digestOfChoice(name: RootName, { packages, epoch }: Choice): string {
  return digestOf([RECIPE, ROOTS[name], packages, epoch]);
}

function archivePath(name: RootName, choice: Choice): string {
  return path.join(cacheDirectory("roots"), `${name}-${digestOfChoice(name, choice)}.tar.zst`);
}

const choices = new Map<RootName, Promise<Choice>>();

/** The packages of a root: those of the lock, unless the mirror has dropped one. Once a process. */
function choose(name: RootName): Promise<Choice> {
  let choice = choices.get(name);
  if (!choice) choices.set(name, (choice = chooseNow(name)));
  return choice;
}

async function chooseNow(name: RootName): Promise<Choice> {
  const locked = pick(parseLock(await Bun.file(LOCK_FILE).text()), name);
  if (existsSync(archivePath(name, locked))) return locked;
  const gone = await fetchPackages(locked.packages, cacheDirectory("debs"));
  if (gone.length === 0) return locked;
  const names = gone.map((entry) => `${entry.name} ${entry.version}`).join(", ");
  const hint = "choose anew with `npx bun build/debian.ts lock`, then commit build/debian.lock";
  if (process.argv.includes("--strict")) {
    throw new Refusal(`the mirror no longer has ${names}`, hint);
  }
  console.error(`build: WARNING: the mirror no longer has ${names}`);
  console.error(
    `build: WARNING: “${name}” is made of what it has today, for this build only; ${hint}`,
  );
  const today = pick(await resolveLock(SUITE, wanted([name])), name);
  const missing = await fetchPackages(today.packages, cacheDirectory("debs"));
  if (missing.length > 0) {
    throw new Refusal(`cannot fetch ${missing[0]?.path}`, "is the Debian mirror reachable?");
  }
  return today;
}

function pick(
  lock: { epoch: number; roots: ReadonlyMap<string, readonly LockedPackage[]> },
  name: RootName,
) {
  const packages = lock.roots.get(name);
  if (!packages)
    throw new Refusal(`debian.lock knows no root “${name}”`, "npx bun build/debian.ts lock");
  return { packages, epoch: lock.epoch };
}

function wanted(names: readonly RootName[]): ReadonlyMap<string, readonly string[]> {
  return new Map(names.map((name) => [name, [...ALWAYS, ...ROOTS[name].packages]]));
}

async function install(
  spec: RootSpec,
  packages: readonly LockedPackage[],
  epoch: number,
  archive: string,
): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Refusal(
      "only root can make a root file system (chroot, owners)",
      "sudo npm run card",
    );
  }
  await mkdir(path.dirname(archive), { recursive: true });
  const work = await mkdtemp(path.join(path.dirname(archive), "making-"));
  try {
    const repository = path.join(work, "packages");
    await makeRepository(packages, repository);
    const root = path.join(work, "root");
    await mkdir(path.join(work, "tmp"));
    await run(
      [
        ...["mmdebstrap", "--mode=root", "--variant=essential", "--format=directory", "--quiet"],
        "--architectures=amd64",
        `--hook-directory=${MERGED_USR}`,
        `--include=${packages.map((entry) => entry.name).join(",")}`,
        '--aptopt=APT::Install-Recommends "false"',
        `--dpkgopt=${UNSAFE}`,
        ...spec.leaveOut.map((rule) =>
          "exclude" in rule
            ? `--dpkgopt=path-exclude=${rule.exclude}`
            : `--dpkgopt=path-include=${rule.include}`,
        ),
        // An empty suite: else only what a Release file calls so would count as essential.
        ...["", root, `deb [trusted=yes] copy:${repository} ./`],
      ],
      // No initramfs is made while INITRD=No (Debian's kernel hooks know it): golden.ts makes it.
      { env: { SOURCE_DATE_EPOCH: String(epoch), INITRD: "No", TMPDIR: path.join(work, "tmp") } },
    );
    await tidy(root);
    await clampTimes(root, epoch);
    await packTree(root, path.join(work, "root.tar.zst"));
    await keepFile(path.join(work, "root.tar.zst"), archive);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A flat repository of hard links into the cache, with the index that apt wants. */
async function makeRepository(
  packages: readonly LockedPackage[],
  directory: string,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const stanzas: string[] = [];
  for (const entry of packages) {
    const deb = debPath(cacheDirectory("debs"), entry);
    const name = path.basename(deb);
    await link(deb, path.join(directory, name)).catch(() =>
      copyFile(deb, path.join(directory, name)),
    );
    const control = (await output(["dpkg-deb", "--field", deb])).trimEnd();
    stanzas.push(
      `${control}\nFilename: ./${name}\nSize: ${entry.sizeBytes}\nSHA256: ${entry.sha256}\n`,
    );
  }
  await writeFile(path.join(directory, "Packages"), stanzas.join("\n"));
}

/** Takes away what installing leaves behind: caches, logs, and traces of this machine. */
async function tidy(root: string): Promise<void> {
  const gone = [
    ...["var/cache/ldconfig/aux-cache", "var/cache/debconf/*-old", "var/lib/dpkg/*-old"],
    ...["var/log/*.log", "var/log/apt/*", "var/log/journal", "var/lib/systemd/random-seed"],
    ...["etc/ssh/ssh_host_*", "var/lib/dbus/machine-id", "etc/*-", "root/.bash_history"],
    ...["etc/apt/apt.conf.d/99mmdebstrap", "etc/resolv.conf", "etc/hostname", ".dockerenv"],
  ];
  for (const pattern of gone) {
    for (const found of new Bun.Glob(pattern).scanSync({
      cwd: root,
      dot: true,
      onlyFiles: false,
    })) {
      await rm(path.join(root, found), { recursive: true, force: true });
    }
  }
  await writeFile(path.join(root, "etc/machine-id"), "");
  const options = path.join(root, "etc/dpkg/dpkg.cfg.d/99mmdebstrap");
  const kept = (await Bun.file(options).text()).replace(`${UNSAFE}\n`, "");
  // What is left out stays left out when a package is upgraded.
  if (kept.trim() === "") await rm(options);
  else await writeFile(options, kept);
  if (existsSync(path.join(root, "etc/apt"))) {
    await writeFile(path.join(root, "etc/apt/sources.list"), "# name a Debian mirror here\n");
  }
}

async function writeLock(): Promise<void> {
  const lock = await resolveLock(SUITE, wanted(Object.keys(ROOTS) as RootName[]));
  await writeFile(LOCK_FILE, printLock(lock));
  for (const [name, packages] of lock.roots) {
    const megabytes = packages.reduce((sum, entry) => sum + entry.sizeBytes, 0) / 1e6;
    console.log(`${name}: ${packages.length} packages, ${megabytes.toFixed(0)} MB`);
  }
}

async function main(): Promise<void> {
  const [verb, ...names] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
  const known = Object.keys(ROOTS) as RootName[];
  const usage = "npx bun build/debian.ts lock | make [ROOT…] [--strict]";
  for (const name of names.filter((word) => !(word in ROOTS))) {
    throw new Refusal(`no root is called “${name}”`, `there are ${known.join(", ")}`);
  }
  if (verb === "lock") return writeLock();
  if (verb !== "make") throw new Refusal(`what is “${verb ?? ""}”?`, usage);
  for (const name of names.length === 0 ? known : (names as RootName[])) {
    console.log(name, await rootArchive(name));
  }
}

if (import.meta.main) await asProgram(main);
