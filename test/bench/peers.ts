/*
 * The tools that zshield's packages, bundles and differences are compared with, each called as its users call it, on the
 * same two versions of a system. Owns: what is called. What they cannot do is left out of a row.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MIB } from "../../src/model/size.ts";
import { call, checkEqual, type Cost, measured, sumOf } from "./measure.ts";

/** What leads from nothing to the newer version, and from the older one to the newer. */
export interface Row {
  readonly name: string;
  /** The newer version as one file, or what a server keeps of it. */
  readonly wholeBytes?: number;
  readonly pack?: Cost;
  /** What has to be fetched where the older version is there. */
  readonly differenceBytes?: number;
  readonly make?: Cost;
  readonly apply?: Cost;
}

export interface Pair {
  /** Directories: the older version, the newer one. */
  readonly trees: readonly [string, string];
  /** The same as EROFS images. */
  readonly images: readonly [string, string];
  /** A path for a new file or directory of this name; removed when the row is done. */
  readonly at: (name: string) => string;
}

/** 19 needs more than ten minutes for the video appliance. */
const ZSTD_LEVEL = "-12";

const bytesOf = (file: string): number => statSync(file).size;

export const PEERS: readonly ((pair: Pair) => Row)[] = [
  ostree,
  casync,
  rauc,
  raucCasync,
  zchunk,
  bsdiff,
  xdelta3,
  zstd,
];

function ostree({ trees, at }: Pair): Row {
  const repository = at("ostree");
  const from = `--repo=${repository}`;
  call(["ostree", "init", from, "--mode=archive"]);
  const words = ["--owner-uid=0", "--owner-gid=0", "--no-xattrs", "--timestamp=@0"];
  const commit = (tree: string): string[] => {
    return ["ostree", "commit", from, "-b", "m", ...words, `--tree=dir=${tree}`];
  };
  const old = call(commit(trees[0])).trim();
  const pack = measured(commit(trees[1]));
  const fresh = call(["ostree", "rev-parse", from, "m"]).trim();
  const file = at("ostree.delta");
  const limits = ["--inline", "--min-fallback-size=0", "--max-chunk-size=1000"];
  const ends = [`--from=${old}`, `--to=${fresh}`, `--filename=${file}`];
  const make = measured(["ostree", "static-delta", "generate", from, ...ends, ...limits]);
  const client = at("ostree.client");
  call(["ostree", "init", `--repo=${client}`, "--mode=bare-user"]);
  call(["ostree", "pull-local", `--repo=${client}`, repository, old]);
  const apply = measured(["ostree", "static-delta", "apply-offline", `--repo=${client}`, file]);
  return { name: "ostree, static delta", pack, differenceBytes: bytesOf(file), make, apply };
}

function casync({ trees, at }: Pair): Row {
  const stores = [at("casync.older"), at("casync.newer")] as const;
  const indexes = stores.map((store) => `${store}.caidx`) as [string, string];
  const make = (which: 0 | 1): string[] => {
    return ["casync", "make", `--store=${stores[which]}`, indexes[which], trees[which]];
  };
  call(make(0));
  const pack = measured(make(1));
  const made = at("casync.made");
  const seed = [`--seed=${trees[0]}`, "--seed-output=no"];
  const apply = measured(["casync", "extract", `--store=${stores[1]}`, ...seed, indexes[1], made]);
  call(["diff", "--recursive", "--no-dereference", "--brief", "--exclude=dev", made, trees[1]]);
  return {
    ...{ name: "casync, of the tree", wholeBytes: bytesBelow(stores[1]), pack },
    ...{ differenceBytes: newChunks(stores) + bytesOf(indexes[1]), apply },
  };
}

/** One image in a signed bundle, which always travels whole. */
function rauc({ images, at }: Pair): Row {
  const key = raucKey(at);
  const { bundle, pack } = raucBundle(images[1], "newer", key, at);
  const wholeBytes = bytesOf(bundle);
  return { name: "rauc, plain bundle", wholeBytes, pack, differenceBytes: wholeBytes };
}

function raucCasync({ images, at }: Pair): Row {
  const key = raucKey(at);
  const stores: string[] = [];
  const costs: Cost[] = [];
  let indexBytes = 0;
  for (const [which, image] of images.entries()) {
    const { bundle, pack } = raucBundle(image, `casync-${which}`, key, at);
    const converted = at(`converted-${which}.raucb`);
    const argv = ["rauc", "convert", ...key, "--trust-environment", bundle, converted];
    costs.splice(0, costs.length, pack, measured(argv));
    stores.push(at(`converted-${which}.castr`));
    indexBytes = bytesOf(converted);
  }
  const [older = "", newer = ""] = stores;
  return {
    ...{ name: "rauc, casync bundle", wholeBytes: bytesBelow(newer) + indexBytes },
    ...{ pack: sumOf(costs), differenceBytes: newChunks([older, newer]) + indexBytes },
  };
}

function raucKey(at: Pair["at"]): string[] {
  const [key, certificate] = [at("rauc.key"), at("rauc.pem")];
  if (!existsSync(key)) {
    const subject = ["-subj", "/O=bench/CN=bench", "-days", "30"];
    const words = ["-x509", "-newkey", "rsa:3072", "-nodes", ...subject];
    call(["openssl", "req", ...words, "-keyout", key, "-out", certificate]);
  }
  return [`--key=${key}`, `--cert=${certificate}`, `--keyring=${certificate}`];
}

/** The bundle's file, and what making it took. */
function raucBundle(
  image: string,
  name: string,
  key: readonly string[],
  at: Pair["at"],
): { readonly bundle: string; readonly pack: Cost } {
  const folder = at(`rauc-${name}`);
  mkdirSync(folder);
  const manifest = [
    ...["[update]", "compatible=bench", "version=1", "[bundle]", "format=plain"],
    ...["[image.rootfs]", "filename=rootfs.img", ""],
  ];
  writeFileSync(join(folder, "manifest.raucm"), manifest.join("\n"));
  call(["cp", "--sparse=always", "--reflink=auto", image, join(folder, "rootfs.img")]);
  const bundle = at(`${name}.raucb`);
  const pack = measured(["rauc", "bundle", ...key, folder, bundle]);
  rmSync(folder, { recursive: true });
  return { bundle, pack };
}

function zchunk({ trees, at }: Pair): Row {
  const files = trees.map((tree, which) => {
    const tar = at(`zchunk-${which}.tar`);
    call(["tar", "--sort=name", "--numeric-owner", `--file=${tar}`, "--create", "-C", tree, "."]);
    return tar;
  });
  const packed = files.map((tar) => `${tar}.zck`) as [string, string];
  const pack = (which: 0 | 1): string[] => ["zck", "-o", packed[which], files[which] ?? ""];
  call(pack(0));
  const cost = measured(pack(1));
  const said = call(["zck_delta_size", ...packed]);
  const bytes = Number(/download (\d+) of/.exec(said)?.[1] ?? NaN);
  return {
    name: "zchunk, of a tar",
    wholeBytes: bytesOf(packed[1]),
    pack: cost,
    differenceBytes: bytes,
  };
}

/** Of each file that is new or different: contents alone. */
function bsdiff({ trees: [old, fresh], at }: Pair): Row {
  const patch = at("bsdiff");
  const made = at("bsdiff.made");
  const costs = { make: [] as Cost[], apply: [] as Cost[] };
  let differenceBytes = 0;
  for (const name of changedFiles(old, fresh)) {
    const before = existsSync(join(old, name)) ? join(old, name) : "/dev/null";
    costs.make.push(measured(["bsdiff", before, join(fresh, name), patch]));
    costs.apply.push(measured(["bspatch", before, made, patch]));
    checkEqual(made, join(fresh, name));
    differenceBytes += bytesOf(patch);
  }
  const name = "bsdiff, of each changed file";
  return { name, differenceBytes, make: sumOf(costs.make), apply: sumOf(costs.apply) };
}

function xdelta3({ images: [old, fresh], at }: Pair): Row {
  const file = at("xdelta3");
  const made = at("xdelta3.made");
  const window = ["-B", String(Math.max(MIB, bytesOf(old)))];
  const make = measured([
    "xdelta3",
    "-9",
    "-S",
    "lzma",
    "-e",
    "-f",
    ...window,
    "-s",
    old,
    fresh,
    file,
  ]);
  const apply = measured(["xdelta3", "-d", "-f", ...window, "-s", old, file, made]);
  checkEqual(made, fresh);
  return { name: "xdelta3 -9 -S lzma, of an image", differenceBytes: bytesOf(file), make, apply };
}

function zstd({ images: [old, fresh], at }: Pair): Row {
  const file = at("zstd");
  const made = at("zstd.made");
  const from = ["--long=31", `--patch-from=${old}`];
  const make = measured(["zstd", "-q", "-T1", ZSTD_LEVEL, ...from, fresh, "-f", "-o", file]);
  const apply = measured(["zstd", "-q", "-d", ...from, file, "-f", "-o", made]);
  checkEqual(made, fresh);
  const name = `zstd ${ZSTD_LEVEL} --patch-from, of an image`;
  return { name, differenceBytes: bytesOf(file), make, apply };
}

// --- the figures behind ------------------------------------------------------------------------

function changedFiles(old: string, fresh: string): string[] {
  const names = call(["find", ".", "-type", "f", "-print0"], fresh).split("\0").filter(Boolean);
  return names.filter(
    (name) => Bun.spawnSync(["cmp", "--silent", join(old, name), join(fresh, name)]).exitCode !== 0,
  );
}

/** Bytes of the chunks that only the second store has. */
function newChunks([older, newer]: readonly [string, string]): number {
  return chunksOf(newer)
    .filter((name) => !existsSync(join(older, name)))
    .reduce((sum, name) => sum + bytesOf(join(newer, name)), 0);
}

function bytesBelow(folder: string): number {
  return chunksOf(folder).reduce((sum, name) => sum + bytesOf(join(folder, name)), 0);
}

function chunksOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
