/*
 * What of a bundle a device takes: the rule of masks for each package of its platform, in the order of mounting and
 * starting. Owns: the selection and its reasons. No I/O.
 */
import {
  listBlobs,
  type BundleManifest,
  type PackageRecord,
  type PlatformRecord,
} from "../model/bundle-manifest.ts";
import type { DeviceRecord } from "../model/device-record.ts";
import { explainMask } from "../model/mask.ts";
import { parsePackageName } from "../model/package-name.ts";

export interface Choice {
  readonly package: PackageRecord;
  readonly reason: string;
}

export interface Selection {
  readonly taken: readonly Choice[];
  readonly left: readonly Choice[];
  /** What a package that is taken needs, and what the device leaves. */
  readonly unmet: readonly { readonly name: string; readonly need: string }[];
  /** Of the blobs that the device needs, boot files too, each once; and of all in the platform. */
  readonly takenBytes: number;
  readonly wholeBytes: number;
}

/** `base`: of a device that keeps its system, and with it only the packages that were made on that; else all count. */
export function selectPackages(
  platform: PlatformRecord,
  device: DeviceRecord,
  base?: readonly number[],
): Selection {
  const taken: Choice[] = [];
  const left: Choice[] = [];
  for (const record of platform.packages) {
    const { mask, prefix, base: madeOn } = parsePackageName(record.name);
    const prefixes = { packagePrefix: prefix, systemPrefix: device.prefix };
    const { needed, reason } = explainMask(device.mask, mask, prefixes, platform.masks);
    if (needed && base !== undefined && madeOn.join(".") !== base.join(".")) {
      const other = `it was made on system ${madeOn.join(".")}, and the device has ${base.join(".")}`;
      left.push({ package: record, reason: other });
    } else {
      (needed ? taken : left).push({ package: record, reason });
    }
  }
  const packages = taken.map((choice) => choice.package);
  const there = new Set(packages.map(({ name }) => parsePackageName(name).name));
  return {
    taken,
    left,
    unmet: packages.flatMap(({ name, needs }) =>
      needs.filter((need) => !there.has(need)).map((need) => ({ name, need })),
    ),
    takenBytes: blobBytes([{ ...platform, packages }]),
    wholeBytes: blobBytes([platform]),
  };
}

/** Each blob once. */
export function blobBytes(platforms: BundleManifest["platforms"]): number {
  return listBlobs({ platforms }).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
