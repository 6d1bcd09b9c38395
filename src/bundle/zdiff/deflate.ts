/*
 * Deflate as `gzip` and zlib do it at their levels 6 and 9, bit for bit: so a difference can carry what is inside a
 * compressed file instead of the file. Owns: the search for matches (deflate_slow) and the trees (trees.c) of these
 * programs. That it makes the wanted bytes is proved where a difference is made; where it does not, the
 * file travels as it is.
 */

export interface Manner {
  /** 6 or 9. */
  readonly level: number;
  /** gzip's own code; else zlib's, with so many symbols in a block. */
  readonly isGzip: boolean;
}

export const MANNERS: readonly Manner[] = [
  { level: 9, isGzip: true },
  { level: 9, isGzip: false },
  { level: 6, isGzip: true },
  { level: 6, isGzip: false },
];

const LEAST = 3;
const MOST = 258;
const WINDOW = 32768;
const DISTANCE_MOST = WINDOW - (MOST + LEAST + 1);
const TOO_FAR = 4096;
const PADDING = MOST + 8;
/** Looking at so many places for each byte is more than any honest file needs. */
const LOOKS_PER_BYTE = 256;
const LOOKS_FREE = 1 << 22;

// One file after the other uses the same memory.
const heads = new Int32Array(WINDOW);
const before = new Int32Array(WINDOW);
const symbolsOfBlock = new Uint16Array(0x8000);
const placesOfBlock = new Uint16Array(0x8000);

/** The deflate stream of `data`, without a frame. @throws Error when it would take unreasonably long. */
export function deflate(data: Uint8Array, { level, isGzip }: Manner): Buffer {
  const [good, lazy, nice, chain] = level === 9 ? [32, 258, 258, 4096] : [8, 16, 128, 128];
  const size = data.length;
  const bytes = padded(data, isGzip);
  heads.fill(0);
  const trees = new Trees(bytes, isGzip);
  let start = 0;
  let length = LEAST - 1;
  let match = 0;
  let hasByte = false;
  let looks = LOOKS_FREE + size * LOOKS_PER_BYTE;

  const insert = (at: number): number => {
    const hash = ((bytes[at]! << 10) ^ (bytes[at + 1]! << 5) ^ bytes[at + 2]!) & 0x7fff;
    const head = heads[hash]!;
    before[at & (WINDOW - 1)] = head;
    heads[hash] = at;
    return head;
  };
  const longest = (head: number, least: number): number => {
    const left = size - start;
    let tries = least >= good! ? chain! >> 2 : chain!;
    let best = least;
    const limit = Math.max(0, start - DISTANCE_MOST);
    const enough = isGzip ? nice! : Math.min(nice!, left);
    let at = head;
    do {
      if (
        bytes[at + best] === bytes[start + best] &&
        bytes[at + best - 1] === bytes[start + best - 1] &&
        bytes[at] === bytes[start] &&
        bytes[at + 1] === bytes[start + 1]
      ) {
        let count = 2;
        while (count < MOST && bytes[at + count] === bytes[start + count]) count += 1;
        if (count > best) {
          match = at;
          best = count;
          if (count >= enough) break;
        }
      }
      at = before[at & (WINDOW - 1)]!;
      tries -= 1;
    } while (at > limit && tries !== 0);
    looks -= (least >= good! ? chain! >> 2 : chain!) - tries;
    if (looks < 0) throw new Error("a file takes too long to be compressed");
    return Math.min(best, left);
  };

  while (start < size) {
    const head = isGzip || size - start >= LEAST ? insert(start) : 0;
    let lastLength = length;
    const lastMatch = match;
    length = LEAST - 1;
    if (head !== 0 && lastLength < lazy! && start - head <= DISTANCE_MOST) {
      length = longest(head, lastLength);
      if (length === LEAST && start - match > TOO_FAR) length = LEAST - 1;
    }
    if (lastLength >= LEAST && length <= lastLength) {
      const last = size - LEAST;
      const isFull = trees.copy(start - 1 - lastMatch, lastLength - LEAST, start);
      for (lastLength -= 2; lastLength > 0; lastLength -= 1) {
        start += 1;
        if (isGzip || start <= last) insert(start);
      }
      hasByte = false;
      length = LEAST - 1;
      start += 1;
      if (isFull) trees.flush(start, false);
    } else if (hasByte) {
      if (trees.byte(bytes[start - 1]!, start)) trees.flush(start, false);
      start += 1;
    } else {
      hasByte = true;
      start += 1;
    }
  }
  if (hasByte) trees.byte(bytes[start - 1]!, start);
  trees.flush(start, true);
  return trees.finish();
}

/** What these programs see behind the end: zeros, or in gzip's case what was in the window before. */
function padded(data: Uint8Array, isGzip: boolean): Uint8Array {
  const size = data.length;
  const bytes = new Uint8Array(size + PADDING);
  bytes.set(data);
  if (isGzip && size > 2 * WINDOW) {
    for (let at = size + LEAST - 1; at < size + PADDING; at += 1) bytes[at] = bytes[at - WINDOW]!;
  }
  return bytes;
}

const LITERALS = 256;
const END = 256;
const LENGTH_EXTRA = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
const CODE_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7];
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const LENGTH_CODE = new Uint8Array(256);
const LENGTH_BASE = new Int32Array(29);
const DISTANCE_BASE = new Int32Array(30);
{
  let length = 0;
  for (let code = 0; code < 28; code += 1) {
    LENGTH_BASE[code] = length;
    for (let count = 0; count < 1 << LENGTH_EXTRA[code]!; count += 1) LENGTH_CODE[length++] = code;
  }
  LENGTH_CODE[255] = 28;
  LENGTH_BASE[28] = 255;
  let distance = 0;
  for (let code = 0; code < 30; code += 1) {
    DISTANCE_BASE[code] = distance;
    distance += 1 << DISTANCE_EXTRA[code]!;
  }
}

function distanceCode(distance: number): number {
  if (distance < 4) return distance;
  const high = 31 - Math.clz32(distance);
  return high * 2 + ((distance >> (high - 1)) & 1);
}

interface Kind {
  readonly extra: readonly number[];
  readonly extraBase: number;
  readonly count: number;
  readonly longest: number;
  readonly fixed: Uint8Array | undefined;
}

class Tree {
  readonly frequency: Int32Array;
  readonly lengths: Uint8Array;
  readonly codes: Uint16Array;
  readonly kind: Kind;
  most = 0;
  optimal = 0;
  withFixed = 0;

  constructor(kind: Kind) {
    this.kind = kind;
    this.frequency = new Int32Array(2 * kind.count + 1);
    this.lengths = new Uint8Array(2 * kind.count + 1);
    this.codes = new Uint16Array(kind.count);
  }

  clear(): void {
    this.frequency.fill(0);
  }

  /** build_tree of trees.c. */
  build(): void {
    const { frequency, lengths, kind } = this;
    const { count } = kind;
    const heap = new Int32Array(2 * count + 2);
    const depth = new Uint8Array(2 * count + 1);
    const parent = new Int32Array(2 * count + 1);
    let size = 0;
    let most = -1;
    this.optimal = 0;
    this.withFixed = 0;
    lengths.fill(0);
    for (let symbol = 0; symbol < count; symbol += 1) {
      if (frequency[symbol] !== 0) {
        heap[++size] = most = symbol;
      }
    }
    while (size < 2) {
      const symbol = most < 2 ? ++most : 0;
      heap[++size] = symbol;
      frequency[symbol] = 1;
      this.optimal -= 1;
      if (kind.fixed !== undefined) this.withFixed -= kind.fixed[symbol]!;
    }
    this.most = most;
    const isSmaller = (a: number, b: number): boolean =>
      frequency[a]! < frequency[b]! || (frequency[a] === frequency[b] && depth[a]! <= depth[b]!);
    const sink = (from: number): void => {
      let at = from;
      const value = heap[at]!;
      for (let child = at * 2; child <= size; child *= 2) {
        if (child < size && isSmaller(heap[child + 1]!, heap[child]!)) child += 1;
        if (isSmaller(value, heap[child]!)) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = value;
    };
    for (let at = size >> 1; at >= 1; at -= 1) sink(at);
    let sorted = 2 * count + 1;
    let node = count;
    do {
      const one = heap[1]!;
      heap[1] = heap[size--]!;
      sink(1);
      const two = heap[1]!;
      heap[--sorted] = one;
      heap[--sorted] = two;
      frequency[node] = frequency[one]! + frequency[two]!;
      depth[node] = Math.max(depth[one]!, depth[two]!) + 1;
      parent[one] = parent[two] = node;
      heap[1] = node++;
      sink(1);
    } while (size >= 2);
    heap[--sorted] = heap[1]!;
    this.measure(heap, sorted, parent);
    this.number();
  }

  /** gen_bitlen. */
  private measure(heap: Int32Array, sorted: number, parent: Int32Array): void {
    const { frequency, lengths, kind, most } = this;
    const { count, longest, extra, extraBase, fixed } = kind;
    const counts = new Int32Array(16);
    const total = 2 * count + 1;
    let overflow = 0;
    lengths[heap[sorted]!] = 0;
    let at = sorted + 1;
    for (; at < total; at += 1) {
      const node = heap[at]!;
      let bits = lengths[parent[node]!]! + 1;
      if (bits > longest) {
        bits = longest;
        overflow += 1;
      }
      lengths[node] = bits;
      if (node > most || node >= count) continue;
      counts[bits]! += 1;
      const more = node >= extraBase ? extra[node - extraBase]! : 0;
      this.optimal += frequency[node]! * (bits + more);
      if (fixed !== undefined) this.withFixed += frequency[node]! * (fixed[node]! + more);
    }
    if (overflow === 0) return;
    do {
      let bits = longest - 1;
      while (counts[bits] === 0) bits -= 1;
      counts[bits]! -= 1;
      counts[bits + 1]! += 2;
      counts[longest]! -= 1;
      overflow -= 2;
    } while (overflow > 0);
    for (let bits = longest; bits !== 0; bits -= 1) {
      for (let left = counts[bits]!; left !== 0;) {
        const node = heap[--at]!;
        if (node > most || node >= count) continue;
        if (lengths[node] !== bits) {
          this.optimal += (bits - lengths[node]!) * frequency[node]!;
          lengths[node] = bits;
        }
        left -= 1;
      }
    }
  }

  number(): void {
    numberCodes(this.lengths, this.codes, this.most);
  }
}

function numberCodes(lengths: Uint8Array, codes: Uint16Array, most: number): void {
  const counts = new Int32Array(17);
  for (let symbol = 0; symbol <= most; symbol += 1) counts[lengths[symbol]!]! += 1;
  counts[0] = 0;
  const next = new Int32Array(17);
  for (let bits = 1, code = 0; bits <= 15; bits += 1) {
    code = (code + counts[bits - 1]!) << 1;
    next[bits] = code;
  }
  for (let symbol = 0; symbol <= most; symbol += 1) {
    const bits = lengths[symbol]!;
    if (bits === 0) continue;
    let code = next[bits]!;
    next[bits]! += 1;
    let reversed = 0;
    for (let index = 0; index < bits; index += 1, code >>= 1)
      reversed = (reversed << 1) | (code & 1);
    codes[symbol] = reversed;
  }
}

const FIXED_LITERALS = new Uint8Array(288).map((_, symbol) =>
  symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8,
);
const FIXED_LITERAL_CODES = new Uint16Array(288);
numberCodes(FIXED_LITERALS, FIXED_LITERAL_CODES, 287);
const FIXED_DISTANCES = new Uint8Array(30).fill(5);
const FIXED_DISTANCE_CODES = new Uint16Array(30);
numberCodes(FIXED_DISTANCES, FIXED_DISTANCE_CODES, 29);

class Trees {
  private readonly bytes: Uint8Array;
  private readonly isGzip: boolean;
  private readonly literals = new Tree({
    extra: LENGTH_EXTRA,
    extraBase: LITERALS + 1,
    count: 286,
    longest: 15,
    fixed: FIXED_LITERALS,
  });
  private readonly distances = new Tree({
    extra: DISTANCE_EXTRA,
    extraBase: 0,
    count: 30,
    longest: 15,
    fixed: FIXED_DISTANCES,
  });
  private readonly codeLengths = new Tree({
    extra: CODE_EXTRA,
    extraBase: 0,
    count: 19,
    longest: 7,
    fixed: undefined,
  });
  private readonly symbols = symbolsOfBlock;
  private readonly places = placesOfBlock;
  private readonly room: number;
  private used = 0;
  private copies = 0;
  private blockStart = 0;
  private output = Buffer.alloc(4096);
  private written = 0;
  private bits = 0;
  private bitCount = 0;

  constructor(bytes: Uint8Array, isGzip: boolean) {
    this.bytes = bytes;
    this.isGzip = isGzip;
    this.room = isGzip ? 0x8000 : 0x4000;
    this.clear();
  }

  private clear(): void {
    this.literals.clear();
    this.distances.clear();
    this.codeLengths.clear();
    this.literals.frequency[END] = 1;
    this.used = 0;
    this.copies = 0;
  }

  /** Both say whether the block is full. `at` is where the search stands. */
  byte(value: number, at: number): boolean {
    this.symbols[this.used] = value;
    this.places[this.used] = 0;
    this.used += 1;
    this.literals.frequency[value]! += 1;
    return this.isFull(at);
  }

  copy(distance: number, length: number, at: number): boolean {
    this.symbols[this.used] = length;
    this.places[this.used] = distance;
    this.used += 1;
    this.copies += 1;
    this.literals.frequency[LENGTH_CODE[length]! + LITERALS + 1]! += 1;
    this.distances.frequency[distanceCode(distance - 1)]! += 1;
    return this.isFull(at);
  }

  private isFull(at: number): boolean {
    if (this.isGzip && (this.used & 0xfff) === 0) {
      let out = this.used * 8;
      const read = at - this.blockStart;
      for (let code = 0; code < 30; code += 1) {
        out += this.distances.frequency[code]! * (5 + DISTANCE_EXTRA[code]!);
      }
      out = Math.floor(out / 8);
      if (this.copies < this.used / 2 && out < Math.floor(read / 2)) return true;
    }
    return this.used === this.room - 1;
  }

  flush(end: number, isLast: boolean): void {
    const { literals, distances, codeLengths } = this;
    literals.build();
    distances.build();
    const last = this.codesOf();
    const optimal =
      literals.optimal + distances.optimal + codeLengths.optimal + 3 * (last + 1) + 5 + 5 + 4;
    const fixedBytes = (literals.withFixed + distances.withFixed + 3 + 7) >> 3;
    const optimalBytes = Math.min((optimal + 3 + 7) >> 3, fixedBytes);
    const stored = end - this.blockStart;
    const final = isLast ? 1 : 0;
    if (stored + 4 <= optimalBytes && stored <= 0xffff) this.store(end, final);
    else if (fixedBytes === optimalBytes) {
      this.put(2 + final, 3);
      this.body(FIXED_LITERALS, FIXED_LITERAL_CODES, FIXED_DISTANCES, FIXED_DISTANCE_CODES);
    } else {
      this.put(4 + final, 3);
      this.put(literals.most + 1 - 257, 5);
      this.put(distances.most, 5);
      this.put(last - 3, 4);
      for (let rank = 0; rank <= last; rank += 1) {
        this.put(codeLengths.lengths[CODE_ORDER[rank]!]!, 3);
      }
      this.walk(literals, (symbol, extra, width) => this.code(symbol, extra, width));
      this.walk(distances, (symbol, extra, width) => this.code(symbol, extra, width));
      this.body(literals.lengths, literals.codes, distances.lengths, distances.codes);
    }
    this.blockStart = end;
    this.clear();
    if (isLast) this.align();
  }

  finish(): Buffer {
    return this.output.subarray(0, this.written);
  }

  private codesOf(): number {
    const { codeLengths } = this;
    const count = (symbol: number): void => {
      codeLengths.frequency[symbol]! += 1;
    };
    this.walk(this.literals, count);
    this.walk(this.distances, count);
    codeLengths.build();
    let last = 18;
    while (last >= 3 && codeLengths.lengths[CODE_ORDER[last]!] === 0) last -= 1;
    return last;
  }

  private code(symbol: number, extra: number, width: number): void {
    this.put(this.codeLengths.codes[symbol]!, this.codeLengths.lengths[symbol]!);
    if (width > 0) this.put(extra, width);
  }

  /** scan_tree and send_tree. */
  private walk(
    { lengths, most }: Tree,
    each: (symbol: number, extra: number, width: number) => void,
  ): void {
    let last = -1;
    let next = lengths[0]!;
    let count = 0;
    let longest = next === 0 ? 138 : 7;
    let least = next === 0 ? 3 : 4;
    for (let symbol = 0; symbol <= most; symbol += 1) {
      const now = next;
      next = symbol === most ? -1 : lengths[symbol + 1]!;
      count += 1;
      if (count < longest && now === next) continue;
      if (count < least) for (; count > 0; count -= 1) each(now, 0, 0);
      else if (now !== 0) {
        if (now !== last) {
          each(now, 0, 0);
          count -= 1;
        }
        each(16, count - 3, 2);
      } else if (count <= 10) each(17, count - 3, 3);
      else each(18, count - 11, 7);
      count = 0;
      last = now;
      if (next === 0) [longest, least] = [138, 3];
      else if (now === next) [longest, least] = [6, 3];
      else [longest, least] = [7, 4];
    }
  }

  private body(
    literalLengths: Uint8Array,
    literalCodes: Uint16Array,
    distanceLengths: Uint8Array,
    distanceCodes: Uint16Array,
  ): void {
    for (let index = 0; index < this.used; index += 1) {
      const symbol = this.symbols[index]!;
      const distance = this.places[index]!;
      if (distance === 0) {
        this.put(literalCodes[symbol]!, literalLengths[symbol]!);
        continue;
      }
      const code = LENGTH_CODE[symbol]!;
      this.put(literalCodes[code + LITERALS + 1]!, literalLengths[code + LITERALS + 1]!);
      this.put(symbol - LENGTH_BASE[code]!, LENGTH_EXTRA[code]!);
      const far = distanceCode(distance - 1);
      this.put(distanceCodes[far]!, distanceLengths[far]!);
      this.put(distance - 1 - DISTANCE_BASE[far]!, DISTANCE_EXTRA[far]!);
    }
    this.put(literalCodes[END]!, literalLengths[END]!);
  }

  private store(end: number, final: number): void {
    const size = end - this.blockStart;
    this.put(final, 3);
    this.align();
    for (const part of [size, ~size]) {
      this.push(part & 0xff);
      this.push((part >> 8) & 0xff);
    }
    for (let at = this.blockStart; at < end; at += 1) this.push(this.bytes[at]!);
  }

  private put(value: number, width: number): void {
    this.bits |= value << this.bitCount;
    this.bitCount += width;
    while (this.bitCount >= 8) {
      this.push(this.bits & 0xff);
      this.bits >>>= 8;
      this.bitCount -= 8;
    }
  }

  private align(): void {
    if (this.bitCount > 0) this.push(this.bits & 0xff);
    this.bits = 0;
    this.bitCount = 0;
  }

  private push(byte: number): void {
    if (this.written === this.output.length) {
      this.output = Buffer.concat([this.output, Buffer.alloc(this.output.length)]);
    }
    this.output[this.written] = byte;
    this.written += 1;
  }
}
