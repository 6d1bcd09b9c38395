/*
 * The bytes of zdiff1: literals, and copies that are nearly right. Owns: the contexts in which each byte is
 * coded, the same for both directions.
 */
import { type BitCoder, Numbers } from "./coder.ts";
import { ByteModel } from "./bytes.ts";

export const TABLE_BITS_LEAST = 12;
export const TABLE_BITS_MOST = 20;

const LITERAL_CONTEXTS = 6;
const PATCH_CONTEXTS = 6;
const HISTORY_BITS = 22;
const MATCH_LEAST = 5;

/** Bit length, at most 7. */
const bucket = (value: number): number => Math.min(7, 32 - Math.clz32(value));

export class Content {
  private readonly coder: BitCoder;
  private readonly literals: ByteModel;
  private readonly patches: ByteModel;
  private readonly runs = new Numbers(8 * 8 * 4);
  // Literals so far, and where a hash of their last bytes was seen.
  private readonly history: Uint8Array;
  private readonly seen: Int32Array;
  private readonly historyMask: number;
  private written = 0;
  private match = 0;
  private matchLength = 0;
  // The last eight bytes of the output.
  private near = 0;
  private far = 0;
  // The last mismatches, as differences.
  private lastResidual = 0;
  private residuals = 0;
  private lastRun = 0;
  private runBefore = 0;

  constructor(coder: BitCoder, tableBits: number) {
    this.coder = coder;
    this.literals = new ByteModel(LITERAL_CONTEXTS, tableBits, 3);
    this.patches = new ByteModel(PATCH_CONTEXTS, Math.max(TABLE_BITS_LEAST, tableBits - 1), 3);
    const bits = Math.min(HISTORY_BITS, tableBits + 2);
    this.history = new Uint8Array(1 << bits);
    this.historyMask = (1 << bits) - 1;
    this.seen = new Int32Array(1 << (bits - 2)).fill(-1);
  }

  /** Codes `bytes`; decoding fills it. */
  literal(bytes: Uint8Array): void {
    const { literals, coder, history, historyMask, seen } = this;
    const { hashes } = literals;
    const seenShift = 32 - Math.log2(seen.length);
    this.matchLength = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const { near, far } = this;
      if (this.matchLength === 0 && at >= MATCH_LEAST) {
        const slot = Math.imul(near ^ Math.imul(far & 0xff, 0x2c1b3c6d), 0x9e3779b1) >>> seenShift;
        const found = seen[slot]!;
        if (found >= 0 && this.written - found < historyMask) {
          let length = 0;
          while (
            length < 32 &&
            length < found &&
            history[(found - 1 - length) & historyMask] ===
              history[(this.written - 1 - length) & historyMask]
          ) {
            length += 1;
          }
          if (length >= MATCH_LEAST) {
            this.match = found;
            this.matchLength = length;
          }
        }
        seen[slot] = this.written;
      } else if (at >= MATCH_LEAST) {
        const slot = Math.imul(near ^ Math.imul(far & 0xff, 0x2c1b3c6d), 0x9e3779b1) >>> seenShift;
        seen[slot] = this.written;
      }
      hashes[0] = 0x1000 | (near & 0xff);
      hashes[1] = 0x2000000 | (near & 0xffff);
      hashes[2] = 0x3000000 ^ Math.imul(near & 0xffffff, 0x2f0b4c47);
      hashes[3] = 0x4000000 ^ Math.imul(near, 0x3d4d51cb);
      hashes[4] = 0x5000000 ^ Math.imul(near, 0x1b873593) ^ Math.imul(far & 0xffff, 0x27d4eb2f);
      hashes[5] = 0x6000000 ^ Math.imul(near & 0xf0f0f0ff, 0x165667b1);
      const trust = Math.min(31, this.matchLength);
      const guess = trust > 0 ? history[this.match & historyMask]! : 0;
      const set = trust === 0 ? 0 : trust < 16 ? 1 : 2;
      const byte = literals.code(coder, bytes[at]!, guess, trust, set);
      bytes[at] = byte;
      history[this.written & historyMask] = byte;
      this.written += 1;
      if (this.matchLength > 0) {
        if (byte === guess) {
          this.match += 1;
          if (this.matchLength < 64) this.matchLength += 1;
        } else this.matchLength = 0;
      }
      this.far = (far << 8) | (near >>> 24);
      this.near = (near << 8) | byte;
    }
  }

  /** How many bytes are as foretold before the next one that is not. */
  run(value: number): number {
    const context =
      (bucket(this.lastRun) * 8 + bucket(this.runBefore)) * 4 +
      (this.lastRun === 0 ? 1 : 0) +
      (this.lastResidual === 0 ? 2 : 0);
    const run = this.runs.code(this.coder, context, value);
    this.runBefore = this.lastRun;
    this.lastRun = run;
    return run;
  }

  /** Codes the byte at `at` of `bytes`, which is not `foretold`. */
  mismatch(bytes: Uint8Array, at: number, foretold: number, next: number): void {
    const { patches, coder, residuals } = this;
    const { hashes } = patches;
    const one = at > 0 ? bytes[at - 1]! : 0;
    const two = at > 1 ? bytes[at - 2]! : 0;
    const follows = this.lastRun === 0 ? 1 : 0;
    hashes[0] = 0x10000 | foretold | (follows << 9);
    hashes[1] = 0x20000 ^ Math.imul((residuals & 0xff) | (follows << 9), 0x2f0b4c47);
    hashes[2] = 0x30000 ^ Math.imul((residuals & 0xffff) | (follows << 17), 0x3d4d51cb);
    hashes[3] =
      0x40000 ^ Math.imul((residuals & 0xff) | (foretold << 9) | (next << 18), 0x1b873593);
    hashes[4] = 0x50000 ^ Math.imul(one | (two << 8) | (foretold << 16), 0x27d4eb2f);
    hashes[5] =
      0x60000 ^ Math.imul((residuals & 0xffffff) | (follows << 25), 0x165667b1) ^ this.runBefore;
    const set = follows === 1 ? (this.runBefore === 0 ? 2 : 1) : 0;
    const residual = patches.code(coder, (bytes[at]! - foretold) & 0xff, 0, 0, set);
    bytes[at] = (foretold + residual) & 0xff;
    this.residuals = (residuals << 8) | residual;
    this.lastResidual = residual;
  }

  /** The output goes on behind these bytes. */
  passed(bytes: Uint8Array): void {
    for (let at = Math.max(0, bytes.length - 8); at < bytes.length; at += 1) {
      this.far = (this.far << 8) | (this.near >>> 24);
      this.near = (this.near << 8) | bytes[at]!;
    }
  }
}
