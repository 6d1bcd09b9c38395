/*
 * A vendor's project in a directory, its bundle, device records of two masks, and roots of it. Owns: making these for tests.
 */
import { chmodSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildBundle } from "../../src/bundle/build.ts";
import { bundleRoot } from "../../src/commands/bundle-root.ts";
import { Refusal } from "../../src/errors.ts";
import { chainOf } from "../../src/model/chain.ts";
import { printPublicKeyFile } from "../../src/model/minisign.ts";
import { signRecord } from "../../src/model/signed-record.ts";
import { command } from "../lab/command.ts";
import { keyOf } from "../unit/key-example.ts";

/** Of development: the project is built over and over. */
export const KEY = { ...keyOf(5), id: "DE57000000000005" };
export const KERNEL = "6.1.0-1";

/** A file of a package, of a fixed day. */
export function put(path: string, content: string | Buffer, day = "2026-03-04"): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, 0o644);
  utimesSync(path, new Date(`${day}T12:00:00Z`), new Date(`${day}T12:00:00Z`));
  return path;
}

/** A small library of this machine's kind, or marked as one of another machine. */
export async function library(isForeign = false): Promise<Buffer> {
  const { stdout } = await command(["ldconfig", "-p"]);
  const path = /libdl\.so\.2 .*=> (\/\S+)/.exec(stdout)?.[1];
  if (path === undefined) throw new Error("this machine has no libdl.so.2");
  const bytes = readFileSync(path);
  // e_machine: 183 is AArch64, 62 is x86-64.
  if (isForeign) bytes.writeUInt16LE(bytes.readUInt16LE(18) === 183 ? 62 : 183, 18);
  return bytes;
}

export interface RootExample {
  /** Begins a package; returns the path of a file in it. */
  package(kind: "base" | "extra", name: string): (file: string) => string;
  /** Returns the bundle's file. */
  build(): Promise<string>;
  /** Returns what it said. `mask`: 1, or 3 with a second bit. */
  make(file: string, directory: string, mask?: 1 | 3): Promise<string>;
  /** The words of the same for a process of its own. */
  words(file: string, directory: string): string[];
}

/** Has a kernel and an initramfs, but no package yet. */
export function rootExample(folder: string, platform = "x86_64"): RootExample {
  const at = (...parts: string[]) => join(folder, ...parts);
  const inPlatform = (...parts: string[]) => at("project/platform", platform, ...parts);
  put(
    at("project/product.toml"),
    'format = 1\nvendor = "acme"\nproduct = "video"\nmajor = 1\nrelease = 3\n',
  );
  for (const kind of ["base", "extra"]) mkdirSync(inPlatform(kind), { recursive: true });
  put(inPlatform("mask.txt"), "0 video records\n1 onvif finds cameras\n");
  put(inPlatform("boot/vmlinuz"), "the kernel");
  put(inPlatform("boot/initramfs.img"), "the initramfs");
  writeFileSync(at("vendor.pub"), printPublicKeyFile(KEY));
  for (const mask of [1, 3]) {
    const record = { device: `BOX-${mask}`, mask, prefix: "acme", epoch: 1 };
    writeFileSync(at(`${mask}.record`), signRecord(record, KEY));
  }
  return {
    package(kind, name) {
      const tree = inPlatform(kind, name);
      put(join(tree, "__zshield/package.toml"), 'format = 1\nversion = "1"\n');
      return (file) => join(tree, file);
    },
    async build() {
      const built = await buildBundle(at("project"), {
        ...{ key: KEY, chain: chainOf(KEY), isRelease: false, out: undefined, ownerRoot: false },
        say: () => undefined,
      });
      return built.path;
    },
    async make(file, directory, mask = 1) {
      const { log } = console;
      const said: string[] = [];
      console.log = (line: string) => void said.push(line);
      try {
        const keys = [at("vendor.pub")];
        await bundleRoot(file, directory, {
          ...{ keys, device: at(`${mask}.record`), platform: undefined },
        });
        return said.join("\n");
      } catch (error) {
        if (error instanceof Refusal) return `${said.join("\n")}\nREFUSED ${error.message}`;
        throw error;
      } finally {
        console.log = log;
      }
    },
    words: (file, directory) => [
      ...["bundle", "root", file, directory],
      ...["--key", at("vendor.pub"), "--device", at("1.record")],
    ],
  };
}
