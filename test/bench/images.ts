/*
 * Which file system a packed package should be: size, packing, reading, and how large a difference between two versions
 * is, for EROFS and squashfs. The trees are a golden root and the same with one file of twenty changed, or the two
 * directories that ZSHIELD_BENCH_TREES names (OLD:NEW).
 * Owns: what is measured. images-report.ts prints it. No virtual machine: loop devices of this one.
 */
import { closeSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeExecutable } from "../../build/executable.ts";
import { makeGolden } from "../../build/golden.ts";
import { writeErofs } from "../../src/bundle/erofs-write.ts";
import { readPackageTree } from "../../src/bundle/package-tree.ts";
import { command } from "../lab/command.ts";
import { rotate } from "./figures.ts";
import { reportImages, type Measured } from "./images-report.ts";
import type { Part } from "./part.ts";
import { changeTree } from "./changed-tree.ts";

interface Format {
  readonly name: string;
  readonly fileSystem: "erofs" | "squashfs";
  readonly isCompressed: boolean;
  make(tree: string, image: string): Promise<unknown>;
}

const erofs = (name: string, ...options: string[]): Format => ({
  name: `EROFS ${name}`,
  fileSystem: "erofs",
  isCompressed: options.length > 0,
  make: (tree, image) => quiet(["mkfs.erofs", "--quiet", ...options, image, tree]),
});

/** One processor for each, as mkfs.erofs and we have one. */
const squashfs = (name: string, ...options: string[]): Format => ({
  name: `squashfs ${name}`,
  fileSystem: "squashfs",
  isCompressed: name !== "uncompressed",
  make: (tree, image) =>
    quiet([
      ...["mksquashfs", tree, image, "-quiet", "-no-progress", "-noappend", "-xattrs"],
      ...["-processors", "1", ...options],
    ]),
});

const FORMATS: readonly Format[] = [
  {
    name: "EROFS, our own writer",
    fileSystem: "erofs",
    isCompressed: false,
    async make(tree, image) {
      const handle = openSync(image, "w+");
      const found = await readPackageTree(tree, { ownerRoot: false });
      await writeErofs(handle, found, (digest) => digest.slice(0, 32));
      closeSync(handle);
    },
  },
  erofs("uncompressed"),
  erofs("lz4", "-zlz4"),
  erofs("lz4hc", "-zlz4hc,9"),
  squashfs("zstd", "-comp", "zstd"),
  squashfs("lz4", "-comp", "lz4"),
  squashfs("uncompressed", "-noI", "-noD", "-noF", "-noX"),
];

export const images: Part = {
  name: "images",
  title: "which file system should a packed package be?",
  minutes: 25,
  needs: [],
  async run(context, { rounds, tell }) {
    const { older, newer } = await trees(context.folder, tell);
    const measured: Measured[] = [];
    for (const format of FORMATS) {
      tell(`packing as ${format.name}`);
      measured.push(await packBoth(format, older, newer, context.folder));
    }
    for (let round = 0; round < rounds; round += 1) {
      tell(`reading, round ${round + 1} of ${rounds}`);
      for (const format of rotate(FORMATS, round)) {
        const found = measured.find(({ name }) => name === format.name);
        const at = join(context.folder, "mounted");
        found?.reads.push(
          await readCold(format, imageOf(context.folder, format, "new"), at, newer),
        );
      }
    }
    return reportImages(measured, rounds);
  },
};

async function trees(
  folder: string,
  tell: (text: string) => void,
): Promise<{ older: string; newer: string }> {
  const named = process.env["ZSHIELD_BENCH_TREES"]?.split(":");
  if (named?.length === 2) {
    const [older = "", newer = ""] = named;
    return { older, newer };
  }
  const older = await makeGolden({
    root: "golden",
    lab: false,
    executable: await makeExecutable(),
  });
  const newer = join(folder, "newer");
  tell("changing one file of twenty");
  await quiet(["cp", "--archive", "--reflink=auto", older, newer]);
  changeTree(newer);
  return { older, newer };
}

const imageOf = (folder: string, format: Format, version: string) =>
  join(folder, `${format.name.replaceAll(/\W+/g, "-")}.${version}`);

async function packBoth(
  format: Format,
  older: string,
  newer: string,
  folder: string,
): Promise<Measured> {
  const [oldImage, newImage] = [imageOf(folder, format, "old"), imageOf(folder, format, "new")];
  await format.make(older, oldImage);
  const packSeconds = await seconds(() => format.make(newer, newImage));
  const patch = `${newImage}.patch`;
  await quiet([...ZSTD, `--patch-from=${oldImage}`, newImage, "-o", patch]);
  const blob = `${newImage}.zst`;
  if (!format.isCompressed) await quiet([...ZSTD, newImage, "-o", blob]);
  const measured = {
    name: format.name,
    imageBytes: statSync(newImage).size,
    blobBytes: statSync(format.isCompressed ? newImage : blob).size,
    patchBytes: statSync(patch).size,
    packSeconds,
    reads: [],
  };
  for (const file of [oldImage, patch, blob]) rmSync(file, { force: true });
  return measured;
}

const ZSTD = ["zstd", "--quiet", "--force", "--long=27", "-19"];

/** Nothing of the image is in memory when it is mounted: its pages are dropped, and the mount is a new one. */
async function readCold(format: Format, image: string, at: string, tree: string) {
  mkdirSync(at, { recursive: true });
  const mounted = async <T>(work: () => Promise<T>): Promise<T> => {
    await quiet(["sync", image]);
    await quiet(["dd", `if=${image}`, "iflag=nocache", "count=0", "status=none"]);
    await quiet(["mount", "-t", format.fileSystem, "-o", "loop,ro", image, at]);
    try {
      return await work();
    } finally {
      await quiet(["umount", at]);
    }
  };
  const script = join(import.meta.dir, "images-read.ts");
  const read = async (how: string) =>
    Number(await quiet([process.execPath, script, how, at, tree]));
  return {
    allSeconds: await mounted(() => read("all")),
    randomSeconds: await mounted(() => read("random")),
  };
}

async function quiet(argv: readonly string[]): Promise<string> {
  return (await command(["nice", "--adjustment=19", ...argv])).stdout;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
