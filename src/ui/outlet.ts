/*
 * What a line has not taken yet waits here, in order: neither a slow nor a stopped one holds anybody up.
 * Owns: the queue and its bound. Must not know what it is written to.
 */

export interface Outlet {
  write(text: string): void;
  /** Bytes that have not been taken yet. */
  pending(): number;
  /** How long nothing of them has been taken, in milliseconds. */
  idleMs(): number;
  /** One try at once, for a process that ends and cannot wait. */
  flush(): void;
  stop(): void;
}

/** More than any screen; behind a line that takes nothing the newest is left out. */
const MOST_PENDING = 256 * 1024;
const RETRY_MS = 10;
/** A line that has taken nothing for two seconds is looked at less often. */
const STUCK_MS = 2_000;
const STUCK_RETRY_MS = 250;

/** `send` returns how many bytes were taken. @throws EAGAIN where none are now; anything else: nobody is there. */
export function makeOutlet(send: (bytes: Buffer) => number): Outlet {
  let queue: Buffer[] = [];
  let bytes = 0;
  let takenAt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const idleMs = () => (bytes === 0 ? 0 : performance.now() - takenAt);
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    try {
      for (let [first] = queue; first; [first] = queue) {
        const done = send(first);
        bytes -= done;
        if (done > 0) takenAt = performance.now();
        if (done === first.length) queue.shift();
        else queue[0] = first.subarray(done);
      }
    } catch (error) {
      const isBusy = error instanceof Error && "code" in error && error.code === "EAGAIN";
      if (isBusy) {
        timer = setTimeout(flush, idleMs() < STUCK_MS ? RETRY_MS : STUCK_RETRY_MS);
        return;
      }
      // Gone, or a console without hardware behind it (ttyS0 on many boards): that stops no recovery.
      queue = [];
      bytes = 0;
    }
  };
  return {
    write(text) {
      const piece = Buffer.from(text);
      if (bytes + piece.length > MOST_PENDING) return;
      if (bytes === 0) takenAt = performance.now();
      queue.push(piece);
      bytes += piece.length;
      if (timer === undefined) flush();
    },
    pending: () => bytes,
    idleMs,
    flush,
    stop: () => clearTimeout(timer),
  };
}
