/*
 * EROFS as our images use it: blocks of 4 KiB, nothing compressed, no feature that Linux 5.4 does not know. The tail
 * of a file lies behind its inode where both fit into one block.
 * Owns: how superblock, inodes, attributes and directories look as bytes, both ways. No I/O, no places of files:
 * erofs-write.ts decides these. Source: fs/erofs/erofs_fs.h of Linux 6.1.
 */
import type { Entry } from "../model/manifest.ts";

export const SUPER_BYTES = 1024;
export const SUPER_LENGTH = 128;
const MAGIC = 0xe0f5e1e2;
/** The superblock has a checksum; times are of modification. Both may be ignored by a kernel. */
const COMPATIBLE = 0b11;
/** The unit of an inode's place. */
export const SLOT_BYTES = 32;
export const COMPACT_BYTES = 32;
export const EXTENDED_BYTES = 64;
export const BLOCK = 4096;
/** Inodes from here on, so that none has the number 0. */
export const FIRST_META_BLOCK = 1;
const PLAIN = 0;
const INLINE = 2;
const FORMATS = { compact: 0, extended: 1 } as const;
const XATTR_HEADER = 12;
const DIRENT = 12;
const UINT16 = 0xffff;
const UINT32 = 0xffff_ffff;

export class ErofsError extends Error {
  override readonly name = "ErofsError";
}

export interface Superblock {
  /** 32 hexadecimal digits. */
  readonly uuid: string;
  readonly rootNode: number;
  readonly inodes: number;
  /** Seconds since 1970: the time of everything that has none of its own. */
  readonly epoch: number;
  readonly blocks: number;
}

/** The image's first block. */
export function encodeSuperblock(superblock: Superblock): Buffer {
  const block = Buffer.alloc(BLOCK);
  const at = block.subarray(SUPER_BYTES);
  at.writeUInt32LE(MAGIC, 0);
  at.writeUInt32LE(COMPATIBLE, 8);
  at.writeUInt8(Math.log2(BLOCK), 12);
  at.writeUInt16LE(superblock.rootNode, 14);
  writeUInt64(at, superblock.inodes, 16);
  writeUInt64(at, superblock.epoch, 24);
  at.writeUInt32LE(superblock.blocks, 36);
  at.write(superblock.uuid, 48, "hex");
  at.writeUInt32LE(crc32c(at), 4);
  return block;
}

/** @throws ErofsError where it is not what `encodeSuperblock` gives. */
export function decodeSuperblock(block: Buffer): Superblock {
  const at = block.subarray(SUPER_BYTES);
  if (at.readUInt32LE(0) !== MAGIC) throw new ErofsError("it is no EROFS file system");
  const superblock = {
    uuid: at.toString("hex", 48, 64),
    rootNode: at.readUInt16LE(14),
    inodes: readUInt64(at, 16),
    epoch: readUInt64(at, 24),
    blocks: at.readUInt32LE(36),
  };
  if (!encodeSuperblock(superblock).equals(block)) {
    throw new ErofsError("its superblock is damaged, or another program has made it");
  }
  return superblock;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0x82f63b78 : 0);
  return value;
});

/** As the kernel has it: begins with ones, and is not inverted at the end. */
function crc32c(bytes: Uint8Array): number {
  let crc = UINT32;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return crc >>> 0;
}

const TYPE_BITS: Readonly<Record<Entry["type"], number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};
/** In a directory: the kernel's FT_ numbers. */
const TYPE_CODES: Readonly<Record<Entry["type"], number>> = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
};

export interface Inode {
  readonly type: Entry["type"];
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly links: number;
  readonly sizeBytes: number;
  /** The last bytes lie behind the inode. */
  readonly isInline: boolean;
  /** Of the content, or a device's number. */
  readonly place: number;
  /** Counts from 1. */
  readonly serial: number;
  readonly xattrs: Entry["xattrs"];
}

/** Bytes of the inode with its attributes. */
export function inodeBytes(inode: Inode, epoch: number): number {
  const fixed = isCompact(inode, epoch) ? COMPACT_BYTES : EXTENDED_BYTES;
  return fixed + encodeXattrs(inode.xattrs).length;
}

function isCompact({ mtime, uid, gid, links, sizeBytes }: Inode, epoch: number): boolean {
  return (
    mtime === epoch && uid <= UINT16 && gid <= UINT16 && links <= UINT16 && sizeBytes <= UINT32
  );
}

export function encodeInode(inode: Inode, epoch: number): Buffer {
  const xattrs = encodeXattrs(inode.xattrs);
  const form = isCompact(inode, epoch) ? "compact" : "extended";
  const fixed = Buffer.alloc(form === "compact" ? COMPACT_BYTES : EXTENDED_BYTES);
  fixed.writeUInt16LE(((inode.isInline ? INLINE : PLAIN) << 1) | FORMATS[form], 0);
  fixed.writeUInt16LE(xattrs.length === 0 ? 0 : 1 + (xattrs.length - XATTR_HEADER) / 4, 2);
  fixed.writeUInt16LE(TYPE_BITS[inode.type] | inode.mode, 4);
  fixed.writeUInt32LE(inode.place, 16);
  fixed.writeUInt32LE(inode.serial, 20);
  if (form === "compact") {
    fixed.writeUInt16LE(inode.links, 6);
    fixed.writeUInt32LE(inode.sizeBytes, 8);
    fixed.writeUInt16LE(inode.uid, 24);
    fixed.writeUInt16LE(inode.gid, 26);
  } else {
    writeUInt64(fixed, inode.sizeBytes, 8);
    fixed.writeUInt32LE(inode.uid, 24);
    fixed.writeUInt32LE(inode.gid, 28);
    writeUInt64(fixed, inode.mtime, 32);
    fixed.writeUInt32LE(inode.links, 44);
  }
  return Buffer.concat([fixed, xattrs]);
}

/** What the first 32 bytes tell: how many bytes the inode has with its attributes. */
export function decodeInodeLength(start: Buffer): number {
  const format = start.readUInt16LE(0);
  const count = start.readUInt16LE(2);
  const fixed = format & 1 ? EXTENDED_BYTES : COMPACT_BYTES;
  return fixed + (count === 0 ? 0 : XATTR_HEADER + (count - 1) * 4);
}

/** @throws ErofsError where it is not what `encodeInode` gives. */
export function decodeInode(bytes: Buffer, epoch: number): Inode {
  const format = bytes.readUInt16LE(0);
  const mode = bytes.readUInt16LE(4);
  const isExtended = (format & 1) === 1;
  const type = (Object.keys(TYPE_BITS) as Entry["type"][]).find(
    (known) => TYPE_BITS[known] === (mode & 0o170000),
  );
  if (type === undefined) throw new ErofsError(`an inode has the unknown type ${mode >> 12}`);
  const inode = {
    type,
    mode: mode & 0o7777,
    uid: isExtended ? bytes.readUInt32LE(24) : bytes.readUInt16LE(24),
    gid: isExtended ? bytes.readUInt32LE(28) : bytes.readUInt16LE(26),
    mtime: isExtended ? readUInt64(bytes, 32) : epoch,
    links: isExtended ? bytes.readUInt32LE(44) : bytes.readUInt16LE(6),
    sizeBytes: isExtended ? readUInt64(bytes, 8) : bytes.readUInt32LE(8),
    isInline: format >> 1 === INLINE,
    place: bytes.readUInt32LE(16),
    serial: bytes.readUInt32LE(20),
    xattrs: decodeXattrs(bytes.subarray(isExtended ? EXTENDED_BYTES : COMPACT_BYTES)),
  };
  if (!encodeInode(inode, epoch).equals(bytes)) {
    throw new ErofsError("an inode is damaged, or another program has made it");
  }
  return inode;
}

/** Number and beginning of each kind of attribute's name that EROFS can hold. */
const PREFIXES: readonly (readonly [number, string])[] = [
  [2, "system.posix_acl_access"],
  [3, "system.posix_acl_default"],
  [1, "user."],
  [4, "trusted."],
  [6, "security."],
];

/** Why an attribute cannot be held; undefined if it can. */
export function faultOfXattr(name: string, value: string): string | undefined {
  const prefix = prefixOf(name);
  if (!prefix) return "EROFS cannot hold it";
  // What stands for bytes that are none: as such it would be another attribute.
  if (name.includes("\ufffd")) return "its name is not UTF-8";
  if (Buffer.byteLength(name) - prefix[1].length > 255) return "its name is too long";
  if (Buffer.byteLength(value, "base64") > UINT16) return "its value is too long";
  return undefined;
}

function prefixOf(name: string): readonly [number, string] | undefined {
  return PREFIXES.find(([, prefix]) =>
    prefix.endsWith(".") ? name.startsWith(prefix) && name !== prefix : name === prefix,
  );
}

function encodeXattrs(xattrs: Entry["xattrs"]): Buffer {
  if (xattrs === undefined) return Buffer.alloc(0);
  const pieces = Object.entries(xattrs).map(([name, value]) => {
    const [code, prefix] = prefixOf(name) ?? [0, ""];
    const rest = Buffer.from(name.slice(prefix.length));
    const bytes = Buffer.from(value, "base64");
    const piece = Buffer.alloc(roundUp(4 + rest.length + bytes.length, 4));
    piece.writeUInt8(rest.length, 0);
    piece.writeUInt8(code, 1);
    piece.writeUInt16LE(bytes.length, 2);
    rest.copy(piece, 4);
    bytes.copy(piece, 4 + rest.length);
    return piece;
  });
  return Buffer.concat([Buffer.alloc(XATTR_HEADER), ...pieces]);
}

/** Bytes of the attributes in the image. */
export function xattrsBytes(xattrs: Entry["xattrs"]): number {
  return encodeXattrs(xattrs).length;
}

function decodeXattrs(bytes: Buffer): Entry["xattrs"] {
  if (bytes.length === 0) return undefined;
  const found: Record<string, string> = {};
  for (let at = XATTR_HEADER; at < bytes.length;) {
    const nameBytes = bytes.readUInt8(at);
    const prefix = PREFIXES.find(([code]) => code === bytes.readUInt8(at + 1))?.[1];
    const valueBytes = bytes.readUInt16LE(at + 2);
    const value = at + 4 + nameBytes;
    if (prefix === undefined) throw new ErofsError("an attribute is damaged");
    const name = prefix + decodeText(bytes.subarray(at + 4, value));
    found[name] = bytes.toString("base64", value, value + valueBytes);
    at += roundUp(4 + nameBytes + valueBytes, 4);
  }
  return found;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly node: number;
  readonly type: Entry["type"];
}

/** The names of a directory with `.` and `..`, block by block; each block says where its names lie. */
export function splitDirectory(names: readonly string[]): string[][] {
  const sorted = names.toSorted(compareBytes);
  const blocks: string[][] = [[]];
  let used = 0;
  for (const name of sorted) {
    const length = DIRENT + Buffer.byteLength(name);
    if (used + length > BLOCK) {
      blocks.push([]);
      used = 0;
    }
    blocks.at(-1)?.push(name);
    used += length;
  }
  return blocks;
}

/** All blocks but the last are full; the last ends with its last name. */
export function directoryBytes(blocks: readonly (readonly string[])[]): number {
  const last = blocks.at(-1) ?? [];
  return (
    (blocks.length - 1) * BLOCK +
    last.reduce((sum, name) => sum + DIRENT + Buffer.byteLength(name), 0)
  );
}

export function encodeDirectory(entries: readonly DirectoryEntry[]): Buffer {
  const known = new Map(entries.map((entry) => [entry.name, entry]));
  const blocks = splitDirectory([...known.keys()]);
  const bytes = Buffer.alloc(directoryBytes(blocks));
  for (const [index, names] of blocks.entries()) {
    const block = bytes.subarray(index * BLOCK, (index + 1) * BLOCK);
    let nameAt = names.length * DIRENT;
    for (const [place, name] of names.entries()) {
      const entry = known.get(name);
      if (!entry) continue;
      const at = place * DIRENT;
      writeUInt64(block, entry.node, at);
      block.writeUInt16LE(nameAt, at + 8);
      block.writeUInt8(TYPE_CODES[entry.type], at + 10);
      nameAt += block.write(name, nameAt);
    }
  }
  return bytes;
}

/** With `.` and `..`. @throws ErofsError where it has more names, or is not what `encodeDirectory` gives. */
export function decodeDirectory(bytes: Buffer, mostNames: number): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let start = 0; start < bytes.length; start += BLOCK) {
    const block = bytes.subarray(start, start + BLOCK);
    const first = block.length < DIRENT ? 0 : block.readUInt16LE(8);
    const count = first / DIRENT;
    if (!Number.isInteger(count) || count < 1 || first > block.length) {
      throw new ErofsError("a directory is damaged");
    }
    if (entries.length + count > mostNames) {
      throw new ErofsError(`a directory has more than ${mostNames} names`);
    }
    for (let place = 0; place < count; place += 1) {
      const at = place * DIRENT;
      const from = block.readUInt16LE(at + 8);
      let to = place + 1 < count ? block.readUInt16LE(at + DIRENT + 8) : block.length;
      if (place + 1 === count) {
        const zero = block.indexOf(0, from);
        if (zero >= 0) to = zero;
      }
      const code = block.readUInt8(at + 10);
      const type = (Object.keys(TYPE_CODES) as Entry["type"][]).find(
        (known) => TYPE_CODES[known] === code,
      );
      if (type === undefined) throw new ErofsError("a directory is damaged");
      entries.push({
        name: decodeText(block.subarray(from, to)),
        node: readUInt64(block, at),
        type,
      });
    }
  }
  if (!encodeDirectory(entries).equals(bytes)) {
    throw new ErofsError("a directory is damaged, or another program has made it");
  }
  return entries;
}

/** `major:minor` as the kernel's 32-bit number, and back. */
export function encodeDevice(device: string): number {
  const [major = 0, minor = 0] = device.split(":").map(Number);
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

export function decodeDevice(place: number): string {
  const minor = (place & 0xff) | ((place >>> 12) & 0xfff00);
  return `${(place >>> 8) & 0xfff}:${minor}`;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ErofsError("a name is not UTF-8");
  }
}

/** The kernel looks names up in this order. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function writeUInt64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % 2 ** 32, at);
  buffer.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

/** @throws ErofsError for a number that JavaScript does not hold exactly. */
function readUInt64(buffer: Buffer, at: number): number {
  const value = buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32;
  if (!Number.isSafeInteger(value)) throw new ErofsError("a number is too large");
  return value;
}
