/*
 * Judges file systems and snapshots of a crashed disk: e2fsck with the journal replayed, on a sparse copy of
 * what the volume counts as; and what roots and backups hold, by fingerprint.
 * Owns: looking. A merge that was interrupted is seen through (cow-store.ts).
 */
import { readFileSync, rmSync } from "node:fs";
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

/** What a replayed journal leaves to do in a sound file system: counters, and files that were being deleted. */
const HARMLESS = [
  /^e2fsck /,
  /: recovering journal$/,
  /^(Pass \d|Setting free (blocks|inodes) count)/,
  /Clearing orphaned inode \d+/,
  /Truncating orphaned inode \d+/,
  /Free (blocks|inodes) count wrong \(/,
  /^Fix\? yes$/,
  /\*\*\*\*\* FILE SYSTEM WAS MODIFIED \*\*\*\*\*/,
  /: \d+\/\d+ files \(/,
  /^$/,
];

/**
 * A superblock or the last commit of the journal, torn between two sectors: the kernel does not mount it, the agent and
 * the start of the installed system (fsck.repair=yes) then call `e2fsck -y`.
 */
const TORN_SUPERBLOCK = /Superblock checksum does not match superblock$/;
const TORN_COMMIT = /^Journal transaction (\d+) was corrupt, replay was aborted\.$/;
/** What follows from taking the superblock's copy. */
const OF_SUPERBLOCK = [
  TORN_SUPERBLOCK,
  /Superblock invalid, trying backup blocks\.\.\.$/,
  /^Superblock needs_recovery flag is clear, but journal has data\.$/,
  /^Recovery flag not set in backup superblock, so running journal anyway\.$/,
  /^Block bitmap differences:( +\+(\d+|\(\d+--\d+\)))+$/,
  /^Padding at end of inode bitmap is not set\. Fix\? yes$/,
  /^(Free blocks|Free inodes|Directories) count wrong for group #\d+ \(/,
];

const JOURNAL = { inode: 8, blockBytes: 4096, magic: 0xc03b3998, commit: 2 };

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
    const others: string[] = [];
    const isOfCopy = faults.some((line) => TORN_SUPERBLOCK.test(line));
    for (const line of faults) {
      const transaction = TORN_COMMIT.exec(line)?.[1];
      if (transaction !== undefined) {
        if (!(await isLast(Number(transaction), copy, folder))) others.push(line);
      } else if (!(isOfCopy && OF_SUPERBLOCK.some((pattern) => pattern.test(line)))) {
        others.push(line);
      }
    }
    return describe([...others, ...(await look("-n", copy))], name);
  } finally {
    rmSync(copy);
  }
}

const isTorn = (faults: readonly string[]): boolean =>
  faults.some((line) => TORN_SUPERBLOCK.test(line) || TORN_COMMIT.test(line));

/** Whether the journal has no commit of a later transaction. */
async function isLast(transaction: number, file: string, folder: string): Promise<boolean> {
  const journal = join(folder, "journal");
  await command(["debugfs", "-R", `dump <${JOURNAL.inode}> ${journal}`, file]);
  try {
    return commitsIn(readFileSync(journal)).every((sequence) => sequence <= transaction);
  } finally {
    rmSync(journal);
  }
}

/** The numbers of all transactions that have a commit, of earlier rounds too. */
export function commitsIn(journal: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + 12 <= journal.length; at += JOURNAL.blockBytes) {
    const isCommit =
      journal.readUInt32BE(at) === JOURNAL.magic && journal.readUInt32BE(at + 4) === JOURNAL.commit;
    if (isCommit) found.push(journal.readUInt32BE(at + 8));
  }
  return found;
}

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
