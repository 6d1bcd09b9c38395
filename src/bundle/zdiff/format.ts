/*
 * The frame of zdiff1: header, segments, operations, ranges. Owns: how they are written down, and the limits of
 * every number. Both directions use the same functions, as everywhere in zdiff/.
 */
import { type BitCoder, Numbers, unzigzag, zigzag } from "./coder.ts";
import { MANNERS } from "./deflate.ts";
import { KINDS, type Load, type Range, type Space } from "./references.ts";

export const MAGIC = "zdiff1\n\0";

/** What an operation does with the next bytes of the new image. */
export const COPY = 0; // as they are in the old image
export const PATCH = 1; // nearly as they are in the old image
export const LITERAL = 2; // carried
export const AGAIN = 3; // as they are earlier in the new image
export const STORED = 4; // carried, and not to be pressed further
export const PRESSED = 5; // of a compressed file that was made again
const KINDS_OF_OPERATION = 6;

export interface Operation {
  readonly kind: number;
  readonly sizeBytes: number;
  /** Offset in the old image, or in the new one for AGAIN, or job * JOB_ROOM + offset for PRESSED; else 0. */
  readonly from: number;
}

/** A compressed file that is inflated, changed and compressed again. */
export interface Job {
  /** Where the old file lies in the old image; none: there is no old one. */
  readonly sources: readonly Extent[];
  /** Index in MANNERS. */
  readonly manner: number;
  readonly headBytes: number;
  readonly rawBytes: number;
  /** From the inflated old file to the inflated new one. */
  readonly operations: readonly Operation[];
}

export interface Extent {
  readonly at: number;
  readonly sizeBytes: number;
}

export interface Segment {
  /** Done before the operations. */
  readonly jobs: number;
  readonly operations: readonly Operation[];
  /** Absent: no field is foretold. */
  readonly program?: Program;
}

export interface Program {
  readonly old: Space;
  readonly fresh: Space;
  readonly ranges: readonly Range[];
}

export const OPERATIONS_MOST = 1 << 17;
export const JOBS_MOST = 4096;
/** No compressed file that is made again is larger, neither before nor after. */
export const JOB_ROOM = 2 ** 22;
const SOURCES_MOST = 4;
const HEAD_MOST = 1024;
const LOADS_MOST = 16;
const RANGES_MOST = 1024;
const LARGEST = 2 ** 52;
const ADDRESS_MOST = 2 ** 50;

export class Frame {
  private readonly coder: BitCoder;
  private readonly numbers = new Numbers(48);
  private lastKind = 0;
  private oldAt = 0;
  private sourceAt = 0;
  private pressedAt = 0;

  constructor(coder: BitCoder) {
    this.coder = coder;
  }

  number(context: number, value: number, most: number): number {
    const result = this.numbers.code(this.coder, context, value);
    if (result > most) throw new Error(`a number is ${result}, more than ${most}`);
    return result;
  }

  signed(context: number, value: number, most: number): number {
    const result = unzigzag(this.numbers.code(this.coder, context, zigzag(value)));
    if (Math.abs(result) > most) throw new Error(`a number is ${result}, further than ${most}`);
    return result;
  }

  /** `leftBytes` is how much of the new image is missing. */
  segment(value: Segment | undefined, oldBytes: number, newAt: number, leftBytes: number): Segment {
    const jobs = this.number(0, value?.jobs ?? 0, JOBS_MOST);
    const operations = this.operations(value?.operations, oldBytes, newAt, leftBytes);
    const hasProgram = this.number(1, value?.program === undefined ? 0 : 1, 1) === 1;
    if (!hasProgram) return { jobs, operations };
    return { jobs, operations, program: this.program(value?.program, oldBytes, newAt) };
  }

  /** `oldBytesOf` says how large the inflated old file is. */
  job(
    value: Job | undefined,
    oldBytes: number,
    oldBytesOf: (sources: readonly Extent[]) => number,
  ): Job {
    const count = this.number(2, value?.sources.length ?? 0, SOURCES_MOST);
    const sources: Extent[] = [];
    for (let index = 0; index < count; index += 1) {
      const source = value?.sources[index];
      const at = this.sourceAt + this.signed(3, (source?.at ?? 0) - this.sourceAt, LARGEST);
      const sizeBytes = this.number(4, source?.sizeBytes ?? 0, JOB_ROOM);
      if (at < 0 || at + sizeBytes > oldBytes) throw new Error("a source leaves the old image");
      this.sourceAt = at + sizeBytes;
      sources.push({ at, sizeBytes });
    }
    const manner = this.number(5, value?.manner ?? 0, MANNERS.length - 1);
    const headBytes = this.number(6, value?.headBytes ?? 0, HEAD_MOST);
    const rawBytes = this.number(7, value?.rawBytes ?? 0, JOB_ROOM - 1);
    const kept = this.oldAt;
    this.oldAt = 0;
    const operations = this.operations(value?.operations, oldBytesOf(sources), 0, rawBytes);
    this.oldAt = kept;
    if (operations.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) !== rawBytes) {
      throw new Error("a job does not make its file");
    }
    return { sources, manner, headBytes, rawBytes, operations };
  }

  private operations(
    wanted: readonly Operation[] | undefined,
    oldBytes: number,
    newAt: number,
    leftBytes: number,
  ): Operation[] {
    const count = this.number(8, wanted?.length ?? 0, OPERATIONS_MOST);
    const operations: Operation[] = [];
    let at = newAt;
    let left = leftBytes;
    for (let index = 0; index < count; index += 1) {
      if (left === 0) throw new Error("an operation is behind the end");
      const operation = this.operation(wanted?.[index], oldBytes, at, left);
      operations.push(operation);
      at += operation.sizeBytes;
      left -= operation.sizeBytes;
    }
    return operations;
  }

  private operation(
    value: Operation | undefined,
    oldBytes: number,
    at: number,
    left: number,
  ): Operation {
    const kind = this.number(32 + this.lastKind, value?.kind ?? 0, KINDS_OF_OPERATION - 1);
    this.lastKind = kind;
    const sizeBytes = this.number(38 + kind, (value?.sizeBytes ?? 1) - 1, left - 1) + 1;
    let from = 0;
    if (kind === COPY || kind === PATCH) {
      from = this.oldAt + this.signed(14 + kind, (value?.from ?? 0) - this.oldAt, LARGEST);
      if (from < 0 || from + sizeBytes > oldBytes) throw new Error("a copy leaves the old image");
      this.oldAt = from + sizeBytes;
    } else if (kind === AGAIN) {
      const back = this.number(16, at - (value?.from ?? 0), at);
      from = at - back;
      if (back < sizeBytes) throw new Error("a copy begins behind what is written");
    } else if (kind === PRESSED) {
      from = this.pressedAt + this.signed(9, (value?.from ?? 0) - this.pressedAt, LARGEST);
      if (from < 0) throw new Error("there is no such job");
      this.pressedAt = from + sizeBytes;
    }
    return { kind, sizeBytes, from };
  }

  private program(value: Program | undefined, oldBytes: number, newAt: number): Program {
    const old = this.space(value?.old, oldBytes, this.oldAt);
    const fresh = this.space(value?.fresh, LARGEST, newAt);
    const count = this.number(17, value?.ranges.length ?? 0, RANGES_MOST);
    const ranges: Range[] = [];
    let last = old.start;
    for (let index = 0; index < count; index += 1) {
      const range = value?.ranges[index];
      const start = last + this.signed(18, (range?.start ?? 0) - last, LARGEST);
      const sizeBytes = this.number(19, range === undefined ? 0 : range.end - range.start, LARGEST);
      const end = start + sizeBytes;
      if (start < 0 || end > oldBytes) throw new Error("a range leaves the old image");
      const kind = this.number(20, range?.kind ?? 0, KINDS - 1);
      const stride = this.number(21, range?.stride ?? 4, 4096);
      const place = this.number(22, range?.place ?? 0, 4096);
      if (place + 4 > stride) throw new Error("a range has no room for its field");
      const oldBase = this.number(23, range?.oldBase ?? 0, ADDRESS_MOST);
      const newBase = oldBase + this.signed(24, (range?.newBase ?? 0) - oldBase, ADDRESS_MOST);
      ranges.push({ start, end, kind, stride, place, oldBase, newBase });
      last = start;
    }
    return { old, fresh, ranges };
  }

  private space(value: Space | undefined, limit: number, near: number): Space {
    const start = near + this.signed(25, (value?.start ?? 0) - near, LARGEST);
    if (start < 0 || start > limit) throw new Error("a program lies outside the image");
    const count = this.number(26, value?.loads.length ?? 0, LOADS_MOST);
    if (count === 0) throw new Error("a program has no part that is loaded");
    const loads: Load[] = [];
    for (let index = 0; index < count; index += 1) {
      const load = value?.loads[index];
      const offset = this.number(27, load?.offset ?? 0, LARGEST);
      const sizeBytes = this.number(28, load?.sizeBytes ?? 0, LARGEST);
      const address = this.number(29, load?.address ?? 0, ADDRESS_MOST);
      loads.push({ offset, sizeBytes, address });
    }
    return { start, loads };
  }
}

/** Contexts of `Frame.number` that the header uses. */
export const HEADER = 30;
