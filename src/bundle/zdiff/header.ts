/*
 * The head of a zdiff1 difference. Owns: its numbers and their limits.
 */
import { BLOCK_BYTES } from "../../model/hash-tree.ts";
import { TABLE_BITS_LEAST, TABLE_BITS_MOST } from "./content.ts";
import { type Frame, HEADER } from "./format.ts";

export interface Header {
  readonly oldBytes: number;
  /** All of the new image but the hash tree. */
  readonly bodyBytes: number;
  readonly tableBits: number;
  /** The tree behind the body. */
  readonly tree: { readonly dataBlocks: number; readonly salt: Uint8Array } | undefined;
}

const LARGEST = 2 ** 51;
const SALT_MOST = 256;

export function codeHeader(frame: Frame, value?: Header): Header {
  const number = (wanted: number, most: number): number => frame.number(HEADER, wanted, most);
  const oldBytes = number(value?.oldBytes ?? 0, LARGEST);
  const bodyBytes = number(value?.bodyBytes ?? 0, LARGEST);
  const tableBits = number(value?.tableBits ?? 0, TABLE_BITS_MOST);
  if (tableBits < TABLE_BITS_LEAST) throw new Error("the tables are too small");
  const dataBlocks = number(value?.tree?.dataBlocks ?? 0, LARGEST / BLOCK_BYTES);
  if (dataBlocks === 0) return { oldBytes, bodyBytes, tableBits, tree: undefined };
  const saltBytes = number(value?.tree?.salt.length ?? 0, SALT_MOST);
  const salt = new Uint8Array(saltBytes);
  for (let index = 0; index < saltBytes; index += 1) {
    salt[index] = number(value?.tree?.salt[index] ?? 0, 255);
  }
  if (bodyBytes % BLOCK_BYTES !== 0 || dataBlocks * BLOCK_BYTES > bodyBytes) {
    throw new Error("the hash tree does not fit its data");
  }
  return { oldBytes, bodyBytes, tableBits, tree: { dataBlocks, salt } };
}
