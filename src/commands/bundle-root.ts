/*
 * `zshield bundle root`: what a device takes of a bundle, laid into a directory as the device would see it.
 */
import { openBundle } from "../bundle/open.ts";
import { filePieces } from "../bundle/pieces.ts";
import { readBundle } from "../bundle/read.ts";
import { makeRoot, readyPackage, type ReadyPackage } from "../bundle/root.ts";
import { withRoot } from "../bundle/root-place.ts";
import { Refusal } from "../errors.ts";
import type { PlatformRecord } from "../model/bundle-manifest.ts";
import type { DeviceRecord } from "../model/device-record.ts";
import { planBootFiles, planRootPackages } from "../plan/root.ts";
import { selectPackages } from "../plan/selection.ts";
import { headLines, platformsOf, printSelection, readDevices, readKeyFiles } from "./bundle.ts";

export interface RootWords {
  readonly keys: readonly string[];
  /** A device record's file. */
  readonly device: string;
  readonly platform: string | undefined;
}

/** What is needed of a bundle, after every byte of it was checked. */
export interface ChosenBundle {
  readonly identity: string;
  readonly platform: PlatformRecord;
  readonly device: DeviceRecord;
}

const print = (line: string) => console.log(line);

/** @throws Refusal */
export async function bundleRoot(file: string, directory: string, words: RootWords): Promise<void> {
  const keys = await knownKeys(words.keys);
  const verified = await readBundle(filePieces(file), { name: file, keys });
  const bundle = await openBundle(file, keys);
  if (bundle.signed.identity !== verified.identity) {
    throw new Refusal(`${file} became another one while it was read`, "stop what writes there");
  }
  const [device] = await readDevices([words.device], verified);
  const [platform] = platformsOf(verified, words.platform, true);
  if (!device || !platform) throw new Error("there is no device or no platform");
  for (const line of headLines(verified, true)) print(line);
  const selection = selectPackages(platform, device);
  printSelection(device, platform, selection);
  const taken = selection.taken.map((choice) => choice.package);
  const made = await withRoot(directory, async (work) => {
    const ready = new Map<string, ReadyPackage>();
    const faults = new Map<string, string>();
    try {
      // Before the long work: which packages are missing is known without their contents.
      planRootPackages(taken, faults);
      for (const record of taken) {
        const one = await readyPackage(bundle, record, platform.boot, work);
        if (typeof one === "string") faults.set(record.name, one);
        else ready.set(record.name, one);
      }
      const { packages, left } = planRootPackages(taken, faults);
      for (const { name, reason } of left) print(`LEFT OUT: ${name}: ${reason}`);
      const { product, label, release } = verified.manifest;
      return await makeRoot(bundle, work, {
        packages: packages.flatMap(({ name }) => ready.get(name) ?? []),
        boot: platform.boot,
        placeBoot: (versions) => planBootFiles(platform.boot, versions),
        about: {
          ...{ format: 1, product, label, release, identity: verified.identity },
          platform: platform.name,
          packages: packages.map(({ name, kind, start }) => ({ name, kind, start })),
        },
      });
    } finally {
      for (const one of ready.values()) one.close();
    }
  });
  for (const { path, hiding, hidden, type } of made.conflicts) {
    print(`${path}: a ${type} of ${hiding} hides what ${hidden} has there, and all below it`);
  }
  for (const line of made.done) print(line);
  print(`${directory}: ${made.entries} files and directories`);
}

async function knownKeys(files: readonly string[]): Promise<readonly string[]> {
  if (files.length > 0) return readKeyFiles(files);
  throw new Refusal(
    "without a public key nothing can be said of a bundle",
    "name one that is known: --key FILE.pub",
  );
}
