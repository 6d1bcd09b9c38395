/*
 * How much an image may hold beside the contents of its files: all of it is in memory while somebody looks into the image.
 * Owns: the limits, for whoever packs and whoever reads. Pure.
 */
import type { Entry } from "../model/manifest.ts";
import { MIB } from "../model/size.ts";
import { xattrsBytes } from "./erofs.ts";

export const MOST_NAMES = 60_000;
const MOST_HELD_BYTES = 10 * MIB;

export interface TreeAmount {
  /** A name, one more of a file that has several too; returns what is wrong with the tree by now. */
  add(path: string, targetBytes: number, xattrs: Entry["xattrs"]): string | undefined;
}

export function countTree(): TreeAmount {
  let [names, bytes] = [0, 0];
  return {
    add(path, targetBytes, xattrs) {
      names += 1;
      bytes += Buffer.byteLength(path) + targetBytes;
      if (xattrs !== undefined) bytes += xattrsBytes(xattrs);
      if (names > MOST_NAMES) return `it holds more than ${MOST_NAMES} names`;
      if (bytes <= MOST_HELD_BYTES) return undefined;
      return `its paths, links' targets and attributes need more than ${MOST_HELD_BYTES / MIB} MiB`;
    },
  };
}
