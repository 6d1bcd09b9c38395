/*
 * debian.lock: which Debian packages the roots are made of, one line a package, with version,
 * digest and place on the mirror (never the mirror's name). Owns: the file's format, and choosing
 * the packages anew from what the mirror has today. Must not build anything.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Refusal } from "../src/errors.ts";
import { output } from "./command.ts";
import type { Archive } from "./debian-mirror.ts";
import { makeOwnApt } from "./own-apt.ts";

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly archive: Archive;
  /** Below the archive's top: `pool/main/b/bash/bash_5.2-1_amd64.deb`. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface Lock {
  readonly suite: string;
  /** Seconds since 1970: the newest date that the mirror's index carried. SOURCE_DATE_EPOCH. */
  readonly epoch: number;
  /** Root → its packages, by name. */
  readonly roots: ReadonlyMap<string, readonly LockedPackage[]>;
}

const HEADER = "# Written by `npx bun build/debian.ts lock`. Not to be edited by hand.";

export function printLock(lock: Lock): string {
  const rootsOf = new Map<string, { entry: LockedPackage; roots: string[] }>();
  for (const [root, packages] of lock.roots) {
    for (const entry of packages) {
      const known = rootsOf.get(entry.sha256);
      if (known) known.roots.push(root);
      else rootsOf.set(entry.sha256, { entry, roots: [root] });
    }
  }
  const lines = [...rootsOf.values()]
    .sort((a, b) => (a.entry.path < b.entry.path ? -1 : 1))
    .sort((a, b) => (a.entry.name < b.entry.name ? -1 : a.entry.name > b.entry.name ? 1 : 0))
    .map(({ entry: e, roots }) =>
      [
        e.name,
        e.version,
        e.architecture,
        e.archive,
        e.path,
        e.sizeBytes,
        e.sha256,
        roots.join(","),
      ].join(" "),
    );
  return [HEADER, `suite ${lock.suite}`, `epoch ${lock.epoch}`, ...lines, ""].join("\n");
}

/** @throws Refusal naming the line that is not understood. */
export function parseLock(text: string): Lock {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const value = (key: string): string => {
    const line = lines.shift();
    if (!line?.startsWith(`${key} `)) throw new Refusal(`debian.lock: “${key} …” expected`, HINT);
    return line.slice(key.length + 1);
  };
  const suite = value("suite");
  const epoch = Number(value("epoch"));
  const roots = new Map<string, LockedPackage[]>();
  for (const line of lines) {
    const [name, version, architecture, archive, place, size, sha256, rootNames, ...rest] =
      line.split(" ");
    if (!name || !version || !architecture || !place || !sha256 || !rootNames || rest.length > 0) {
      throw new Refusal(`debian.lock: not understood: ${line}`, HINT);
    }
    if (archive !== "debian" && archive !== "debian-security") {
      throw new Refusal(`debian.lock: unknown archive: ${line}`, HINT);
    }
    const entry = {
      name,
      version,
      architecture,
      archive,
      path: place,
      sizeBytes: Number(size),
      sha256,
    } as const;
    for (const root of rootNames.split(",")) {
      const packages = roots.get(root);
      if (packages) packages.push(entry);
      else roots.set(root, [entry]);
    }
  }
  return { suite, epoch, roots };
}

const HINT = "take debian.lock from git again, or make it anew: npx bun build/debian.ts lock";

/** Chooses packages from what the mirror has now: `wanted` is root → names asked for. */
export async function resolveLock(
  suite: string,
  wanted: ReadonlyMap<string, readonly string[]>,
): Promise<Lock> {
  const directory = await mkdtemp(path.join(tmpdir(), "zshield-lock-"));
  try {
    return await resolveIn(directory, suite, wanted);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function resolveIn(
  directory: string,
  suite: string,
  wanted: ReadonlyMap<string, readonly string[]>,
): Promise<Lock> {
  const env = { APT_CONFIG: await makeOwnApt(directory, { suite, components: "main" }) };
  const index = await readIndex(path.join(directory, "state/lists"));
  const roots = new Map<string, LockedPackage[]>();
  for (const [root, names] of wanted) {
    const asked = [...new Set([...index.essential, ...names])].sort();
    const text = await output(
      ["apt-get", "--yes", "--print-uris", "--quiet", "install", ...asked],
      { env },
    );
    const packages = [...text.matchAll(/^'[^']*\/(debian|debian-security)\/(pool\/[^']+)' /gm)].map(
      ([, archive, place]) => {
        const entry = index.files.get(`${archive} ${decodeURIComponent(place ?? "")}`);
        if (!entry) throw new Error(`apt wants ${place}, which the index does not name`);
        return entry;
      },
    );
    roots.set(
      root,
      packages.sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  }
  return { suite, epoch: index.epoch, roots };
}

interface Index {
  readonly essential: ReadonlySet<string>;
  /** `archive path` → package. */
  readonly files: ReadonlyMap<string, LockedPackage>;
  readonly epoch: number;
}

async function readIndex(lists: string): Promise<Index> {
  const essential = new Set<string>();
  const files = new Map<string, LockedPackage>();
  let epoch = 0;
  for (const name of await readdir(lists)) {
    if (name.endsWith("_InRelease")) {
      const date = /^Date: (.+)$/m.exec(await Bun.file(path.join(lists, name)).text())?.[1];
      epoch = Math.max(epoch, Math.floor(Date.parse(date ?? "") / 1000));
    }
    if (!name.endsWith("_Packages")) continue;
    const archive: Archive = name.includes("debian-security_dists") ? "debian-security" : "debian";
    for (const stanza of (await Bun.file(path.join(lists, name)).text()).split("\n\n")) {
      const field = (key: string) => new RegExp(`^${key}: (.*)$`, "m").exec(stanza)?.[1];
      const place = field("Filename");
      const sha256 = field("SHA256");
      const packageName = field("Package");
      if (!place || !sha256 || !packageName) continue;
      if (field("Essential") === "yes") essential.add(packageName);
      files.set(`${archive} ${place}`, {
        name: packageName,
        version: field("Version") ?? "",
        architecture: field("Architecture") ?? "",
        archive,
        path: place,
        sizeBytes: Number(field("Size")),
        sha256,
      });
    }
  }
  return { essential, files, epoch };
}
