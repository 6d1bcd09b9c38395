/*
 * The model of bytes for zdiff1: several guesses for each bit, each from another context, mixed by weights
 * that learn (logistic mixing). Owns: tables, mixer and the match with earlier bytes. All in whole
 * numbers, so that every decoder computes the same.
 */
import type { BitCoder } from "./coder.ts";

/** ln(p / (1 - p)) of a probability in 12 bits, in units of 1/256: -2047 to 2047. */
export const STRETCH = new Int16Array(4096);
/** The inverse, for -2048 to 2047, in 16 bits. */
export const SQUASH = new Int32Array(4096);
for (let index = 0; index < 4096; index += 1) {
  const share = (index + 0.5) / 4096;
  const stretched = Math.round(256 * Math.log(share / (1 - share)));
  STRETCH[index] = Math.max(-2047, Math.min(2047, stretched));
  const squashed = Math.round(65536 / (1 + Math.exp((2048 - index) / 256)));
  SQUASH[index] = Math.max(16, Math.min(65520, squashed));
}

/** A cell is 13 bits of probability and 3 bits of how often it was seen, which sets its speed. */
const CELL_START = 4096 << 3;
const SPEED = Int32Array.of(32768, 21845, 14500, 11000, 8600, 6500, 4800, 3700);

const NIBBLE = 16;
/** How fast weights learn, as a shift. */
const RATE = 11;
const RATE_HALF = 1 << (RATE - 1);
/** Of 65536. */
const FIRST_WEIGHT = 20000;

export class ByteModel {
  /** The caller sets one hash for each context before each byte. */
  readonly hashes: Int32Array;
  /** The tables of all contexts, one behind the other. */
  private readonly table: Uint16Array;
  private readonly tableBits: number;
  private readonly bases: Int32Array;
  private readonly cells: Int32Array;
  private readonly inputs: Int32Array;
  private readonly weights: Int32Array;
  private readonly mask: number;
  private readonly contexts: number;
  private readonly expected = new Uint16Array(64 * 2).fill(CELL_START);

  constructor(contexts: number, tableBits: number, sets: number) {
    this.contexts = contexts;
    this.hashes = new Int32Array(contexts);
    this.bases = new Int32Array(contexts);
    this.cells = new Int32Array(contexts);
    this.inputs = new Int32Array(contexts + 2);
    const width = contexts + 2;
    this.weights = new Int32Array(width * sets * 256).fill(FIRST_WEIGHT);
    for (let bias = width - 1; bias < this.weights.length; bias += width) this.weights[bias] = 0;
    this.table = new Uint16Array(contexts << tableBits).fill(CELL_START);
    this.tableBits = tableBits;
    this.mask = (1 << tableBits) - 1;
  }

  /**
   * Codes one byte. `guess` is the byte that a match promises, with `trust` 1 to 31 (0: none). `set` picks the weights.
   */
  code(coder: BitCoder, value: number, guess: number, trust: number, set: number): number {
    const { hashes, table, tableBits, bases, cells, inputs, weights, mask, contexts, expected } =
      this;
    let node = 1;
    const width = contexts + 2;
    for (let index = 7; index >= 0; index -= 1) {
      if (index === 7 || index === 3) {
        for (let at = 0; at < contexts; at += 1) {
          let hash = Math.imul(hashes[at]! + Math.imul(node, 0x9e3779b1), 0x85ebca6b);
          hash ^= hash >>> 15;
          bases[at] = (at << tableBits) | (hash & mask & ~(NIBBLE - 1));
        }
      }
      const low = index > 3 ? node : (node & ((1 << (3 - index)) - 1)) | (1 << (3 - index));
      const setBase = (set * 256 + node) * width;
      let sum = 0;
      for (let at = 0; at < contexts; at += 1) {
        const cell = bases[at]! + low;
        cells[at] = cell;
        const input = STRETCH[table[cell]! >> 4]!;
        inputs[at] = input;
        sum += Math.imul(weights[setBase + at]!, input) >> 8;
      }
      let promise = -1;
      let promiseCell = 0;
      if (trust > 0 && (guess | 256) >> (index + 1) === node) {
        promise = (guess >> index) & 1;
        promiseCell = trust * 2 + promise;
        inputs[contexts] = STRETCH[expected[promiseCell]! >> 4]!;
      } else inputs[contexts] = 0;
      sum += Math.imul(weights[setBase + contexts]!, inputs[contexts]!) >> 8;
      inputs[contexts + 1] = 256;
      sum += weights[setBase + contexts + 1]!;
      let mixed = sum >> 8;
      if (mixed > 2047) mixed = 2047;
      else if (mixed < -2047) mixed = -2047;
      const p = SQUASH[mixed + 2048]!;
      const bit = coder.bit(p, (value >> index) & 1);
      const error = ((bit << 16) - p) >> 4;
      for (let at = 0; at < contexts; at += 1) {
        const cell = cells[at]!;
        const old = table[cell]!;
        const seen = old & 7;
        const odds = old >> 3;
        const next = odds + (Math.imul((bit === 1 ? 8191 : 0) - odds, SPEED[seen]!) >> 16);
        table[cell] = (next << 3) | (seen < 7 ? seen + 1 : 7);
        weights[setBase + at] =
          weights[setBase + at]! + ((Math.imul(inputs[at]!, error) + RATE_HALF) >> RATE);
      }
      if (promise >= 0) {
        const old = expected[promiseCell]! >> 3;
        expected[promiseCell] = (old + (((bit === 1 ? 8191 : 0) - old) >> 6)) << 3;
        weights[setBase + contexts] =
          weights[setBase + contexts]! +
          ((Math.imul(inputs[contexts]!, error) + RATE_HALF) >> RATE);
      }
      weights[setBase + contexts + 1] =
        weights[setBase + contexts + 1]! + ((Math.imul(256, error) + RATE_HALF) >> RATE);
      node = (node << 1) | bit;
    }
    return node & 255;
  }
}
