/*
 * The places of a root that are written to when its packages lie there already. A package's link, directory or pipe in one of them
 * would lead the writer elsewhere, out of the root too, or stop it.
 * Owns: which places these are, and what may lie there. Pure.
 */
import type { Entry } from "../model/manifest.ts";

/** Where users are made. */
export const USER_FILES = ["passwd", "group", "shadow", "gshadow"].map((name) => `/etc/${name}`);

const DIRECTORIES = ["/etc"];
/** systemd-sysusers reads these where they are, and keeps what was there before. */
const FILES = [...USER_FILES, ...USER_FILES.map((path) => `${path}-`), "/etc/.pwd.lock"];

/** Why the package cannot be in a root. What holds for each package holds for all of them together. */
export function faultOfPlaces(entries: readonly Entry[]): string | undefined {
  for (const { path, type } of entries) {
    if (DIRECTORIES.includes(path) && type !== "directory") {
      return `${path} is a ${type} in it, and has to be a directory`;
    }
    if (FILES.includes(path) && type !== "file") {
      return `${path} is a ${type} in it, and has to be a file`;
    }
  }
  return undefined;
}
