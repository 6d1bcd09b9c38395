/*
 * The recipes of a directory. Owns: reading them, and that names and files agree.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import { readRecipe } from "../../src/commands/harvest.ts";
import { Refusal } from "../../src/errors.ts";
import type { Recipe } from "../../src/model/recipe.ts";

/** The catalogue's own. */
export const RECIPES = path.join(import.meta.dirname, "recipes");

/** @throws Refusal naming the file that is wrong */
export function readRecipes(directory: string = RECIPES): Recipe[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(".toml"))
    .sort()
    .map((file) => {
      const recipe = readRecipe(path.join(directory, file));
      if (file !== `${recipe.name}.toml`)
        throw new Refusal(`${file} is the recipe of ${recipe.name}`);
      return recipe;
    });
}
