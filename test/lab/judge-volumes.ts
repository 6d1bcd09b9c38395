/*
 * Judges file systems and snapshots of a crashed disk: e2fsck with the journal replayed, on a sparse copy of
 * what the volume counts as; and what roots and backups hold, by fingerprint.
 * Owns: looking. A merge that was interrupted is seen through (cow-store.ts).
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";
import {
  effectiveView,
  fingerprintOfView,
  readCowStore,
  writeView,
  type Snapshot,
} from "./cow-store.ts";
import type { VolumePlace } from "./inspect.ts";
import { readBytes, withOpen } from "./sparse.ts";

const MOST_LINES = 10;

const COUNTS = /^(Free blocks|Free inodes|Directories) count wrong (for group #\d+ )?\(/;

/** What a replayed journal leaves to do in a sound file system: counters, and files that were being deleted. */
const HARMLESS = [
  /^e2fsck /,
  /: recovering journal$/,
  /^(Pass \d|Setting free (blocks|inodes) count)/,
  /Clearing orphaned inode \d+/,
  /Truncating orphaned inode \d+/,
  COUNTS,
  /^Fix\? yes$/,
  /\*\*\*\*\* FILE SYSTEM WAS MODIFIED \*\*\*\*\*/,
  /: \d+\/\d+ files \(/,
  /^$/,
];

/**
 * A superblock or a commit that was torn between two sectors: the kernel does not mount it, the agent and the start of
 * the installed system (fsck.repair=yes) then call `e2fsck -y`, which must have no more to say than what follows from
 * the superblock's copy.
 */
const TORN = [
  /Superblock checksum does not match superblock$/,
  /^Journal transaction \d+ was corrupt, replay was aborted\.$/,
];
const OF_TORN = [
  ...TORN,
  /Superblock invalid, trying backup blocks\.\.\.$/,
  /^Superblock needs_recovery flag is clear, but journal has data\.$/,
  /^Recovery flag not set in backup superblock, so running journal anyway\.$/,
  /^Block bitmap differences:( +\+(\d+|\(\d+--\d+\)))+$/,
  /^Padding at end of inode bitmap is not set\. Fix\? yes$/,
];

/** The superblock's bit for a journal that has to be replayed. */
const NEEDS_RECOVERY = { atBytes: 1024 + 0x60, bit: 0x4 };

/** @throws Error if there is no such volume, or the store of a merging snapshot cannot be read. */
export async function faultsOfFileSystem(
  rawFile: string,
  volumes: readonly VolumePlace[],
  name: string,
  folder: string,
): Promise<string[]> {
  const { origin, snapshot } = effectiveView(rawFile, volumes, name);
  if (!snapshot && !needsRecovery(rawFile, origin)) {
    // Nothing to replay: it is looked at where it is, which takes a tenth of the time.
    const faults = await look("-n", `${rawFile}?offset=${origin.startBytes}`);
    if (!isTorn(faults)) return describe(faults, name);
  }
  const copy = join(folder, "file-system.img");
  writeView(rawFile, origin, snapshot, copy);
  try {
    const faults = await look("-y", copy);
    if (!isTorn(faults)) return describe(faults, name);
    const others = faults.filter((line) => !OF_TORN.some((pattern) => pattern.test(line)));
    return describe([...others, ...(await look("-n", copy))], name);
  } finally {
    rmSync(copy);
  }
}

const isTorn = (faults: readonly string[]): boolean =>
  faults.some((line) => TORN.some((pattern) => pattern.test(line)));

async function look(how: "-n" | "-y", file: string): Promise<string[]> {
  const argv = ["e2fsck", "-f", how, file];
  const { code, stdout } = await command(argv, { accept: [0, 1, 2, 4, 8, 12] });
  const faults = complaintsOf(stdout);
  if (faults.length === 0 && code >= 4) faults.push(`it ends with ${code}`);
  return faults;
}

function describe(faults: readonly string[], name: string): string[] {
  const more = faults.length > MOST_LINES ? [`and ${faults.length - MOST_LINES} lines more`] : [];
  return [...faults.slice(0, MOST_LINES), ...more].map((line) => `${name}: e2fsck: ${line}`);
}

function needsRecovery(rawFile: string, { startBytes }: VolumePlace): boolean {
  const { atBytes, bit } = NEEDS_RECOVERY;
  const features = withOpen(rawFile, "r", (file) => readBytes(file, startBytes + atBytes, 4));
  return (features.readUInt32LE(0) & bit) !== 0;
}

/** The lines of e2fsck that tell of damage. */
export function complaintsOf(output: string): string[] {
  return output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => !HARMLESS.some((pattern) => pattern.test(line)));
}

/** What a volume counts as. @throws Error as above. */
export function fingerprintOfVolume(
  rawFile: string,
  volumes: readonly VolumePlace[],
  name: string,
): string {
  const { origin, snapshot } = effectiveView(rawFile, volumes, name);
  return fingerprintOfView(rawFile, origin, snapshot);
}

/**
 * What a backup holds, or why it is none. A store that begins with a zero was never activated: the kernel
 * then begins an empty one, and the backup is the root as it is.
 */
export function fingerprintOfBackup(
  rawFile: string,
  volumes: readonly VolumePlace[],
  name: string,
): { readonly fingerprint: string } | { readonly trouble: string } {
  const place = volumes.find((volume) => volume.name === name);
  if (!place?.snapshot) return { trouble: `${name} is no snapshot` };
  if (place.snapshot.isMerging) return { trouble: `${name} is being merged` };
  const origin = volumes.find((volume) => volume.name === place.snapshot?.origin);
  if (!origin) return { trouble: `${name} has no origin` };
  const magic = withOpen(rawFile, "r", (file) => readBytes(file, place.startBytes, 4));
  let snapshot: Snapshot | undefined;
  if (magic.readUInt32LE(0) !== 0) {
    const store = readCowStore(rawFile, place);
    if (typeof store === "string") return { trouble: `the store of ${name}: ${store}` };
    snapshot = { place, store };
  }
  return { fingerprint: fingerprintOfView(rawFile, origin, snapshot) };
}
