/*
 * `npm run catalogue`: harvests every recipe from Debian, checks that it is whole, runs its health command in a root of base
 * and package, makes a bundle of all, the standing example, and prints the seed's size beside ours.
 * Owns: the words of the command, the order of the work, and where it lies (dist/catalogue, or --work=DIR).
 *
 * Packages are those that the mirror has on the day; what came out stands in `result.json` and in README.md.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { messageOf, Refusal } from "../../src/errors.ts";
import { hasPrivateMounts, startWithPrivateMounts } from "../../src/host/private-mounts.ts";
import type { Recipe } from "../../src/model/recipe.ts";
import { DIST } from "../cache.ts";
import { asProgram } from "../command.ts";
import { withLock } from "../lock.ts";
import { makeAptConfiguration, makeBase } from "./base.ts";
import { judge } from "./judge.ts";
import { type Built, makeBoot, makePackage, type Place } from "./make.ts";
import { inOrder, wanted } from "./order.ts";
import { type BootFile, buildProject, type BuiltBundle, layProject } from "./project.ts";
import { readRecipes, RECIPES } from "./recipes.ts";
import { printTable, type Result } from "./table.ts";

const USAGE = `npm run catalogue -- [--work=DIR] [--only=NAME,NAME] [--recipes=DIR] [--users=FILE] [--no-pack]
  --only     some, with the base and with what they may need
  --recipes  another directory of recipes; --users its users and groups
  --no-pack  harvests and judges, but makes no bundle`;

async function main(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Refusal("only root can harvest", "sudo npm run catalogue");
  if (!hasPrivateMounts()) {
    process.exitCode = await startWithPrivateMounts();
    return;
  }
  const words = readWords();
  const work = path.resolve(words.work ?? path.join(DIST, "catalogue"));
  mkdirSync(work, { recursive: true });
  await withLock(path.join(work, "lock"), () => makeCatalogue(work, words));
}

async function makeCatalogue(work: string, words: ReturnType<typeof readWords>): Promise<void> {
  const only = words.only?.split(",");
  const place: Place = {
    work,
    base: await makeBase(work),
    configuration: await makeAptConfiguration(work),
    users: path.resolve(words.users ?? path.join(import.meta.dirname, "users.txt")),
  };
  const made = await makeAll(inOrder(wanted(readRecipes(words.recipes ?? RECIPES), only)), place);
  const project = path.join(work, only ? "some" : "video");
  const packages = [...made.built.values()];
  const bundle = words["no-pack"]
    ? await layProject(project, made.boot, packages)
    : await buildProject(project, made.boot, packages);
  const results = made.results.map((result) => withSizes(result, bundle ?? undefined));
  const file = path.join(work, only ? "result-some.json" : "result.json");
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  for (const line of printTable(results, only !== undefined)) console.log(line);
  if (bundle) console.error(`build: ${bundle.path}`);
  report(results);
}

function readWords() {
  try {
    return parseArgs({
      options: {
        work: { type: "string" },
        only: { type: "string" },
        recipes: { type: "string" },
        users: { type: "string" },
        "no-pack": { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new Refusal(messageOf(error), USAGE);
  }
}

interface Made {
  readonly built: ReadonlyMap<string, Built>;
  readonly boot: readonly BootFile[];
  readonly results: readonly Result[];
}

/** What cannot be made is told, and the others go on. */
async function makeAll(recipes: readonly Recipe[], place: Place): Promise<Made> {
  const built = new Map<string, Built>();
  const boot: BootFile[] = [];
  const results: Result[] = [];
  for (const recipe of recipes) {
    const { name, kind } = recipe;
    try {
      if (kind === "boot") {
        const files = await makeBoot(recipe, place);
        boot.push(
          ...files.map((file) => ({ name: file, path: path.join(place.work, "boot", file) })),
        );
        results.push({ recipe: name, kind, boot: files });
        continue;
      }
      const one = await makePackage(recipe, place, built);
      const judgement = await judge(one, built, place.work);
      built.set(name, one);
      const { version, needs, treeBytes } = one;
      results.push({
        recipe: name,
        kind,
        package: one.name,
        version,
        needs,
        treeBytes,
        ...judgement,
      });
    } catch (error) {
      console.error(`build: ${name}: ${messageOf(error)}`);
      results.push({ recipe: name, kind, fault: messageOf(error) });
    }
  }
  return { built, boot, results };
}

function withSizes(result: Result, bundle: BuiltBundle | undefined): Result {
  const [platform] = bundle?.manifest.platforms ?? [];
  if (!platform) return result;
  const found = platform.packages.find(({ name }) => name === result.package);
  if (found) {
    return { ...result, imageBytes: found.image.sizeBytes, blobBytes: found.blob.sizeBytes };
  }
  const files = platform.boot.filter(({ name }) => result.boot?.includes(name));
  if (files.length === 0) return result;
  return {
    ...result,
    imageBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    blobBytes: files.reduce((sum, { blob }) => sum + blob.sizeBytes, 0),
  };
}

function report(results: readonly Result[]): void {
  const bad = results.filter(
    ({ fault, missing = [], health }) =>
      fault !== undefined || missing.length > 0 || health === "failed",
  );
  for (const { recipe, fault, missing = [], healthSaid } of bad) {
    const why = fault ?? (missing.map((one) => `${one.path}: ${one.why}`).join("; ") || healthSaid);
    console.error(`build: ${recipe} is not right: ${why}`);
  }
  const ran = results.filter(({ health }) => health === "ok").length;
  console.error(
    `build: ${results.length} recipes, ${ran} health commands ran, ${bad.length} not right`,
  );
  if (bad.length > 0) process.exitCode = 1;
}

if (import.meta.main) await asProgram(main);
