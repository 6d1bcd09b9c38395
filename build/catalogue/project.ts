/*
 * The packages of the catalogue as a vendor's project, and its bundle, signed by a development key. The project of all of
 * them is the standing example, a video appliance. Owns: the layout; trees are linked, not copied; what was packed once
 * stays for every project of the same directory.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { buildBundle } from "../../src/bundle/build.ts";
import { filePieces } from "../../src/bundle/pieces.ts";
import { CACHE_DIRECTORY, OUT_DIRECTORY } from "../../src/bundle/project.ts";
import { readSigned } from "../../src/bundle/read.ts";
import { lockKey, makeKey, unlockKey } from "../../src/bundle/secret-key.ts";
import type { BundleManifest } from "../../src/model/bundle-manifest.ts";
import { chainOf } from "../../src/model/chain.ts";
import {
  DEVELOPMENT_PASSWORD,
  LEAST,
  printPublicKeyFile,
  type SecretKey,
} from "../../src/model/minisign.ts";
import { digestOf } from "../cache.ts";
import { run } from "../command.ts";
import type { Built } from "./make.ts";

const VIDEO = path.join(import.meta.dirname, "video");
const PLATFORM = "platform/x86_64";

export interface BootFile {
  readonly name: string;
  readonly path: string;
}

/** Lays the project anew; its cache and its bundles stay. */
export async function layProject(
  directory: string,
  boot: readonly BootFile[],
  packages: readonly Built[],
): Promise<void> {
  rmSync(path.join(directory, "platform"), { recursive: true, force: true });
  const platform = path.join(directory, PLATFORM);
  for (const kind of ["boot", "base", "extra"])
    mkdirSync(path.join(platform, kind), { recursive: true });
  for (const [from, to] of [
    ["product.toml", "product.toml"],
    ["mask.txt", `${PLATFORM}/mask.txt`],
  ] as const) {
    copyFileSync(path.join(VIDEO, from), path.join(directory, to));
  }
  const link = (from: string, to: string) => run(["cp", "--archive", "--link", from, to]);
  for (const { name, path: file } of boot) await link(file, path.join(platform, "boot", name));
  for (const { recipe, name, directory: tree } of packages) {
    await link(tree, path.join(platform, recipe.kind, name));
  }
  const cache = path.join(directory, CACHE_DIRECTORY);
  if (!existsSync(cache)) {
    mkdirSync(path.join(directory, "..", CACHE_DIRECTORY), { recursive: true });
    symlinkSync(path.join("..", CACHE_DIRECTORY), cache);
  }
}

export interface BuiltBundle {
  readonly path: string;
  readonly manifest: BundleManifest;
}

/** Packs what is not packed yet, signs, writes, reads again; nothing of it where nothing has changed. */
export async function buildProject(
  directory: string,
  boot: readonly BootFile[],
  packages: readonly Built[],
): Promise<BuiltBundle> {
  const stamp = path.join(directory, "built.json");
  const digest = digestOf([
    boot.map(({ name, path: file }) => [name, Bun.file(file).lastModified]),
    packages.map(({ name, madeMs }) => [name, madeMs]),
    ...["product.toml", "mask.txt"].map((name) => readFileSync(path.join(VIDEO, name), "utf8")),
  ]);
  const known = existsSync(stamp)
    ? (JSON.parse(readFileSync(stamp, "utf8")) as { digest: string; name?: string })
    : undefined;
  const before = path.join(directory, OUT_DIRECTORY, known?.name ?? "");
  if (known?.name !== undefined && known.digest === digest && existsSync(before)) {
    const { manifest } = await readSigned(filePieces(before), {
      name: before,
      keys: "whoever-signed",
    });
    return { path: before, manifest };
  }
  await layProject(directory, boot, packages);
  const key = await developmentKey(path.join(directory, ".."));
  const { path: file, bundle } = await buildBundle(directory, {
    key,
    chain: chainOf(key),
    isRelease: false,
    out: undefined,
    ownerRoot: false,
    say: (line) => console.error(`build: ${line}`),
  });
  writeFileSync(stamp, `${JSON.stringify({ digest, name: path.basename(file) })}\n`);
  return { path: file, manifest: bundle.manifest };
}

/** Everybody knows its password. */
async function developmentKey(directory: string): Promise<SecretKey> {
  const file = path.join(directory, "development.key");
  if (existsSync(file)) return unlockKey(file, readFileSync(file, "utf8"), DEVELOPMENT_PASSWORD);
  const key = makeKey(true);
  writeFileSync(file, await lockKey(key, DEVELOPMENT_PASSWORD, LEAST), { mode: 0o600 });
  writeFileSync(path.join(directory, "development.pub"), printPublicKeyFile(key));
  return key;
}
