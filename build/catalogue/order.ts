/*
 * Which recipes are harvested, in which order, and what a package lies on when it runs. Owns: that what a recipe may need is
 * there before it. Pure.
 */
import { Refusal } from "../../src/errors.ts";
import type { Recipe } from "../../src/model/recipe.ts";

/** Up to "driver". */
const CORE_SEQUENCE = 4;
const KINDS = ["boot", "base", "extra"];

export interface Named {
  readonly recipe: Pick<Recipe, "name" | "kind" | "sequence" | "mask" | "with">;
  /** Names of recipes. */
  readonly needs: readonly string[];
}

/** All, or those of `only` with the base that every device has and with what they may need. @throws Refusal */
export function wanted(recipes: readonly Recipe[], only: readonly string[] | undefined): Recipe[] {
  if (!only) return [...recipes];
  const names = new Set(only);
  for (const name of names) {
    const found = recipes.find((recipe) => recipe.name === name);
    if (!found) throw new Refusal(`there is no recipe ${name}`, "each is a file called NAME.toml");
    for (const other of found.with) names.add(other);
  }
  return recipes.filter(
    ({ name, kind, mask }) => names.has(name) || (kind === "base" && mask === 0),
  );
}

/** Boot, base, extra; by sequence, but behind those that a recipe may need. */
export function inOrder(recipes: readonly Recipe[]): Recipe[] {
  const sorted = recipes.toSorted(
    (a, b) =>
      KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) ||
      a.sequence - b.sequence ||
      (a.name < b.name ? -1 : 1),
  );
  const done: Recipe[] = [];
  const add = (recipe: Recipe) => {
    if (done.includes(recipe)) return;
    for (const other of sorted) if (recipe.with.includes(other.name)) add(other);
    done.push(recipe);
  };
  for (const recipe of sorted) add(recipe);
  return done;
}

/**
 * Where a harvest looks for what it need not take: in the core of what every device has, and in what the recipe says may
 * be there. A service of the base is no place for libraries, since a vendor may do without it.
 */
export function othersOf<T extends Named>(
  recipe: Pick<Recipe, "with">,
  built: ReadonlyMap<string, T>,
): T[] {
  return [...built.values()].filter(
    ({ recipe: other }) =>
      recipe.with.includes(other.name) ||
      (other.kind === "base" && other.sequence > 0 && other.sequence <= CORE_SEQUENCE),
  );
}

/** The package, what it needs, and the base that every device has, "system" last. @throws Refusal */
export function layersOf<T extends Named>(one: T, built: ReadonlyMap<string, T>): T[] {
  const layers = new Set<T>([one]);
  for (const layer of layers) {
    for (const name of layer.needs) {
      const need = built.get(name);
      if (!need) throw new Refusal(`${layer.recipe.name} needs ${name}, which is not there`);
      layers.add(need);
    }
  }
  const base = [...built.values()]
    .filter(({ recipe }) => recipe.kind === "base" && recipe.mask === 0)
    .reverse();
  for (const layer of base) layers.add(layer);
  return [...layers];
}
