/*
 * Binary arithmetic coding for zdiff1. Owns: the coder's two halves, adaptive numbers, and nothing of what
 * they mean. Both directions go through one `bit`: the encoder stores the bit that it is given, the
 * decoder ignores it and returns the one that it reads, so a model is written once.
 *
 * The interval: 32-bit `low`, `range` below 2^31 and at least 2^23 before each bit, bytes shifted out at the
 * top with the carry resolved as in LZMA. P(1) = p / 65536, and 1 is the lower part of the interval.
 */

export interface BitCoder {
  /** `p` is 1 to 65535. */
  bit(p: number, value: number): number;
}

const TOP = 0x800000;
const START = 0x7fffffff;

export class BitEncoder implements BitCoder {
  private low = 0;
  private range = START;
  private cache = 0;
  private pending = 0;
  private buffer = new Uint8Array(1 << 16);
  private used = 0;
  private total = 0;
  private readonly write: (bytes: Uint8Array) => void;

  constructor(write: (bytes: Uint8Array) => void) {
    this.write = write;
  }

  bit(p: number, value: number): number {
    const range = this.range;
    const bound = Math.imul(range >>> 16, p) + (Math.imul(range & 0xffff, p) >>> 16);
    let next = bound;
    if (value === 0) {
      this.low += bound;
      next = range - bound;
    }
    while (next < TOP) {
      next <<= 8;
      this.shift();
    }
    this.range = next;
    return value;
  }

  /** Bytes so far. */
  size(): number {
    return this.total + this.used + this.pending;
  }

  /** Must be called once, at the end. */
  finish(): void {
    for (let count = 0; count < 5; count += 1) this.shift();
    this.write(this.buffer.subarray(0, this.used));
    this.used = 0;
  }

  private shift(): void {
    const { low } = this;
    if (low < 0xff000000 || low > 0xffffffff) {
      const carry = low > 0xffffffff ? 1 : 0;
      this.put((this.cache + carry) & 0xff);
      for (; this.pending > 0; this.pending -= 1) this.put((0xff + carry) & 0xff);
      this.cache = (low >>> 24) & 0xff;
    } else this.pending += 1;
    this.low = ((low & 0xffffff) << 8) >>> 0;
  }

  private put(byte: number): void {
    if (this.used === this.buffer.length) {
      this.write(this.buffer);
      this.total += this.used;
      this.used = 0;
    }
    this.buffer[this.used] = byte;
    this.used += 1;
  }
}

export class BitDecoder implements BitCoder {
  private range = START;
  private code = 0;
  private buffer = new Uint8Array(0);
  private at = 0;
  private readonly read: () => Uint8Array;

  /**
   * `read` gives the next bytes, an empty array where there are no more.
   * @throws Error when there are too few bytes, or they cannot come from an encoder.
   */
  constructor(read: () => Uint8Array) {
    this.read = read;
    if (this.byte() !== 0) throw new Error("the coded part does not begin with 0");
    for (let count = 0; count < 4; count += 1) this.code = (this.code << 8) | this.byte();
    if (this.code < 0 || this.code >= START) throw new Error("the coded part begins wrongly");
  }

  bit(p: number): number {
    let range = this.range;
    const bound = Math.imul(range >>> 16, p) + (Math.imul(range & 0xffff, p) >>> 16);
    let value = 1;
    if (this.code < bound) range = bound;
    else {
      this.code -= bound;
      range -= bound;
      value = 0;
    }
    while (range < TOP) {
      range <<= 8;
      this.code = (this.code << 8) | this.byte();
    }
    this.range = range;
    return value;
  }

  /** @throws Error unless exactly the bytes of the encoder were there. */
  finish(): void {
    // The encoder writes its `low` at the end, and that is where the interval begins.
    if (this.code !== 0) throw new Error("the coded part does not end where it should");
    if (this.at < this.buffer.length || this.read().length > 0) {
      throw new Error("there are bytes behind the end");
    }
  }

  private byte(): number {
    if (this.at === this.buffer.length) {
      this.buffer = this.read() as Uint8Array<ArrayBuffer>;
      this.at = 0;
      if (this.buffer.length === 0) throw new Error("it ends too early");
    }
    const value = this.buffer[this.at]!;
    this.at += 1;
    return value;
  }
}

/** Bits with a memory: two probabilities of different speed, their mean is used. */
export class Bits {
  private readonly fast: Uint16Array;
  private readonly slow: Uint16Array;

  constructor(count: number) {
    this.fast = new Uint16Array(count).fill(0x8000);
    this.slow = new Uint16Array(count).fill(0x8000);
  }

  code(coder: BitCoder, index: number, value: number): number {
    const fast = this.fast[index]!;
    const slow = this.slow[index]!;
    const bit = coder.bit(((fast + slow) >> 1) | 1, value);
    if (bit === 1) {
      this.fast[index] = fast + ((0xffff - fast) >> 4);
      this.slow[index] = slow + ((0xffff - slow) >> 7);
    } else {
      this.fast[index] = fast - (fast >> 4);
      this.slow[index] = slow - (slow >> 7);
    }
    return bit;
  }
}

const LENGTHS = 64;
const MANTISSA = 64 * 16;
const PER_CONTEXT = LENGTHS + MANTISSA;

/** Whole numbers from 0 to 2^53 - 2: the bit length by a tree of 6 bits, then the bits below the highest one. */
export class Numbers {
  private readonly bits: Bits;

  constructor(contexts: number) {
    this.bits = new Bits(contexts * PER_CONTEXT);
  }

  /** @throws Error when a decoded number is too large. */
  code(coder: BitCoder, context: number, value: number): number {
    const base = context * PER_CONTEXT;
    const wanted = value + 1;
    const wantedLength =
      wanted < 0x80000000 ? 31 - Math.clz32(wanted) : Math.floor(Math.log2(wanted));
    let node = 1;
    for (let index = 5; index >= 0; index -= 1) {
      node = (node << 1) | this.bits.code(coder, base + node, (wantedLength >> index) & 1);
    }
    const length = node - 64;
    if (length > 52) throw new Error("a number is too large");
    const mantissa = base + LENGTHS + length * 16;
    let result = 1;
    for (let index = length - 1; index >= 0; index -= 1) {
      const bit =
        index < 31 && wanted < 0x80000000
          ? (wanted >>> index) & 1
          : Math.floor(wanted / 2 ** index) % 2;
      const depth = length - 1 - index;
      // The three bits below the highest one by their prefix, the others by their place alone.
      const place = depth < 3 ? result & 7 : 8 + Math.min(7, depth - 3);
      result = result * 2 + this.bits.code(coder, mantissa + place, bit);
    }
    return result - 1;
  }
}

/** 0, -1, 1, -2, 2 … as 0, 1, 2, 3, 4 … */
export const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
export const unzigzag = (value: number): number => (value % 2 === 1 ? -(value + 1) / 2 : value / 2);
