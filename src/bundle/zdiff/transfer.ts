/*
 * The bytes of one operation, in both directions. Owns: cutting copies into pieces, and which bytes of a piece are
 * foretold. Reads the old image through `Old`; knows no file.
 */
import { Content } from "./content.ts";
import type { BitCoder } from "./coder.ts";
import { type Operation, type Program, type Segment, PATCH } from "./format.ts";
import { type Copied, int32, putInt32, References, scratchFor } from "./references.ts";

export const PIECE = 65536;
const MARGIN = 4;
const GUIDE_LEAST = 32;
/** Bytes before an operation's end that what follows may depend on. */
export const NEAR = 8;
/** What a mismatch is told about its place: 0 to 3 the place in a word, 4 to 7 the place in a foretold field. */
const IN_FIELD = 4;

/** Fills `into` from the old image at `at`. */
export type ReadOld = (into: Uint8Array, at: number) => void;

export class Transfer {
  private readonly content: Content;
  private readonly coder: BitCoder;
  private readOld: ReadOld;
  private readonly piece = new Uint8Array(MARGIN + PIECE);
  private readonly made = new Uint8Array(PIECE);
  private references: References | undefined;
  private readonly scratch = scratchFor(MARGIN + PIECE);

  constructor(coder: BitCoder, tableBits: number, readOld: ReadOld) {
    this.coder = coder;
    this.content = new Content(coder, tableBits);
    this.readOld = readOld;
  }

  /** From here on the old bytes are others. Returns where they came from before. */
  readFrom(readOld: ReadOld): ReadOld {
    const before = this.readOld;
    this.readOld = readOld;
    this.references = undefined;
    return before;
  }

  /** Before the operations of a segment that begins at `newAt`. */
  begin({ operations, program }: Pick<Segment, "operations" | "program">, newAt: number): void {
    this.references =
      program && referencesOf(program, operations, newAt, MARGIN + PIECE, this.scratch);
  }

  /** Decodes a patch, a piece at a time. */
  *patched({ from, sizeBytes }: Operation, newAt: number): Generator<Uint8Array> {
    let run = this.content.run(0);
    for (let done = 0; done < sizeBytes; done += PIECE) {
      const size = Math.min(PIECE, sizeBytes - done);
      const at = from + done;
      const { old, bytes, fields, base } = this.load(at, size);
      let index = 0;
      for (let field = 0; field < (fields?.count ?? 0); field += 1) {
        const place = fields!.places[field]! - base;
        run = this.pass(bytes, index, place, at, false, run);
        const value = int32(old, place + base);
        const range = fields!.ranges[field]!;
        const to = newAt + done + place;
        putInt32(bytes, place, fields!.foretell(range, value, at + place, to));
        index = place + 4;
        run = this.pass(bytes, place, index, -place, true, run);
        fields!.learn(range, value, int32(bytes, place), at + place, to);
      }
      run = this.pass(bytes, index, size, at, false, run);
      if (done + size === sizeBytes) {
        if (run !== 0) throw new Error("a run leaves its copy");
        this.content.passed(bytes);
      }
      yield bytes;
    }
  }

  /** From `index` to `end`, of which the next `run` bytes are right. Returns how many are right behind `end`. */
  private pass(
    bytes: Uint8Array,
    start: number,
    end: number,
    origin: number,
    isField: boolean,
    run: number,
  ): number {
    let index = start;
    let right = run;
    while (index < end) {
      if (right >= end - index) return right - (end - index);
      index += right;
      this.content.mismatch(
        bytes,
        index,
        bytes[index]!,
        isField ? IN_FIELD + index + origin : (origin + index) & 3,
      );
      index += 1;
      right = this.content.run(0);
    }
    return right;
  }

  /** Encodes a patch whose result is `actual`. */
  patch({ from, sizeBytes }: Operation, newAt: number, actual: Uint8Array): void {
    let run = 0;
    const pending: {
      piece: Uint8Array;
      at: number;
      foretold: number;
      next: number;
      run: number;
    }[] = [];
    const flush = (): void => {
      for (const { piece, at, foretold, next, run: before } of pending) {
        this.content.run(before);
        this.content.mismatch(piece, at, foretold, next);
      }
      pending.length = 0;
    };
    for (let done = 0; done < sizeBytes; done += PIECE) {
      const size = Math.min(PIECE, sizeBytes - done);
      const at = from + done;
      const { old, bytes, fields, base } = this.load(at, size);
      const wanted = actual.subarray(done, done + size);
      const inField = new Uint8Array(size);
      for (let field = 0; field < (fields?.count ?? 0); field += 1) {
        const place = fields!.places[field]! - base;
        const value = int32(old, place + base);
        const range = fields!.ranges[field]!;
        putInt32(bytes, place, fields!.foretell(range, value, at + place, newAt + done + place));
        for (let index = 0; index < 4; index += 1) inField[place + index] = IN_FIELD + index;
        fields!.learn(range, value, int32(wanted, place), at + place, newAt + done + place);
      }
      for (let index = 0; index < size; index += 1) {
        if (bytes[index] === wanted[index]) run += 1;
        else {
          const next = inField[index] !== 0 ? inField[index]! : (at + index) & 3;
          pending.push({ piece: wanted, at: index, foretold: bytes[index]!, next, run });
          run = 0;
        }
      }
      flush();
      if (done + size === sizeBytes) this.content.passed(wanted);
    }
    this.content.run(run);
  }

  /** At most PIECE bytes of a literal at a time. */
  literal(bytes: Uint8Array): void {
    this.content.literal(bytes);
  }

  /** Bytes that no model makes smaller. */
  stored(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 1) {
      let value = 0;
      const wanted = bytes[at]!;
      for (let index = 7; index >= 0; index -= 1) {
        value = (value << 1) | this.coder.bit(0x8000, (wanted >> index) & 1);
      }
      bytes[at] = value;
    }
  }

  /** The output goes on behind these bytes. */
  passed(bytes: Uint8Array): void {
    this.content.passed(bytes);
  }

  private load(at: number, size: number) {
    const base = Math.min(MARGIN, at);
    const old = this.piece.subarray(0, base + size);
    this.readOld(old, at - base);
    const fields = this.references;
    fields?.find(old, base, base + size, at - base);
    const bytes = this.made.subarray(0, size);
    bytes.set(old.subarray(base));
    return { old, bytes, fields, base };
  }
}

export function referencesOf(
  { old, fresh, ranges }: Program,
  operations: readonly Operation[],
  newAt: number,
  pieceBytes: number,
  scratch = scratchFor(pieceBytes),
): References {
  let to = newAt;
  const copies = operations.flatMap(({ kind, from, sizeBytes }) => {
    to += sizeBytes;
    return kind <= PATCH ? [{ from, to: to - sizeBytes, sizeBytes }] : [];
  });
  return new References(old, fresh, ranges, guides(copies), scratch);
}

/**
 * Copies that tell where things went, in order. What comes from the middle of a longer copy is some likeness of code and
 * tells nothing, and so do short ones.
 */
function guides(copies: Copied[]): Copied[] {
  const result: Copied[] = [];
  let end = -1;
  const sorted = copies.filter(({ sizeBytes }) => sizeBytes >= GUIDE_LEAST);
  sorted.sort((a, b) => a.from - b.from || b.sizeBytes - a.sizeBytes || a.to - b.to);
  for (const copy of sorted) {
    if (copy.from + copy.sizeBytes <= end) continue;
    result.push(copy);
    end = copy.from + copy.sizeBytes;
  }
  return result;
}
