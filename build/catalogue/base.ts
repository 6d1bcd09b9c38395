/*
 * What the catalogue harvests from: a root that every device has, of Debian's packages, and an apt.conf(5) with contrib and
 * non-free, which this machine's own apt may not have. Owns: what the base is made of, and when it is made anew.
 */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { digestOf } from "../cache.ts";
import { run, told } from "../command.ts";
import { readMirrors } from "../debian-mirror.ts";
import { makeOwnApt, sourcesOf } from "../own-apt.ts";

const SUITE = "bookworm";
const APT_FRESH_MS = 24 * 3600_000;

/** What the package "system" is made of; what other recipes bring is not among it. */
const BASE = [
  ...[
    "usr-is-merged",
    "systemd",
    "systemd-sysv",
    "dbus",
    "kmod",
    "e2fsprogs",
    "util-linux",
    "mount",
  ],
  ...["login", "passwd", "procps", "libpam-systemd", "ca-certificates", "netbase", "less"],
];

/** Where the notes of what was harvested lie; they count for the base that they were made with. */
export const NOTES = "notes";

export async function makeBase(work: string): Promise<string> {
  const base = path.join(work, "base");
  const done = path.join(work, "base.done");
  const digest = digestOf([SUITE, BASE]);
  if (existsSync(done) && readFileSync(done, "utf8") === digest) return base;
  for (const old of [base, path.join(work, NOTES)]) rmSync(old, { recursive: true, force: true });
  const sources = sourcesOf(await readMirrors(), { suite: SUITE, components: "main" });
  await told(`base of ${BASE.length} packages and what they need`, () =>
    run(
      [
        ...["mmdebstrap", "--mode=root", "--variant=essential", "--format=directory", "--quiet"],
        "--hook-directory=/usr/share/mmdebstrap/hooks/merged-usr",
        ...['--aptopt=APT::Install-Recommends "false"', "--dpkgopt=force-unsafe-io"],
        ...[`--include=${BASE.join(",")}`, SUITE, base, ...sources],
      ],
      { env: { TMPDIR: work, INITRD: "No" } },
    ),
  );
  writeFileSync(done, digest);
  return base;
}

/** With lists of the day. */
export async function makeAptConfiguration(work: string): Promise<string> {
  const directory = path.join(work, "apt");
  const file = path.join(directory, "apt.conf");
  if (existsSync(file) && Date.now() - statSync(file).mtimeMs < APT_FRESH_MS) return file;
  return makeOwnApt(directory, { suite: SUITE, components: "main contrib non-free" });
}
