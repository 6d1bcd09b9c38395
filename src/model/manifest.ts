/*
 * The manifest of a tree: every entry below a root, one JSON object a line, sorted by path (UTF-16
 * order). Made from golden when the card is built, compared with the installed root afterwards.
 * Owns: format, printing, parsing, comparing. No I/O (host/tree.ts walks).
 */
import * as v from "valibot";

export const Entry = v.strictObject({
  /** Absolute inside the tree, `/etc/fstab`; the root itself is `/`. */
  path: v.string(),
  type: v.picklist(["file", "directory", "symlink", "character", "block", "fifo", "socket"]),
  /** Permission bits only, 0 to 0o7777. */
  mode: v.number(),
  uid: v.number(),
  gid: v.number(),
  /** Whole seconds; of files and symlinks only (a directory's changes with its content). */
  mtime: v.optional(v.number()),
  /** Files only: */
  sizeBytes: v.optional(v.number()),
  sha256: v.optional(v.string()),
  /** Files with more than one name: the first of the names, in the order of the manifest. */
  link: v.optional(v.string()),
  target: v.optional(v.string()),
  /** Devices: `major:minor`. */
  device: v.optional(v.string()),
  /** Name → base64 of the value, names sorted; absent if there are none. */
  xattrs: v.optional(v.record(v.string(), v.string())),
});
export type Entry = v.InferOutput<typeof Entry>;

export function printManifest(entries: readonly Entry[]): string {
  return entries.map((entry) => JSON.stringify(entry) + "\n").join("");
}

/** @throws Error with the line number where a line is no entry. */
export function parseManifest(text: string): Entry[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line, index) => {
      const result = v.safeParse(Entry, JSON.parse(line));
      if (!result.success)
        throw new Error(`manifest, line ${index + 1}: ${result.issues[0].message}`);
      return result.output;
    });
}

/** Why `found` is not the entry that was wanted; undefined if it is. */
export function whyNotSameEntry(found: Entry | undefined, wanted: Entry): string | undefined {
  if (!found) return "is missing";
  if (found.type !== wanted.type) return `is a ${found.type}, not a ${wanted.type}`;
  if (found.mode !== wanted.mode) return `has mode ${octal(found.mode)}, not ${octal(wanted.mode)}`;
  if (found.uid !== wanted.uid || found.gid !== wanted.gid) {
    return `belongs to ${found.uid}:${found.gid}, not ${wanted.uid}:${wanted.gid}`;
  }
  for (const key of ["sizeBytes", "sha256", "link", "target", "device", "mtime"] as const) {
    if (found[key] !== wanted[key]) return `has ${key} ${found[key]}, not ${wanted[key]}`;
  }
  const foundXattrs = JSON.stringify(found.xattrs ?? {});
  const wantedXattrs = JSON.stringify(wanted.xattrs ?? {});
  if (foundXattrs !== wantedXattrs)
    return `has extended attributes ${foundXattrs}, not ${wantedXattrs}`;
  return undefined;
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
