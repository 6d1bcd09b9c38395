/*
 * `--apt`: a throw-away root in which Debian packages are installed as on any Debian, on top of a root that is not
 * changed by it: an overlay. apt of this machine chooses and fetches, dpkg installs, so that the maintainers' scripts
 * have really run there and what they make can be seen. No service starts: policy-rc.d forbids it. Nobody else sees its
 * mounts, so that they are gone with this process, however it ends.
 * Owns: that root, its mounts, and that nothing of it is left.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { CommandError, Failure, Refusal } from "../../errors.ts";
import { findTool, query, run } from "../command.ts";
import { isDead, OWNER, ownerName } from "../owner-name.ts";
import { requirePrivateMounts } from "../private-mounts.ts";
import { markUnfinished } from "../unfinished.ts";
import { makeOwn } from "./copy.ts";

export interface AptOptions {
  /** Where the throw-away root may lie, and what was fetched stays, if it is to stay. */
  readonly scratch: string;
  readonly cache: string | undefined;
  /** apt.conf(5) to be used instead of the machine's own. */
  readonly configuration: string | undefined;
  readonly log?: (line: string) => void;
}

const MOST_MS = 3600_000;
/** Of the root, where something is mounted; and where we and dpkg write. */
const MOUNTED = ["proc", "dev", "tmp", "run"];
const WRITTEN = ["usr/sbin", "var/lib/dpkg", "var/log"];
const MOST_PASSES = 4;

/** Calls `work` with a root that has the packages. @throws Refusal, Failure */
export async function withInstalled<T>(
  root: string,
  names: readonly string[],
  options: AptOptions,
  work: (root: string) => Promise<T>,
): Promise<T> {
  if (!findTool("apt-get"))
    throw new Refusal("--apt needs apt-get", "it works on Debian and its kin");
  if (process.getuid?.() !== 0) throw new Refusal("only root can install into a root", "use sudo");
  if (!existsSync(join(root, "usr/bin/dpkg"))) {
    throw new Refusal(`${root} has no dpkg of its own`, "--apt works in a root of Debian");
  }
  requirePrivateMounts();
  mkdirSync(options.scratch, { recursive: true });
  dropOrphans(options.scratch);
  const directory = mkdtempSync(join(options.scratch, `.harvest-${ownerName()}-`));
  const mounts: string[] = [];
  const mount = async (words: readonly string[], target: string) => {
    // First, since a signal may come before the mount is told of.
    mounts.unshift(target);
    await run(["mount", ...words, target]);
  };
  const discard = () => {
    for (const target of mounts.splice(0)) Bun.spawnSync(["umount", "--lazy", target]);
    removeScratch(directory);
  };
  const finish = markUnfinished(directory, discard);
  try {
    const archives = resolve(options.cache ?? join(directory, "archives"));
    const fetched = await fetch(resolve(root), names, archives, options);
    const [upper, workDirectory, merged] = ["upper", "work", "root"].map((name) =>
      join(directory, name),
    );
    // The upper one is what the root's own directory looks like.
    for (const made of [upper, workDirectory, merged]) makeOwn(made ?? "");
    const place = merged ?? "";
    const layers = `lowerdir=${resolve(root)},upperdir=${upper},workdir=${workDirectory}`;
    await mount(["--types", "overlay", "--options", layers, "overlay"], place);
    await install(place, fetched, options, mount);
    return await work(place);
  } finally {
    discard();
    finish();
  }
}

/** What a harvest that was killed could not remove: its process is in the name. */
function dropOrphans(scratch: string): void {
  const own = new RegExp(`^\\.harvest-(${OWNER})-[A-Za-z0-9]{6}$`);
  for (const name of readdirSync(scratch)) {
    const owner = own.exec(name)?.[1];
    if (owner !== undefined && isDead(owner)) removeScratch(join(scratch, name));
  }
}

/** What is still mounted below stays, /dev of this machine before all: no other file system is entered. */
export function removeScratch(directory: string): void {
  Bun.spawnSync(["rm", "--recursive", "--force", "--one-file-system", "--", directory]);
}

interface Fetched {
  /** The directory. */
  readonly archives: string;
  /** Names of files in it, in the order in which apt would install them. */
  readonly debs: readonly string[];
}

/** Chooses and fetches. */
async function fetch(
  root: string,
  names: readonly string[],
  archives: string,
  { configuration }: AptOptions,
): Promise<Fetched> {
  mkdirSync(join(archives, "partial"), { recursive: true });
  const apt = [
    ...["env", ...(configuration === undefined ? [] : [`APT_CONFIG=${resolve(configuration)}`])],
    ...["apt-get", "--yes", "--quiet", "--no-install-recommends"],
    // The root's own state; of this machine's apt only where packages come from.
    ...["-o", `Dir::State::status=${root}/var/lib/dpkg/status`],
    ...["-o", `Dir::State::extended_states=${root}/var/lib/apt/extended_states`],
    ...["-o", `Dir::Cache::archives=${archives}`, "-o", "Dir::Cache::pkgcache="],
    ...[
      "-o",
      "Dir::Cache::srcpkgcache=",
      "-o",
      "Debug::NoLocking=true",
      "-o",
      "APT::Sandbox::User=root",
    ],
  ];
  try {
    await run([...apt, "--download-only", "install", ...names], { timeoutMs: MOST_MS });
    const plan = await query([...apt, "--simulate", "install", ...names], { timeoutMs: MOST_MS });
    return { archives, debs: debsOf(plan) };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new Refusal(
      `apt cannot fetch ${names.join(", ")}: ${error.stderrTail.trim().split("\n").at(-1) ?? ""}`,
      "apt-get update; the root and this machine's apt must be of one release",
    );
  }
}

/** The files that `apt-get --simulate` would install, called as in apt's cache. */
export function debsOf(plan: string): string[] {
  return [...plan.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) .*\[(\w+)\]\)/gm)].map(
    ([, name = "", version = "", architecture = ""]) =>
      `${name.split(":")[0]}_${version.replaceAll(":", "%3a").replaceAll("_", "%5f")}_${architecture}.deb`,
  );
}

/** Links are followed here before anything runs in the root. @throws Refusal naming one that leads out of it */
export function checkPlaces(root: string): void {
  const inside = `${realpathSync(root)}/`;
  for (const place of [...MOUNTED, ...WRITTEN]) {
    const names = place.split("/");
    for (const part of names.map((_, index) => names.slice(0, index + 1).join("/"))) {
      const path = join(root, part);
      if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
      if (realpathOf(path)?.startsWith(inside) === true) continue;
      throw new Refusal(
        `/${part} of the root is a link to ${readlinkSync(path)}, which leads out of it from here`,
        "make it a directory, or a link without / in front",
      );
    }
  }
}

function realpathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Never through a link that lies there. */
export function forbidServices(root: string): void {
  const file = join(root, "usr/sbin/policy-rc.d");
  rmSync(file, { force: true });
  writeFileSync(file, "#!/bin/sh\nexit 101\n", { mode: 0o755, flag: "wx" });
}

/** Where the fetched files are seen inside the root. */
const DEBS = "tmp/debs";

async function install(
  root: string,
  { archives, debs }: Fetched,
  { log }: AptOptions,
  mount: (words: readonly string[], target: string) => Promise<void>,
): Promise<void> {
  checkPlaces(root);
  for (const name of MOUNTED) mkdirSync(join(root, name), { recursive: true });
  await mount(["--types", "proc", "proc"], join(root, "proc"));
  await mount(["--bind", "/dev"], join(root, "dev"));
  await mount(["--types", "tmpfs", "tmpfs"], join(root, "tmp"));
  await mount(["--types", "tmpfs", "tmpfs"], join(root, "run"));
  mkdirSync(join(root, DEBS));
  await mount(["--bind", archives], join(root, DEBS));
  forbidServices(root);
  if (debs.length === 0) return;
  // The root's own dpkg, so that names of users and groups mean the root's. Neither it nor what scripts leave running outlives
  // us, or its end: the first process of a namespace takes all of it along. That is not dpkg itself, since scripts find
  // out by the first process that they are in another root.
  const dpkg = [
    ...["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child"],
    ...[`--mount-proc=${join(root, "proc")}`, "unshare", "--fork"],
    ...["chroot", root, "/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "INITRD=No"],
    ...["DEBCONF_NONINTERACTIVE_SEEN=true", "dpkg", "--force-unsafe-io", "--force-confdef"],
    ...["--force-confold", "--skip-same-version"],
  ];
  const argv = [...dpkg, "--install", ...debs.map((name) => `/${DEBS}/${name}`)];
  const options = { timeoutMs: MOST_MS, ...(log ? { log } : {}) };
  for (let pass = 1; ; pass += 1) {
    try {
      await run(argv, options);
      return;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (pass === MOST_PASSES) {
        throw new Failure(
          `dpkg could not install the packages: ${tellErrors(error.stderrTail)}`,
          "the root itself was not changed",
        );
      }
      // Pre-Depends want one configured before the next is unpacked; dpkg has taken what it could.
      await run([...dpkg, "--configure", "--pending"], options).catch(() => undefined);
    }
  }
}

function tellErrors(text: string): string {
  const lines = text
    .trim()
    .split("\n")
    .filter((line) => !/already installed, skipping$/.test(line));
  return lines
    .slice(-8)
    .map((line) => line.trim())
    .join("; ");
}
