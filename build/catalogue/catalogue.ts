/*
 * `npm run catalogue`: harvests every recipe from Debian, packs it, checks that it is whole, runs its health command in
 * a root of base and package, and prints the seed's size beside ours. Lays the standing example, the video appliance,
 * as a vendor's project. Owns: the order of the work and where it lies (dist/catalogue, or --work DIR).
 *
 * Packages are those that the mirror has on the day; what came out stands in `result.json` and in README.md.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { compressBlob } from "../../src/bundle/blob.ts";
import { packTree } from "../../src/bundle/pack.ts";
import { harvestRecipe } from "../../src/commands/harvest.ts";
import { messageOf, Refusal } from "../../src/errors.ts";
import { withInstalled } from "../../src/host/harvest/apt-root.ts";
import { viewDirectory } from "../../src/host/harvest/view.ts";
import { hasPrivateMounts, startWithPrivateMounts } from "../../src/host/private-mounts.ts";
import type { Recipe } from "../../src/model/recipe.ts";
import { whatIsMissing } from "../../src/plan/harvest/complete.ts";
import { makePaths } from "../../src/plan/harvest/paths.ts";
import { DIST, digestOf, REPOSITORY } from "../cache.ts";
import { insideRoot } from "../chroot.ts";
import { asProgram, output, run, told } from "../command.ts";
import { readMirrors } from "../debian-mirror.ts";
import { readRecipes } from "./recipes.ts";
import { printTable, type Result } from "./table.ts";
import { layVideo } from "./video.ts";

const HERE = path.join(REPOSITORY, "build/catalogue");
const USERS = path.join(HERE, "users.txt");
const SUITE = "bookworm";

/** What the package "system" is made of; what other recipes bring is not among it. */
const BASE = [
  ...[
    "usr-is-merged",
    "systemd",
    "systemd-sysv",
    "dbus",
    "kmod",
    "e2fsprogs",
    "util-linux",
    "mount",
  ],
  ...["login", "passwd", "procps", "libpam-systemd", "ca-certificates", "netbase", "less"],
];

/** Health commands that mean nothing on the machine that builds. */
const ONLY_ON_A_DEVICE: Readonly<Record<string, string>> = {
  zfs: "wants its kernel module",
  "nvidia-tool": "wants such a processor",
  lvs: "wants ip_vs in the kernel",
  xl2tpd: "asks systemd whether it runs",
  virtual: "starts the machine emulator, which the builder may be busy with",
};

interface Built {
  readonly recipe: Recipe;
  readonly name: string;
  readonly version: string;
  readonly directory: string;
  readonly needs: readonly string[];
  readonly treeBytes: number;
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Refusal("only root can harvest", "sudo npm run catalogue");
  if (!hasPrivateMounts()) {
    process.exitCode = await startWithPrivateMounts();
    return;
  }
  const word = (name: string) =>
    process.argv.find((text) => text.startsWith(`--${name}=`))?.split("=")[1];
  const work = path.resolve(word("work") ?? path.join(DIST, "catalogue"));
  const only = word("only")?.split(",");
  const isPacked = !process.argv.includes("--no-pack");
  mkdirSync(work, { recursive: true });
  const base = await makeBase(work);
  const configuration = await makeAptConfiguration(work);
  const recipes = inOrder(wanted(readRecipes(), only));
  const built = new Map<string, Built>();
  const results: Result[] = [];
  for (const recipe of recipes) {
    try {
      if (recipe.kind === "boot") {
        results.push(await makeBoot(recipe, { work, base, configuration }));
        continue;
      }
      const one = await told(recipe.name, () =>
        harvestOne(recipe, { work, base, configuration, built }),
      );
      built.set(recipe.name, one);
      results.push(await judge(one, { work, built, isPacked }));
    } catch (error) {
      console.error(`build: ${recipe.name}: ${messageOf(error)}`);
      results.push({ recipe: recipe.name, kind: recipe.kind, fault: messageOf(error) });
    }
  }
  writeFileSync(path.join(work, "result.json"), `${JSON.stringify(results, null, 2)}\n`);
  if (!only) await layVideo(path.join(work, "video"), path.join(work, "boot"), [...built.values()]);
  for (const line of printTable(results)) console.log(line);
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

/** All, or some with the base and with what they may need. */
function wanted(recipes: readonly Recipe[], only: readonly string[] | undefined): Recipe[] {
  if (!only) return [...recipes];
  const names = new Set(only);
  for (const name of names) {
    const found = recipes.find((recipe) => recipe.name === name);
    if (!found)
      throw new Refusal(`there is no recipe ${name}`, "they lie in build/catalogue/recipes");
    for (const other of found.with) names.add(other);
  }
  return recipes.filter(
    ({ name, kind, mask }) => names.has(name) || (kind === "base" && mask === 0),
  );
}

async function makeBase(work: string): Promise<string> {
  const base = path.join(work, "base");
  const done = path.join(work, "base.done");
  const digest = digestOf([SUITE, BASE]);
  if (existsSync(done) && readFileSync(done, "utf8") === digest) return base;
  rmSync(base, { recursive: true, force: true });
  const mirrors = await readMirrors();
  await told(`base of ${BASE.length} packages and what they need`, () =>
    run(
      [
        ...["mmdebstrap", "--mode=root", "--variant=essential", "--format=directory", "--quiet"],
        "--hook-directory=/usr/share/mmdebstrap/hooks/merged-usr",
        ...['--aptopt=APT::Install-Recommends "false"', "--dpkgopt=force-unsafe-io"],
        ...[`--include=${BASE.join(",")}`, SUITE, base, mirrors.uri.debian],
      ],
      { env: { TMPDIR: work, INITRD: "No" } },
    ),
  );
  writeFileSync(done, digest);
  return base;
}

/** With contrib and non-free, which this machine's own apt may not have. */
async function makeAptConfiguration(work: string): Promise<string> {
  const directory = path.join(work, "apt");
  const file = path.join(directory, "apt.conf");
  const isFresh = existsSync(file) && Date.now() - statSync(file).mtimeMs < 24 * 3600_000;
  if (isFresh) return file;
  const mirrors = await readMirrors();
  for (const made of [
    "state/lists/partial",
    "cache/archives/partial",
    "etc/apt.conf.d",
    "etc/preferences.d",
  ]) {
    mkdirSync(path.join(directory, made), { recursive: true });
  }
  const line = (uri: string, suite: string) =>
    `deb [arch=amd64 signed-by=${mirrors.keyring}] ${uri} ${suite} main contrib non-free\n`;
  writeFileSync(
    path.join(directory, "etc/sources.list"),
    line(mirrors.uri.debian, SUITE) +
      line(mirrors.uri.debian, `${SUITE}-updates`) +
      line(mirrors.uri["debian-security"], `${SUITE}-security`),
  );
  writeFileSync(path.join(directory, "state/status"), "");
  const text = [
    `Dir "${directory}";`,
    'Dir::State "state";',
    `Dir::State::status "${directory}/state/status";`,
    'Dir::Cache "cache";',
    'Dir::Etc "etc";',
    'APT::Architecture "amd64";',
    'APT::Architectures { "amd64"; };',
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
    "",
  ].join("\n");
  const making = `${file}.part`;
  writeFileSync(making, text);
  await run(["apt-get", "--quiet", "update", "--error-on=any"], { env: { APT_CONFIG: making } });
  writeFileSync(file, text);
  return file;
}

/** Up to "driver". */
const CORE_SEQUENCE = 4;
const KINDS = ["boot", "base", "extra"];

/** Boot, base, extra; by sequence, but behind those that a recipe may need. */
function inOrder(recipes: readonly Recipe[]): Recipe[] {
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

interface Place {
  readonly work: string;
  readonly base: string;
  readonly configuration: string;
}

async function harvestOne(
  recipe: Recipe,
  { work, base, configuration, built }: Place & { readonly built: ReadonlyMap<string, Built> },
): Promise<Built> {
  // The core of what every device has, and what the recipe says may be there: a service of the base is no place to
  // look for libraries, since a vendor may do without it.
  const others = [...built.values()].filter(
    ({ recipe: other }) =>
      recipe.with.includes(other.name) ||
      (other.kind === "base" && other.sequence > 0 && other.sequence <= CORE_SEQUENCE),
  );
  const out = path.join(work, "packages");
  const note = path.join(work, "notes", `${recipe.name}.json`);
  const digest = digestOf([recipe, others.map(({ name }) => name)]);
  if (existsSync(note)) {
    const known = JSON.parse(readFileSync(note, "utf8")) as Omit<Built, "recipe"> & {
      digest: string;
    };
    if (known.digest === digest && existsSync(known.directory)) return { ...known, recipe };
    rmSync(known.directory, { recursive: true, force: true });
  }
  const empty = path.join(work, "empty");
  mkdirSync(empty, { recursive: true });
  const done = await harvestRecipe(recipe, {
    root: base,
    out,
    base: recipe.wish.packages.includes("*") ? empty : base,
    others: others.map(({ directory }) => directory),
    apt: true,
    aptConfiguration: configuration,
    aptCache: path.join(work, "debs"),
    users: USERS,
  });
  const { name, version, directory, sizeBytes, harvest } = done;
  const found = { name, version, directory, needs: harvest.needs, treeBytes: sizeBytes };
  mkdirSync(path.dirname(note), { recursive: true });
  writeFileSync(
    note,
    JSON.stringify(
      {
        ...found,
        digest,
        leave: harvest.leave,
        missing: harvest.missing,
        notices: harvest.notices,
      },
      null,
      2,
    ),
  );
  return { ...found, recipe };
}

/** Files of boot/ instead of a package. */
async function makeBoot(recipe: Recipe, { work, base, configuration }: Place): Promise<Result> {
  const directory = path.join(work, "boot");
  mkdirSync(directory, { recursive: true });
  const names = Object.keys(recipe.boot);
  const files = names.map((name) => path.join(directory, name));
  if (!files.every((file) => existsSync(file))) {
    const options = { scratch: work, cache: path.join(work, "debs"), configuration };
    await told(recipe.name, () =>
      withInstalled(base, recipe.wish.packages, options, async (root) => {
        for (const argv of recipe.make) await run([...insideRoot(root), ...argv]);
        const paths = makePaths(viewDirectory(root));
        for (const [name, pattern] of Object.entries(recipe.boot)) {
          const [found] = paths.expand([pattern]).found;
          if (found === undefined) throw new Refusal(`${recipe.name}: there is no ${pattern}`);
          await run(["cp", "--", root + found, path.join(directory, name)]);
        }
      }),
    );
  }
  const imageBytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  return { recipe: recipe.name, kind: recipe.kind, imageBytes };
}

async function judge(
  one: Built,
  {
    work,
    built,
    isPacked,
  }: {
    readonly work: string;
    readonly built: ReadonlyMap<string, Built>;
    readonly isPacked: boolean;
  },
): Promise<Result> {
  const { recipe, name, version, directory, treeBytes } = one;
  const layers = layersOf(one, built);
  const below = layers.slice(1).map((layer) => viewDirectory(layer.directory));
  const missing = whatIsMissing(viewDirectory(directory), below);
  return {
    recipe: recipe.name,
    kind: recipe.kind,
    package: name,
    version,
    needs: one.needs,
    treeBytes,
    ...(isPacked ? await pack(one, work) : {}),
    missing,
    ...(await runHealth(
      one,
      layers.map((layer) => layer.directory),
      work,
    )),
  };
}

/** Packs what is not packed yet. */
async function pack(
  { recipe, name, directory }: Built,
  work: string,
): Promise<Pick<Result, "imageBytes" | "blobBytes">> {
  const image = path.join(work, "images", `${name}.img`);
  const blob = path.join(work, "blobs", name);
  for (const file of [image, blob]) mkdirSync(path.dirname(file), { recursive: true });
  const harvestedMs = statSync(path.join(work, "notes", `${recipe.name}.json`)).mtimeMs;
  if (!existsSync(blob) || statSync(blob).mtimeMs < harvestedMs) {
    await packTree(directory, name, image, { ownerRoot: false });
    await compressBlob(image, blob);
  }
  return { imageBytes: statSync(image).size, blobBytes: statSync(blob).size };
}

/** The package, what it needs, and the base that every device has, "system" last. */
function layersOf(one: Built, built: ReadonlyMap<string, Built>): Built[] {
  const layers = new Set<Built>([one]);
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

async function runHealth(
  { recipe }: Built,
  directories: readonly string[],
  work: string,
): Promise<Pick<Result, "health" | "healthSaid">> {
  const { health, start } = recipe.commands;
  if (health.length === 0) return { health: "none" };
  const reason = ONLY_ON_A_DEVICE[recipe.name];
  if (reason !== undefined) return { health: "only on a device", healthSaid: reason };
  const place = path.join(work, "run");
  await run(["umount", "--lazy", path.join(place, "root")]).catch(() => undefined);
  rmSync(place, { recursive: true, force: true });
  const [upper, inner, root] = ["upper", "work", "root"].map((name) => path.join(place, name)) as [
    string,
    string,
    string,
  ];
  for (const made of [upper, inner, root]) mkdirSync(made, { recursive: true });
  const options = `lowerdir=${directories.join(":")},upperdir=${upper},workdir=${inner}`;
  await run(["mount", "--types", "overlay", "--options", options, "overlay", root]);
  try {
    for (const name of ["proc", "dev", "tmp", "run", "sys"])
      mkdirSync(path.join(root, name), { recursive: true });
    const script = readFileSync(path.join(HERE, "health.sh"), "utf8");
    const words = ["/usr/bin/sh", "-c", script, "health", ...start, "--", ...health];
    await output([...insideRoot(root), ...words]);
    return { health: "ok" };
  } catch (error) {
    return {
      health: "failed",
      healthSaid: messageOf(error).trim().split("\n").slice(-3).join(" / "),
    };
  } finally {
    await run(["umount", root]).catch(() => run(["umount", "--lazy", root]));
    rmSync(place, { recursive: true, force: true });
  }
}

if (import.meta.main) await asProgram(main);
