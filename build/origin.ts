/*
 * Where golden comes from: a root that we make of Debian packages, or any root that somebody brings
 * (`--from`), a directory or a tar (of a bundle: bundled.ts). What does not fit is refused here, before anything is made.
 * Owns: the checks, and the key under which everything made of that root is kept.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { Refusal } from "../src/errors.ts";
import { readTree } from "../src/host/tree.ts";
import { cacheDirectory, digestOf, keepTree, removeAtOnce } from "./cache.ts";
import { run, told } from "./command.ts";
import { rootEpoch } from "./debian.ts";
import { makeGolden } from "./golden.ts";

export type RootName = "golden" | "small" | "classic";

export interface Origin {
  /** Stands for the content of the tree: equal keys, equal trees. */
  readonly key: string;
  /** Never to be changed. */
  readonly tree: string;
  /** Seconds since 1970; undefined: the newest time in the tree. */
  readonly epoch: number | undefined;
  /** Versions of the kernels, oldest first. */
  readonly kernels: readonly string[];
  /** How GRUB's configuration inside root is made. */
  readonly updateGrub: readonly string[];
}

/** Golden of our own. */
export async function packagedOrigin(
  root: RootName,
  lab: boolean,
  executable: string,
): Promise<Origin> {
  const tree = await makeGolden({ root, lab, executable });
  const epoch = await rootEpoch(root);
  return { key: path.basename(tree), tree, epoch, ...(await describeRoot(tree)) };
}

/** A root that somebody brings. @throws Refusal if it cannot become a golden. */
export async function broughtOrigin(from: string): Promise<Origin> {
  const stats = await stat(from).catch(() => undefined);
  if (!stats) throw new Refusal(`there is no ${from}`, "--from takes a directory or a tar file");
  const epoch = epochOfEnvironment();
  if (stats.isDirectory()) {
    await refuseMounts(from);
    const entries = await readTree(from, { hash: false });
    const key = `from-${digestOf([entries, epoch])}`;
    return { key, tree: from, epoch, ...(await describeRoot(from)) };
  }
  const key = `from-${digestOf([path.resolve(from), stats.size, stats.mtimeMs, epoch])}`;
  const tree = path.join(cacheDirectory("from"), key);
  if (!existsSync(tree)) await told(`unpacking ${from}`, () => unpack(from, tree));
  return { key, tree, epoch, ...(await describeRoot(tree)) };
}

function epochOfEnvironment(): number | undefined {
  const text = process.env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return undefined;
  if (!/^\d+$/.test(text))
    throw new Refusal(`SOURCE_DATE_EPOCH is “${text}”, not a number of seconds`);
  return Number(text);
}

async function unpack(archive: string, tree: string): Promise<void> {
  // One is enough: they are large.
  await removeAtOnce(path.dirname(tree));
  const work = `${tree}.new`;
  await mkdir(work, { recursive: true });
  try {
    await run([
      ...[
        "tar",
        "--extract",
        "--numeric-owner",
        "--preserve-permissions",
        "--same-owner",
        "--sparse",
      ],
      ...["--xattrs", "--xattrs-include=*", "--acls", "--file", archive, "--directory", work],
    ]).catch((error: unknown) => {
      throw new Refusal(
        `cannot unpack ${archive}: ${String(error)}`,
        "is it a tar of a whole root?",
      );
    });
    await keepTree(work, tree);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What is mounted below would become part of golden. */
async function refuseMounts(directory: string): Promise<void> {
  const below = `${path.resolve(directory)}/`;
  const points = (await readFile("/proc/self/mountinfo", "utf8"))
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  const found = points.find((point) => point.startsWith(below));
  if (found !== undefined) {
    throw new Refusal(`something is mounted inside the root: ${found}`, `umount ${found}`);
  }
}

/** What a golden must have, beside names that are UTF-8 (host/tree.ts sees to that). */
export async function describeRoot(tree: string): Promise<Pick<Origin, "kernels" | "updateGrub">> {
  const boot = await namesIn(path.join(tree, "boot"));
  const images = boot.filter((name) => name.startsWith("vmlinuz-")).map((name) => name.slice(8));
  // A rescue image is for the machine that it was made on.
  const candidates = images.filter((version) => !version.includes("rescue"));
  if (candidates.length === 0) {
    throw new Refusal(
      `${tree} has no kernel: no /boot/vmlinuz-…`,
      "install a kernel into the root",
    );
  }
  const kernels: string[] = [];
  for (const version of candidates) {
    const initramfs = [`initrd.img-${version}`, `initramfs-${version}.img`, `initrd-${version}`];
    if (!existsSync(path.join(tree, "lib/modules", version))) continue;
    if (!initramfs.some((name) => boot.includes(name))) {
      throw new Refusal(
        `${tree} has no initramfs for kernel ${version} in /boot; root on LVM cannot be mounted without`,
        "make one inside the root, with lvm2 and the dm-snapshot module in it",
      );
    }
    kernels.push(version);
  }
  if (kernels.length === 0) {
    throw new Refusal(
      `${tree} has kernels (${candidates.join(", ")}) but modules for none of them in /lib/modules`,
      "install the kernel's modules into the root",
    );
  }
  kernels.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return { kernels, updateGrub: findGrubTool(tree) };
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

const GRUB_TOOLS = [
  { program: "update-grub", argv: ["update-grub"] },
  { program: "grub-mkconfig", argv: ["grub-mkconfig", "-o", "/boot/grub/grub.cfg"] },
  { program: "grub2-mkconfig", argv: ["grub2-mkconfig", "-o", "/boot/grub2/grub.cfg"] },
] as const;

function findGrubTool(tree: string): readonly string[] {
  for (const { program, argv } of GRUB_TOOLS) {
    const places = ["usr/sbin", "usr/bin", "sbin", "bin"];
    if (places.some((place) => existsSync(path.join(tree, place, program)))) return argv;
  }
  throw new Refusal(
    `${tree} cannot write a GRUB configuration: it has none of ${GRUB_TOOLS.map((t) => t.program).join(", ")}`,
    "install grub2-common (Debian, Ubuntu) or grub2-tools (Fedora, CentOS) into the root",
  );
}
