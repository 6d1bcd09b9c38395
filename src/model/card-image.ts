/*
 * The image of a card as a file: packed or not, whole or not, and the digest that lies beside it. Pure.
 */

const SECTOR_BYTES = 512;
const GPT_SIGNATURE = "EFI PART";

/** By its first bytes, whatever it is called: a frame of zstd. */
export function isPacked(head: Uint8Array): boolean {
  return head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
}

/**
 * Why these bytes are no whole image of a card, or undefined. The partition table says where the image ends and is
 * there once more at that place, so one that was cut off is found also without a digest.
 * `head`: two sectors at least; `tail`: the last sector.
 */
export function whyNoImage(
  head: Uint8Array,
  tail: Uint8Array,
  sizeBytes: number,
): string | undefined {
  if (textAt(head, SECTOR_BYTES) !== GPT_SIGNATURE) {
    return "it does not begin with a GPT partition table";
  }
  // The header's "alternate LBA".
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const sectors = Number(view.getBigUint64(SECTOR_BYTES + 32, true)) + 1;
  if (sizeBytes !== sectors * SECTOR_BYTES) {
    return `it has ${sizeBytes} bytes, its partition table says ${sectors * SECTOR_BYTES}`;
  }
  if (textAt(tail, 0) !== GPT_SIGNATURE) return "the partition table at its end is not there";
  return undefined;
}

function textAt(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + GPT_SIGNATURE.length));
}

/** The digest that a file of `sha256sum` has for this name; undefined where it has none. */
export function digestFor(text: string, name: string): string | undefined {
  for (const line of text.split("\n")) {
    const [, digest, named] = /^([0-9a-fA-F]{64}) [ *](.+)$/.exec(line.trimEnd()) ?? [];
    if (named === name) return digest?.toLowerCase();
  }
  return undefined;
}
