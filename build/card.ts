/*
 * The card: golden, the rescue system and GRUB, put together into dist/card.img.
 * Owns: the order of the work, where the products lie, and the command line (USAGE below).
 */
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { EXIT, messageOf, Refusal, UsageError } from "../src/errors.ts";
import { type CardDescription, parseCard } from "../src/model/card.ts";
import { checkConfig, type Config } from "../src/model/config.ts";
import { printSize } from "../src/model/size.ts";
import { VERSION } from "../src/version.ts";
import { assemble, type CardFiles } from "./assemble.ts";
import { bundledOrigin, type BundleWords } from "./bundled.ts";
import { digestOf, DIST, REPOSITORY } from "./cache.ts";
import { run, told } from "./command.ts";
import { DISK_FORMATS, type DiskFormat, formatOfName, isDiskFormat, makeDisk } from "./disk.ts";
import { makeExecutable } from "./executable.ts";
import { withLock } from "./lock.ts";
import { broughtOrigin, type Origin, packagedOrigin, type RootName } from "./origin.ts";
import { digestOfSources, goldenOf, grubOf, rescueOf } from "./parts.ts";

export interface CardOptions {
  readonly lab: boolean;
  /** Which of our own roots; default: golden. */
  readonly root?: RootName;
  /** A root that somebody brings instead: directory or tar. */
  readonly from?: string;
  /** A bundle instead, of which this device's packages become golden. */
  readonly bundle?: BundleWords;
  /** A virtual disk beside the raw image: its format, and where it goes; default card.FORMAT beside the image. */
  readonly format?: DiskFormat;
  readonly disk?: string;
  /** Default: build/zshield.toml. */
  readonly config?: string;
  /** Folder of the products; default below dist/, see folderOf. */
  readonly out?: string;
  /** Whether systemd runs in the rescue initramfs; default: yes. */
  readonly systemd?: boolean;
  /** Whether card.img.zst is made too; default: for a card that is shipped. */
  readonly packed?: boolean;
}

export interface CardProducts extends CardFiles {
  readonly description: CardDescription;
  /** The virtual disk, if one was asked for. */
  readonly disk?: string;
}

/** Makes what is missing or out of date. @throws Refusal if the inputs do not make a card. */
export async function makeCard(options: CardOptions): Promise<CardProducts> {
  if (process.getuid?.() !== 0) {
    throw new Refusal(
      "only root can make a card (owners of files, loop mounts)",
      "sudo npm run card",
    );
  }
  const config = await readConfig(options.config ?? path.join(REPOSITORY, "build/zshield.toml"));
  return withLock(path.join(DIST, "cache/card.lock"), async () => {
    const products = await makeLocked(options, config);
    if (options.format === undefined && options.disk === undefined) return products;
    const format = options.format ?? formatOfName(options.disk ?? "");
    const disk = path.resolve(options.disk ?? path.join(products.directory, `card.${format}`));
    await makeDisk(products.image, disk, format);
    return { ...products, disk };
  });
}

async function originOf(options: CardOptions, executable: string): Promise<Origin> {
  if (options.bundle !== undefined) return bundledOrigin(options.bundle);
  if (options.from !== undefined) return broughtOrigin(options.from);
  return packagedOrigin(options.root ?? "golden", options.lab, executable);
}

async function makeLocked(options: CardOptions, config: ReadConfig): Promise<CardProducts> {
  // Programs in the roots make files too; the umask of the person must not decide their modes.
  process.umask(0o022);
  const executable = await makeExecutable();
  const origin = await originOf(options, executable);
  const grub = await grubOf(config.checked);
  const rescue = await rescueOf(origin, executable, options.systemd ?? true);
  const golden = await goldenOf(origin);

  const directory = folderOf(options);
  const packed = options.packed ?? !options.lab;
  const recipe = await digestOfSources(["card.ts", "assemble.ts", "image.ts", "cpio.ts"]);
  const key = digestOf([
    recipe,
    VERSION,
    options.lab,
    config.text,
    grub.name,
    grub.boot,
    rescue,
    golden.key,
    packed,
  ]);
  const products = productsIn(directory);
  const stamp = path.join(directory, ".stamp");
  if ((await readText(stamp)) === `${key} ${await sizeAndTime(products.image)}`) {
    return {
      ...products,
      description: parseCard(await readFile(path.join(directory, "card.json"), "utf8")),
    };
  }
  await mkdir(directory, { recursive: true });
  await rm(stamp, { force: true });
  const description = await assemble({
    products,
    config: config.text,
    grub,
    rescue,
    golden,
    lab: options.lab,
  });
  const { image } = products;
  if (packed) {
    await told("card.img.zst", () =>
      run([...["zstd", "--quiet", "--force", "-6", "-T0"], ...[image, "-o", `${image}.zst`]]),
    );
  }
  await writeFile(stamp, `${key} ${await sizeAndTime(products.image)}`);
  return { ...products, description };
}

function productsIn(directory: string): CardFiles {
  return {
    directory,
    image: path.join(directory, "card.img"),
    manifest: path.join(directory, "golden.manifest"),
    rescue: {
      vmlinuz: path.join(directory, "rescue/vmlinuz"),
      initramfs: path.join(directory, "rescue/initramfs.img"),
    },
  };
}

/** dist/ for the card that is shipped, dist/lab/ for its lab twin, a folder below for any other. */
function folderOf(options: CardOptions): string {
  const { lab, root = "golden", from, bundle, out, systemd = true } = options;
  if (out !== undefined) return path.resolve(out);
  const brought = from ?? bundle?.file;
  const name = brought === undefined ? root : `from-${path.basename(path.resolve(brought))}`;
  const variant = systemd ? name : `${name}-plain`;
  return path.join(DIST, ...(lab ? ["lab"] : []), ...(variant === "golden" ? [] : [variant]));
}

interface ReadConfig {
  readonly text: string;
  readonly checked: Config;
}

async function readConfig(file: string): Promise<ReadConfig> {
  const text = await readFile(file, "utf8").catch(() => {
    throw new Refusal(`there is no ${file}`, "--config takes a zshield.toml");
  });
  try {
    return { text, checked: checkConfig(Bun.TOML.parse(text)) };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`${file} is not TOML: ${String(error)}`);
  }
}

async function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}

async function sizeAndTime(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  return found ? `${found.size} ${found.mtimeMs}` : "";
}

const USAGE = `usage: npm run card -- [--lab] [--root golden|small|classic] [--from DIR|TAR]
       npm run card -- --bundle FILE.upt --key FILE.pub… --device RECORD [--platform NAME]
  --lab           for tests only: root logs in by itself on the serial console
  --root NAME     which of our own roots becomes golden (golden)
  --from PATH     a root of yours instead: a directory, or a tar of one
  --bundle FILE   a bundle instead: golden is what this device takes of it, as zshield bundle root makes it
  --format NAME   a virtual disk too: raw, qcow2, vmdk or vhdx, as card.NAME beside card.img
  --disk FILE     where that goes instead; without --format the name's ending says what it is
  --config FILE   the disk layout (build/zshield.toml)
  --out DIR       where to put the card (dist/, dist/lab/, …)
  --plain         no systemd in the rescue system
  --strict        refuse if the mirror no longer has a package of debian.lock`;

/** @throws UsageError */
export function parseArguments(words: readonly string[]): CardOptions {
  const { lab, plain, root, from, config, out, format, disk, ...rest } = readWords(words);
  const bundle = bundleOf(rest);
  if (root !== undefined && root !== "golden" && root !== "small" && root !== "classic") {
    throw new UsageError(`there is no root “${root}”: golden, small or classic`);
  }
  if (from !== undefined && root !== undefined) {
    throw new UsageError("--from and --root name two different roots");
  }
  if (bundle !== undefined && (from !== undefined || root !== undefined)) {
    throw new UsageError("--bundle names a root of its own: without --from and --root");
  }
  if (format !== undefined && !isDiskFormat(format)) {
    throw new UsageError(`there is no format “${format}”: ${DISK_FORMATS.join(", ")}`);
  }
  return {
    lab,
    systemd: !plain,
    ...(bundle === undefined ? {} : { bundle }),
    ...(format === undefined ? {} : { format }),
    ...(disk === undefined ? {} : { disk }),
    ...(root === undefined ? {} : { root }),
    ...(from === undefined ? {} : { from }),
    ...(config === undefined ? {} : { config }),
    ...(out === undefined ? {} : { out }),
  };
}

interface BundleValues {
  readonly bundle?: string | undefined;
  readonly key?: readonly string[] | undefined;
  readonly device?: string | undefined;
  readonly platform?: string | undefined;
}

function bundleOf({ bundle: file, key, device, platform }: BundleValues): BundleWords | undefined {
  if (file === undefined) {
    if (key === undefined && device === undefined && platform === undefined) return undefined;
    throw new UsageError("--key, --device and --platform are of a --bundle");
  }
  if (key === undefined || device === undefined) {
    throw new UsageError("--bundle needs --key FILE.pub and --device RECORD");
  }
  return { file, keys: key, device, platform };
}

function readWords(words: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        lab: { type: "boolean", default: false },
        plain: { type: "boolean", default: false },
        // build/debian.ts looks for it itself.
        strict: { type: "boolean", default: false },
        root: { type: "string" },
        from: { type: "string" },
        config: { type: "string" },
        out: { type: "string" },
        bundle: { type: "string" },
        key: { type: "string", multiple: true },
        device: { type: "string" },
        platform: { type: "string" },
        format: { type: "string" },
        disk: { type: "string" },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

async function main(words: readonly string[]): Promise<number> {
  try {
    if (words.includes("--help")) {
      console.log(USAGE);
      return EXIT.ok;
    }
    const { image, disk, description } = await makeCard(parseArguments(words));
    const { size, blocks } = await stat(image);
    console.log(
      `${path.relative(process.cwd(), image)}: ${printSize(size)}, ${printSize(blocks * 512)} of data`,
    );
    if (disk !== undefined) {
      const { size: bytes } = await stat(disk);
      console.log(`${path.relative(process.cwd(), disk)}: ${printSize(bytes)}`);
    }
    console.log(`zshield ${description.version}, kernel ${description.golden.kernels.at(-1)}`);
    if (description.lab) console.log("LAB: root needs no password on this card. Never ship it.");
    return EXIT.ok;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n${USAGE}`);
      return EXIT.usage;
    }
    if (error instanceof Refusal) {
      console.error(error.message + (error.hint === "" ? "" : `\n  ${error.hint}`));
      return EXIT.refused;
    }
    throw error;
  }
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
