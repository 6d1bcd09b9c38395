/*
 * Lays a harvest into a directory of its own. Owns: that it appears whole or not at all, with owners, modes, links and
 * attributes as in the root, and with no time later than that of the distribution's own newest file: what scripts
 * made is as new as the day of the harvest, which must not show.
 */
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Refusal } from "../../errors.ts";
import type { Harvest } from "../../model/harvest.ts";
import { run } from "../command.ts";
import { flushDirectory } from "../durable.ts";
import { withUnfinishedOf } from "../unfinished.ts";

/** Old number → new one. */
type Numbering = ReadonlyMap<number, number>;

/** Path inside the tree, without a slash in front → text. */
export type ExtraFiles = Readonly<Record<string, string>>;

export async function copyHarvest(
  root: string,
  out: string,
  harvest: Harvest,
  { uids, gids }: { readonly uids: Numbering; readonly gids: Numbering },
  files: ExtraFiles,
): Promise<void> {
  if (existsSync(out))
    throw new Refusal(`${out} is there already`, "remove it, or count the revision up");
  mkdirSync(dirname(out), { recursive: true });
  // Under a name of its own: another harvest of the same package may be at work.
  await withUnfinishedOf(out, async (making) => {
    makeOwn(making);
    // Directories of the paths come along with their owners; a directory among the paths without what lies in it.
    await run(
      [
        ...[
          "rsync",
          "--archive",
          "--hard-links",
          "--acls",
          "--xattrs",
          "--sparse",
          "--numeric-ids",
        ],
        ...mapping("--usermap", uids),
        ...mapping("--groupmap", gids),
        ...["--from0", "--files-from=-", "--", `${resolve(root)}/`, `${making}/`],
      ],
      { stdin: harvest.take.map(({ path }) => `${path}\0`).join("") },
    );
    for (const { path, target } of harvest.links) {
      const place = placeIn(making, path);
      symlinkSync(target, place);
      giveToRoot(place);
    }
    for (const [name, text] of Object.entries(files)) {
      const place = placeIn(making, name);
      rmSync(place, { force: true });
      writeFileSync(place, text, { flag: "wx" });
      giveToRoot(place);
      chmodSync(place, 0o644);
    }
    await clampTimes(making, newestOf(root, harvest));
    // Else a power cut could leave the name without what lies under it.
    await run(["sync", "--file-system", making]);
    renameSync(making, out);
    await flushDirectory(dirname(out));
  });
}

/** Makes the directories above. @throws Refusal if a link that was copied would lead out of the tree */
function placeIn(tree: string, path: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  let place = tree;
  for (const part of parts.slice(0, -1)) {
    place = join(place, part);
    const stats = lstatSync(place, { throwIfNoEntry: false });
    if (!stats) makeOwn(place);
    else if (!stats.isDirectory()) {
      throw new Refusal(
        `/${parts.join("/")} has to be in the package, but ${place.slice(tree.length)} is no directory`,
        "leave it: --leave PATH",
      );
    }
  }
  return join(place, parts.at(-1) ?? "");
}

/** A directory whose mode and owner depend on nothing: no umask, no group that the directory above passes on. */
export function makeOwn(directory: string): void {
  mkdirSync(directory);
  giveToRoot(directory);
  chmodSync(directory, 0o755);
}

function giveToRoot(path: string): void {
  if (process.getuid?.() === 0) lchownSync(path, 0, 0);
}

function mapping(option: string, numbers: Numbering): string[] {
  const pairs = [...numbers].filter(([before, after]) => before !== after);
  return pairs.length === 0 ? [] : [`${option}=${pairs.map((pair) => pair.join(":")).join(",")}`];
}

/** Seconds since 1970: of the files that a package of the distribution brought as they are. */
function newestOf(root: string, { take, packages }: Harvest): number {
  const names = new Set(packages.map(({ name }) => name));
  const owned = take.filter(({ why }) => names.has(why));
  const times = (owned.length === 0 ? take : owned).flatMap(({ path }) => {
    const stats = lstatSync(join(root, path), { throwIfNoEntry: false });
    return stats?.isFile() ? [Math.floor(stats.mtimeMs / 1000)] : [];
  });
  return times.reduce((newest, time) => Math.max(newest, time), 0);
}

async function clampTimes(directory: string, epoch: number): Promise<void> {
  await run([
    ...["find", directory, "-depth", "-newermt", `@${epoch}`],
    ...["-exec", "touch", "--no-dereference", `--date=@${epoch}`, "{}", "+"],
  ]);
}
