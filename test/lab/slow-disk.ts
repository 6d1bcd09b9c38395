/*
 * A disk that takes the time of a hard disk (disk-mechanics.ts) over a raw file, so that measurements
 * in a virtual machine see what further requests cost where they are dear. Preparing may go fast.
 * Owns: the store and the timer. nbd.ts speaks to QEMU. Bytes are stored at once; only answers wait.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { makeDiskClock, type Mechanics } from "./disk-mechanics.ts";
import { serveNbd, type NbdServer, type Store } from "./nbd.ts";

export interface SlowDisk extends NbdServer {
  /** Slow from now on, or as fast as the host. It begins fast. */
  setSlow(isSlow: boolean): void;
}

/** Serves the raw file at `file`, which must have its size already. */
export async function serveSlowDisk(
  file: string,
  socket: string,
  mechanics: Mechanics,
): Promise<SlowDisk> {
  const descriptor = openSync(file, "r+");
  const clock = makeDiskClock(mechanics);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isSlow = false;

  function wait(): void {
    clearTimeout(timer);
    const nowMs = performance.now();
    const nextMs = clock.advance(nowMs);
    if (nextMs !== undefined) timer = setTimeout(wait, Math.max(0, nextMs - nowMs));
  }

  const store: Store = {
    sizeBytes: fstatSync(descriptor).size,
    read(offset, length) {
      const bytes = Buffer.alloc(length);
      readSync(descriptor, bytes, 0, length, offset);
      return bytes;
    },
    write(offset, bytes) {
      writeSync(descriptor, bytes, 0, bytes.length, offset);
    },
    flush() {},
    pace(kind, offset, length, answer) {
      if (!isSlow) {
        answer();
        return;
      }
      clock.submit(kind, offset, length, performance.now(), answer);
      wait();
    },
  };

  const server = await serveNbd(store, socket);
  return {
    socket,
    setSlow: (value) => void (isSlow = value),
    close: async () => {
      clearTimeout(timer);
      await server.close();
      closeSync(descriptor);
    },
  };
}
