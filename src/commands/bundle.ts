/*
 * `zshield bundle verify|inspect|diff|import`: looks into bundles, and judges them.
 */
import { blobContentBytes } from "../bundle/blob.ts";
import type { BlobSink } from "../bundle/entries.ts";
import { checkFrame } from "../bundle/frame.ts";
import { filePieces, standardInput, type Pieces } from "../bundle/pieces.ts";
import { importBundle } from "../bundle/import.ts";
import { readBundle, readSigned } from "../bundle/read.ts";
import type { KnownKeys, SignedBundle } from "../bundle/signed.ts";
import { Refusal, messageOf } from "../errors.ts";
import { checkFree, NEVER_REPLACED, readSmallFile } from "../host/new-file.ts";
import {
  listContents,
  type BootRecord,
  type Content,
  type PackageRecord,
  type PlatformRecord,
} from "../model/bundle-manifest.ts";
import type { DeviceRecord } from "../model/device-record.ts";
import { printMask, type MaskName } from "../model/mask.ts";
import { parsePublicFile, printPublicKey, sysKeyOf } from "../model/minisign.ts";
import { parseBase } from "../model/package-name.ts";
import { isSameKey } from "../model/signature.ts";
import { verifyRecord } from "../model/signed-record.ts";
import { printSize } from "../model/size.ts";
import {
  diffBundles,
  type BundleChange,
  type BundleDiff,
  type MaskChange,
} from "../plan/bundle-diff.ts";
import { blobBytes, selectPackages, type Choice, type Selection } from "../plan/selection.ts";
import { writeJson } from "./write-out.ts";

const print = (line: string) => console.log(line);

/** Every byte of it. `-`: standard input. */
export async function verifyFile(file: string, keyFiles: readonly string[]): Promise<void> {
  if (keyFiles.length === 0) {
    throw new Refusal(
      "without a public key nothing can be said of a bundle",
      "name one that is known: --key FILE.pub",
    );
  }
  const keys = await readKeyFiles(keyFiles);
  const name = nameOf(file);
  const contents = new Map<string, Content>();
  const bundle = await readBundle(piecesOf(file), {
    ...{ name, keys },
    onManifest({ manifest }) {
      for (const one of listContents(manifest)) contents.set(one.item.blob.sha256, one);
    },
    onBlob: ({ sha256 }) => frameCheck(name, contents.get(sha256)),
  });
  const { blobs } = bundle.layout;
  const bytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  print(`${name} is ${titleOf(bundle)}, signed by ${bundle.signer.id}`);
  const count = blobs.length === 1 ? "1 blob" : `${blobs.length} blobs`;
  print(`identity ${bundle.identity}; ${count}, ${printSize(bytes)}, all right`);
}

/** What no receiver would expand is told of here, where its vendor looks. */
function frameCheck(name: string, content: Content | undefined): BlobSink | undefined {
  if (content === undefined) return undefined;
  const { write, end } = checkFrame(blobContentBytes(content.item));
  const told = async (act: () => void | Promise<void>) => {
    try {
      await act();
    } catch (error) {
      throw new Refusal(`the blob of ${content.item.name} in ${name}: ${messageOf(error)}`);
    }
  };
  return { write: (piece) => told(() => write(piece)), end: () => told(end) };
}

export interface InspectOptions {
  readonly keys: readonly string[];
  /** Device records' files. */
  readonly devices: readonly string[];
  readonly platform: string | undefined;
  /** The system that the devices have and keep. */
  readonly base: string | undefined;
  readonly json: boolean;
}

export async function inspectBundle(file: string, options: InspectOptions): Promise<void> {
  const base = options.base === undefined ? undefined : parseBase(options.base);
  const bundle = await readSigned(piecesOf(file), {
    name: nameOf(file),
    keys: await knownKeys(options.keys),
  });
  const isKnown = options.keys.length > 0;
  const devices = await readDevices(options.devices, bundle);
  const platforms = platformsOf(bundle, options.platform, devices.length > 0);
  const selections = devices.map((device) => ({
    device,
    selections: platforms.map((platform) => ({
      platform,
      selection: selectPackages(platform, device, base),
    })),
  }));
  if (options.json) {
    writeJson({
      ...bundle.manifest,
      platforms: platforms.map(({ name }) => name),
      identity: bundle.identity,
      signer: bundle.signer.id,
      isSignerKnown: isKnown,
      ...(devices.length === 0
        ? { contents: platforms }
        : {
            devices: selections.flatMap(({ device, selections: list }) =>
              list.map(({ platform, selection }) => asJson(device, platform, selection)),
            ),
          }),
    });
    return;
  }
  for (const line of headLines(bundle, isKnown)) print(line);
  if (devices.length === 0) for (const platform of platforms) printPlatform(platform);
  for (const { device, selections: list } of selections) {
    for (const { platform, selection } of list) printSelection(device, platform, selection);
  }
}

export async function diffFiles(older: string, newer: string, json: boolean): Promise<void> {
  const [before, after] = [await readAny(older), await readAny(newer)];
  const diff = diffBundles(before.manifest, after.manifest);
  if (json) return writeJson(diff);
  print(`old  ${titleOf(before)}, signed by ${before.signer.id}`);
  print(`new  ${titleOf(after)}, signed by ${after.signer.id}`);
  if (before.manifest.vendor !== after.manifest.vendor) print("they are of two vendors");
  for (const line of numberLines(diff)) print(line);
  for (const change of diff.masks) print(maskLine(change));
  for (const change of diff.changes) print(changeLine(change));
  const { changes, unchanged, newBytes, wholeBytes } = diff;
  print(
    `${changes.length} changed, ${unchanged} the same; ` +
      `${printSize(newBytes)} of ${printSize(wholeBytes)} is not in the old one`,
  );
}

/** Of what a registry gave back the one permitted form. */
export async function importFile(
  from: string,
  out: string,
  keyFiles: readonly string[],
): Promise<void> {
  checkFree(out, NEVER_REPLACED);
  const bundle = await importBundle(from, out, await knownKeys(keyFiles));
  print(`${out}: ${titleOf(bundle)}`);
  print(signerLine(bundle, keyFiles.length > 0 ? "given" : "nobody"));
}

// --- what is read ------------------------------------------------------------------------------

function piecesOf(file: string): Pieces {
  return file === "-" ? standardInput() : filePieces(file);
}

function nameOf(file: string): string {
  return file === "-" ? "standard input" : file;
}

function readAny(file: string): Promise<SignedBundle> {
  return readSigned(piecesOf(file), { name: nameOf(file), keys: "whoever-signed" });
}

export async function readKeyFiles(files: readonly string[]): Promise<string[]> {
  const keys: string[] = [];
  for (const file of files)
    keys.push(printPublicKey(parsePublicFile(file, await readSmallFile(file))));
  return keys;
}

async function knownKeys(files: readonly string[]): Promise<KnownKeys> {
  return files.length === 0 ? "whoever-signed" : readKeyFiles(files);
}

/** Signed by the last key of the bundle's chain, the only one that a device knows which has taken the bundle. */
export async function readDevices(
  files: readonly string[],
  { chain, signer }: SignedBundle,
): Promise<DeviceRecord[]> {
  // All are asked for, so that an old one can be told of by name.
  const keys = chain.keys.map(printPublicKey);
  const devices: DeviceRecord[] = [];
  for (const file of files) {
    const { record, key } = verifyRecord(file, await readSmallFile(file), keys);
    if (!isSameKey(key, signer)) {
      throw new Refusal(
        `${file} is signed by ${key.id}, and the key ${signer.id} has taken that one's place`,
        "a device that has taken this bundle counts the new key only: zshield device record signs again",
      );
    }
    devices.push(record);
  }
  return devices;
}

/** All without a name; for a device only one can be meant. @throws Refusal */
export function platformsOf(
  { manifest: { platforms } }: SignedBundle,
  name: string | undefined,
  isForDevice: boolean,
): readonly PlatformRecord[] {
  const names = platforms.map((platform) => platform.name).join(", ");
  if (name === undefined) {
    if (!isForDevice || platforms.length === 1) return platforms;
    throw new Refusal("a device has one platform", `name it with --platform: ${names}`);
  }
  const found = platforms.filter((platform) => platform.name === name);
  if (found.length === 0) throw new Refusal(`the bundle is not for ${name}`, `it is for: ${names}`);
  return found;
}

// --- what is printed ---------------------------------------------------------------------------

export function titleOf({ manifest: { label, release, securityFloor } }: SignedBundle): string {
  const floor = securityFloor === 0 ? "" : `, security floor ${securityFloor}`;
  return `${label}, release ${release}${floor}`;
}

export function headLines(bundle: SignedBundle, isKnown: boolean): string[] {
  return [
    `bundle     ${titleOf(bundle)}`,
    `identity   ${bundle.identity}`,
    `vendor     ${bundle.manifest.vendor}`,
    signerLine(bundle, isKnown ? "given" : "nobody"),
    `platforms  ${bundle.manifest.platforms.map(({ name }) => name).join(", ")}`,
  ];
}

/** Why the signer is believed, or that nobody believes it. */
export const TRUST = {
  given: "to whom the given key leads",
  nobody: "whom nobody has confirmed: no --key",
  old: "to whom the old one's last key leads, which nobody has confirmed: no --key",
} as const;

export function signerLine({ signer }: SignedBundle, trust: keyof typeof TRUST): string {
  return `signed by  ${signer.id}, sysKey ${sysKeyOf(signer)}, ${TRUST[trust]}`;
}

function printPlatform(platform: PlatformRecord): void {
  const { name, boot, packages } = platform;
  print(`${name}: ${packages.length} packages, ${printSize(blobBytes([platform]))}`);
  for (const file of boot) print(itemLine("boot", file, ""));
  for (const record of packages) print(itemLine(record.kind, record, `version ${record.version}`));
}

export function printSelection(
  device: DeviceRecord,
  platform: PlatformRecord,
  selection: Selection,
): void {
  const { taken, left, unmet, takenBytes, wholeBytes } = selection;
  const prefix = device.prefix === "" ? "no prefix" : `prefix ${device.prefix}`;
  print(
    `${device.device} (mask ${printMask(device.mask)}, ${prefix}, epoch ${device.epoch}) with ${platform.name} takes ` +
      `${taken.length} of ${platform.packages.length} packages, ` +
      `${printSize(takenBytes)} of ${printSize(wholeBytes)}, in this order:`,
  );
  for (const file of platform.boot) print(itemLine("boot", file, ""));
  const line = ({ package: record, reason }: Choice) => itemLine(record.kind, record, reason);
  for (const choice of taken) print(line(choice));
  if (left.length > 0) print("and leaves:");
  for (const choice of left) print(line(choice));
  for (const { name, need } of unmet) print(`trouble: ${name} needs ${need}, which is left`);
}

function itemLine(
  kind: string,
  { name, blob }: { name: string; blob: { sizeBytes: number } },
  remark: string,
): string {
  return `  ${kind.padEnd(5)}  ${String(blob.sizeBytes).padStart(12)}  ${name}  ${remark}`.trimEnd();
}

function asJson(device: DeviceRecord, { name, boot }: PlatformRecord, selection: Selection) {
  const item = ({ package: record, reason }: Choice) => ({
    name: record.name,
    kind: record.kind,
    blobBytes: record.blob.sizeBytes,
    imageBytes: record.image.sizeBytes,
    reason,
  });
  const { taken, left, unmet, takenBytes, wholeBytes } = selection;
  return {
    device: device.device,
    mask: printMask(device.mask),
    prefix: device.prefix,
    epoch: device.epoch,
    platform: name,
    boot: boot.map(({ name: file, blob }) => ({ name: file, blobBytes: blob.sizeBytes })),
    taken: taken.map(item),
    left: left.map(item),
    unmet,
    takenBytes,
    wholeBytes,
  };
}

function numberLines({ release, securityFloor }: BundleDiff): string[] {
  const all = { release, "security floor": securityFloor };
  return Object.entries(all).flatMap(([name, { before, after }]) =>
    before === after ? [] : [`~ ${name}  ${before} → ${after}`],
  );
}

function maskLine({ platform, bit, before, after }: MaskChange): string {
  const of = ({ name, description }: MaskName) => `${name}: ${description}`;
  const what = `${platform}  mask bit ${bit}`;
  if (before === undefined) return `+ ${what}  ${after === undefined ? "" : of(after)}`;
  if (after === undefined) return `- ${what}  ${of(before)}`;
  return `~ ${what}  ${of(before)} → ${of(after)}`;
}

function changeLine({ platform, before, after, bytes }: BundleChange): string {
  const size = bytes === 0 ? "no bytes" : `${bytes} bytes`;
  if (before === undefined) return `+ ${platform}  ${after?.name}  ${size}`;
  if (after === undefined) return `- ${platform}  ${before.name}`;
  const names = before.name === after.name ? after.name : `${before.name} → ${after.name}`;
  return `~ ${platform}  ${names}  ${[size, ...aspectsOf(before, after)].join(", ")}`;
}

/** What differs beside the content. */
function aspectsOf(
  before: PackageRecord | BootRecord,
  after: PackageRecord | BootRecord,
): string[] {
  if (!("kind" in before) || !("kind" in after)) return [];
  return before.kind === after.kind ? [] : [`${before.kind} → ${after.kind}`];
}
