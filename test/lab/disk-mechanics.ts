/*
 * How long a hard disk needs: one arm, a jump costs time and going straight on does not, a cache takes
 * writes at once and the arm fetches them from there, a flush waits for all that was taken before it.
 * The next request is always the cheapest one, as a disk with command queueing chooses.
 * Owns: the clock and the order, in simulated time. Knows neither bytes nor timers; test/lab/slow-disk.ts
 * has both.
 */
import { MIB } from "../../src/model/size.ts";
import type { RequestKind } from "./nbd.ts";

export interface Mechanics {
  /** Moves the arm elsewhere and waits for the sector to come round. */
  readonly jumpMs: number;
  readonly bytesPerMs: number;
  readonly cacheBytes: number;
}

/** A disk of 7200 turns a minute: half a turn is 4.2 ms, a short way of the arm 2 ms. */
export const HARD_DISK: Mechanics = { jumpMs: 6, bytesPerMs: 120_000, cacheBytes: 32 * MIB };

export interface DiskClock {
  /** `done` is called when the request ends: now, or in a later call of `submit` or `advance`. */
  submit(kind: RequestKind, offset: number, length: number, nowMs: number, done: () => void): void;
  /** Ends what is over by now. Returns when the next request will be over, if one is under way. */
  advance(nowMs: number): number | undefined;
}

interface Request {
  readonly isRead: boolean;
  readonly offset: number;
  readonly length: number;
  /** Of writes, in the order in which the cache took them. */
  readonly number: number;
  readonly done: () => void;
}

export function makeDiskClock(mechanics: Mechanics): DiskClock {
  const reads = new Set<Request>();
  /** Taken by the cache, not yet on the medium. */
  const cached = new Set<Request>();
  /** Writes that wait for room in the cache. */
  const queue: Omit<Request, "number">[] = [];
  const flushes: { readonly upTo: number; readonly done: () => void }[] = [];
  let cachedBytes = 0;
  let lastNumber = 0;
  let head = 0;
  let current: { readonly request: Request; readonly endMs: number } | undefined;

  /** Passing over a small gap takes less than a jump. */
  const costOf = ({ offset, length }: Request): number => {
    const gapMs = (offset - head) / mechanics.bytesPerMs;
    const way = gapMs >= 0 ? Math.min(gapMs, mechanics.jumpMs) : mechanics.jumpMs;
    return way + length / mechanics.bytesPerMs;
  };

  /** Somebody waits for a read; writes have time, unless a flush waits or the cache fills up. */
  function choose(): Request | undefined {
    const isPressing = flushes.length > 0 || cachedBytes > mechanics.cacheBytes / 2;
    let best: Request | undefined;
    let bestCost = Infinity;
    for (const requests of reads.size === 0 || isPressing ? [reads, cached] : [reads]) {
      for (const request of requests) {
        // Straight on is never beaten, and there may be thousands to look at.
        if (request.offset === head) return request;
        const cost = costOf(request);
        if (cost < bestCost) [best, bestCost] = [request, cost];
      }
    }
    return best;
  }

  function start(nowMs: number): void {
    const request = choose();
    current = request && { request, endMs: nowMs + costOf(request) };
  }

  function takeWrites(): void {
    for (let next = queue[0]; next; next = queue[0]) {
      if (cachedBytes > 0 && cachedBytes + next.length > mechanics.cacheBytes) return;
      queue.shift();
      lastNumber += 1;
      cachedBytes += next.length;
      cached.add({ ...next, number: lastNumber });
      next.done();
    }
  }

  function endFlushes(): void {
    if (flushes.length === 0) return;
    // A set keeps its order, so the first is the oldest.
    const oldest = cached.values().next().value?.number ?? Infinity;
    for (let next = flushes[0]; next && next.upTo < oldest; next = flushes[0]) {
      flushes.shift();
      next.done();
    }
  }

  function advance(nowMs: number): number | undefined {
    while (current && current.endMs <= nowMs) {
      const { request, endMs } = current;
      head = request.offset + request.length;
      if (request.isRead) {
        reads.delete(request);
        request.done();
      } else {
        cached.delete(request);
        cachedBytes -= request.length;
        takeWrites();
        endFlushes();
      }
      start(endMs);
    }
    return current?.endMs;
  }

  return {
    submit(kind, offset, length, nowMs, done) {
      advance(nowMs);
      if (kind === "flush") {
        flushes.push({ upTo: lastNumber, done });
        endFlushes();
      } else if (kind === "read") {
        reads.add({ isRead: true, offset, length, number: 0, done });
      } else {
        queue.push({ isRead: false, offset, length, done });
        takeWrites();
      }
      if (!current) start(nowMs);
    },
    advance,
  };
}
