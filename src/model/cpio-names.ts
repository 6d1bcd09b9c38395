/*
 * The names in an initramfs, while its bytes go by. It is archives (cpio, newc) one behind the other, zeros
 * between them; from some point on, or from its beginning, all of it may be compressed (kernel:
 * driver-api/early-userspace/buffer-format, init/initramfs.c, lib/decompress.c).
 * Owns: that format, reading side. Keeps no content; opens and unpacks nothing. build/cpio.ts writes it.
 */
const HEADER_BYTES = 110;
const MAGIC_BYTES = 6;
const MAGICS = ["070701", "070702"];
const TRAILER = "TRAILER!!!";
/** PATH_MAX, as in the kernel. */
const MOST_NAME_BYTES = 4096;
/** Of each entry's 13 fields of eight hex digits. */
const FIELDS = { contentBytes: 6, nameBytes: 11 } as const;

export interface NameWalk {
  /** @throws Error where an archive goes on with what is no entry. */
  add(piece: Uint8Array): void;
  /** What begins where an archive could: its place in the stream and its first bytes. Nothing is read on. */
  foreign(): { readonly at: number; readonly magic: Uint8Array } | undefined;
  /** After the last piece: why this is not one whole archive or several; undefined if it is. */
  whyNotWhole(): string | undefined;
}

/** `take`: each name as it is written, `TRAILER!!!` left out. */
export function walkNames(take: (name: string) => void): NameWalk {
  /** From `at` on, not yet enough for a header with its name. */
  let held: Uint8Array = new Uint8Array();
  let at = 0;
  let skipBytes = 0;
  let isInside = false;
  let archives = 0;
  let foreign: Uint8Array | undefined;

  /** How far it has come; 0 where more has to be there first. */
  const step = (bytes: Uint8Array): number => {
    if (skipBytes > 0) {
      const passed = Math.min(skipBytes, bytes.length);
      skipBytes -= passed;
      return passed;
    }
    if (!isInside && bytes[0] === 0) {
      const end = bytes.findIndex((byte) => byte !== 0);
      return end < 0 ? bytes.length : end;
    }
    if (bytes.length < MAGIC_BYTES) return 0;
    if (!MAGICS.includes(textOf(bytes.subarray(0, MAGIC_BYTES)))) {
      if (isInside) throw new Error(`at byte ${at} an archive holds what is no entry`);
      foreign = bytes.slice(0, MAGIC_BYTES);
      return 0;
    }
    isInside = true;
    if (bytes.length < HEADER_BYTES) return 0;
    const nameBytes = readField(bytes, FIELDS.nameBytes);
    const contentBytes = readField(bytes, FIELDS.contentBytes);
    if (nameBytes === undefined || contentBytes === undefined || nameBytes > MOST_NAME_BYTES) {
      throw new Error(`at byte ${at} an archive has a damaged header`);
    }
    const nameEnd = HEADER_BYTES + nameBytes;
    if (bytes.length < nameEnd) return 0;
    const [name = ""] = textOf(bytes.subarray(HEADER_BYTES, nameEnd)).split("\0");
    skipBytes = aligned(nameEnd) - nameEnd + aligned(contentBytes);
    if (name !== TRAILER) take(name);
    else {
      isInside = false;
      archives += 1;
    }
    return nameEnd;
  };

  return {
    add(piece) {
      let rest = joined(held, piece);
      while (rest.length > 0 && foreign === undefined) {
        const passed = step(rest);
        if (passed === 0) break;
        at += passed;
        rest = rest.subarray(passed);
      }
      held = foreign === undefined ? rest.slice() : new Uint8Array();
    },
    foreign: () => (foreign === undefined ? undefined : { at, magic: foreign }),
    whyNotWhole() {
      if (isInside || held.length > 0) return "it ends within an archive";
      return archives === 0 ? "it holds no archive" : undefined;
    },
  };
}

/** Magic → the program that unpacks it, from stdin to stdout. */
const COMPRESSIONS: readonly (readonly [magic: readonly number[], program: string])[] = [
  [[0x1f, 0x8b], "gzip"],
  [[0x28, 0xb5, 0x2f, 0xfd], "zstd"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "xz"],
  // LZMA alone; xz unpacks that too.
  [[0x5d, 0x00, 0x00], "xz"],
  [[0x42, 0x5a, 0x68], "bzip2"],
  // The old format of LZ4, the only one that the kernel knows.
  [[0x02, 0x21, 0x4c, 0x18], "lz4"],
  [[0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d], "lzop"],
];

/** By the first six bytes; undefined if they are of no compression that the kernel knows. */
export function unpackerOf(magic: Uint8Array): readonly string[] | undefined {
  const found = COMPRESSIONS.find(([wanted]) =>
    wanted.every((byte, index) => magic[index] === byte),
  );
  return found && [found[1], "--decompress", "--stdout"];
}

/** Of a path in an initramfs; also if the module is packed. */
export function isSnapshotModule(name: string): boolean {
  return /(^|\/)dm[-_]snapshot\.ko(\.(xz|zst|gz))?$/.test(name);
}

/** The program that the kernel starts: an initramfs without it is not all there. */
export function isInit(name: string): boolean {
  return /^(\.?\/)?init$/.test(name);
}

function readField(header: Uint8Array, index: number): number | undefined {
  const begin = MAGIC_BYTES + 8 * index;
  const digits = textOf(header.subarray(begin, begin + 8));
  return /^[0-9a-f]{8}$/i.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

/** Entries begin at multiples of four bytes. */
function aligned(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
