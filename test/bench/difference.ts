/*
 * How few bytes lead from one version of a system to the next, and what making and applying them takes: zdiff1 beside
 * ostree, bsdiff, xdelta3 and zstd, on two versions of the same Debian packages, as this machine's apt has them.
 * Owns: the two trees, what is called, the table. No virtual machine.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { MIB } from "../../src/model/size.ts";
import { printNumber, printTable } from "./figures.ts";
import type { Part } from "./part.ts";

/** Programs, libraries, interpreters, a database, text: the kinds of change that an upgrade has. */
const PACKAGES = [
  "libssl3",
  "openssl",
  "libpython3.11-stdlib",
  "libpython3.11-minimal",
  "libpython3.11",
  "perl-base",
  "libperl5.36",
  "mariadb-server-core",
  "postgresql-15",
  "php8.2-cli",
  "php8.2-common",
  "systemd",
  "libsystemd-shared",
  "libc6",
  "git",
  "apache2-bin",
  "squid",
  "bind9-libs",
  "openssh-server",
  "openssh-client",
  "libglib2.0-0",
  "util-linux",
  "gstreamer1.0-plugins-bad",
  "libmagickcore-6.q16-6",
];

interface Cost {
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly peakMib: number;
}

interface Row {
  readonly name: string;
  readonly sizeBytes: number;
  readonly make: Cost;
  readonly apply: Cost;
}

export const difference: Part = {
  name: "difference",
  title: "how few bytes lead from one version of a system to the next?",
  minutes: 25,
  needs: [],
  async run({ folder }, { tell }) {
    const at = (name: string): string => join(folder, name);
    const trees = [at("one"), at("two")] as const;
    const packages = makeTrees(trees, at("packages"));
    tell(`${packages.length} packages with two versions`);
    const images = trees.map((tree) => `${tree}.erofs`) as [string, string];
    trees.forEach((tree, index) => {
      const uuid = `00000000-0000-0000-0000-00000000000${index + 1}`;
      call(["mkfs.erofs", "-T0", `-U${uuid}`, images[index]!, tree]);
    });
    const changed = changedFiles(trees);
    const rows: Row[] = [];
    for (const measure of [zdiff, ostree, bsdiff, xdelta3, zstd]) {
      const row = measure({ trees, images, changed, at });
      tell(`${row.name}: ${row.sizeBytes} bytes`);
      rows.push(row);
    }
    const imageBytes = statSync(images[1]).size;
    const changedBytes = changed.reduce(
      (sum, name) => sum + statSync(join(trees[1], name)).size,
      0,
    );
    return {
      text: describe(rows, imageBytes, changed.length, changedBytes),
      data: { packages, imageBytes, changedFiles: changed.length, changedBytes, rows },
    };
  },
};

interface Pair {
  readonly trees: readonly [string, string];
  readonly images: readonly [string, string];
  /** Names of files that are new or different. */
  readonly changed: readonly string[];
  readonly at: (name: string) => string;
}

function zdiff({ images: [old, fresh], at }: Pair): Row {
  const tool = [process.execPath, join(import.meta.dirname, "difference-tool.ts")];
  const file = at("zdiff");
  const made = at("zdiff.made");
  const make = measured([...tool, "make", old, fresh, file]);
  const apply = measured([...tool, "apply", old, file, made, String(statSync(fresh).size)]);
  checkEqual(made, fresh);
  return { name: "zdiff1", sizeBytes: statSync(file).size, make, apply };
}

function ostree({ trees, at }: Pair): Row {
  const repository = at("ostree");
  const from = `--repo=${repository}`;
  call(["ostree", "init", from, "--mode=bare-user"]);
  const [old, fresh] = trees.map((tree) => {
    const words = ["--owner-uid=0", "--owner-gid=0", "--no-xattrs", "--timestamp=@0"];
    return call(["ostree", "commit", from, "-b", "m", ...words, `--tree=dir=${tree}`]).trim();
  });
  const file = at("ostree.delta");
  const limits = ["--inline", "--min-fallback-size=0", "--max-chunk-size=1000"];
  const ends = [`--from=${old}`, `--to=${fresh}`, `--filename=${file}`];
  const make = measured(["ostree", "static-delta", "generate", from, ...ends, ...limits]);
  const client = at("ostree.client");
  call(["ostree", "init", `--repo=${client}`, "--mode=bare-user"]);
  call(["ostree", "pull-local", `--repo=${client}`, repository, old ?? ""]);
  const apply = measured(["ostree", "static-delta", "apply-offline", `--repo=${client}`, file]);
  return { name: "ostree static delta", sizeBytes: statSync(file).size, make, apply };
}

function bsdiff({ trees: [old, fresh], changed, at }: Pair): Row {
  const patch = at("bsdiff");
  const made = at("bsdiff.made");
  const costs = { make: [] as Cost[], apply: [] as Cost[] };
  let sizeBytes = 0;
  for (const name of changed) {
    const before = existsSync(join(old, name)) ? join(old, name) : "/dev/null";
    costs.make.push(measured(["bsdiff", before, join(fresh, name), patch]));
    costs.apply.push(measured(["bspatch", before, made, patch]));
    sizeBytes += statSync(patch).size;
  }
  const name = "bsdiff of each changed file";
  return { name, sizeBytes, make: sumOf(costs.make), apply: sumOf(costs.apply) };
}

function xdelta3({ images: [old, fresh], at }: Pair): Row {
  const file = at("xdelta3");
  const made = at("xdelta3.made");
  const window = ["-B", String(Math.max(MIB, statSync(old).size))];
  const press = ["-9", "-S", "lzma"];
  const make = measured(["xdelta3", ...press, "-e", "-f", ...window, "-s", old, fresh, file]);
  const apply = measured(["xdelta3", "-d", "-f", ...window, "-s", old, file, made]);
  checkEqual(made, fresh);
  return { name: "xdelta3 -9 -S lzma", sizeBytes: statSync(file).size, make, apply };
}

function zstd({ images: [old, fresh], at }: Pair): Row {
  const file = at("zstd");
  const made = at("zstd.made");
  const from = ["--long=31", `--patch-from=${old}`];
  const make = measured(["zstd", "-q", "-T1", "-19", ...from, fresh, "-f", "-o", file]);
  const apply = measured(["zstd", "-q", "-d", ...from, file, "-f", "-o", made]);
  checkEqual(made, fresh);
  return { name: "zstd -19 --patch-from", sizeBytes: statSync(file).size, make, apply };
}

/** The newest two versions of each package, unpacked one over the other. Returns what was taken. */
function makeTrees(trees: readonly [string, string], store: string): string[] {
  for (const folder of [...trees, store]) mkdirSync(folder, { recursive: true });
  const taken: string[] = [];
  for (const name of PACKAGES) {
    const versions = versionsOf(name);
    const [fresh, old] = versions;
    if (fresh === undefined || old === undefined) continue;
    for (const [tree, version] of [
      [trees[0], old],
      [trees[1], fresh],
    ] as const) {
      call(["apt-get", "download", `${name}=${version}`], store);
      for (const file of readdirSync(store)) {
        call(["dpkg-deb", "--extract", join(store, file), tree]);
        rmSync(join(store, file));
      }
    }
    taken.push(`${name} ${old} ${fresh}`);
  }
  if (taken.length === 0) throw new Error("apt knows no package in two versions");
  return taken;
}

/** Newest first, each once. */
function versionsOf(name: string): string[] {
  const lines = call(["apt-cache", "madison", name]).split("\n");
  const versions = new Set(lines.map((line) => line.split("|")[1]?.trim() ?? "").filter(Boolean));
  return [...versions].sort((a, b) => {
    const { exitCode } = Bun.spawnSync(["dpkg", "--compare-versions", a, "gt", b]);
    return exitCode === 0 ? -1 : 1;
  });
}

function changedFiles([old, fresh]: readonly [string, string]): string[] {
  const names = call(["find", ".", "-type", "f", "-print0"], fresh).split("\0").filter(Boolean);
  return names.filter((name) => {
    const { exitCode } = Bun.spawnSync(["cmp", "--silent", join(old, name), join(fresh, name)]);
    return exitCode !== 0;
  });
}

function describe(
  rows: readonly Row[],
  imageBytes: number,
  changedCount: number,
  changedBytes: number,
): string {
  const least = rows[0]?.sizeBytes ?? NaN;
  const cells = ({ name, sizeBytes, make, apply }: Row): string[] => [
    name,
    (sizeBytes / 1e6).toFixed(2),
    printNumber(sizeBytes / least),
    ...[make, apply].flatMap(({ processorSeconds, peakMib }) => [
      printNumber(processorSeconds),
      printNumber(peakMib),
    ]),
  ];
  const head = ["method", "MB", "times zdiff1", "make, s", "MiB", "apply, s", "MiB"];
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
  return `An image of ${mb(imageBytes)} MB, ${changedCount} files with ${mb(changedBytes)} MB changed; seconds of processor time.

${printTable(head, rows.map(cells))}`;
}

function checkEqual(made: string, wanted: string): void {
  call(["cmp", made, wanted]);
  rmSync(made);
}

function sumOf(costs: readonly Cost[]): Cost {
  return {
    seconds: costs.reduce((sum, { seconds }) => sum + seconds, 0),
    processorSeconds: costs.reduce((sum, { processorSeconds }) => sum + processorSeconds, 0),
    peakMib: Math.max(...costs.map(({ peakMib }) => peakMib)),
  };
}

/** Through GNU time, which sees the memory of the program alone. */
function measured(argv: readonly string[]): Cost {
  const { exitCode, stderr } = Bun.spawnSync(["time", "--quiet", "--format=%e %U %S %M", ...argv]);
  if (exitCode !== 0) throw new Error(`${argv[0]} failed: ${stderr.toString().slice(-500)}`);
  const words = stderr.toString().trim().split("\n").at(-1)?.split(" ").map(Number) ?? [];
  const [seconds = NaN, user = NaN, system = NaN, kib = NaN] = words;
  return { seconds, processorSeconds: user + system, peakMib: kib / 1024 };
}

function call(argv: readonly string[], cwd?: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], cwd === undefined ? {} : { cwd });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr.toString().slice(-500)}`);
  return stdout.toString();
}
