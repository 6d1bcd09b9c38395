/*
 * The places of a root that are written to when its packages lie there already. A package's link, directory or pipe in one of them
 * would lead the writer elsewhere, out of the root too, or stop it.
 * Owns: which places these are, and what may lie there. Pure.
 */
import type { Entry } from "../model/manifest.ts";
import { PACKAGES_DIRECTORY } from "./layers.ts";
import { parentOf } from "./paths.ts";

/** What a root was made of, beside the packages' own words. */
export const BUNDLE_FILE = `${parentOf(PACKAGES_DIRECTORY)}/bundle.json`;
/** What lies in it tells the version of the kernel. */
export const MODULES_DIRECTORY = "/usr/lib/modules";
/** Where users are made. */
export const USER_FILES = ["passwd", "group", "shadow", "gshadow"].map((name) => `/etc/${name}`);
export const CACHE_FILE = "/etc/ld.so.cache";

const DIRECTORIES = ["/boot", "/etc", "/usr", "/usr/lib", MODULES_DIRECTORY, parentOf(BUNDLE_FILE)];
/** systemd-sysusers reads these where they are, and keeps what was there before. */
const FILES = [...USER_FILES, ...USER_FILES.map((path) => `${path}-`), "/etc/.pwd.lock"];
/** Before it is known which version the kernel has. */
const BOOT_FILE = /^\/boot\/(vmlinuz|initrd\.img)-[^/]+$/;

/**
 * Why the package cannot be in a root. What holds for each package holds for all of them together.
 * `boot`: the platform's boot files.
 */
export function faultOfPlaces(
  entries: readonly Entry[],
  boot: readonly { readonly name: string }[],
): string | undefined {
  // A package's copy gives way to ours, but what would lie in a directory could not.
  const replaced = [BUNDLE_FILE, CACHE_FILE, ...boot.map(({ name }) => `/boot/${name}`)];
  for (const { path, type } of entries) {
    if (path === PACKAGES_DIRECTORY) return `it holds ${path}, which is kept for zshield`;
    if (DIRECTORIES.includes(path) && type !== "directory") {
      return `${path} is a ${type} in it, and has to be a directory`;
    }
    if (FILES.includes(path) && type !== "file") {
      return `${path} is a ${type} in it, and has to be a file`;
    }
    if (type === "directory" && (replaced.includes(path) || BOOT_FILE.test(path))) {
      return `${path} is a directory in it, and a file of the root has to lie there`;
    }
  }
  return undefined;
}
