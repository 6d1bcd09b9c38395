/*
 * A second archive behind a finished initramfs: the kernel unpacks archives one after the other, each
 * beginning at a multiple of four bytes, zeros between them (kernel: driver-api/early-userspace,
 * buffer-format). The first may be compressed; this one is not, and depends on its files alone.
 * Owns: the newc format, writing side.
 */
import { open } from "node:fs/promises";

export interface AppendedFile {
  readonly bytes: Uint8Array;
  /** Permission bits, for example 0o644. */
  readonly mode: number;
}

const REGULAR_FILE = 0o100000;
const ALIGNMENT = 4;

/**
 * Appends regular files, owned by root. Their directories must be in the image already: an entry for a
 * directory would take the place of a symbolic link of that name (/lib, /bin).
 * @param files path inside the image (absolute) → content
 */
export async function appendFiles(
  initramfs: string,
  files: Readonly<Record<string, AppendedFile>>,
): Promise<void> {
  for (const path of Object.keys(files)) {
    if (!/^\/etc\/zshield\/[^/]+$/.test(path)) throw new Error(`${path} is not in /etc/zshield`);
  }
  const handle = await open(initramfs, "r+");
  try {
    const end = (await handle.stat()).size;
    await handle.write(packFiles(files), 0, undefined, end + paddingAfter(end));
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The archive, files in order of their path, every time zero. Its length is a multiple of four. */
export function packFiles(files: Readonly<Record<string, AppendedFile>>): Uint8Array {
  const parts = Object.keys(files)
    .sort()
    .map((path, index) => {
      const { bytes, mode } = files[path] as AppendedFile;
      return packEntry(path.slice(1), REGULAR_FILE | mode, index + 1, bytes);
    });
  parts.push(packEntry("TRAILER!!!", 0, 0, new Uint8Array()));
  return new Uint8Array(Buffer.concat(parts));
}

function packEntry(name: string, mode: number, inode: number, bytes: Uint8Array): Buffer {
  const nameBytes = Buffer.from(`${name}\0`);
  const [uid, gid, links, time, device] = [0, 0, 1, 0, 0];
  const fields = [
    ...[inode, mode, uid, gid, links, time, bytes.length],
    ...[device, device, device, device, nameBytes.length, 0],
  ];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  const named = Buffer.concat([Buffer.from(header), nameBytes]);
  return Buffer.concat([
    ...[named, Buffer.alloc(paddingAfter(named.length))],
    ...[bytes, Buffer.alloc(paddingAfter(bytes.length))],
  ]);
}

function paddingAfter(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}
