/*
 * The catalogue, with a small video appliance of five packages: harvested from Debian, whole, healthy, and a bundle that is
 * verified. Takes minutes the first time, and stays in dist/cache/catalogue; then a few seconds.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RECIPES } from "../../build/catalogue/recipes.ts";
import type { Result } from "../../build/catalogue/table.ts";
import { command } from "../lab/command.ts";
import { dropFolder, makeFolder, PROJECT } from "../lab/scratch.ts";

const SMALL = ["system", "libmnl", "network", "htop", "jpeg-turbo"];
const WORK = join(PROJECT, "dist/cache/catalogue");
const folder = makeFolder("catalogue");
const recipes = join(folder, "recipes");
const test = suite("catalogue");
test.after(() => dropFolder(folder));

mkdirSync(WORK, { recursive: true });
mkdirSync(recipes);
for (const name of SMALL) {
  copyFileSync(join(RECIPES, `${name}.toml`), join(recipes, `${name}.toml`));
}

function catalogue(...words: string[]) {
  const program = join(PROJECT, "build/catalogue/catalogue.ts");
  const places = [`--work=${WORK}`, `--recipes=${recipes}`, `--users=${join(WORK, "users.txt")}`];
  return command([process.execPath, program, ...places, ...words], { accept: [1] });
}

test("five packages are whole and healthy, and their bundle is verified", async () => {
  const { stderr, code } = await catalogue();
  assert.is(code, 0, stderr);
  const results = JSON.parse(readFileSync(join(WORK, "result.json"), "utf8")) as Result[];
  assert.equal(
    results.map(({ recipe, health, missing }) => [recipe, health, missing?.length]),
    ["system", "libmnl", "network", "jpeg-turbo", "htop"].map((name) => [name, "ok", 0]),
  );
  for (const { recipe, imageBytes = 0, blobBytes = 0 } of results) {
    assert.ok(blobBytes > 1000 && imageBytes > blobBytes, recipe);
  }
  const file = /^build: (\/.*\.upt)$/m.exec(stderr)?.[1] ?? "";
  const main = join(PROJECT, "src/main.ts");
  const key = join(WORK, "development.pub");
  const verified = await command([process.execPath, main, "bundle", "verify", file, "--key", key]);
  assert.match(verified.stdout, /5 blobs, .*, all right/);
});

test("what was made is not made again", async () => {
  const { stderr, code } = await catalogue();
  assert.is(code, 0, stderr);
  assert.not.match(stderr, /: \d+\.\d s$|packing/m);
});

test("a recipe that leaves a library out is reported, with the library and the program", async () => {
  const text = readFileSync(join(recipes, "jpeg-turbo.toml"), "utf8");
  const broken = text
    .replace(
      'name = "jpeg-turbo"',
      'name = "broken"\nleave = ["/usr/lib/x86_64-linux-gnu/libjpeg.so.62*"]',
    )
    .replace("sequence = 30", "sequence = 50");
  assert.match(broken, /leave/);
  writeFileSync(join(recipes, "broken.toml"), broken);
  const { stdout, stderr, code } = await catalogue("--only=broken", "--no-pack");
  assert.is(code, 1);
  assert.match(stderr, /broken is not right: .*\/usr\/bin\/djpeg: library libjpeg\.so\.62/);
  assert.match(stdout, /^\| broken \|.* not whole: 3 missing \|/m);
});

test.run();
