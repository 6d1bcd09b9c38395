/*
 * A disk with a write cache that forgets: at a power cut, each sector written since the last flush is
 * there or not, by chance. A kill of QEMU alone loses nothing that the guest has written; this does, and
 * so it proves that what must be on the disk first was flushed first.
 * Owns: the store. nbd.ts speaks to QEMU.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { serveNbd, type NbdServer, type Store } from "./nbd.ts";

export interface VolatileDisk extends NbdServer {
  /** Sectors that were written since the last flush. */
  unflushed(): number;
  /** Call it when the machine is dead. Tells how many sectors were forgotten, of how many. */
  cutPower(random: () => number): { readonly forgotten: number; readonly unflushed: number };
}

const SECTOR = 512;

/** Serves the raw file at `file`, which must have its size already. */
export async function serveVolatileDisk(file: string, socket: string): Promise<VolatileDisk> {
  const descriptor = openSync(file, "r+");
  /** What the medium holds of each sector that was written since the last flush. */
  const before = new Map<number, Buffer>();

  const read = (offset: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    readSync(descriptor, bytes, 0, length, offset);
    return bytes;
  };
  const store: Store = {
    sizeBytes: fstatSync(descriptor).size,
    read,
    write(offset, bytes, durable) {
      const old = durable ? undefined : read(offset, bytes.length);
      for (let at = 0; at < bytes.length; at += SECTOR) {
        const sector = (offset + at) / SECTOR;
        if (!old) before.delete(sector);
        else if (!before.has(sector)) before.set(sector, old.subarray(at, at + SECTOR));
      }
      writeSync(descriptor, bytes, 0, bytes.length, offset);
    },
    flush: () => before.clear(),
  };

  const server = await serveNbd(store, socket);
  return {
    socket,
    unflushed: () => before.size,
    cutPower(random) {
      const unflushed = before.size;
      let forgotten = 0;
      for (const [sector, bytes] of before) {
        if (random() < 0.5) continue;
        writeSync(descriptor, bytes, 0, SECTOR, sector * SECTOR);
        forgotten += 1;
      }
      before.clear();
      return { forgotten, unflushed };
    },
    close: async () => {
      await server.close();
      closeSync(descriptor);
    },
  };
}
