/*
 * The standing example: a video appliance of all packages of the catalogue, laid out as a vendor's project that
 * `zshield bundle build` takes. Owns: that layout. Trees are linked, not copied.
 */
import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import type { Recipe } from "../../src/model/recipe.ts";
import { run } from "../command.ts";

const HERE = path.join(import.meta.dirname, "video");

export async function layVideo(
  directory: string,
  boot: string,
  packages: readonly {
    readonly recipe: Recipe;
    readonly name: string;
    readonly directory: string;
  }[],
): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  const platform = path.join(directory, "platform/x86_64");
  for (const kind of ["boot", "base", "extra"])
    mkdirSync(path.join(platform, kind), { recursive: true });
  copyFileSync(path.join(HERE, "product.toml"), path.join(directory, "product.toml"));
  copyFileSync(path.join(HERE, "mask.txt"), path.join(platform, "mask.txt"));
  if (existsSync(boot))
    await run(["cp", "--archive", "--link", `${boot}/.`, path.join(platform, "boot")]);
  for (const { recipe, name, directory: tree } of packages) {
    await run(["cp", "--archive", "--link", tree, path.join(platform, recipe.kind, name)]);
  }
}
