/*
 * package.toml and product.toml: defaults, every fault with its path, and the way through TOML and back.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { checkPackage, printPackage } from "../../src/model/package-toml.ts";
import { checkProduct, printProduct } from "../../src/model/product-toml.ts";

const FORMATS = readFileSync(new URL("../../src/bundle/README.md", import.meta.url), "utf8");

/** The first TOML on the format page that has this line. */
function exampleWith(line: string): string {
  const examples = [...FORMATS.matchAll(/```toml\n([^]*?)```/g)].map(([, text = ""]) => text);
  return examples.find((text) => text.includes(line)) ?? "";
}

function faultsOf(check: (value: unknown) => unknown, text: string): string[] {
  try {
    check(Bun.TOML.parse(text));
  } catch (error) {
    if (error instanceof Refusal) return error.message.split("\n");
    throw error;
  }
  return [];
}

test("the format page's package.toml", () => {
  assert.equal(checkPackage(Bun.TOML.parse(exampleWith("needs ="))), {
    version: "2.1.11-1+deb12u1",
    description: "ZFS file system",
    needs: ["libmnl"],
    start: ["/usr/sbin/zfs", "mount", "-a"],
    stop: ["/usr/sbin/zfs", "unmount", "-a"],
    health: ["/usr/sbin/zfs", "version"],
    seconds: { start: 60, stop: 60, health: 60 },
  });
});

test("the least package.toml", () => {
  const least = 'format = 1\nversion = "1"\n';
  const found = checkPackage(Bun.TOML.parse(least));
  assert.equal(found, {
    version: "1",
    description: "",
    needs: [],
    start: [],
    stop: [],
    health: [],
    seconds: { start: 60, stop: 60, health: 60 },
  });
  assert.is(printPackage(found), least);
});

test("all of a package.toml, printed and read again", () => {
  const description = checkPackage({
    format: 1,
    version: "1:2.3~rc1^git",
    description: 'a "quoted" \\ 包',
    needs: ["b", "a-b"],
    start: ["/bin/sh", "-c", 'echo "a\u007f\u0001\n\\u0000" 包 \u{1f4f7}', ""],
    "start-seconds": 3600,
    "stop-seconds": 2,
    "health-seconds": 1,
  });
  assert.equal(description.seconds, { start: 3600, stop: 2, health: 1 });
  assert.equal(checkPackage(Bun.TOML.parse(printPackage(description))), description);
});

const least = 'format = 1\nversion = "1"\n';
for (const [text, ...wanted] of [
  ['version = "1"', "format: is missing"],
  ["format = 1", "version: is missing"],
  ['format = 2\nversion = "1"', "format: must be 1"],
  ['format = "1"\nversion = "1"', "format: must be 1"],
  ["format = 1\nversion = 1", "version: must be a text"],
  ['format = 1\nversion = ""', "version: must be 1 to 128"],
  ['format = 1\nversion = "1 2"', "version: must be 1 to 128"],
  ['format = 1\nversion = "-1"', "version: must be 1 to 128"],
  [`format = 1\nversion = "${"1".repeat(129)}"`, "version: must be 1 to 128"],
  [`${least}description = "a\\nb"`, "description: must be one line"],
  [`${least}description = "${"d".repeat(201)}"`, "description: must be at most 200"],
  [`${least}needs = "libmnl"`, "needs: must be a list of names"],
  [`${least}needs = ["a", "../b"]`, "needs.1: must be 1 to 64"],
  [`${least}needs = ["a", "a"]`, "needs: must hold each name once"],
  [`${least}start = "/bin/x"`, "start: must be a list of words"],
  [`${least}start = ["x"]`, "start: must begin with the whole path"],
  [`${least}start = [""]`, "start: must begin with the whole path"],
  [`${least}start = ["/"]`, "start: must begin with the whole path"],
  [`${least}start = ["/bin/"]`, "start: must begin with the whole path"],
  [`${least}start = ["/bin//x"]`, "start: must begin with the whole path"],
  [`${least}stop = ["/bin/../x"]`, "stop: must begin with the whole path"],
  [`${least}health = ["/bin/./x"]`, "health: must begin with the whole path"],
  [`${least}health = ["/bin/x", "\\u0000"]`, "health.1: must hold neither NUL"],
  [`${least}health = ["/bin/x", "${"包".repeat(1366)}"]`, "health.1: must be at most 4096 bytes"],
  [`${least}health = ["/bin/x", ${'"y",'.repeat(64)}]`, "health: must be at most 64 words"],
  [`${least}start-seconds = 0`, "start-seconds: must be 1 to 3600"],
  [`${least}stop-seconds = 3601`, "stop-seconds: must be 1 to 3600"],
  [`${least}health-seconds = 1.5`, "health-seconds: must be whole seconds"],
  [`${least}health-seconds = nan`, "health-seconds: must be a number"],
  [`${least}mask = "000000"`, "mask: there is no such key"],
  [`${least}__proto__ = 1`, "__proto__: there is no such key"],
  [`${least}a = 1\nstart-seconds = 0`, "start-seconds:", "a:"],
] as [string, ...string[]][]) {
  test(`refused: ${JSON.stringify(text).slice(0, 70)}`, () => {
    const faults = faultsOf(checkPackage, text);
    assert.is(faults.length, wanted.length, faults.join(" | "));
    for (const words of wanted) {
      assert.ok(
        faults.some((fault) => fault.startsWith(`__zshield/package.toml: ${words}`)),
        faults.join(" | "),
      );
    }
  });
}

test("a word with half a character is refused", () => {
  assert.throws(
    () => checkPackage({ format: 1, version: "1", start: ["/bin/x", "\ud800"] }),
    /start\.1: must hold neither NUL/,
  );
});

test("the format page's product.toml, printed and read again", () => {
  const found = checkProduct(Bun.TOML.parse(exampleWith("security-floor =")));
  assert.equal(found, {
    vendor: "acme",
    product: "video",
    major: 4,
    release: 17,
    securityFloor: 12,
  });
  assert.equal(checkProduct(Bun.TOML.parse(printProduct(found))), found);
});

const product = (changes: Record<string, unknown>) => ({
  format: 1,
  vendor: "acme",
  product: "video",
  major: 4,
  release: 17,
  ...changes,
});

test("without a security floor nothing is below it", () => {
  assert.is(checkProduct(product({})).securityFloor, 0);
  assert.is(checkProduct(product({ "security-floor": 17 })).securityFloor, 17);
});

for (const [changes, fault] of [
  [{ format: 2 }, "format: must be 1"],
  [{ vendor: "" }, "vendor: must be 1 to 64"],
  [{ vendor: "a b" }, "vendor: must be 1 to 64"],
  [{ vendor: undefined }, "vendor: must be a text"],
  [{ product: "Video" }, "product: must be 1 to 64"],
  [{ product: "../video" }, "product: must be 1 to 64"],
  [{ product: "a--b" }, "product: must be 1 to 64"],
  [{ product: "video-" }, "product: must be 1 to 64"],
  [{ product: "v".repeat(65) }, "product: must be 1 to 64"],
  [{ product: "video\n" }, "product: must be 1 to 64"],
  [{ major: -1 }, "major: must be 0 to 999999"],
  [{ major: 1_000_000 }, "major: must be 0 to 999999"],
  [{ major: 1.5 }, "major: must be a whole number"],
  [{ major: "4" }, "major: must be a number"],
  [{ release: 0 }, "release: must be 1 or more"],
  [{ release: 2 ** 53 }, "release: must be 1 or more, below 2^53"],
  [{ "security-floor": -1 }, "security-floor: must be 0 or more"],
  [{ "security-floor": 18 }, "security-floor: is 18, above this release itself, 17"],
  [{ floor: 1 }, "floor: there is no such key"],
] as [Record<string, unknown>, string][]) {
  test(`product.toml, refused: ${JSON.stringify(changes).slice(0, 60)}`, () => {
    assert.throws(
      () => checkProduct(product(changes)),
      (error: unknown) =>
        error instanceof Refusal && error.message.startsWith(`product.toml: ${fault}`),
    );
  });
}

test.run();
