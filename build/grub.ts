/*
 * GRUB as it lies on card and disk: the directory that its prefix names (our configuration, every
 * module, the font), the two cores that look for it, and boot.img. Everything comes from the rescue
 * root's locked packages and from grub/, and grub-mkimage runs inside that root, so that the build
 * host's own GRUB plays no part. Owns: which modules are in the core, and the names of the files.
 */
import { copyFile, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { Refusal } from "../src/errors.ts";
import { MOST_CORE_BYTES } from "../src/model/boot-sector.ts";
import { REPOSITORY } from "./cache.ts";
import { describeFiles, digestOfFiles, type Files } from "./files.ts";
import { PASSWORD_FRAGMENT } from "./grub-password.ts";

export interface Grub {
  /** `grub-<16 hex>`, the digest of what is in it. */
  readonly name: string;
  /** Files by their path inside that directory. */
  readonly files: Files;
  /** Directory with boot.img, core.img and BOOTX64.EFI. */
  readonly bootDirectory: string;
  readonly boot: Files;
  readonly directory: string;
}

export const GRUB_SOURCES = path.join(REPOSITORY, "grub");
const PLATFORMS = ["i386-pc", "x86_64-efi"] as const;

/** What grub.cfg needs until the menu is shown; all else is loaded from the directory when used. */
const CORE_MODULES = [
  ...["part_gpt", "part_msdos", "fat", "normal", "configfile", "test", "true", "echo", "sleep"],
  ...[
    "loadenv",
    "hashsum",
    "gcry_sha256",
    "regexp",
    "probe",
    "serial",
    "terminal",
    "minicmd",
    "linux",
  ],
];
const PLATFORM_MODULES = { "i386-pc": ["biosdisk"], "x86_64-efi": ["efi_gop", "efi_uga"] } as const;

/**
 * `root`: a directory tree with GRUB's packages in it; `password`: the text of password.cfg. Writes
 * `grub-<16 hex>/` and `boot/` below `out`.
 */
export async function makeGrub(root: string, out: string, password: string): Promise<Grub> {
  const made = path.join(out, "new");
  await mkdir(path.join(made, "fonts"), { recursive: true });
  for (const name of await configurationFiles()) {
    await copyFile(path.join(GRUB_SOURCES, name), path.join(made, name));
  }
  await writeFile(path.join(made, PASSWORD_FRAGMENT), password);
  for (const platform of PLATFORMS) await copyModules(root, platform, path.join(made, platform));
  const font = path.join(root, "usr/share/grub/unicode.pf2");
  await copyFile(font, path.join(made, "fonts/unicode.pf2"));

  const files = await describeFiles(made);
  const name = `grub-${digestOfFiles(files)}`;
  const directory = path.join(out, name);
  await rename(made, directory);

  const bootDirectory = path.join(out, "boot");
  await mkdir(bootDirectory);
  await copyFile(
    path.join(root, "usr/lib/grub/i386-pc/boot.img"),
    path.join(bootDirectory, "boot.img"),
  );
  const core = path.join(bootDirectory, "core.img");
  await makeCore(root, "i386-pc", `(,gpt2)/zshield/${name}`, core);
  await makeCore(root, "x86_64-efi", `/zshield/${name}`, path.join(bootDirectory, "BOOTX64.EFI"));
  const { size } = Bun.file(core);
  if (size > MOST_CORE_BYTES) {
    throw new Refusal(`GRUB's core has ${size} bytes; there is room for ${MOST_CORE_BYTES}`);
  }
  return { name, directory, files, bootDirectory, boot: await describeFiles(bootDirectory) };
}

/** What makeGrub left in `out`. */
export async function readGrub(out: string): Promise<Grub> {
  const name = (await readdir(out)).find((entry) => entry.startsWith("grub-"));
  if (name === undefined) throw new Error(`there is no GRUB in ${out}`);
  const directory = path.join(out, name);
  const bootDirectory = path.join(out, "boot");
  const [files, boot] = await Promise.all([describeFiles(directory), describeFiles(bootDirectory)]);
  return { name, directory, files, bootDirectory, boot };
}

/** Names of our own fragments, sorted. */
export async function configurationFiles(): Promise<string[]> {
  return (await readdir(GRUB_SOURCES)).filter((name) => name.endsWith(".cfg")).sort();
}

async function copyModules(root: string, platform: string, target: string): Promise<void> {
  const source = path.join(root, "usr/lib/grub", platform);
  const names = await readdir(source).catch(() => {
    throw new Refusal(
      `there is no GRUB for ${platform} in ${root}`,
      "the rescue root needs grub-common, grub-pc-bin and grub-efi-amd64-bin (build/roots.ts)",
    );
  });
  await mkdir(target, { recursive: true });
  for (const name of names.filter((name) => /\.(mod|lst)$/.test(name)).sort()) {
    await copyFile(path.join(source, name), path.join(target, name));
  }
}

async function makeCore(
  root: string,
  platform: (typeof PLATFORMS)[number],
  prefix: string,
  file: string,
): Promise<void> {
  // The image goes to standard output, a file (grub-mkimage syncs it): nothing is written into the root.
  const child = Bun.spawn(
    [
      ...["chroot", root, "grub-mkimage", `--format=${platform}`],
      ...[`--directory=/usr/lib/grub/${platform}`, `--prefix=${prefix}`],
      ...CORE_MODULES,
      ...PLATFORM_MODULES[platform],
    ],
    {
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
      stdin: "ignore",
      stdout: Bun.file(file),
      stderr: "pipe",
    },
  );
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) {
    throw new Refusal(`grub-mkimage for ${platform} failed: ${said.trim()}`);
  }
}

/** What goes into the digest of GRUB's inputs besides the root: our own fragments' text. */
export async function configurationTexts(): Promise<[string, string][]> {
  const names = await configurationFiles();
  return Promise.all(
    names.map(async (name): Promise<[string, string]> => [
      name,
      await readFile(path.join(GRUB_SOURCES, name), "utf8"),
    ]),
  );
}
