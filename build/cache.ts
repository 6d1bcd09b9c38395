/*
 * Where build products are kept, and the digest that names them: a product is made again only when
 * something that went into it has changed. Owns: paths under dist/, digests, how what is finished gets its name,
 * and what is dropped.
 */
import { existsSync } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { flushDirectory, flushFile } from "../src/host/durable.ts";
import { run } from "./command.ts";

export const REPOSITORY = path.resolve(import.meta.dirname, "..");
export const DIST = path.join(REPOSITORY, "dist");

export function cacheDirectory(kind: string): string {
  return path.join(DIST, "cache", kind);
}

/** 16 hexadecimal digits that stand for `parts` (anything that JSON can print). */
export function digestOf(parts: unknown): string {
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

export async function digestOfFile(file: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(file).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}

/** Says that a product of the cache is in use, so that dropUnused leaves it alone for a while. */
export async function markUsed(product: string): Promise<void> {
  await Bun.write(`${product}.used`, "");
}

/**
 * Removes what nobody used for two hours: another build may be reading what it made a while ago.
 * Touches only products that markUsed knows, and what a build that was killed left behind.
 */
export async function dropUnused(directory: string): Promise<void> {
  const before = Date.now() - 2 * 3600_000;
  for (const name of await readdir(directory)) {
    if (!name.endsWith(".used") && !name.startsWith("making-")) continue;
    const file = path.join(directory, name);
    const known = await stat(file).catch(() => undefined);
    if (known === undefined || known.mtimeMs > before) continue;
    await rm(file.replace(/\.used$/, ""), { recursive: true, force: true });
    await rm(file, { recursive: true, force: true });
  }
}

/** A file that is finished gets its name, which says that it is whole: its content is on the disk before. */
export async function keepFile(from: string, to: string): Promise<void> {
  await flushFile(from);
  await rename(from, to);
  await flushDirectory(path.dirname(to));
}

/** The same for a directory and all that lies in it. */
export async function keepTree(from: string, to: string): Promise<void> {
  await run(["sync", "--file-system", from]);
  await rename(from, to);
  await flushDirectory(path.dirname(to));
}

/** Removes a directory so that what lies in it, half removed, is never taken for whole. */
export async function removeAtOnce(directory: string): Promise<void> {
  const old = `${directory}.old`;
  await rm(old, { recursive: true, force: true });
  if (existsSync(directory)) await rename(directory, old);
  await rm(old, { recursive: true, force: true });
}
