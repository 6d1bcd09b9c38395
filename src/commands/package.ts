/*
 * `zshield package`: a vendor's directory tree becomes an image that devices mount, and can be looked into.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { identifyImage, IMAGE_ENDING, openImage } from "../bundle/image.ts";
import { mountImage, whyNoVerity } from "../bundle/mount.ts";
import { packTree, sourceDateEpoch } from "../bundle/pack.ts";
import { Refusal } from "../errors.ts";
import { readTree } from "../host/tree.ts";
import type { Entry } from "../model/manifest.ts";
import { parsePackageName } from "../model/package-name.ts";
import { PACKAGE_FILE, printPackage, type PackageDescription } from "../model/package-toml.ts";
import { printSize } from "../model/size.ts";
import { visible } from "../model/text.ts";
import { type Change, diffTrees } from "../model/tree-diff.ts";

const LARGEST = 10;

const print = (line: string) => console.log(visible(line));

export function newPackage(directory: string): void {
  const name = parsePackageName(basename(resolve(directory)));
  const stats = lstatSync(directory, { throwIfNoEntry: false });
  if (stats && (!stats.isDirectory() || readdirSync(directory).length > 0)) {
    throw new Refusal(`${directory} is there already`, "choose a name that is free");
  }
  const file = join(directory, PACKAGE_FILE);
  const text = printPackage({
    version: name.program.join("."),
    description: "",
    needs: [],
    start: [],
    stop: [],
    health: [],
    seconds: { start: 60, stop: 60, health: 60 },
  });
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${text}${MORE}`);
  } catch (error) {
    // Half of one would be in the way of the next try.
    rmSync(stats ? dirname(file) : directory, { recursive: true, force: true });
    throw error;
  }
  print(`${directory}: put the files in as they lie in the system, and fill in ${PACKAGE_FILE}`);
}

/** In the file of a new package, below the keys that it must have. */
const MORE = `# description = "what it is, in one line"
# needs = ["libmnl"]                     # names of packages, without versions
# start = ["/usr/sbin/NAME", "start"]    # absent: nothing to start
# stop = ["/usr/sbin/NAME", "stop"]
# health = ["/usr/sbin/NAME", "status"]  # exit code 0: healthy
# start-seconds = 60                     # how long each may take
# stop-seconds = 60
# health-seconds = 60
`;

export async function pack(
  directory: string,
  options: { readonly out: string | undefined; readonly ownerRoot: boolean },
): Promise<void> {
  const whole = resolve(directory);
  const out = options.out ?? `${whole}${IMAGE_ENDING}`;
  const rules = { ownerRoot: options.ownerRoot, epoch: sourceDateEpoch() };
  // A link to a directory gives it a name, as in a project.
  const tree = existsSync(whole) ? realpathSync(whole) : whole;
  const packed = await packTree(tree, basename(whole), out, rules);
  print(`${out}: ${printSize(packed.image.sizeBytes)}, root hash ${packed.image.verity.rootHash}`);
}

export async function inspect(file: string): Promise<void> {
  const image = await openImage(file);
  try {
    const { verity, files, sizeBytes, description } = image;
    const entries = await files.readEntries({ hash: false });
    const owned = entries.filter(({ type, link }) => type === "file" && link === undefined);
    const bytes = owned.reduce((sum, entry) => sum + (entry.sizeBytes ?? 0), 0);
    const trees = `${printSize(sizeBytes - verity.hashOffsetBytes)} of hash tree`;
    print(`package      ${nameOf(file)}`);
    for (const line of describe(description)) print(line);
    print(
      `image        ${sizeBytes} bytes (${printSize(sizeBytes)}), with ${trees}; every block is right`,
    );
    print(`file system  EROFS, ${verity.dataBlocks} blocks of ${verity.blockBytes} bytes`);
    print(`holds        ${entries.length} names, ${owned.length} files with ${printSize(bytes)}`);
    print(`root hash    ${verity.rootHash}`);
    print(`salt         ${verity.salt}`);
    const largest = owned.toSorted(bySize).slice(0, LARGEST);
    for (const { path, sizeBytes: size = 0 } of largest) {
      print(`${printSize(size).padStart(11)}  ${path}`);
    }
  } finally {
    image.close();
  }
}

function bySize(a: Entry, b: Entry): number {
  return (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0) || (a.path < b.path ? -1 : 1);
}

/** An image does not hold its name: the manifest of a bundle gives it one. */
function nameOf(file: string): string {
  const name = basename(file).replace(/\.img$/, "");
  try {
    return parsePackageName(name).text;
  } catch (error) {
    if (error instanceof Refusal) return `unknown: the file is not called as a package`;
    throw error;
  }
}

function describe(description: PackageDescription): string[] {
  const { version, needs, seconds } = description;
  const commands = (["start", "stop", "health"] as const).flatMap((moment) => {
    const argv = description[moment];
    const limit = seconds[moment];
    return argv.length === 0
      ? []
      : [`${moment.padEnd(12)} ${JSON.stringify(argv)}, within ${limit} s`];
  });
  return [
    `version      ${version}`,
    ...(description.description === "" ? [] : [`description  ${description.description}`]),
    ...(needs.length === 0 ? [] : [`needs        ${needs.join(", ")}`]),
    ...commands,
  ];
}

export async function diff(older: string, newer: string): Promise<void> {
  const changes = diffTrees(await entriesOf(older), await entriesOf(newer));
  const onlyTimes = changes.filter(isOnlyTime);
  for (const change of changes) if (!isOnlyTime(change)) print(lineOf(change));
  const count = (what: (change: Change) => boolean) => changes.filter(what).length;
  const added = count(({ before }) => before === undefined);
  const removed = count(({ after }) => after === undefined);
  const times = onlyTimes.length === 0 ? "" : `, ${onlyTimes.length} in nothing but the time`;
  const changed = changes.length - added - removed - onlyTimes.length;
  print(
    changes.length === 0
      ? "no difference"
      : `${added} added, ${removed} removed, ${changed} changed${times}`,
  );
}

const isOnlyTime = ({ aspects }: Change) => aspects.length === 1 && aspects[0] === "time";

/** Of an image, every block of which is checked first, or of a directory. */
async function entriesOf(place: string): Promise<Entry[]> {
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory()) {
    return readTree(realpathSync(place), { hash: true });
  }
  const image = await openImage(place);
  try {
    return await image.files.readEntries({ hash: true });
  } finally {
    image.close();
  }
}

function lineOf({ path, before, after, aspects }: Change): string {
  if (!before) return `+ ${path}  ${whatOf(after)}`;
  if (!after) return `- ${path}  ${whatOf(before)}`;
  const words = aspects
    .filter((aspect) => aspect !== "time")
    .map((aspect) => {
      switch (aspect) {
        case "type":
          return `${before.type} → ${after.type}`;
        case "content":
          return `content ${before.sizeBytes ?? 0} → ${after.sizeBytes ?? 0} bytes`;
        case "target":
          return `target ${before.target} → ${after.target}`;
        case "device":
          return `device ${before.device} → ${after.device}`;
        case "link":
          return "its other names";
        case "mode":
          return `mode ${octal(before.mode)} → ${octal(after.mode)}`;
        case "owner":
          return `owner ${before.uid}:${before.gid} → ${after.uid}:${after.gid}`;
        case "attributes":
          return `attributes ${attributes(before)} → ${attributes(after)}`;
      }
    });
  return `~ ${path}  ${words.join(", ")}`;
}

function whatOf(entry: Entry | undefined): string {
  if (entry?.type === "file") return `${entry.sizeBytes ?? 0} bytes`;
  return entry?.target === undefined ? (entry?.type ?? "") : `→ ${entry.target}`;
}

const octal = (mode: number) => mode.toString(8).padStart(4, "0");

const attributes = ({ xattrs }: Entry) =>
  xattrs === undefined ? "none" : Object.keys(xattrs).join(" ");

export async function mountPackage(
  file: string,
  directory: string,
  options: { readonly noVerity: boolean; readonly rootHash: string | undefined },
): Promise<void> {
  const why = options.noVerity ? undefined : await whyNoVerity();
  if (why !== undefined) {
    throw new Refusal(
      `${why}, so that nothing would check the blocks as they are read`,
      "--no-verity checks the whole image once and mounts it without dm-verity",
    );
  }
  const { noVerity, rootHash } = options;
  if (noVerity) {
    const image = await openImage(file, rootHash);
    await mountImage(file, directory, image.verity, image.handle).finally(image.close);
  } else {
    await mountImage(file, directory, identifyImage(file, rootHash), undefined);
  }
  const how = noVerity ? "checked once, not at each read" : "checked at each read";
  print(`${file} at ${directory}, read-only, ${how}; to end: umount ${directory}`);
}
