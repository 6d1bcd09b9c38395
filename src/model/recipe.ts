/*
 * A recipe: how an application of the catalogue is harvested and what the package says of itself. Owns: schema and the
 * package's name. Parsing of TOML is the caller's. No I/O.
 */
import * as v from "valibot";
import { parseDocument } from "./document.ts";
import { MASK_TEXT, MASK_TEXT_EXPECTED } from "./mask.ts";
import { MOST_NUMBER, NAME, NAME_EXPECTED, type PackageFields } from "./package-name.ts";
import { Command, Needs, Seconds } from "./package-toml.ts";

const number = v.pipe(
  v.number("must be a number"),
  v.integer("must be a whole number"),
  v.minValue(0, `must be 0 to ${MOST_NUMBER}`),
  v.maxValue(MOST_NUMBER, `must be 0 to ${MOST_NUMBER}`),
);
const words = v.optional(
  v.array(v.pipe(v.string("must be a text"), v.minLength(1, "must not be empty"))),
  [],
);
const patterns = v.optional(
  v.array(
    v.pipe(v.string("must be a text"), v.startsWith("/", "must be an absolute path or pattern")),
  ),
  [],
);

const RecipeSchema = v.pipe(
  v.strictObject({
    format: v.literal(1, "must be 1"),
    name: v.pipe(v.string("must be a text"), v.regex(NAME, `must be ${NAME_EXPECTED}`)),
    kind: v.picklist(["base", "extra", "boot"], 'must be "base", "extra" or "boot"'),
    sequence: v.optional(number, 0),
    revision: v.optional(number, 1),
    mask: v.optional(
      v.pipe(v.string("must be a text"), v.regex(MASK_TEXT, `must be ${MASK_TEXT_EXPECTED}`)),
      "000000",
    ),
    description: v.optional(v.string("must be a text"), ""),
    packages: words,
    with: v.optional(Needs, []),
    beside: words,
    files: patterns,
    keep: patterns,
    leave: patterns,
    without: words,
    enable: words,
    disable: words,
    "version-of": v.optional(v.string("must be a text"), ""),
    boot: v.optional(v.record(v.string(), v.string("must be a path or pattern")), {}),
    make: v.optional(v.array(Command), []),
    start: v.optional(Command, []),
    stop: v.optional(Command, []),
    health: v.optional(Command, []),
    "start-seconds": v.optional(Seconds, 60),
    "stop-seconds": v.optional(Seconds, 60),
    "health-seconds": v.optional(Seconds, 60),
  }),
  v.check(
    ({ packages, files, boot }) => packages.length + files.length + Object.keys(boot).length > 0,
    "packages, files or boot must name something",
  ),
  v.transform((recipe) => ({
    name: recipe.name,
    kind: recipe.kind,
    sequence: recipe.sequence,
    revision: recipe.revision,
    mask: Number.parseInt(recipe.mask, 16),
    description: recipe.description,
    /** Whose version the package has; else that of the first package. */
    versionOf: recipe["version-of"] || recipe.packages[0] || "",
    wish: {
      packages: recipe.packages,
      files: recipe.files,
      keep: recipe.keep,
      leave: recipe.leave,
      without: recipe.without,
      enable: recipe.enable,
      disable: recipe.disable,
    },
    /** Names of other recipes, whose packages are there too. */
    with: recipe.with,
    /** Of the distribution: installed too, for scripts that look for them, but not taken. */
    beside: recipe.beside,
    /** Of the kind "boot": the name below boot/ → where it lies in the root, once `make` has run there. */
    boot: recipe.boot,
    make: recipe.make,
    commands: { start: recipe.start, stop: recipe.stop, health: recipe.health },
    seconds: {
      start: recipe["start-seconds"],
      stop: recipe["stop-seconds"],
      health: recipe["health-seconds"],
    },
  })),
);
export type Recipe = v.InferOutput<typeof RecipeSchema>;

/** `file`: for what is said. @throws Refusal with every fault and its path */
export function checkRecipe(value: unknown, file: string): Recipe {
  return parseDocument(RecipeSchema, value, file);
}

/** `version` is the program's, as the distribution writes it; `system` the release it was made on. */
export function packageFields(
  recipe: Pick<Recipe, "name" | "sequence" | "revision" | "mask">,
  version: string,
  system: string,
): PackageFields {
  const { name, sequence, revision, mask } = recipe;
  return {
    name,
    program: mainVersion(version),
    base: systemNumbers(system),
    sequence,
    revision,
    mask,
  };
}

/** The first two numbers, without an epoch: "1:2.1.11-1" → 2.1; a day in eight digits is two: 20221126 → 2022.1126. */
export function mainVersion(version: string): [number, number] {
  const numbers = version
    .replace(/^\d+:/, "")
    .split(/[^0-9]+/)
    .filter((part) => part !== "")
    .flatMap((part) => (/^(19|20)\d{6}$/.test(part) ? [part.slice(0, 4), part.slice(4)] : [part]))
    .map(Number);
  const [first = 0, second = 0] = numbers.map((part) => (part > MOST_NUMBER ? 0 : part));
  return [first, second];
}

function systemNumbers(system: string): number[] {
  const numbers = (system.match(/\d+/g) ?? []).slice(0, 3).map(Number);
  return numbers.length === 0 ? [0] : numbers;
}
