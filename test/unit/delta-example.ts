/*
 * Two small bundles of one vendor in files, and whatever can be done to a difference between them.
 */
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildBundle } from "../../src/bundle/build.ts";
import { blobName, sha256Of, type FrontEntry } from "../../src/bundle/oci.ts";
import { decodeHeader, encodeHeader, END_BYTES, paddingBytes } from "../../src/bundle/tar.ts";
import { Refusal } from "../../src/errors.ts";
import { DELTA_FILE, printDelta, type Delta } from "../../src/model/bundle-delta.ts";
import { chainOf } from "../../src/model/chain.ts";
import type { SecretKey } from "../../src/model/minisign.ts";
import { keyOf } from "./key-example.ts";
import { noise, prose } from "./zdiff-example.ts";

export const KEY = keyOf(7);

/** Path in the platform's directory → content. */
export type Files = Readonly<Record<string, Buffer | string>>;

const DAY = new Date("2026-11-20T12:00:00Z");
const TOML = 'format = 1\nversion = "1.2"\n';

/** Of one platform. A package is as many files as one wants; its `package.toml` comes by itself. */
export async function buildExample(
  directory: string,
  release: number,
  files: Files,
  key: SecretKey = KEY,
): Promise<string> {
  const put = (path: string, content: Buffer | string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    // Equal contents are equal images.
    utimesSync(path, DAY, DAY);
  };
  put(
    join(directory, "product.toml"),
    `format = 1\nvendor = "acme"\nproduct = "video"\nmajor = 4\nrelease = ${release}\nsecurity-floor = 0\n`,
  );
  const platform = join(directory, "platform/x86_64");
  for (const name of ["boot", "base", "extra"]) {
    mkdirSync(join(platform, name), { recursive: true });
  }
  put(join(platform, "mask.txt"), "0 video records video\n");
  for (const [path, content] of Object.entries(files)) {
    put(join(platform, path), content);
    const [kind, name] = path.split("/");
    if (kind !== "boot") put(join(platform, `${kind}/${name}/__zshield/package.toml`), TOML);
  }
  const { path } = await buildBundle(directory, {
    key,
    chain: chainOf(key),
    isRelease: false,
    out: undefined,
    ownerRoot: true,
    say: () => undefined,
  });
  return path;
}

const text = prose(1, 9000);

/** A changed package, one with another name and the same content, one that goes; a kernel; and one that comes. */
export const OLD: Files = {
  "boot/vmlinuz": noise(3, 3000),
  "base/zfs-1.0.8.1-7.2-000000/usr/bin/zfs": text,
  "base/nvr-1.0.8.1-7.3-000000/usr/bin/nvr": noise(4, 900),
  "extra/gone-1.0.8.1-7.1-000000/usr/bin/gone": "gone",
};
export const NEW: Files = {
  "boot/vmlinuz": Buffer.concat([noise(3, 3000).subarray(0, 1500), noise(3, 3000)]),
  "base/zfs-1.0.8.1-7.3-000000/usr/bin/zfs": Buffer.concat([text, Buffer.from("and more of it")]),
  "base/nvr-1.0.8.1-7.3-000001/usr/bin/nvr": noise(4, 900),
  "extra/onvif-1.0.8.1-8.1-000040/usr/bin/onvif": noise(5, 400),
};

/** The entries of a difference, whatever is in them. */
export function entriesOf(bytes: Buffer): FrontEntry[] {
  const entries: FrontEntry[] = [];
  for (let at = 0; at < bytes.length - END_BYTES;) {
    const header = decodeHeader(bytes.subarray(at, at + 512));
    if ("fault" in header) throw new Error(header.fault);
    const { name, sizeBytes } = header;
    entries.push({ name, bytes: bytes.subarray(at + 512, at + 512 + sizeBytes) });
    at += 512 + sizeBytes + paddingBytes(sizeBytes);
  }
  return entries;
}

export function tarOf(entries: readonly FrontEntry[]): Buffer {
  return Buffer.concat([
    ...entries.flatMap(({ name, bytes }) => [
      encodeHeader({ name, sizeBytes: bytes.length }),
      bytes,
      Buffer.alloc(paddingBytes(bytes.length)),
    ]),
    Buffer.alloc(END_BYTES),
  ]);
}

export function deltaOf(entries: readonly FrontEntry[]): Delta {
  return JSON.parse(Buffer.from(entries[0]?.bytes ?? []).toString()) as Delta;
}

/** As a liar would write it: another content of one part, with all digests of it right. */
export function withPart(
  entries: readonly FrontEntry[],
  index: number,
  content: Uint8Array,
  change: Readonly<Record<string, string>> = {},
): Buffer {
  const delta = deltaOf(entries);
  const sha256 = sha256Of(content);
  const parts = delta.parts.map((part, other) =>
    other === index ? { ...part, sha256, sizeBytes: content.length, ...change } : part,
  );
  const json = { name: DELTA_FILE, bytes: Buffer.from(printDelta({ ...delta, parts })) };
  return tarOf(entries.with(0, json).with(4 + index, { name: blobName(sha256), bytes: content }));
}

export async function refusalWhile(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  return "nothing was refused";
}

/** Everything below a directory, with its digest. */
export function listing(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return entry.isFile() ? `${path} ${sha256Of(readFileSync(path))}` : path;
    })
    .toSorted();
}
