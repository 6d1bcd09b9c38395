/*
 * A vendor's project: product.toml, and for each platform mask.txt, boot files and packages, as trees or packed already.
 * Owns: where what lies, and refusing what does not belong there. Must not write anything but a new project.
 */
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync, statSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { Refusal, messageOf } from "../errors.ts";
import { readSmallFile } from "../host/new-file.ts";
import { PLATFORM, PLATFORM_EXPECTED } from "../model/bundle-manifest.ts";
import { MASK_FILE, parseMaskFile } from "../model/mask-file.ts";
import type { MaskName } from "../model/mask.ts";
import {
  comparePackages,
  NAME,
  NAME_EXPECTED,
  parsePackageName,
  PRODUCT,
  type PackageName,
} from "../model/package-name.ts";
import { checkProduct, PRODUCT_FILE, printProduct, type Product } from "../model/product-toml.ts";
import { IMAGE_ENDING } from "./image.ts";

/** What `build` makes, and `clean` removes but for released bundles. */
export const CACHE_DIRECTORY = "cache";
export const OUT_DIRECTORY = "out";
const PLATFORM_DIRECTORY = "platform";
const KINDS = ["base", "extra"] as const;

export interface ProjectFile {
  readonly name: string;
  readonly path: string;
}

export interface ProjectPackage {
  readonly name: PackageName;
  readonly kind: (typeof KINDS)[number];
  /** Of the tree, or of the image. */
  readonly path: string;
  readonly isPacked: boolean;
}

export interface ProjectPlatform {
  readonly name: string;
  readonly masks: readonly MaskName[];
  readonly boot: readonly ProjectFile[];
  /** In the manifest's order. */
  readonly packages: readonly ProjectPackage[];
}

export interface Project {
  readonly root: string;
  readonly product: Product;
  readonly platforms: readonly ProjectPlatform[];
  /** Seconds since 1970: of product.toml, mask.txt and boot files; not of packages. */
  readonly newest: number;
}

/** @throws Refusal if the directory is no project. */
export function projectRoot(directory: string): string {
  const root = resolve(directory);
  if (existsSync(join(root, PRODUCT_FILE))) return root;
  throw new Refusal(
    `${directory} holds no ${PRODUCT_FILE}`,
    "zshield bundle new DIR begins a project",
  );
}

/** @throws Refusal naming what is missing or does not belong there. */
export async function readProject(directory: string): Promise<Project> {
  const root = projectRoot(directory);
  const productFile = join(root, PRODUCT_FILE);
  const product = checkProduct(
    parseToml(await readPlainFile(productFile), productFile),
    productFile,
  );
  const names = list(join(root, PLATFORM_DIRECTORY));
  if (names.length === 0) throw new Refusal(`${directory} has no platform`);
  const platforms: ProjectPlatform[] = [];
  for (const name of names) platforms.push(await readPlatform(root, name));
  const files = [
    productFile,
    ...platforms.flatMap(({ name, boot }) => [
      join(root, PLATFORM_DIRECTORY, name, MASK_FILE),
      ...boot.map(({ path }) => path),
    ]),
  ];
  const newest = Math.max(...files.map((path) => Math.floor(statSync(path).mtimeMs / 1000)));
  return { root, product, platforms, newest };
}

async function readPlatform(root: string, name: string): Promise<ProjectPlatform> {
  const path = join(root, PLATFORM_DIRECTORY, name);
  if (!PLATFORM.test(name)) {
    throw new Refusal(`${path}: a platform is called by ${PLATFORM_EXPECTED}`);
  }
  const known = [MASK_FILE, "boot", ...KINDS];
  const other = list(path).find((entry) => !known.includes(entry));
  if (other !== undefined) {
    throw new Refusal(`${join(path, other)} does not belong there`, `known: ${known.join(", ")}`);
  }
  const maskFile = join(path, MASK_FILE);
  if (!existsSync(maskFile)) {
    throw new Refusal(`${maskFile} is missing`, "an empty one names no bits");
  }
  return {
    name,
    masks: parseMaskFile(await readPlainFile(maskFile), maskFile),
    boot: list(join(path, "boot")).map((entry) => bootFile(join(path, "boot"), entry)),
    packages: onlyOnce(KINDS.flatMap((kind) => packagesIn(join(path, kind), kind))),
  };
}

/** @throws Refusal if a name stands for two packages, also of `base` and `extra`. */
function onlyOnce(packages: ProjectPackage[]): ProjectPackage[] {
  for (const [index, { name, path }] of packages.entries()) {
    const twice = packages.slice(0, index).find((other) => other.name.name === name.name);
    if (twice) throw new Refusal(`${path} and ${twice.path} are the same package`, "remove one");
  }
  return packages;
}

/** A pipe would be waited for. @throws Refusal */
async function readPlainFile(path: string): Promise<string> {
  if (!statSync(path).isFile()) throw new Refusal(`${path} is no file`);
  return readSmallFile(path);
}

function bootFile(directory: string, name: string): ProjectFile {
  const path = join(directory, name);
  if (!NAME.test(name)) throw new Refusal(`${path}: a boot file is called by ${NAME_EXPECTED}`);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile() || stats.size === 0) throw new Refusal(`${path} is no file, or is empty`);
  return { name, path };
}

function packagesIn(directory: string, kind: ProjectPackage["kind"]): ProjectPackage[] {
  const packages = list(directory).map((entry): ProjectPackage => {
    const path = join(directory, entry);
    const isPacked = entry.endsWith(IMAGE_ENDING);
    // Undefined of a link to nothing.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (isPacked ? !stats?.isFile() : !stats?.isDirectory()) {
      throw new Refusal(
        `${path} is no package`,
        `packages are directories, or images called NAME${IMAGE_ENDING}`,
      );
    }
    const name = isPacked ? basename(entry, IMAGE_ENDING) : entry;
    return { name: parseName(name, path), kind, path: realpathSync(path), isPacked };
  });
  return packages.toSorted((a, b) => comparePackages(a.name, b.name));
}

function parseName(name: string, path: string): PackageName {
  try {
    return parsePackageName(name);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(`${path}: ${error.message}`, error.hint);
  }
}

/** Sorted, without what is hidden. */
function list(directory: string): string[] {
  try {
    const names = readdirSync(directory).filter((name) => !name.startsWith("."));
    return names.toSorted((a, b) => (a < b ? -1 : 1));
  } catch (error) {
    throw new Refusal(`${directory} cannot be read: ${messageOf(error)}`);
  }
}

function parseToml(text: string, path: string): unknown {
  try {
    return Bun.TOML.parse(text);
  } catch (error) {
    throw new Refusal(`${path} is not TOML: ${messageOf(error)}`);
  }
}

/** Begins a project. @throws Refusal if the directory holds anything. */
export async function makeProject(directory: string): Promise<void> {
  const isThere = existsSync(directory);
  if (isThere && readdirSync(directory).length > 0) {
    throw new Refusal(`${directory} is not empty`, "name a directory of its own for the project");
  }
  try {
    await fillProject(directory);
  } catch (error) {
    // Half of one would be in the way of the next try.
    for (const name of isThere ? readdirSync(directory) : [""]) {
      rmSync(join(directory, name), { recursive: true, force: true });
    }
    throw error;
  }
}

async function fillProject(directory: string): Promise<void> {
  const platform = join(directory, PLATFORM_DIRECTORY, "x86_64");
  for (const part of ["boot", ...KINDS]) {
    mkdirSync(join(platform, part), { recursive: true });
    // Else it would be lost in git.
    await writeFile(join(platform, part, ".gitkeep"), "");
  }
  await mkdir(directory, { recursive: true });
  const name = basename(resolve(directory));
  const product: Product = {
    vendor: "vendor",
    product: PRODUCT.test(name) ? name : "product",
    major: 1,
    release: 1,
    securityFloor: 0,
  };
  const files = {
    [join(directory, PRODUCT_FILE)]: printProduct(product),
    [join(directory, ".gitignore")]: `/${CACHE_DIRECTORY}/\n/${OUT_DIRECTORY}/\n`,
    [join(directory, "README.md")]: README,
    [join(platform, MASK_FILE)]: MASKS,
  };
  for (const [path, text] of Object.entries(files)) await writeFile(path, text);
}

const MASKS = `# What a device can be allowed: a bit from 0 to 20, a name, a description. For example:
# 0 video records video
`;

const README = `# A product for zshield

- \`${PRODUCT_FILE}\`: which product this is, and which release. Count \`release\` up with each bundle that leaves the house.
- \`platform/x86_64/${MASK_FILE}\`: what your own bits of a mask are called. Another platform is another directory beside it.
- \`platform/x86_64/boot\`: kernel, initramfs, what the boot loader needs.
- \`platform/x86_64/base\`: packages that every start needs; the system does not start without them.
- \`platform/x86_64/extra\`: packages that start one after the other once the base is up; one that fails takes no other down.

A package is a directory called like \`nvr-1.0.8.1-7.2-000000\` (name, program version, system version, sequence, revision, mask), with
the files as they will lie on the device, and \`__zshield/package.toml\`; or an image that is packed already, called the same with \`${IMAGE_ENDING}\`.

    zshield key new --out ../vendor                    # once, outside of the project; keep ../vendor.key and its password
    zshield package new platform/x86_64/base/NAME      # begins a package
    zshield bundle build . --key ../vendor.key         # ${OUT_DIRECTORY}/PRODUCT-MAJOR.SUM.MMDD.upt
    zshield bundle verify ${OUT_DIRECTORY}/*.upt --key ../vendor.pub
    zshield bundle clean .                             # removes ${CACHE_DIRECTORY}/ and ${OUT_DIRECTORY}/; released bundles stay
`;
