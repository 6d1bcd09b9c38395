/*
 * What is different between two bundles: the numbers that devices go by, the names of masks, packages and boot files by name,
 * and the bytes that have to travel.
 * Owns: the comparison. No I/O.
 */
import {
  listBlobs,
  type BootRecord,
  type BundleManifest,
  type PackageRecord,
} from "../model/bundle-manifest.ts";
import type { MaskName } from "../model/mask.ts";
import { parsePackageName } from "../model/package-name.ts";

type Item = PackageRecord | BootRecord;

export interface BundleChange {
  readonly platform: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
  /** Of the blob, if OLD has it nowhere. */
  readonly bytes: number;
}

/** What a vendor's bit of a mask is called. */
export interface MaskChange {
  readonly platform: string;
  readonly bit: number;
  readonly before: MaskName | undefined;
  readonly after: MaskName | undefined;
}

export interface NumberChange {
  readonly before: number;
  readonly after: number;
}

export interface BundleDiff {
  /** What devices go by; equal where nothing changed. */
  readonly release: NumberChange;
  readonly securityFloor: NumberChange;
  readonly masks: readonly MaskChange[];
  readonly changes: readonly BundleChange[];
  readonly unchanged: number;
  /** Of the blobs that OLD does not have, each once; and of all. */
  readonly newBytes: number;
  readonly wholeBytes: number;
}

export function diffBundles(older: BundleManifest, newer: BundleManifest): BundleDiff {
  const known = new Set(listBlobs(older).map(({ sha256 }) => sha256));
  const [before, after] = [itemsOf(older), itemsOf(newer)];
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  const all = keys.map((key) => {
    const [old, now] = [before.get(key), after.get(key)];
    const blob = now?.item.blob;
    return {
      platform: now?.platform ?? old?.platform ?? "",
      before: old?.item,
      after: now?.item,
      bytes: blob === undefined || known.has(blob.sha256) ? 0 : blob.sizeBytes,
    };
  });
  const changes = all.filter((one) => JSON.stringify(one.before) !== JSON.stringify(one.after));
  const blobs = listBlobs(newer);
  const sum = (list: typeof blobs) => list.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
  return {
    release: { before: older.release, after: newer.release },
    securityFloor: { before: older.securityFloor, after: newer.securityFloor },
    masks: maskChanges(older, newer),
    changes,
    unchanged: all.length - changes.length,
    newBytes: sum(blobs.filter(({ sha256 }) => !known.has(sha256))),
    wholeBytes: sum(blobs),
  };
}

/** In the newer one's order, and behind it what is gone. */
function maskChanges(older: BundleManifest, newer: BundleManifest): MaskChange[] {
  const [before, after] = [masksOf(older), masksOf(newer)];
  return [...new Set([...after.keys(), ...before.keys()])].flatMap((key) => {
    const [old, now] = [before.get(key), after.get(key)];
    const { platform, mask } = now ?? old ?? {};
    if (platform === undefined || mask === undefined) return [];
    if (JSON.stringify(old?.mask) === JSON.stringify(now?.mask)) return [];
    return [{ platform, bit: mask.bit, before: old?.mask, after: now?.mask }];
  });
}

function masksOf({ platforms }: BundleManifest) {
  const all = platforms.flatMap(({ name: platform, masks }) =>
    masks.map((mask) => [`${platform} ${mask.bit}`, { platform, mask }] as const),
  );
  return new Map(all);
}

/** By platform and by name without versions, in the manifest's order. */
function itemsOf({ platforms }: BundleManifest) {
  const items = new Map<string, { readonly platform: string; readonly item: Item }>();
  for (const { name: platform, boot, packages } of platforms) {
    for (const item of boot) items.set(`${platform} boot ${item.name}`, { platform, item });
    for (const item of packages) {
      items.set(`${platform} package ${parsePackageName(item.name).name}`, { platform, item });
    }
  }
  return items;
}
