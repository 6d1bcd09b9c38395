/*
 * A disk that lies: once armed it acknowledges some writes without storing them, as a dying flash does.
 * It counts what it dropped, and which of it was not repaired by a later write, so that a test can prove
 * that the fault really happened.
 * Owns: the store. nbd.ts speaks to QEMU.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { serveNbd, type NbdServer, type Store } from "./nbd.ts";

export interface Dropping {
  /** Only writes that lie wholly in this range are dropped. */
  readonly startBytes: number;
  readonly endBytes: number;
  /** Only writes of at least this size: file contents rather than tables. */
  readonly leastBytes: number;
  /** So many such writes are let through first. */
  readonly skip: number;
  /** So many are dropped then. */
  readonly most: number;
}

export interface DroppingDisk extends NbdServer {
  /** From now on writes are dropped. */
  arm(dropping: Dropping): void;
  /** How many writes were acknowledged and not stored. */
  dropped(): number;
  /** Bytes of them that no later write has put right. */
  lostBytes(): number;
}

const UNIT = 512;

/** Serves the raw file at `file`, which must have its size already. */
export async function serveDroppingDisk(file: string, socket: string): Promise<DroppingDisk> {
  const descriptor = openSync(file, "r+");
  const lost = new Set<number>();
  let armed: Dropping | undefined;
  let seen = 0;
  let dropped = 0;

  const isDropped = (offset: number, length: number): boolean => {
    if (!armed || length < armed.leastBytes) return false;
    if (offset < armed.startBytes || offset + length > armed.endBytes) return false;
    seen += 1;
    return seen > armed.skip && dropped < armed.most;
  };
  const store: Store = {
    sizeBytes: fstatSync(descriptor).size,
    read(offset, length) {
      const bytes = Buffer.alloc(length);
      readSync(descriptor, bytes, 0, length, offset);
      return bytes;
    },
    write(offset, bytes) {
      const units = Array.from({ length: bytes.length / UNIT }, (_, i) => offset / UNIT + i);
      if (isDropped(offset, bytes.length)) {
        dropped += 1;
        for (const unit of units) lost.add(unit);
        return;
      }
      writeSync(descriptor, bytes, 0, bytes.length, offset);
      if (lost.size > 0) for (const unit of units) lost.delete(unit);
    },
    flush() {},
  };

  const server = await serveNbd(store, socket);
  return {
    socket,
    arm: (dropping) => void (armed = dropping),
    dropped: () => dropped,
    lostBytes: () => lost.size * UNIT,
    close: async () => {
      await server.close();
      closeSync(descriptor);
    },
  };
}
