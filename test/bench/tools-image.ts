/*
 * A small read-only disk that carries programs of the host into a guest: each with all the libraries
 * that it needs and the host's own loader, so that the guest's distribution does not matter.
 * In the guest: mount it at TOOLS and run `TOOLS/ld-linux-x86-64.so.2 --library-path TOOLS TOOLS/fio`.
 * Owns: the image.
 */
import { cpSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { command } from "../lab/command.ts";
import type { Image } from "../lab/images.ts";

/** @throws Error if a program is not installed on the host. */
export async function makeToolsImage(
  folder: string,
  programs: readonly string[],
  files: readonly string[],
): Promise<Image> {
  const tree = join(folder, "tools");
  mkdirSync(tree);
  for (const program of programs) {
    const path = Bun.which(program);
    if (path === null) throw new Error(`${program} is not installed: sh build/setup.sh bench`);
    for (const file of [path, ...(await readLibraries(path))]) copyInto(tree, file);
  }
  for (const file of files) copyInto(tree, file);
  const file = join(folder, "tools.raw");
  await command(["mkfs.ext4", "-q", "-d", tree, file, "160M"]);
  return { file, format: "raw" };
}

/** Full paths of the loader and of all libraries, those of libraries included. */
async function readLibraries(program: string): Promise<string[]> {
  const { stdout } = await command(["ldd", program]);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
}

/** What a link points to, under the link's name. */
function copyInto(tree: string, file: string): void {
  cpSync(file, join(tree, basename(file)), { dereference: true });
}
