/*
 * One card: opened so that nobody else can have it, looked at once more, written, read back from the card itself, and
 * its backup partition table moved to its real end. The first MiB, with the boot sector and the table, is zeros until
 * all else has been read back, and again where something is wrong with it: a card that was not checked does not start.
 * Owns: that order. The page cache is passed by both ways.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import { whyNotSameCard } from "../model/card-disk.ts";
import type { DiskIdentity } from "../model/machine.ts";
import { MIB, printSize } from "../model/size.ts";
import { imageBytes, type CardImage } from "./card-image.ts";
import { query, run, tellFailure, type QueryOptions } from "./command.ts";
import { readPieces, writePieces, type Limits } from "./dd.ts";
import { readLsblk } from "./lsblk.ts";
import { readSfdisk } from "./sfdisk.ts";

export type CardPhase = "write" | "check" | "table";

export interface CardProgress {
  readonly phase: CardPhase;
  readonly bytes: number;
}

/** A cheap card that tidies up may pause for half a minute. */
const LIMITS: Limits = { stallMs: 180_000 };
const HEAD_BYTES = MIB;
const ZEROS = new Uint8Array(HEAD_BYTES);
const SECTOR_BYTES = 512;
/** GPT's backup takes 33 sectors at the end. */
const BACKUP_SECTORS = 33;

/** @throws Error that says what was not done, and where. */
export async function writeCard(
  image: CardImage,
  disk: DiskIdentity,
  onProgress: (progress: CardProgress) => void,
  limits = LIMITS,
): Promise<void> {
  const file = await openAlone(disk.path);
  try {
    await checkSame(disk);
    const head = await readHead(image);
    await writeBody(image, disk.sizeBytes, file.fd, onProgress, limits);
    await checkBody(image, head, disk.path, onProgress, limits);
    try {
      await writeHead(head, disk.path, file.fd, limits);
      onProgress({ phase: "table", bytes: 0 });
      await moveBackupTable(disk, limits);
    } catch (error) {
      await writePieces(file.fd, 0, [ZEROS], () => undefined, limits).catch(() => undefined);
      throw error;
    }
  } finally {
    await file.close();
  }
  // The kernel forgets the partitions of before; where it cannot, it does when the card is put in again.
  await run(["blockdev", "--rereadpt", disk.path], { timeoutMs: 60_000 }).catch(() => undefined);
}

/** Without O_EXCL a disk could be written under a file system that is mounted meanwhile. */
async function openAlone(path: string) {
  try {
    return await open(path, constants.O_RDWR | constants.O_EXCL);
  } catch (error) {
    const isBusy = (error as { code?: unknown }).code === "EBUSY";
    throw new Error(isBusy ? "somebody else uses it" : `it cannot be opened: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** What is open keeps its name, so this is said of the disk that is written to. */
async function checkSame(disk: DiskIdentity): Promise<void> {
  const disks = await readLsblk([disk.path]);
  const why = whyNotSameCard(
    disks.find(({ path }) => path === disk.path),
    disk,
  );
  if (why !== undefined) {
    throw new Error(`it is another disk than a moment ago, and was not written to: ${why}`);
  }
}

/** All but the first MiB, which is zeros afterwards. */
async function writeBody(
  image: CardImage,
  diskBytes: number,
  file: number,
  onProgress: (progress: CardProgress) => void,
  limits: Limits,
): Promise<void> {
  let done = 0;
  const tell = (bytes: number) => onProgress({ phase: "write", bytes: (done = bytes) });
  try {
    tell(0);
    // What an older table or a RAID left at both ends would be found by the next one who looks.
    await writePieces(file, 0, [ZEROS], () => undefined, limits);
    await writePieces(file, diskBytes - HEAD_BYTES, [ZEROS], () => undefined, limits);
    const rest = imageBytes(image, HEAD_BYTES);
    await writePieces(file, HEAD_BYTES, rest, tell, limits);
  } catch (error) {
    throw new Error(`it could not be written near ${printSize(done)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Makes a card of it; read back at once. */
async function writeHead(
  head: Uint8Array,
  path: string,
  file: number,
  limits: Limits,
): Promise<void> {
  const found: Uint8Array[] = [];
  try {
    await writePieces(file, 0, [head], () => undefined, limits);
    await run(["blockdev", "--flushbufs", path], { timeoutMs: limits.stallMs });
    await readPieces(path, 0, head.length, (piece) => found.push(piece), limits);
  } catch (error) {
    throw new Error(`its first MiB could not be written: ${messageOf(error)}`, { cause: error });
  }
  if (!Buffer.concat(found).equals(head)) throw new Error(NOT_THE_SAME);
}

async function readHead(image: CardImage): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of imageBytes(image)) {
    pieces.push(piece);
    if ((bytes += piece.length) >= HEAD_BYTES) break;
  }
  return Buffer.concat(pieces).subarray(0, HEAD_BYTES);
}

const NOT_THE_SAME = "what it holds is not what was written: the card or its reader is bad";

/** All but the first MiB, by the digest of the whole image. */
async function checkBody(
  image: CardImage,
  head: Uint8Array,
  path: string,
  onProgress: (progress: CardProgress) => void,
  limits: Limits,
): Promise<void> {
  onProgress({ phase: "check", bytes: 0 });
  await run(["blockdev", "--flushbufs", path], { timeoutMs: limits.stallMs });
  const hash = new Bun.CryptoHasher("sha256").update(head);
  let bytes = HEAD_BYTES;
  const take = (piece: Uint8Array) => {
    hash.update(piece);
    onProgress({ phase: "check", bytes: (bytes += piece.length) });
  };
  try {
    await readPieces(path, HEAD_BYTES, image.sizeBytes - HEAD_BYTES, take, limits);
  } catch (error) {
    throw new Error(`it could not be read back near ${printSize(bytes)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (bytes !== image.sizeBytes) throw new Error(`it ends at ${printSize(bytes)}`);
  if (hash.digest("hex") !== image.sha256) {
    throw new Error(NOT_THE_SAME);
  }
}

/** After this the card differs from the image in the headers of the table only. */
export async function moveBackupTable(
  { path, sizeBytes }: Pick<DiskIdentity, "path" | "sizeBytes">,
  { stallMs: timeoutMs }: Limits,
): Promise<void> {
  const limit = { timeoutMs };
  try {
    const before = await readSfdisk(path, SECTOR_BYTES, limit);
    const how = ["--quiet", "--no-reread", "--no-tell-kernel"];
    await run(["sfdisk", ...how, "--relocate", "gpt-bak-std", path], limit);
    await run(["blockdev", "--flushbufs", path], limit);
    await query(["sfdisk", "--verify", path], limit);
    const after = await readSfdisk(path, SECTOR_BYTES, limit);
    if (JSON.stringify(after) !== JSON.stringify(before)) throw new Error("its partitions changed");
    const last = await readLastSector(path, limit);
    const wanted = sizeBytes / SECTOR_BYTES - BACKUP_SECTORS - 1;
    if (last !== wanted) throw new Error(`it ends at sector ${last}, not ${wanted}`);
  } catch (error) {
    throw new Error(`its partition table is not right: ${tellFailure(error)}`, { cause: error });
  }
}

async function readLastSector(path: string, limit: QueryOptions): Promise<number> {
  const report = JSON.parse(await query(["sfdisk", "--json", path], limit)) as {
    readonly partitiontable?: { readonly lastlba?: number };
  };
  return report.partitiontable?.lastlba ?? 0;
}
