/*
 * Bytes as they come: of a file, a pipe, later of a network. Owns: reading a file in pieces, the next one being read
 * while the last one is used, and taking a stream apart by counts of bytes. Memory does not grow with the stream.
 */
import { read } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { Refusal, messageOf } from "../errors.ts";
import { MIB } from "../model/size.ts";

/** A piece is good only until the next one is asked for. */
export type Pieces = AsyncIterable<Uint8Array>;

const PIECE_BYTES = MIB;

/** From `position` on, or from where the file stands; so many bytes at most. @throws Refusal */
export async function* filePieces(
  path: string,
  range: { readonly position: number; readonly sizeBytes: number } | undefined = undefined,
): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw new Refusal(`${path} cannot be read: ${messageOf(error)}`);
  });
  try {
    yield* descriptorPieces(file.fd, path, range);
  } finally {
    await file.close();
  }
}

export function standardInput(): AsyncGenerator<Uint8Array> {
  return descriptorPieces(0, "standard input", undefined);
}

async function* descriptorPieces(
  descriptor: number,
  name: string,
  range: { readonly position: number; readonly sizeBytes: number } | undefined,
): AsyncGenerator<Uint8Array> {
  const [first, second] = [Buffer.allocUnsafe(PIECE_BYTES), Buffer.allocUnsafe(PIECE_BYTES)];
  let position = range?.position ?? null;
  let left = range?.sizeBytes ?? Infinity;
  const readInto = (buffer: Buffer): Promise<number> => {
    if (left === 0) return Promise.resolve(0);
    const length = Math.min(left, buffer.length);
    const reading = promisify(read)(descriptor, buffer, 0, length, position).then(
      ({ bytesRead }) => bytesRead,
    );
    // Told when it is waited for, which may be much later.
    reading.catch(() => undefined);
    return reading;
  };
  let reading = readInto(first);
  try {
    for (let [current, other] = [first, second]; ; [current, other] = [other, current]) {
      const length = await reading.catch((error: unknown) => {
        throw new Refusal(`${name} cannot be read: ${messageOf(error)}`);
      });
      if (length === 0) return;
      if (position !== null) position += length;
      left -= length;
      reading = readInto(other);
      yield current.subarray(0, length);
    }
  } finally {
    // Nothing may be read from the descriptor after this has ended.
    await reading.catch(() => undefined);
  }
}

export interface ByteReader {
  /** How many bytes have gone by. */
  position(): number;
  /** So many bytes, fewer only at the stream's end; the caller's own. */
  take(length: number): Promise<Buffer>;
  /** The same without keeping them; returns how many there were. */
  pass(length: number, onPiece: (piece: Uint8Array) => void | Promise<void>): Promise<number>;
  isAtEnd(): Promise<boolean>;
  /** Lets go of the stream. */
  close(): Promise<void>;
}

export function makeReader(source: Pieces): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let piece: Uint8Array = new Uint8Array();
  let position = 0;
  let isDone = false;
  /** Whether there is a byte. */
  const fill = async (): Promise<boolean> => {
    while (piece.length === 0 && !isDone) {
      const { done, value } = await iterator.next();
      if (done === true) isDone = true;
      else piece = value;
    }
    return piece.length > 0;
  };
  const pass: ByteReader["pass"] = async (length, onPiece) => {
    let left = length;
    while (left > 0 && (piece.length > 0 || (await fill()))) {
      const part = piece.subarray(0, left);
      piece = piece.subarray(part.length);
      left -= part.length;
      position += part.length;
      const waiting = onPiece(part);
      if (waiting) await waiting;
    }
    return length - left;
  };
  return {
    position: () => position,
    pass,
    async take(length) {
      const bytes = Buffer.alloc(length);
      let filled = 0;
      await pass(length, (part) => {
        bytes.set(part, filled);
        filled += part.length;
      });
      return bytes.subarray(0, filled);
    },
    isAtEnd: async () => !(await fill()),
    close: async () => void (await iterator.return?.()),
  };
}
