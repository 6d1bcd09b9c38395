/*
 * The rescue system: a kernel of golden's and an initramfs that dracut builds in a root of our own, so
 * that golden needs no dracut and the build host is not looked at. Works on copies; the trees that it
 * is given stay as they are, and nothing is mounted that outlives it.
 * Owns: how dracut is called. What the image must hold is said in dracut/50zshield, and judged on the
 * finished image by rescue-gate.ts.
 */
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { REPOSITORY } from "./cache.ts";
import { insideRoot } from "./chroot.ts";
import { run } from "./command.ts";
import { checkRescue } from "./rescue-gate.ts";

export { appendFiles } from "./cpio.ts";

export interface RescueOptions {
  /** A root with dracut-core and every program of `zshield tools`. */
  readonly rescueRoot: string;
  /** A tree with lib/modules/KVER and boot/vmlinuz-KVER. */
  readonly kernelRoot: string;
  /** dist/zshield */
  readonly executable: string;
  /** Where vmlinuz and initramfs.img are put. */
  readonly directory: string;
  /** Whether systemd runs inside the initramfs. */
  readonly systemd: boolean;
}

export interface Rescue {
  readonly vmlinuz: string;
  readonly initramfs: string;
  /** The kernel's version, as in lib/modules. */
  readonly kernel: string;
}

/** Every time stamp in the image that would be newer. Any constant does; times mean nothing in there. */
const EPOCH = 1_700_000_000;
const MODULES = ["dash", "base", "udev-rules", "terminfo", "rootfs-block", "fs-lib", "zshield"];
const SYSTEMD_MODULES = ["systemd", "systemd-initrd", "dracut-systemd"];
/** Inside the working copy; fixed, because dracut notes its parameters in the image. */
const IMAGE = "/boot/initramfs.img";
const LOG = "/boot/dracut.log";
const NO_CONFIGURATION = "/boot/dracut.conf.d";

/** @throws if dracut fails, or if the finished image does not pass its gate. */
export async function makeRescue(options: RescueOptions): Promise<Rescue> {
  await mkdir(options.directory, { recursive: true });
  const work = await mkdtemp(path.join(options.directory, ".rescue-"));
  try {
    const kernel = await newestKernel(options.kernelRoot);
    const root = path.join(work, "root");
    await prepareRoot(root, kernel, options);
    await runDracut(root, kernel, options.systemd);
    const image = path.join(root, IMAGE);
    await checkRescue(image, options.executable, path.join(work, "unpacked"));

    const vmlinuz = path.join(options.directory, "vmlinuz");
    const initramfs = path.join(options.directory, "initramfs.img");
    await copyFile(path.join(options.kernelRoot, "boot", `vmlinuz-${kernel}`), vmlinuz);
    await rename(image, initramfs);
    await chmod(initramfs, 0o644);
    return { vmlinuz, initramfs, kernel };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The newest that has both its modules and its image. @throws if there is none. */
async function newestKernel(kernelRoot: string): Promise<string> {
  const versions = await readdir(path.join(kernelRoot, "lib/modules"));
  const newest = versions
    .filter((version) => existsSync(path.join(kernelRoot, "boot", `vmlinuz-${version}`)))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .at(-1);
  if (newest === undefined)
    throw new Error(`${kernelRoot} has no kernel (boot/vmlinuz-…, lib/modules/…)`);
  return newest;
}

/** A copy of the rescue root with the kernel's modules, the executable and our dracut module in it. */
async function prepareRoot(root: string, kernel: string, options: RescueOptions): Promise<void> {
  await copyTree(options.rescueRoot, root);
  const modules = path.join(root, "usr/lib/modules", kernel);
  await mkdir(path.dirname(modules), { recursive: true });
  await copyTree(path.join(options.kernelRoot, "lib/modules", kernel), modules);
  if (!existsSync(path.join(modules, "modules.dep"))) {
    await run(["depmod", "--basedir", path.join(root, "usr"), kernel]);
  }
  // Says whether this kernel can unpack zstd.
  const config = path.join(options.kernelRoot, "boot", `config-${kernel}`);
  if (existsSync(config)) await copyFile(config, path.join(root, "boot", `config-${kernel}`));

  const library = path.join(root, "usr/lib/zshield");
  await mkdir(library, { recursive: true });
  await run(["install", "--mode=0755", options.executable, path.join(library, "zshield")]);
  const module = path.join(root, "usr/lib/dracut/modules.d/50zshield");
  await rm(module, { recursive: true, force: true });
  await cp(path.join(REPOSITORY, "dracut/50zshield"), module, { recursive: true });
  // Not what the umask of a checkout made of them.
  await run(["chmod", "--recursive", "u=rwX,go=rX", module]);
}

async function copyTree(from: string, to: string): Promise<void> {
  await run(["cp", "--archive", "--reflink=auto", "--no-target-directory", from, to]);
}

async function runDracut(root: string, kernel: string, systemd: boolean): Promise<void> {
  const modules = systemd ? [...SYSTEMD_MODULES, ...MODULES] : MODULES;
  await mkdir(path.join(root, NO_CONFIGURATION));
  await writeFile(path.join(root, LOG), "");
  const dracut = [
    ...["dracut", "--force", "--kver", kernel, "--tmpdir", "/tmp", "--logfile", LOG],
    // Nothing of the build host, nothing of the root's own configuration.
    ...["--conf", "/dev/null", "--confdir", NO_CONFIGURATION],
    ...["--no-hostonly", "--no-hostonly-cmdline", "--no-early-microcode"],
    ...["--nomdadmconf", "--nolvmconf", "--nofscks"],
    ...["--modules", modules.join(" ")],
    // A stripped Bun binary is a plain Bun; see also the mode in dracut/50zshield/module-setup.sh.
    ...["--nostrip", "--reproducible", "--compress", "zstd -12 --quiet --threads=0"],
    IMAGE,
  ];
  await run([...insideRoot(root), ...dracut], {
    env: { SOURCE_DATE_EPOCH: String(EPOCH) },
  });
  await tellRemarks(root);
}

/** What our dracut module remarked, for example which drivers this kernel does not have. */
async function tellRemarks(root: string): Promise<void> {
  const log = await readFile(path.join(root, LOG), "utf8");
  for (const [, remark] of log.matchAll(/^W: (zshield: .*)$/gm)) console.error(`build: ${remark}`);
}
