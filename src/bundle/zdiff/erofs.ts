/*
 * Where the files of an uncompressed EROFS image lie. Owns: reading its inodes and directories. What it cannot read it
 * leaves out: a difference is right without it, only larger.
 * Another reader than ../erofs-read.ts, on purpose: that one decides what is a package and refuses every form but ours, by encoding
 * again what it has decoded. Here nothing is decided, places are wanted and not contents, and the images that the method is measured
 * with beside other programs are mkfs.erofs' own (test/bench/difference.ts), which that one refuses.
 */

export interface ImageFile {
  readonly path: string;
  /** Whole blocks of the file that lie together; 0 bytes for small files. */
  readonly at: number;
  readonly sizeBytes: number;
  /** The last part, where it lies behind the inode. */
  readonly tailAt: number;
  readonly tailBytes: number;
  readonly inodeAt: number;
  /** Without what fills the last block. */
  readonly fileBytes: number;
}

const MAGIC = 0xe0f5e1e2;
const SUPERBLOCK = 1024;
const DIRECTORY = 2;
const REGULAR = 1;
const FILES_MOST = 4_000_000;

export type ReadAt = (at: number, sizeBytes: number) => Buffer;

interface Inode {
  readonly kind: number;
  readonly layout: number;
  readonly sizeBytes: number;
  readonly block: number;
  readonly at: number;
  readonly endAt: number;
}

/** All regular files, or undefined when this is no such image. */
export function readImageFiles(read: ReadAt, imageBytes: number): ImageFile[] | undefined {
  if (imageBytes < 4096) return undefined;
  const head = read(SUPERBLOCK, 128);
  if (head.readUInt32LE(0) !== MAGIC) return undefined;
  const block = 2 ** head.readUInt8(12);
  if (block !== 4096) return undefined;
  const inodes = head.readUInt32LE(40) * block;
  const files: ImageFile[] = [];
  const seen = new Set<number>();
  const queue: { path: string; number: number }[] = [{ path: "", number: head.readUInt16LE(14) }];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (seen.has(next.number) || seen.size > FILES_MOST) continue;
    seen.add(next.number);
    const inode = readInode(read, inodes + next.number * 32, imageBytes);
    if (inode === undefined || (inode.layout !== 0 && inode.layout !== 2)) continue;
    const whole =
      inode.layout === 0 ? inode.sizeBytes : inode.sizeBytes - (inode.sizeBytes % block);
    const sizeBytes = Math.ceil(whole / block) * block;
    const tailBytes = inode.sizeBytes - whole;
    const at = sizeBytes === 0 ? 0 : inode.block * block;
    if (at + sizeBytes > imageBytes || inode.endAt + tailBytes > imageBytes) continue;
    const { path } = next;
    if (inode.kind === REGULAR) {
      files.push({
        path,
        at,
        sizeBytes,
        tailAt: inode.endAt,
        tailBytes,
        inodeAt: inode.at,
        fileBytes: inode.sizeBytes,
      });
    } else if (inode.kind === DIRECTORY) {
      const parts = [];
      for (let done = 0; done < whole; done += block) {
        parts.push(read(at + done, Math.min(block, whole - done)));
      }
      if (tailBytes > 0) parts.push(read(inode.endAt, tailBytes));
      for (const part of parts) {
        for (const { name, number } of entriesOf(part))
          queue.push({ path: `${path}/${name}`, number });
      }
    }
  }
  return files;
}

function readInode(read: ReadAt, at: number, imageBytes: number): Inode | undefined {
  if (at + 64 > imageBytes) return undefined;
  const bytes = read(at, 64);
  const format = bytes.readUInt16LE(0);
  const isLong = (format & 1) === 1;
  const attributes = bytes.readUInt16LE(2);
  const mode = bytes.readUInt16LE(4) >> 12;
  return {
    kind: mode === 8 ? REGULAR : mode === 4 ? DIRECTORY : 0,
    layout: (format >> 1) & 7,
    sizeBytes: isLong ? Number(bytes.readBigUInt64LE(8)) : bytes.readUInt32LE(8),
    block: bytes.readUInt32LE(16),
    at,
    endAt: at + (isLong ? 64 : 32) + (attributes === 0 ? 0 : 12 + (attributes - 1) * 4),
  };
}

function entriesOf(part: Buffer): { name: string; number: number }[] {
  if (part.length < 12) return [];
  const first = part.readUInt16LE(8);
  if (first < 12 || first > part.length) return [];
  const entries = [];
  for (let at = 0; at + 12 <= first; at += 12) {
    const from = part.readUInt16LE(at + 8);
    const end = at + 24 <= first ? part.readUInt16LE(at + 20) : part.length;
    const raw = part.subarray(from, end);
    const stop = raw.indexOf(0);
    const name = (stop < 0 ? raw : raw.subarray(0, stop)).toString("latin1");
    if (name === "." || name === ".." || name === "") continue;
    entries.push({ name, number: Number(part.readBigUInt64LE(at)) });
  }
  return entries;
}
