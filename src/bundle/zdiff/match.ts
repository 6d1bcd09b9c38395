/*
 * Which bytes of the new file come from where in the old one. Owns: the search. The rule is bsdiff's (a copy goes
 * on as long as most of its bytes are right, and is left only for a place that is better by eight bytes),
 * the index is a table of hashes with chains instead of a sorted list of all suffixes.
 */

export interface Match {
  /** Offsets in the new and in the old bytes. */
  readonly to: number;
  readonly from: number;
  readonly sizeBytes: number;
}

const KEY = 6;
const DEPTH = 48;
const BETTER = 8;
/** As many equal bytes under the copy that runs are never left. */
const PLENTY = 48;

/** Parts of `fresh` that are nearly as in `old`, in order and apart from each other. */
export function findMatches(old: Uint8Array, fresh: Uint8Array): Match[] {
  const index = new Index(old);
  const matches: Match[] = [];
  let scan = 0;
  let length = 0;
  let place = 0;
  let lastScan = 0;
  let lastPlace = 0;
  let lastOffset = 0;
  const oldSize = old.length;
  const size = fresh.length;
  while (scan < size) {
    let oldScore = 0;
    scan += length;
    let counted = scan;
    for (; scan < size; scan += 1) {
      const here = scan + lastOffset;
      let equal = 0;
      if (here >= 0 && here < oldSize) {
        equal = equalBytes(old, here, fresh, scan, size - scan);
      }
      if (equal >= PLENTY) {
        length = equal;
        place = here;
        oldScore = equal;
        break;
      }
      length = index.longest(fresh, scan);
      place = index.place;
      if (equal >= length) {
        length = equal;
        place = here;
      }
      for (; counted < scan + length; counted += 1) {
        const at = counted + lastOffset;
        if (at >= 0 && at < oldSize && old[at] === fresh[counted]) oldScore += 1;
      }
      if ((length === oldScore && length !== 0) || length > oldScore + BETTER) break;
      if (here >= 0 && here < oldSize && counted > scan && old[here] === fresh[scan]) oldScore -= 1;
      if (counted === scan) counted += 1;
    }
    if (length === oldScore && scan !== size) continue;
    // Forward from the last match as far as most bytes are right, backward from this one likewise.
    let forward = 0;
    for (let at = 0, right = 0, best = 0; lastScan + at < scan && lastPlace + at < oldSize;) {
      if (old[lastPlace + at] === fresh[lastScan + at]) right += 1;
      at += 1;
      if (right * 2 - at > best * 2 - forward) {
        best = right;
        forward = at;
      }
    }
    let backward = 0;
    if (scan < size) {
      for (let at = 1, right = 0, best = 0; scan >= lastScan + at && place >= at; at += 1) {
        if (old[place - at] === fresh[scan - at]) right += 1;
        if (right * 2 - at > best * 2 - backward) {
          best = right;
          backward = at;
        }
      }
    }
    if (lastScan + forward > scan - backward) {
      const overlap = lastScan + forward - (scan - backward);
      let right = 0;
      let best = 0;
      let first = 0;
      for (let at = 0; at < overlap; at += 1) {
        const inLast = lastScan + forward - overlap + at;
        if (fresh[inLast] === old[lastPlace + forward - overlap + at]) right += 1;
        if (fresh[scan - backward + at] === old[place - backward + at]) right -= 1;
        if (right > best) {
          best = right;
          first = at + 1;
        }
      }
      forward += first - overlap;
      backward -= first;
    }
    if (forward > 0) matches.push({ to: lastScan, from: lastPlace, sizeBytes: forward });
    lastScan = scan - backward;
    lastPlace = place - backward;
    lastOffset = place - scan;
  }
  return joined(matches);
}

/** Neighbours with the same distance become one: what lies between them is as long in both. */
function joined(matches: readonly Match[]): Match[] {
  const result: Match[] = [];
  for (const match of matches) {
    const last = result.at(-1);
    const gap = last === undefined ? 0 : match.to - (last.to + last.sizeBytes);
    if (last !== undefined && match.from - match.to === last.from - last.to && gap <= 64) {
      result[result.length - 1] = { ...last, sizeBytes: last.sizeBytes + gap + match.sizeBytes };
    } else result.push(match);
  }
  return result;
}

export function equalBytes(
  one: Uint8Array,
  oneAt: number,
  two: Uint8Array,
  twoAt: number,
  most: number,
): number {
  const end = Math.min(most, one.length - oneAt, two.length - twoAt);
  let count = 0;
  while (count < end && one[oneAt + count] === two[twoAt + count]) count += 1;
  return count;
}

class Index {
  place = 0;
  private readonly old: Uint8Array;
  private readonly heads: Int32Array;
  private readonly chain: Int32Array;
  private readonly shift: number;

  constructor(old: Uint8Array) {
    const bits = Math.max(8, Math.min(24, 32 - Math.clz32(old.length)));
    this.old = old;
    this.shift = 32 - bits;
    this.heads = new Int32Array(1 << bits).fill(-1);
    this.chain = new Int32Array(old.length);
    for (let at = old.length - KEY; at >= 0; at -= 1) {
      const slot = this.hash(old, at);
      // Long runs of one byte would only make long chains.
      if (old[at] === old[at + 1] && old[at] === old[at + KEY - 1] && at % 64 !== 0) continue;
      this.chain[at] = this.heads[slot]!;
      this.heads[slot] = at;
    }
  }

  /** Length of the longest match found, at `place`. */
  longest(fresh: Uint8Array, scan: number): number {
    if (scan + KEY > fresh.length) return 0;
    const { old, chain } = this;
    let best = 0;
    let depth = DEPTH;
    for (let at = this.heads[this.hash(fresh, scan)]!; at >= 0 && depth > 0; at = chain[at]!) {
      depth -= 1;
      if (best > 0 && old[at + best] !== fresh[scan + best]) continue;
      const equal = equalBytes(old, at, fresh, scan, fresh.length - scan);
      if (equal > best) {
        best = equal;
        this.place = at;
        if (equal > 4096) break;
      }
    }
    return best;
  }

  private hash(bytes: Uint8Array, at: number): number {
    const low =
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    const high = bytes[at + 4]! | (bytes[at + 5]! << 8);
    return (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)) >>> this.shift;
  }
}
