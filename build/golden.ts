/*
 * The golden root: a Debian root of build/debian.ts plus what makes it an appliance of ours (files
 * under build/golden/, its own initramfs, the zshield program). Owns: makeGolden and its cache.
 * Must not know how the tree gets onto a card.
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { Refusal } from "../src/errors.ts";
import {
  cacheDirectory,
  digestOf,
  digestOfFile,
  dropUnused,
  keepTree,
  markUsed,
  REPOSITORY,
} from "./cache.ts";
import { asProgram, run, told } from "./command.ts";
import { makeRoot, rootDigest, rootEpoch } from "./debian.ts";
import { makeExecutable } from "./executable.ts";
import { clampTimes } from "./tree.ts";

export interface GoldenChoice {
  readonly root: "golden" | "small" | "classic";
  /** Root logs in by itself on the serial console. For tests only. */
  readonly lab: boolean;
  /** Path of dist/zshield. */
  readonly executable: string;
}

const FILES = path.join(REPOSITORY, "build/golden");
const CHROOT = path.join(REPOSITORY, "build/chroot.sh");
const LAUNCHER = path.join(REPOSITORY, "dracut/50zshield/zshield.sh");
const CONFIGURATION = path.join(REPOSITORY, "build/zshield.toml");
/** To be changed when this file makes another tree of the same inputs. */
const RECIPE = 3;

/** Units that an appliance does not need, and that cost time at each start. */
const MASKED = [
  ...["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"],
  ...["e2scrub_reap.service", "fstrim.timer", "systemd-networkd-wait-online.service"],
  ...["systemd-pstore.service", "blk-availability.service", "lvm2-lvmpolld.socket"],
  "getty-static.service",
];

/** Files below build/golden that are programs begin with one of these. */
const PROGRAMS = ["usr/bin/", "usr/lib/zshield/lab-booted", "usr/lib/zshield/factory-tests.d/"];

const TIMERS = ["zshield-backup.timer", "zshield-check.timer"];

/** Returns the directory of the finished tree: cached, so the caller must not change it. */
export async function makeGolden(choice: GoldenChoice): Promise<string> {
  const name = `${choice.root}${choice.lab ? "-lab" : ""}`;
  const directory = path.join(cacheDirectory("golden"), `${name}-${await goldenDigest(choice)}`);
  if (existsSync(directory)) {
    await markUsed(directory);
    return directory;
  }
  if (process.getuid?.() !== 0) {
    throw new Refusal("only root can make a golden system (chroot, owners)", "sudo npm run card");
  }
  await mkdir(path.dirname(directory), { recursive: true });
  const work = await mkdtemp(path.join(path.dirname(directory), "making-"));
  try {
    const tree = path.join(work, "tree");
    await told(`golden “${name}”`, () => fill(tree, choice));
    await markUsed(directory);
    // Another build may have been quicker; what it made is the same.
    await keepTree(tree, directory).catch((error: unknown) => {
      if (!existsSync(directory)) throw error;
    });
    await dropUnused(path.dirname(directory));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return directory;
}

async function goldenDigest(choice: GoldenChoice): Promise<string> {
  const files = choice.root === "small" ? [CHROOT] : [choice.executable, LAUNCHER, CHROOT];
  if (existsSync(CONFIGURATION)) files.push(CONFIGURATION);
  for (const part of partsOf(choice)) files.push(...(await filesBelow(path.join(FILES, part))));
  const digests = await Promise.all(
    files.sort().map(async (file) => [path.relative(REPOSITORY, file), await digestOfFile(file)]),
  );
  return digestOf([RECIPE, await rootDigest(choice.root), choice.lab, MASKED, digests]);
}

/** Directories below build/golden that are laid over the root, in this order. */
function partsOf(choice: GoldenChoice): string[] {
  return [
    "all",
    choice.root === "classic" ? "initramfs-tools" : "dracut",
    ...(choice.root === "small" ? [] : ["zshield"]),
    ...(choice.root === "golden" ? ["network"] : []),
    ...(choice.lab ? ["lab"] : []),
  ];
}

async function fill(tree: string, choice: GoldenChoice): Promise<void> {
  await makeRoot(choice.root, tree);
  const epoch = await rootEpoch(choice.root);
  const inRoot = (...argv: string[]) =>
    run(["unshare", "--mount", "sh", CHROOT, tree, ...argv], {
      env: { SOURCE_DATE_EPOCH: String(epoch) },
    });
  for (const part of partsOf(choice)) await overlay(path.join(FILES, part), tree);
  // A third of the small root's size, which every test scenario copies and reads back.
  if (choice.root !== "small") {
    await install(choice.executable, path.join(tree, "usr/lib/zshield/zshield"), 0o755);
    await install(LAUNCHER, path.join(tree, "usr/bin/zshield"), 0o755);
    for (const hooks of ["backup.d", "alarm.d"]) {
      await mkdir(path.join(tree, "etc/zshield", hooks), { recursive: true, mode: 0o755 });
    }
    await inRoot("systemctl", "enable", "--quiet", ...TIMERS);
  }
  if (existsSync(CONFIGURATION)) {
    await install(CONFIGURATION, path.join(tree, "etc/zshield/zshield.toml"), 0o644);
  }
  await mkdir(path.join(tree, "boot/grub"), { recursive: true });
  await inRoot("systemctl", "mask", "--quiet", ...MASKED);
  await inRoot("systemctl", "set-default", "--quiet", "multi-user.target");
  if (choice.root === "golden") await inRoot("systemctl", "enable", "--quiet", "systemd-networkd");
  await inRoot("passwd", "--quiet", choice.lab ? "--delete" : "--lock", "root");
  for (const kernel of await readdir(path.join(tree, "lib/modules"))) {
    await inRoot("depmod", kernel);
    await inRoot(...initramfsCommand(choice.root, kernel));
  }
  await tidy(tree);
  await clampTimes(tree, epoch);
}

/** The distribution's own tool, configured by the files under build/golden. */
function initramfsCommand(root: GoldenChoice["root"], kernel: string): string[] {
  return root === "classic"
    ? ["update-initramfs", "-c", "-k", kernel]
    : ["dracut", "--quiet", "--force", `/boot/initrd.img-${kernel}`, kernel];
}

async function overlay(from: string, tree: string): Promise<void> {
  for (const file of await filesBelow(from)) {
    const place = path.relative(from, file);
    const isProgram = PROGRAMS.some((prefix) => place.startsWith(prefix));
    await install(file, path.join(tree, place), isProgram ? 0o755 : 0o644);
  }
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** The mode is said here, not taken from the work tree, where the umask of the person decides. */
async function install(from: string, to: string, mode: number): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true, mode: 0o755 });
  await copyFile(from, to);
  await chmod(to, mode);
}

/** What the programs above leave behind, and what each machine must have of its own. */
async function tidy(tree: string): Promise<void> {
  const gone = [
    ...["etc/ssh/ssh_host_*", "etc/*-", "var/lib/systemd/random-seed", "var/log/*.log"],
    ...["var/cache/ldconfig/aux-cache"],
  ];
  for (const pattern of gone) {
    for (const found of new Bun.Glob(pattern).scanSync({
      cwd: tree,
      dot: true,
      onlyFiles: false,
    })) {
      await rm(path.join(tree, found), { recursive: true, force: true });
    }
  }
  for (const emptied of ["dev", "run", "tmp", "var/tmp"]) {
    for (const name of await readdir(path.join(tree, emptied))) {
      await rm(path.join(tree, emptied, name), { recursive: true, force: true });
    }
  }
  await Bun.write(path.join(tree, "etc/machine-id"), "");
}

async function main(): Promise<void> {
  const [root = "small", kind] = process.argv.slice(2);
  if (root !== "golden" && root !== "small" && root !== "classic") {
    throw new Refusal(`no golden is called “${root}”`, "golden, small or classic");
  }
  console.log(await makeGolden({ root, lab: kind === "lab", executable: await makeExecutable() }));
}

if (import.meta.main) await asProgram(main);
