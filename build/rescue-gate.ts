/*
 * The gate behind which a rescue image is finished: the image itself is unpacked and tried, with
 * nothing of the build host but the kernel. Whatever dracut, a strip pass or a packaging change did on
 * the way, an image that cannot start the agent or one of its programs does not leave the build.
 * Owns: these checks. Changes nothing but the scratch directory that it is given.
 */
import { mkdir, readFile, readlink, stat } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { digestOfFile } from "./cache.ts";
import { insideRoot } from "./chroot.ts";
import { output, run } from "./command.ts";

const PROGRAM = "/usr/lib/zshield/zshield";
const LAUNCHER = "/usr/bin/zshield";
const LOADER = "/lib64/ld-linux-x86-64.so.2";
const SEARCH_PATH = ["usr/sbin", "usr/bin", "sbin", "bin"];

/** What must be there beside programs, and what must not: it would assemble volumes by itself. */
const PRESENT = [
  "etc/lvm/lvm.conf",
  "etc/mke2fs.conf",
  "etc/zshield",
  "usr/lib/zshield/stopped.sh",
];
const ABSENT = [
  "64-md-raid-assembly",
  "69-lvm",
  "69-dm-lvm",
  "64-lvm",
  "65-md-incremental",
  "90-zfs",
  "69-bcache",
];

/** Units that would open a shell or a login: shut by a link to /dev/null, or replaced by stopped.service. */
const SHUT = [
  "debug-shell.service",
  "console-getty.service",
  "getty@.service",
  "serial-getty@.service",
];
const REPLACED = ["emergency.service", "rescue.service", "dracut-emergency.service"];

/** @throws with every fault of the image, one a line. */
export async function checkRescue(
  image: string,
  executable: string,
  scratch: string,
): Promise<void> {
  await mkdir(scratch);
  const archive = `${scratch}.cpio`;
  await run(["zstd", "--quiet", "--decompress", image, "-o", archive]);
  await run(["cpio", "--quiet", "--extract", "--make-directories", "--file", archive], {
    cwd: scratch,
  });
  const faults = [
    ...(await executableFaults(scratch, executable)),
    ...(await toolFaults(scratch)),
    ...(await shellFaults(scratch)),
    ...PRESENT.filter((name) => !existsSync(path.join(scratch, name))).map(
      (name) => `/${name} is missing`,
    ),
    ...ABSENT.filter((name) =>
      existsSync(path.join(scratch, `usr/lib/udev/rules.d/${name}.rules`)),
    ).map((name) => `${name}.rules assembles volumes by itself`),
  ];
  if (faults.length > 0)
    throw new Error(`the rescue image is not fit for use:\n${faults.join("\n")}`);
}

async function executableFaults(tree: string, executable: string): Promise<string[]> {
  const inside = path.join(tree, PROGRAM);
  const faults: string[] = [];
  if ((await digestOfFile(inside)) !== (await digestOfFile(executable))) {
    faults.push(`${PROGRAM} is not the file that was put in: did something strip it?`);
  }
  if (((await stat(inside)).mode & 0o111) !== 0)
    faults.push(`${PROGRAM} is executable, so dracut strips it`);
  const expected = await output([executable, "--version"]);
  const said = await output([...insideRoot(tree), LAUNCHER, "--version"]).catch(String);
  if (said !== expected) faults.push(`${LAUNCHER} --version says ${JSON.stringify(said)}`);
  return faults;
}

/** Each is there, and everything that it is linked with is in the image too. */
async function toolFaults(tree: string): Promise<string[]> {
  const faults: string[] = [];
  for (const tool of (await output([...insideRoot(tree), LAUNCHER, "tools"])).trim().split("\n")) {
    const found = SEARCH_PATH.find((directory) => existsSync(path.join(tree, directory, tool)));
    if (found === undefined) faults.push(`${tool} is missing`);
    else {
      const list = [...insideRoot(tree), LOADER, "--list", `/${found}/${tool}`];
      const libraries = await output(list).catch(String);
      if (!libraries.includes("libc.so.6 => /")) faults.push(`${tool} does not run: ${libraries}`);
    }
  }
  return faults;
}

/** The ways from the kernel command line to a shell that systemd has. None where systemd is not in it. */
async function shellFaults(tree: string): Promise<string[]> {
  if (!existsSync(path.join(tree, "usr/lib/systemd/systemd"))) return [];
  const faults: string[] = [];
  for (const unit of SHUT) {
    const link = await readlink(path.join(tree, "etc/systemd/system", unit)).catch(() => "");
    if (link !== "/dev/null") faults.push(`${unit} is not shut`);
  }
  for (const unit of REPLACED) {
    const text = await readFile(path.join(tree, "etc/systemd/system", unit), "utf8").catch(
      () => "",
    );
    if (!text.includes("ExecStart=/usr/lib/zshield/stopped.sh boot")) {
      faults.push(`${unit} is not ours, and could open a shell`);
    }
  }
  const generator = "usr/lib/systemd/system-generators/systemd-run-generator";
  if (existsSync(path.join(tree, generator)))
    faults.push(`${generator} runs what systemd.run= says`);
  return faults;
}
