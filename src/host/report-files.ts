/*
 * Finds what may be a factory report: regular files called `*.json` below directories. Links are not followed, and
 * there are bounds: a stick or a share may hold anything. Reads one file after the other, as they are asked for. What
 * cannot be looked at is handed out as a file that cannot be read: it may be a report, or hold some.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { Refusal, messageOf } from "../errors.ts";
import { MIB, printSize } from "../model/size.ts";
import { visible } from "../model/text.ts";

export interface ReadFile {
  readonly name: string;
  readonly content: Uint8Array | { readonly trouble: string };
}

export interface Bounds {
  readonly fileBytes: number;
  readonly files: number;
  readonly depth: number;
}

export const BOUNDS: Bounds = { fileBytes: 16 * MIB, files: 20_000, depth: 32 };

/** Every name once, in order. @throws Refusal where a directory is none, or there is more than the bounds allow. */
export function* readReportFiles(
  directories: readonly string[],
  bounds = BOUNDS,
): Generator<ReadFile> {
  const seen = new Set<string>();
  const found: Found[] = [];
  for (const directory of directories) {
    // The one that was named may be a link, as a mount point in a home directory is.
    if (!isDirectory(directory)) {
      throw new Refusal(
        `${directory} is no directory`,
        "name the directory that holds the reports",
      );
    }
    const place = { name: directory, path: Buffer.from(directory) };
    for (const one of jsonFiles(place, seen, bounds)) found.push(one);
  }
  for (const { name, path, trouble } of found) {
    yield { name, content: trouble === undefined ? readOne(path, bounds) : { trouble } };
  }
}

/** Names are bytes, and need not be UTF-8: an old stick, a share. */
interface Place {
  /** To be shown. */
  readonly name: string;
  readonly path: Buffer;
}
/** A file, or with its trouble whatever could not be looked at. */
interface Found extends Place {
  readonly trouble?: string;
}

/** Every ext file system has one, for root alone, and what fsck lays there is called by numbers. */
const PASSED_OVER = "lost+found";

/** `seen`: device and inode of what was found already, so that overlapping directories count once. */
function* jsonFiles(
  directory: Place,
  seen: Set<string>,
  bounds: Bounds,
  depth = 0,
): Generator<Found> {
  const tooMuch = (what: string) =>
    new Refusal(`${directory.name} holds ${what}`, "name the directories with the reports alone");
  if (depth > bounds.depth) throw tooMuch(`directories more than ${bounds.depth} deep`);
  let entries;
  try {
    entries = readdirSync(directory.path, { encoding: "buffer" });
  } catch (error) {
    yield { ...directory, trouble: `it cannot be read: ${visible(messageOf(error))}` };
    return;
  }
  for (const entry of entries.sort(Buffer.compare)) {
    const name = entry.toString();
    const place: Place = {
      name: join(directory.name, name),
      path: Buffer.concat([directory.path, Buffer.from("/"), entry]),
    };
    let found;
    try {
      // Inode numbers of some file systems have 64 bits.
      found = lstatSync(place.path, { bigint: true });
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      // Somebody has removed it meanwhile.
      if (code === "ENOENT") continue;
      const why = visible(messageOf(error));
      if (code === "EACCES") {
        yield { ...directory, trouble: `it cannot be entered: ${why}` };
        return;
      }
      yield { ...place, trouble: `it cannot be looked at: ${why}` };
      continue;
    }
    const isReport = found.isFile() && name.toLowerCase().endsWith(".json");
    if (!isReport && (!found.isDirectory() || name === PASSED_OVER)) continue;
    const identity = `${found.dev}:${found.ino}`;
    if (seen.has(identity)) continue;
    seen.add(identity);
    if (seen.size > bounds.files) throw tooMuch(`more than ${bounds.files} files and directories`);
    if (isReport) yield place;
    else yield* jsonFiles(place, seen, bounds, depth + 1);
  }
}

function readOne(path: Buffer, { fileBytes }: Bounds): ReadFile["content"] {
  try {
    // Whatever the name stands for now: no link, and nothing that would keep us waiting.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = openSync(path, flags);
    try {
      const found = fstatSync(file);
      if (!found.isFile()) return { trouble: "it is no file any more" };
      if (found.size > fileBytes) {
        return {
          trouble: `it has ${printSize(found.size)}; no report has more than ${printSize(fileBytes)}`,
        };
      }
      return readFileSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return { trouble: `it cannot be read: ${visible(messageOf(error))}` };
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
