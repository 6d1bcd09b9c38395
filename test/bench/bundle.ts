/*
 * The vendor's side beside its peers: packing, verifying, and the difference between two versions of the video
 * appliance. Owns: what zshield is measured at, and the tables. No virtual machine. Needs the catalogue's packages.
 */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeExecutable } from "../../build/executable.ts";
import { type Appliance, makeAppliance } from "./appliance.ts";
import { printNumber, printSpread, printTable, ratiosOf, rotate, spreadOf } from "./figures.ts";
import { call, checkEqual, type Cost, measured } from "./measure.ts";
import type { Part } from "./part.ts";
import { type Pair, PEERS, type Row } from "./peers.ts";

export const bundle: Part = {
  name: "bundle",
  title: "what do packages, bundles and differences cost, beside those of others?",
  minutes: 60,
  needs: [],
  async run({ folder }, { rounds, tell }) {
    const executable = await makeExecutable();
    const appliance = makeAppliance(join(made(folder, "appliance")), tell);
    const images = appliance.trees.map((tree) => `${tree}.erofs`) as [string, string];
    for (const [which, tree] of appliance.trees.entries()) {
      call(["mkfs.erofs", "--quiet", "-T0", images[which] ?? "", tree]);
    }
    const pair = (name: string): Pair => {
      const scratch = made(folder, name);
      return { trees: appliance.trees, images, at: (file) => join(scratch, file) };
    };
    const own = ownRow(executable, appliance, made(folder, "zshield"));
    const rows: Row[] = [own.row, own.exact];
    // Told as they come, since the whole takes long enough to be interrupted.
    const show = ({ name, differenceBytes = NaN, pack, make, apply }: Row): void => {
      const words = Object.entries({ pack, make, apply }).map(
        ([what, cost]) =>
          `${what} ${cost ? `${cost.processorSeconds} s, ${cost.peakMib} MiB` : "-"}`,
      );
      tell(`${name}: ${(differenceBytes / 1e6).toFixed(2)} MB; ${words.join("; ")}`);
    };
    rows.forEach(show);
    for (const measure of [wholeImage, ...PEERS]) {
      const row = measure(pair(measure.name));
      rmSync(join(folder, measure.name), { recursive: true, force: true });
      rows.push(row);
      show(row);
    }
    const verifying = verifyRounds(executable, own, { rounds, tell });
    const imageBytes = statSync(images[1]).size;
    return {
      text: describe({ appliance, imageBytes, rows, verifying }),
      data: { ...appliance, imageBytes, rows, verifying },
    };
  },
};

interface Own {
  readonly key: string;
  readonly file: string;
  /** To images, as a device needs them. */
  readonly row: Row;
  /** To the bundle's file itself, byte for byte. */
  readonly exact: Row;
}

function ownRow(executable: string, { projects }: Appliance, folder: string): Own {
  const at = (name: string): string => join(folder, name);
  writeFileSync(at("password"), "a password of the benchmark\n");
  const password = [`--password-file=${at("password")}`];
  call([executable, "key", "new", "--out", at("vendor"), ...password]);
  const build = (project: string, out: string): Cost => {
    const argv = ["bundle", "build", project, `--key=${at("vendor.key")}`, `--out=${at(out)}`];
    return measured([executable, ...argv, ...password]);
  };
  const bundleIn = (out: string): string => {
    const [name = ""] = readdirSync(at(out)).filter((file) => file.endsWith(".upt"));
    return join(at(out), name);
  };
  const pack = build(projects[0], "older");
  // As in a vendor's one project: what is unchanged is not packed again.
  call(["cp", "--archive", "--link", join(projects[0], "cache"), projects[1]]);
  build(projects[1], "newer");
  const [older, newer] = [bundleIn("older"), bundleIn("newer")];
  const key = `--key=${at("vendor.pub")}`;
  const file = at("difference.upd");
  const make = measured([executable, "bundle", "delta", older, newer, file, key]);
  const applied = (...words: string[]): Cost => {
    return measured([executable, "bundle", "apply-delta", older, file, key, ...words]);
  };
  const apply = applied(`--images=${at("images")}`);
  const applyWhole = applied(`--out=${at("made.upt")}`);
  checkEqual(at("made.upt"), newer);
  const [wholeBytes, differenceBytes] = [statSync(newer).size, statSync(file).size];
  const row = { name: "zshield, to images", wholeBytes, pack, differenceBytes, make, apply };
  const exact = { name: "zshield, to the bundle", differenceBytes, apply: applyWhole };
  return { key, file: newer, row, exact };
}

/** The method alone, on what the others work on. */
function wholeImage({ images: [old, fresh], at }: Pair): Row {
  const tool = [process.execPath, join(import.meta.dirname, "zdiff-tool.ts")];
  const [file, made] = [at("zdiff"), at("zdiff.made")];
  const make = measured([...tool, "make", old, fresh, file]);
  const apply = measured([...tool, "apply", old, file, made, String(statSync(fresh).size)]);
  checkEqual(made, fresh);
  const differenceBytes = statSync(file).size;
  return { name: "zdiff1 alone, of an image", differenceBytes, make, apply };
}

interface Verifying {
  readonly bytes: number;
  readonly zshield: readonly Cost[];
  readonly sha256sum: readonly Cost[];
}

/** In turns, so that a busy machine disturbs both. */
function verifyRounds(
  executable: string,
  { file, key }: Own,
  { rounds, tell }: { readonly rounds: number; readonly tell: (text: string) => void },
): Verifying {
  const zshield: Cost[] = [];
  const sha256sum: Cost[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const both = [
      () => zshield.push(measured([executable, "bundle", "verify", file, key])),
      () => sha256sum.push(measured(["sha256sum", file])),
    ];
    for (const once of rotate(both, round)) once();
    tell(`verified ${round + 1} of ${rounds} times`);
  }
  return { bytes: statSync(file).size, zshield, sha256sum };
}

interface Measured {
  readonly appliance: Appliance;
  readonly imageBytes: number;
  readonly rows: readonly Row[];
  readonly verifying: Verifying;
}

function describe({ appliance, imageBytes, rows, verifying }: Measured): string {
  const { packages, changed, upgrades } = appliance;
  const mb = (bytes: number | undefined, digits = 1): string =>
    bytes === undefined ? "" : (bytes / 1e6).toFixed(digits);
  const cost = (of: Cost | undefined): string[] =>
    of ? [printNumber(of.processorSeconds), printNumber(of.peakMib)] : ["", ""];
  const least = rows[0]?.differenceBytes ?? NaN;
  const differences = rows.map(({ name, differenceBytes = NaN, make, apply }) => [
    ...[name, mb(differenceBytes, 2), printNumber(differenceBytes / least)],
    ...[...cost(make), ...cost(apply)],
  ]);
  const packing = rows
    .filter(({ pack }) => pack)
    .map(({ name, wholeBytes, pack }) => [name, mb(wholeBytes), ...cost(pack)]);
  const { zshield, sha256sum, bytes } = verifying;
  const seconds = (costs: readonly Cost[]) => costs.map((one) => one.processorSeconds);
  const ratio = ratiosOf(seconds(zshield), seconds(sha256sum));
  const memory = spreadOf(zshield.map(({ peakMib }) => peakMib)).most;
  return `The video appliance in two versions: ${packages} packages, ${changed} of them changed by upgrades of ${upgrades.length} packages of
Debian; all of it in one EROFS image: ${mb(imageBytes, 0)} MB. Seconds of processor time, MiB of memory at most.

${printTable(["difference", "MB", "times zshield's", "make, s", "MiB", "apply, s", "MiB"], differences)}

${printTable(["whole", "MB", "pack, s", "MiB"], packing)}

Verifying a bundle of ${mb(bytes, 0)} MB takes ${printSpread(ratio)} times as long as sha256sum (${zshield.length} rounds in turns), and ${printNumber(memory)} MiB.`;
}

function made(folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}
