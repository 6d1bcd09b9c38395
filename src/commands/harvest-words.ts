/*
 * The words of `zshield package harvest`: options, usage, and the recipe that they stand for.
 */
import { UsageError } from "../errors.ts";
import { harvest, readRecipe, recipeOf } from "./harvest.ts";

type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

const text = (value: Values[string]) => (typeof value === "string" ? value : undefined);
const list = (value: Values[string]) => (Array.isArray(value) ? (value as string[]) : []);

export const HARVEST_USAGE =
  "package harvest NAME… --root DIR [--out DIR] [--base DIR] [--with DIR]… [--apt] [--files LIST] [--recipe FILE] " +
  "[--users FILE] [--name NAME] [--sequence N] [--revision N] [--mask HEX] [--keep PATTERN]… [--leave PATTERN]… " +
  "[--without NAME]… [--enable UNIT]… [--disable UNIT]… [--json]";

export const HARVEST_OPTIONS = {
  root: { type: "string" },
  out: { type: "string" },
  base: { type: "string" },
  with: { type: "string", multiple: true },
  apt: { type: "boolean" },
  files: { type: "string" },
  recipe: { type: "string" },
  users: { type: "string" },
  name: { type: "string" },
  sequence: { type: "string" },
  revision: { type: "string" },
  mask: { type: "string" },
  keep: { type: "string", multiple: true },
  leave: { type: "string", multiple: true },
  without: { type: "string", multiple: true },
  enable: { type: "string", multiple: true },
  disable: { type: "string", multiple: true },
  json: { type: "boolean" },
} as const;

/** @throws UsageError */
export function runHarvest(values: Values, packages: readonly string[]): Promise<void> {
  const root = text(values["root"]);
  const recipe = text(values["recipe"]);
  if (root === undefined) throw new UsageError("zshield package harvest needs --root", "package");
  const described = [
    "files",
    "name",
    "sequence",
    "revision",
    "mask",
    "keep",
    "leave",
    "without",
    "enable",
    "disable",
  ];
  const beside = described.find((name) => recipe !== undefined && values[name] !== undefined);
  if (recipe !== undefined && (packages.length > 0 || beside !== undefined)) {
    throw new UsageError(
      `--recipe says it all: nothing beside it, so no ${beside ?? "names"}`,
      "package",
    );
  }
  const wish =
    recipe === undefined
      ? recipeOf({
          packages,
          list: text(values["files"]),
          name: text(values["name"]),
          sequence: text(values["sequence"]),
          revision: text(values["revision"]),
          mask: text(values["mask"]),
          patterns: {
            keep: list(values["keep"]),
            leave: list(values["leave"]),
            without: list(values["without"]),
            enable: list(values["enable"]),
            disable: list(values["disable"]),
          },
        })
      : readRecipe(recipe);
  return harvest(wish, {
    root,
    out: text(values["out"]) ?? ".",
    base: text(values["base"]),
    others: list(values["with"]),
    apt: values["apt"] === true,
    users: text(values["users"]),
    json: values["json"] === true,
  });
}
