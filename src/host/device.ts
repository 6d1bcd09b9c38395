/*
 * Raw access to block devices and files: read through, zero, write at a place, forget what is cached.
 * Owns: the loops over buffers. Reads and writes go through the page cache; `forgetCache` empties it, so
 * that the next read comes from the disk.
 */
import { open, writeFile } from "node:fs/promises";
import { Fault, messageOf } from "../errors.ts";
import { say } from "../model/messages.ts";
import { run } from "./command.ts";

const CHUNK_BYTES = 1024 * 1024;

/** Reads `bytes` from the start; @throws Error naming the place of the first block that cannot be read. */
export async function readThrough(
  path: string,
  bytes: number,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const file = await open(path, "r");
  try {
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (let at = 0; at < bytes;) {
      const wanted = Math.min(CHUNK_BYTES, bytes - at);
      let got: number;
      try {
        got = (await file.read(buffer, 0, wanted, at)).bytesRead;
      } catch (error) {
        throw new Fault(say("unreadable-at", path, at, messageOf(error)), error);
      }
      if (got === 0) throw new Fault(say("ends-early", path, at, bytes));
      at += got;
      onProgress(at);
    }
  } finally {
    await file.close();
  }
}

export async function readAt(
  path: string,
  offsetBytes: number,
  sizeBytes: number,
): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const buffer = new Uint8Array(sizeBytes);
    let filled = 0;
    while (filled < sizeBytes) {
      const { bytesRead } = await file.read(
        buffer,
        filled,
        sizeBytes - filled,
        offsetBytes + filled,
      );
      if (bytesRead === 0) throw new Error(`${path} ends before byte ${offsetBytes + sizeBytes}`);
      filled += bytesRead;
    }
    return buffer;
  } finally {
    await file.close();
  }
}

/** Writes, flushes the device, and returns when the disk has said that it is there. */
export async function writeAt(path: string, offsetBytes: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "r+");
  try {
    await writeAll(file, bytes, offsetBytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function zero(path: string, offsetBytes: number, sizeBytes: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const zeros = new Uint8Array(Math.min(CHUNK_BYTES, sizeBytes));
    for (let done = 0; done < sizeBytes; done += zeros.length) {
      await writeAll(
        file,
        zeros.subarray(0, Math.min(zeros.length, sizeBytes - done)),
        offsetBytes + done,
      );
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(
  file: Awaited<ReturnType<typeof open>>,
  bytes: Uint8Array,
  offsetBytes: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offsetBytes + done);
    done += bytesWritten;
  }
}

/** Everything unwritten to the disks, then every clean cached block of these devices away. */
export async function forgetCache(devices: readonly string[]): Promise<void> {
  for (const device of devices) await run(["blockdev", "--flushbufs", device]);
  await writeFile("/proc/sys/vm/drop_caches", "3");
}
