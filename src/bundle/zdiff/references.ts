/*
 * Where machine code and tables hold addresses, and what they will be in the new file. Owns: finding such
 * fields in a piece of the old file, and foretelling the new value from the copies of the segment and from
 * what earlier fields became. A false find costs a few bits, so the search is plain and quick; both
 * directions do exactly this.
 *
 * An address is a place in the old or the new file as the program sees it when it is loaded; `Space` says
 * how that follows from the offset in the file.
 */

/** How fields are found between two old offsets, and what they mean. */
export const CODE = 0; // 4 bytes relative to their own end, in x86-64 instructions
export const ABSOLUTE = 1; // 8 bytes, aligned to 8
export const TO_BASE = 2; // 4 bytes relative to a base, in records
export const TO_SELF = 3; // 4 bytes relative to their own place, aligned to 4
export const SHIFTED = 4; // 4 bytes in records that move by what the last one moved by
export const RENAMED = 5; // 4 bytes in records: equal old values become equal new values
export const WORD = 6; // 4 bytes, anywhere in instructions
export const KINDS = 7;

export interface Range {
  /** Offsets in the old image. */
  readonly start: number;
  readonly end: number;
  readonly kind: number;
  /** For records: their size and the place of the field in them, counted from `start`. */
  readonly stride: number;
  readonly place: number;
  /** For TO_BASE: the base as an address. */
  readonly oldBase: number;
  readonly newBase: number;
}

/** A part of a file that is loaded somewhere: address = offset + shift. */
export interface Load {
  /** From the file's start. */
  readonly offset: number;
  readonly sizeBytes: number;
  readonly address: number;
}

export interface Space {
  /** Offset of the file in the image. */
  readonly start: number;
  readonly loads: readonly Load[];
}

/** A copy from old to new, both offsets in the images. */
export interface Copied {
  readonly from: number;
  readonly to: number;
  readonly sizeBytes: number;
}

/** Instructions whose operand may be an address relative to the next instruction: the byte before the ModRM byte. */
const TAKES_ADDRESS = new Uint8Array(256);
for (const code of [
  0x01, 0x03, 0x09, 0x0b, 0x21, 0x23, 0x29, 0x2b, 0x31, 0x33, 0x38, 0x39, 0x3a, 0x3b, 0x63, 0x69,
  0x6b, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8d, 0xc6, 0xc7, 0xf6,
  0xf7, 0xfe, 0xff, 0x10, 0x11, 0x12, 0x13, 0x16, 0x28, 0x29, 0x2e, 0x2f, 0x54, 0x57, 0x58, 0x59,
  0x5c, 0x5e, 0x6e, 0x6f, 0x7e, 0x7f, 0xaf, 0xb6, 0xb7, 0xbe, 0xbf, 0xd6, 0xef, 0xfe,
]) {
  TAKES_ADDRESS[code] = 1;
}

/** More than this and the value cannot be an address of the file. */
const ADDRESS_LIMIT = 0x7fffffff;

/** Memory that one `References` after the other uses. */
export interface Scratch {
  readonly places: Int32Array;
  readonly ranges: Uint16Array;
  readonly keys: Int32Array;
  readonly values: Int32Array;
}

const KEY_BITS = 18;

export function scratchFor(pieceBytes: number): Scratch {
  const fields = Math.ceil(pieceBytes / 4) + 64;
  return {
    places: new Int32Array(fields),
    ranges: new Uint16Array(fields),
    keys: new Int32Array(1 << KEY_BITS),
    values: new Int32Array(1 << KEY_BITS),
  };
}

export class References {
  /** Results of `find`: offsets of fields in the piece, in order, and the range of each. */
  readonly places: Int32Array;
  readonly ranges: Uint16Array;
  count = 0;
  private readonly old: Space;
  private readonly fresh: Space;
  private readonly list: readonly Range[];
  private readonly copies: readonly Copied[];
  private readonly low: number;
  private readonly high: number;
  private readonly keys: Int32Array;
  private readonly values: Int32Array;
  private readonly mask: number;
  private readonly shifts: Int32Array;
  private lastCopy = 0;

  /** `copies` in the order of `from`, `list` in the order of `start` and apart from each other for each kind of record. */
  constructor(
    old: Space,
    fresh: Space,
    list: readonly Range[],
    copies: readonly Copied[],
    { places, ranges, keys, values }: Scratch,
  ) {
    this.old = old;
    this.fresh = fresh;
    this.list = list;
    this.copies = copies;
    this.places = places;
    this.ranges = ranges;
    this.low = Math.min(...old.loads.map(({ address }) => address));
    this.high =
      Math.max(...old.loads.map(({ address, sizeBytes }) => address + sizeBytes)) + BEHIND;
    const size = old.loads.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const bits = Math.max(8, Math.min(KEY_BITS, Math.ceil(Math.log2(size / 32 + 1))));
    this.keys = keys.subarray(0, 1 << bits).fill(-1);
    this.values = values.subarray(0, 1 << bits);
    this.mask = (1 << bits) - 1;
    this.shifts = new Int32Array(list.length);
  }

  /**
   * Fields that lie whole in `piece[margin, end)`, which is the old image from `at` on; the bytes before the margin
   * are only looked at.
   */
  find(piece: Uint8Array, margin: number, end: number, at: number): void {
    this.count = 0;
    const from = at + margin;
    const to = at + end;
    for (let index = 0; index < this.list.length; index += 1) {
      const range = this.list[index]!;
      if (range.end <= from || range.start >= to) continue;
      const start = Math.max(range.start, from) - at;
      const stop = Math.min(range.end, to) - at;
      if (range.kind === CODE) this.findCode(piece, start, stop, at, index);
      else if (range.kind === ABSOLUTE) this.findAbsolute(piece, start, stop, at, index, range);
      else if (range.kind === WORD) this.findWords(piece, start, stop, index);
      else if (range.kind === TO_SELF) this.findToSelf(piece, start, stop, at, index, range);
      else this.findRecords(piece, start, stop, at, index, range);
    }
    this.sort();
  }

  private add(place: number, range: number): void {
    if (this.count >= this.places.length) return;
    this.places[this.count] = place;
    this.ranges[this.count] = range;
    this.count += 1;
  }

  private findCode(
    piece: Uint8Array,
    start: number,
    stop: number,
    at: number,
    range: number,
  ): void {
    const shift = this.oldAddress(at + start) - start;
    const { low, high } = this;
    for (let place = Math.max(3, start); place + 4 <= stop; place += 1) {
      const last = piece[place - 1]!;
      const isCandidate =
        last === 0xe8 ||
        last === 0xe9 ||
        ((last & 0xf0) === 0x80 && piece[place - 2] === 0x0f) ||
        ((last & 0xc7) === 0x05 && TAKES_ADDRESS[piece[place - 2]!] === 1);
      if (!isCandidate) continue;
      const target = place + shift + 4 + int32(piece, place);
      if (target < low || target >= high) continue;
      this.add(place, range);
      place += 3;
    }
  }

  private findWords(piece: Uint8Array, start: number, stop: number, index: number): void {
    const low = Math.max(this.low, 0x10000);
    for (let place = start; place + 4 <= stop; place += 1) {
      const value = int32(piece, place);
      if (value < low || value >= this.high) continue;
      this.add(place, index);
      place += 3;
    }
  }

  private findAbsolute(
    piece: Uint8Array,
    start: number,
    stop: number,
    at: number,
    index: number,
    range: Range,
  ): void {
    const { stride } = range;
    const off = (at + start - range.start - range.place) % stride;
    let place = start + (off === 0 ? 0 : off > 0 ? stride - off : -off);
    for (; place + 8 <= stop; place += stride) {
      const value = int32(piece, place);
      if (value < 0x200 || value < this.low || value >= this.high) continue;
      if (int32(piece, place + 4) === 0) this.add(place, index);
    }
  }

  private findToSelf(
    piece: Uint8Array,
    start: number,
    stop: number,
    at: number,
    index: number,
    range: Range,
  ): void {
    const little = littleOf(range);
    const shift = this.oldAddress(at + start) - start;
    for (let place = start + ((4 - ((at + start) % 4)) % 4); place + 4 <= stop; place += 4) {
      const value = int32(piece, place);
      if (value > -64 && value < little) continue;
      const target = place + shift + value;
      if (target < this.low || target >= this.high) continue;
      if (range.stride === WITH_HEAD && place - 4 >= start) {
        const back = int32(piece, place - 4);
        if (back > 0 && back < little) this.add(place - 4, index);
      }
      this.add(place, index);
    }
  }

  private findRecords(
    piece: Uint8Array,
    start: number,
    stop: number,
    at: number,
    index: number,
    { start: first, stride, place: inRecord, kind }: Range,
  ): void {
    const off = (at + start - first - inRecord) % stride;
    let place = start + (off === 0 ? 0 : off > 0 ? stride - off : -off);
    for (; place + 4 <= stop; place += stride) {
      if (kind === SHIFTED && int32(piece, place) === 0) continue;
      this.add(place, index);
    }
  }

  /** By place; a field that begins in another is left out. */
  private sort(): void {
    const { places, ranges, count } = this;
    let isSorted = true;
    for (let at = 1; at < count; at += 1) if (places[at]! < places[at - 1]! + 4) isSorted = false;
    if (isSorted) return;
    const order = Array.from({ length: count }, (_, at) => at).sort(
      (a, b) => places[a]! - places[b]! || ranges[a]! - ranges[b]!,
    );
    const sorted = order.map((at) => [places[at]!, ranges[at]!] as const);
    let kept = 0;
    let free = 0;
    for (const [place, range] of sorted) {
      if (place < free) continue;
      places[kept] = place;
      ranges[kept] = range;
      kept += 1;
      free = place + 4;
    }
    this.count = kept;
  }

  /** The old address that a field means, or undefined where it means none. */
  targetOf(range: number, value: number, from: number): number | undefined {
    const { kind, oldBase } = this.list[range]!;
    if (kind === CODE) return this.oldAddress(from) + 4 + value;
    if (kind === TO_SELF) {
      const isBack = value > 0 && value < littleOf(this.list[range]!);
      return this.oldAddress(from) + (isBack ? -value : value);
    }
    if (kind === ABSOLUTE || kind === WORD) return value;
    return kind === TO_BASE ? oldBase + value : undefined;
  }

  /** What the field will hold: `value` is what it holds, `from` and `to` where it is in the images. */
  foretell(range: number, value: number, from: number, to: number): number {
    const { kind, oldBase, newBase } = this.list[range]!;
    switch (kind) {
      case CODE: {
        const target = this.oldAddress(from) + 4 + value;
        return (this.map(target) - this.newAddress(to) - 4) | 0;
      }
      case TO_SELF: {
        const here = this.oldAddress(from);
        return value > 0 && value < littleOf(this.list[range]!)
          ? (this.newAddress(to) - this.map(here - value)) | 0
          : (this.map(here + value) - this.newAddress(to)) | 0;
      }
      case ABSOLUTE:
      case WORD:
        return this.map(value) | 0;
      case TO_BASE:
        return (this.map(oldBase + value) - newBase) | 0;
      case RENAMED: {
        const slot = this.slot(value ^ Math.imul(range + 1, 0x3c6ef372));
        if (this.keys[slot] === value) return this.values[slot]!;
        return (value + this.shifts[range]!) | 0;
      }
      default:
        return (value + this.shifts[range]!) | 0;
    }
  }

  /** The field became `actual`. */
  learn(range: number, value: number, actual: number, from: number, to: number): void {
    const { kind, oldBase, newBase } = this.list[range]!;
    switch (kind) {
      case CODE:
        return this.keep(this.oldAddress(from) + 4 + value, this.newAddress(to) + 4 + actual);
      case TO_SELF: {
        const isBack = value > 0 && value < littleOf(this.list[range]!);
        const sign = isBack ? -1 : 1;
        return this.keep(this.oldAddress(from) + sign * value, this.newAddress(to) + sign * actual);
      }
      case ABSOLUTE:
      case WORD:
        return this.keep(value, actual);
      case TO_BASE:
        return this.keep(oldBase + value, newBase + actual);
      case RENAMED: {
        const slot = this.slot(value ^ Math.imul(range + 1, 0x3c6ef372));
        this.keys[slot] = value;
        this.values[slot] = actual;
        this.shifts[range] = actual - value;
        return;
      }
      default:
        this.shifts[range] = actual - value;
    }
  }

  private slot(key: number): number {
    const hash = Math.imul(key, 0x9e3779b1);
    return (hash ^ (hash >>> 15)) & this.mask;
  }

  private keep(target: number, actual: number): void {
    if (target < 0 || target > ADDRESS_LIMIT) return;
    const slot = this.slot(target);
    this.keys[slot] = target;
    this.values[slot] = (actual - target) | 0;
  }

  /** The new address of what was at `target`. */
  map(target: number): number {
    if (target >= 0 && target <= ADDRESS_LIMIT) {
      const slot = this.slot(target);
      if (this.keys[slot] === target) return target + this.values[slot]!;
    }
    const offset = offsetOf(this.old, target);
    const copy = this.copies[this.copyBefore(this.old.start + offset)];
    if (copy === undefined) return target;
    const inside = copy.to + (this.old.start + offset - copy.from);
    return addressOf(this.fresh, inside - this.fresh.start);
  }

  /** Index of the last copy that begins at or before `offset`, or 0. */
  private copyBefore(offset: number): number {
    const { copies } = this;
    const near = copies[this.lastCopy];
    if (near !== undefined && near.from <= offset && offset < near.from + near.sizeBytes) {
      return this.lastCopy;
    }
    let low = 0;
    let high = copies.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (copies[middle]!.from <= offset) low = middle;
      else high = middle - 1;
    }
    this.lastCopy = low;
    return low;
  }

  private oldAddress(offset: number): number {
    return addressOf(this.old, offset - this.old.start);
  }

  private newAddress(offset: number): number {
    return addressOf(this.fresh, offset - this.fresh.start);
  }
}

/** A TO_SELF range of call frames: a field may have a word before it that leads back to the head of its records. */
export const WITH_HEAD = 8;

/** What points forward by less than the range is long leads back instead, or is a size. */
const littleOf = ({ start, end }: Range): number => end - start + 0x1000;

/** How far behind the file's last byte addresses still count: variables that begin as zeros. */
const BEHIND = 0x100000;

function addressOf({ loads }: Space, offset: number): number {
  let best = loads[0]!;
  for (const load of loads) if (load.offset <= offset) best = load;
  return offset - best.offset + best.address;
}

function offsetOf({ loads }: Space, address: number): number {
  let best = loads[0]!;
  for (const load of loads) if (load.address <= address) best = load;
  return address - best.address + best.offset;
}

export function int32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

export function putInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >> 8;
  bytes[at + 2] = value >> 16;
  bytes[at + 3] = value >> 24;
}
