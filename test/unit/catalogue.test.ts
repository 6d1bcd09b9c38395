/*
 * The catalogue covers the seed's table: each row has a recipe or a reason, and each recipe belongs to a row.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { APPLICATIONS } from "../../build/catalogue/applications.ts";
import { ONLY_ON_A_DEVICE } from "../../build/catalogue/judge.ts";
import { readNote, writeNote } from "../../build/catalogue/make.ts";
import { inOrder, layersOf, othersOf, wanted } from "../../build/catalogue/order.ts";
import { readRecipes } from "../../build/catalogue/recipes.ts";
import { printTable } from "../../build/catalogue/table.ts";
import { explainMask } from "../../src/model/mask.ts";
import { parseMaskFile } from "../../src/model/mask-file.ts";
import { parsePackageName, printPackageName } from "../../src/model/package-name.ts";
import { checkProduct } from "../../src/model/product-toml.ts";
import { packageFields } from "../../src/model/recipe.ts";

/** The second column of seed 2's last table, as it stands there. */
const SEED = [
  ...["grub2", "kernel", "initrd", "system", "libmnl", "driver-wireless", "driver", "udev", "udev"],
  ...["nvidia", "fsServer", "telnet", "ssh", "network", "iscsiclient", "zabbix", "vsftpd", "zfs"],
  ...["smb", "nginx", "phpext", "php", "mariadb", "git", "virtual", "ossfs", "lvs", "iptables"],
  ...["pppd", "pptpd", "ipsec", "xl2tpd", "jpegipp", "ffmpeg", "zos", "mail", "x265", "x264"],
  ...["wireshark", "valgrind", "tools-oem", "tools", "tc", "rpcapd", "qemu-nbd", "nvidia-tool"],
  ...["ntp", "ntfs-3g", "nmap", "nft", "ncat", "mysql-upgrade", "mariadbtool", "journalctl"],
  ...["ipcs", "iopp", "iopp", "opencv", "iftop", "ifstat", "htop", "gitweb", "ftp", "dhsdk"],
];
/** What Debian cannot have: somebody's own, or one customer's. */
const WITHOUT = ["fsServer", "zos", "tools-oem", "dhsdk"];

const VIDEO = new URL("../../build/catalogue/video/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, VIDEO), "utf8");
const recipes = readRecipes();

test("every row of the seed is there, in its order", () => {
  assert.equal(
    APPLICATIONS.map(({ name }) => name),
    SEED,
  );
});

test("every row has a recipe, but for those that nobody can give; these say why", () => {
  const names = new Set(recipes.map(({ name }) => name));
  for (const { name, recipe, note } of APPLICATIONS) {
    if (recipe !== undefined) assert.ok(names.has(recipe), `${name}: no recipe ${recipe}`);
    if (recipe !== name) assert.ok(note, `${name} says nothing`);
  }
  const without = APPLICATIONS.filter(({ recipe }) => recipe === undefined);
  assert.equal(
    without.map(({ name }) => name),
    WITHOUT,
  );
  const used = new Set(APPLICATIONS.map(({ recipe }) => recipe));
  assert.equal(
    recipes.filter(({ name }) => !used.has(name)).map(({ name }) => name),
    [],
  );
});

test("names of recipes are names of packages; what they go with is there", () => {
  for (const recipe of recipes) {
    parsePackageName(printPackageName(packageFields(recipe, "1.0", "12")));
    for (const other of recipe.with) {
      const found = recipes.find(({ name }) => name === other);
      assert.ok(found, `${recipe.name}: no ${other}`);
      assert.ok(
        found.sequence <= recipe.sequence || found.kind !== recipe.kind,
        `${recipe.name} comes before ${other}`,
      );
    }
  }
});

test("every package has a health command, but for drivers; what the builder cannot run says why", () => {
  const without = recipes.filter(
    ({ kind, commands }) => kind !== "boot" && commands.health.length === 0,
  );
  assert.equal(
    without.map(({ name }) => name),
    ["driver-wireless", "driver"],
  );
  const packages = recipes.filter(({ kind }) => kind !== "boot");
  const skipped = Object.entries(ONLY_ON_A_DEVICE);
  for (const [name, reason] of skipped) {
    assert.ok(packages.find((recipe) => recipe.name === name)?.commands.health.length, name);
    assert.ok(reason.length > 10, name);
  }
  assert.ok(packages.length - without.length - skipped.length >= 40);
});

test("what a recipe may need is made before it; some bring the base along, and what they need", () => {
  const done = inOrder(recipes).map(({ name }) => name);
  for (const { name, with: others } of recipes) {
    for (const other of others)
      assert.ok(done.indexOf(other) < done.indexOf(name), `${name}: ${other}`);
  }
  const some = wanted(recipes, ["phpext"]).map(({ name }) => name);
  for (const name of ["phpext", "php", "system", "udev"]) assert.ok(some.includes(name), name);
  for (const name of ["htop", "nvidia", "kernel"]) assert.not.ok(some.includes(name), name);
  assert.throws(() => wanted(recipes, ["absent"]), /there is no recipe absent/);
});

test("a package lies on what it needs and on the base; without a need it is refused", () => {
  const one = (name: string, needs: string[]) => {
    const recipe = recipes.find((found) => found.name === name);
    assert.ok(recipe, name);
    return [name, { recipe, needs }] as const;
  };
  const built = new Map([
    one("system", []),
    one("network", ["libmnl"]),
    one("libmnl", []),
    one("ssh", ["network"]),
    one("htop", []),
    one("php", ["network"]),
  ]);
  const php = built.get("php");
  assert.ok(php);
  assert.equal(
    layersOf(php, built).map(({ recipe }) => recipe.name),
    ["php", "network", "libmnl", "ssh", "system"],
  );
  assert.equal(
    othersOf(php.recipe, built).map(({ recipe }) => recipe.name),
    ["network", "libmnl"],
  );
  built.delete("libmnl");
  assert.throws(() => layersOf(php, built), /network needs libmnl, which is not there/);
});

test("a service that is started can be stopped", () => {
  for (const { name, commands } of recipes) {
    const starts = commands.start.includes("/usr/bin/systemctl");
    assert.is(commands.stop.includes("/usr/bin/systemctl"), starts, name);
  }
});

test("the video appliance: at least 40 packages, and customers who get different ones", () => {
  assert.is(checkProduct(Bun.TOML.parse(read("product.toml"))).product, "video");
  const masks = parseMaskFile(read("mask.txt"), "mask.txt");
  const bits = new Set(masks.map(({ bit }) => bit));
  const packages = recipes.filter(({ kind }) => kind !== "boot");
  assert.ok(packages.length >= 40);
  for (const { name, mask } of packages) {
    for (let bit = 0; bit <= 20; bit += 1) {
      if ((mask >> bit) & 1) assert.ok(bits.has(bit), `${name}: bit ${bit} has no name`);
    }
  }
  const { customer } = Bun.TOML.parse(read("customers.toml")) as {
    customer: { name: string; mask: string; prefix: string }[];
  };
  const taken = customer.map(({ mask, prefix }) =>
    packages
      .filter((recipe) => {
        const prefixes = {
          packagePrefix: recipe.name.split("-", 1)[0] ?? "",
          systemPrefix: prefix,
        };
        return explainMask(Number.parseInt(mask, 16), recipe.mask, prefixes, masks).needed;
      })
      .map(({ name }) => name),
  );
  const [recorder = [], branch = []] = taken;
  assert.ok(recorder.includes("ffmpeg") && recorder.includes("smb") && !recorder.includes("pptpd"));
  assert.ok(branch.includes("pptpd") && branch.includes("mariadb") && !branch.includes("ffmpeg"));
  for (const name of ["system", "ssh", "udev"])
    assert.ok(recorder.includes(name) && branch.includes(name));
});

test("a note that a power cut has torn counts as none", () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-note-"));
  const file = join(folder, "notes/zfs.json");
  assert.is(readNote(file), undefined);
  writeNote(file, { digest: "x" });
  assert.equal(readNote(file), { digest: "x" });
  assert.equal(readdirSync(join(folder, "notes")), ["zfs.json"]);
  writeFileSync(file, '{ "digest": "x');
  assert.is(readNote(file), undefined);
  rmSync(folder, { recursive: true });
});

test("the table has a line for each row, and a size for each that was made", () => {
  const lines = printTable([
    {
      recipe: "htop",
      kind: "extra",
      version: "3.2",
      blobBytes: 1 << 20,
      imageBytes: 3 << 20,
      needs: ["libmnl"],
      health: "ok",
    },
  ]);
  assert.is(lines.length, SEED.length + 2);
  assert.ok(lines.includes("| htop | 0.08 | 1.0 | 3.0 | 3.2 | libmnl | ok |  |"));
  assert.match(
    lines.find((line) => line.startsWith("| ossfs |")) ?? "",
    /as `s3fs`: not in Debian/,
  );
});

test("the table says what is not right, and what is not the seed's", () => {
  const lines = printTable(
    [
      { recipe: "htop", kind: "extra", missing: [{ path: "/usr/bin/htop", why: "library x" }] },
      { recipe: "tc", kind: "extra", fault: "apt cannot fetch it" },
      { recipe: "own", kind: "extra", version: "1", health: "failed" },
    ],
    true,
  );
  assert.equal(lines.slice(2), [
    "| tc | 0.22 |  |  |  |  | not made |  |",
    "| htop | 0.08 |  |  |  |  | not whole: 1 missing |  |",
    "| own |  |  |  | 1 |  | failed | not in the seed |",
  ]);
});

test.run();
