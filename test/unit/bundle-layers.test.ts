/*
 * What a stack of packages shows, by the rules of an overlay; and that a root is made of the right ones.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { namesOfFiles, stackLayers, type Layer } from "../../src/bundle/layers.ts";
import type { PackageRecord } from "../../src/model/bundle-manifest.ts";
import type { Entry } from "../../src/model/manifest.ts";
import { planBootFiles, planRootPackages } from "../../src/plan/root.ts";
import { packageOf } from "./bundle-example.ts";
import { refusalOf } from "./key-example.ts";

const OWN = { mode: 0o644, uid: 0, gid: 0 };

/** `dir/`, `link@`, else a file; the root and what is needed of its parents is there. */
function layer(name: string, ...paths: readonly (string | Partial<Entry>)[]): Layer {
  const entries = new Map<string, Entry>();
  const directory = (path: string): void => {
    if (path !== "/") directory(path.slice(0, path.lastIndexOf("/")) || "/");
    if (!entries.has(path)) entries.set(path, { path, type: "directory", ...OWN, mode: 0o755 });
  };
  directory("/");
  for (const given of paths) {
    const { path: text = "", ...more } = typeof given === "string" ? { path: given } : given;
    const path = text.replace(/[/@]$/, "");
    directory(path.slice(0, path.lastIndexOf("/")) || "/");
    const type = text.endsWith("/") ? "directory" : text.endsWith("@") ? "symlink" : "file";
    entries.set(path, { path, type, ...OWN, ...more });
  }
  return { name, entries: [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/** Path and layer of all but what every root has. */
function seen(...layers: readonly Layer[]): string[] {
  return [...stackLayers(layers).places.values()]
    .filter(({ entry, path }) => entry.type !== "directory" || !/^\/(usr.*)?$/.test(path))
    .map(({ path, layer: number }) => `${path} ${number ?? "-"}`)
    .sort();
}

test("of a path the highest layer's file is seen, and directories are one", () => {
  const low = layer("low", "/etc/a", "/etc/b", "/etc/only-low");
  const high = layer("high", "/etc/b", { path: "/etc/", mode: 0o700 });
  assert.equal(seen(low, high), ["/etc 1", "/etc/a 0", "/etc/b 1", "/etc/only-low 0"]);
  assert.equal(seen(high, low), ["/etc 1", "/etc/a 1", "/etc/b 1", "/etc/only-low 1"]);
  assert.is(stackLayers([low, high]).places.get("/etc")?.entry.mode, 0o700);
  assert.equal(stackLayers([low, high]).conflicts, []);
});

test("what is no directory hides all that lies below it further down, and is told", () => {
  const low = layer("low", "/opt/x/deep/file", "/opt/y");
  const middle = layer("middle", "/opt/x@");
  const high = layer("high", "/opt/x/new", "/opt/y/file");
  assert.equal(seen(low, middle), ["/opt 1", "/opt/x 1", "/opt/y 0"]);
  // As the kernel's overlay: the link ends the search, also where a directory hides it in turn.
  const all = ["/opt 2", "/opt/x 2", "/opt/x/new 2", "/opt/y 2", "/opt/y/file 2"];
  assert.equal(seen(low, middle, high), all);
  assert.equal(
    stackLayers([low, middle, high]).conflicts.map(
      ({ path, hiding, hidden, type }) => `${path}: ${type} of ${hiding}, ${hidden}`,
    ),
    ["/opt/x: directory of high, middle", "/opt/y: directory of high, low"],
  );
});

test("names of one file stay names of one file, though the first of them is hidden", () => {
  const low = layer("low", "/a", { path: "/b", link: "/a" }, { path: "/c", link: "/a" });
  const stack = stackLayers([low, layer("high", "/a")]);
  const names = (number: number) =>
    [...namesOfFiles(stack, number)].map(([first, all]) => [first, ...all.map(({ path }) => path)]);
  assert.equal(names(0), [["/a", "/b", "/c"]]);
  assert.equal(names(1), [["/a", "/a"]]);
});

test("what packages say of themselves lies side by side", () => {
  const [low, high] = ["low", "high"].map((name) => layer(name, "/__zshield/package.toml"));
  const { places } = stackLayers([low, high].flatMap((one) => one ?? []));
  assert.is(places.get("/usr/lib/zshield/packages/low/package.toml")?.layer, 0);
  assert.is(places.get("/usr/lib/zshield/packages/high/package.toml")?.layer, 1);
  assert.not.ok([...places.keys()].some((path) => path.includes("__zshield")));
  const linked = layer("linked", "/usr/lib@", "/__zshield/package.toml");
  assert.match(
    refusalOf(() => stackLayers([linked])),
    /^\/usr\/lib is a symlink in these packages/,
  );
});

const record = (name: string, kind: PackageRecord["kind"], ...needs: string[]) =>
  packageOf(`${name}-1.0.8.1-7.2-000000`, new Uint8Array([1]), { kind, needs });
const shortNames = (list: readonly { readonly name: string }[]) =>
  list.map(({ name }) => name.split("-")[0]).join(" ");

test("an unsound extra is left out with what needs it, an unsound base refuses", () => {
  const [base, nvr, gui] = [
    record("base", "base"),
    record("nvr", "extra", "base"),
    record("gui", "extra", "nvr"),
  ];
  const all = [base, nvr, gui].flatMap((one) => one ?? []);
  assert.is(shortNames(planRootPackages(all, new Map()).packages), "base nvr gui");
  const { packages, left } = planRootPackages(all, new Map([[nvr?.name ?? "", "no image"]]));
  assert.is(shortNames(packages), "base");
  assert.equal(
    left.map(({ reason }) => reason),
    ["no image", "it needs nvr, which is not there"],
  );
  const both = new Map([nvr, gui].map((one) => [one?.name ?? "", "no image"]));
  assert.is(shortNames(planRootPackages(all, both).left), "nvr gui");
  const wrong = () => planRootPackages(all, new Map([[base?.name ?? "", "no image"]]));
  assert.match(refusalOf(wrong), /^base-\S+ cannot be used: no image$/);
  // A mask that leaves what a base package needs.
  assert.match(
    refusalOf(() => planRootPackages([record("low", "base", "other")], new Map())),
    /it needs other/,
  );
});

test("boot files are called by the one kernel that has modules", () => {
  const files = (...names: string[]) => names.map((name) => ({ name }));
  const plan = (names: string[], versions: string[]) =>
    Object.fromEntries(planBootFiles(files(...names), versions));
  assert.equal(plan(["vmlinuz", "initramfs.img", "memtest"], ["6.1.0-1"]), {
    vmlinuz: "/boot/vmlinuz-6.1.0-1",
    "initramfs.img": "/boot/initrd.img-6.1.0-1",
    memtest: "/boot/memtest",
  });
  assert.equal(plan(["vmlinuz-6.1"], ["6.1"]), { "vmlinuz-6.1": "/boot/vmlinuz-6.1" });
  for (const [names, versions, words] of [
    [["vmlinuz"], [], /no package has a directory in \/usr\/lib\/modules/],
    [["vmlinuz"], ["6.1", "6.2"], /\/usr\/lib\/modules has 6.1, 6.2/],
    [[], ["6.1"], /no kernel in boot\/$/],
    [["initrd.img"], ["6.1"], /no kernel in boot\/, only initrd.img$/],
    [["vmlinuz", "vmlinuz-old"], ["6.1"], /which of vmlinuz, vmlinuz-old/],
    [["vmlinuz", "initrd", "initramfs.img"], ["6.1"], /which of initrd, initramfs.img/],
  ] as [string[], string[], RegExp][]) {
    assert.match(
      refusalOf(() => plan(names, versions)),
      words,
    );
  }
});

test.run();
