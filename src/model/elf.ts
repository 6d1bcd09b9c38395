/*
 * What an ELF file says of the libraries that it needs: interpreter, DT_NEEDED, DT_RUNPATH. Owns: as much of the format
 * (elf(5)) as that takes, 32 and 64 bits, little-endian. Whatever does not fit is no ELF file of ours: undefined.
 * `read` gives bytes of the file, fewer at its end. No I/O of its own.
 */

export interface Elf {
  /** Files of different machines never load one another: e_machine and class. */
  readonly machine: string;
  /** The program that loads it, of programs. */
  readonly interpreter: string | undefined;
  readonly needed: readonly string[];
  readonly soname: string | undefined;
  /** Where it looks first: DT_RUNPATH, or DT_RPATH where there is no such. */
  readonly runPath: readonly string[];
}

export type ReadBytes = (position: number, length: number) => Buffer;

const HEADER_BYTES = 64;
const MOST_SEGMENTS = 256;
const MOST_DYNAMIC_BYTES = 1 << 20;
const MOST_STRINGS_BYTES = 16 << 20;
const [ET_EXEC, ET_DYN] = [2, 3];
const [PT_LOAD, PT_DYNAMIC, PT_INTERP] = [1, 2, 3];
const [DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME, DT_RPATH, DT_RUNPATH] = [1, 5, 10, 14, 15, 29];

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

export function parseElf(read: ReadBytes): Elf | undefined {
  const head = read(0, HEADER_BYTES);
  if (head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46 || head[5] !== 1) return undefined;
  const is64 = head[4] === 2;
  const type = head.readUInt16LE(16);
  if ((type !== ET_EXEC && type !== ET_DYN) || (is64 && head.length < HEADER_BYTES))
    return undefined;
  const segments = readSegments(read, head, is64);
  // Files with debugging information keep the segment, without its bytes.
  const interpreter = segments.find(({ type, fileBytes }) => type === PT_INTERP && fileBytes > 0);
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  const tags = dynamic ? readDynamic(read, dynamic, is64) : [];
  const text = stringsOf(read, segments, tags);
  const texts = (wanted: number) => tags.flatMap(([tag, at]) => (tag === wanted ? [text(at)] : []));
  const [runPath = texts(DT_RPATH)[0] ?? ""] = texts(DT_RUNPATH);
  return {
    machine: `${head.readUInt16LE(18)}/${is64 ? 64 : 32}`,
    interpreter:
      interpreter && cString(read(interpreter.offset, Math.min(interpreter.fileBytes, 4096)), 0),
    needed: texts(DT_NEEDED),
    soname: texts(DT_SONAME)[0],
    runPath: runPath.split(":").filter((part) => part !== ""),
  };
}

function readSegments(read: ReadBytes, head: Buffer, is64: boolean): Segment[] {
  const offset = is64 ? Number(head.readBigUInt64LE(32)) : head.readUInt32LE(28);
  const bytes = head.readUInt16LE(is64 ? 54 : 42);
  const count = Math.min(head.readUInt16LE(is64 ? 56 : 44), MOST_SEGMENTS);
  if (bytes < (is64 ? 56 : 32)) return [];
  const table = read(offset, bytes * count);
  return Array.from({ length: Math.floor(table.length / bytes) }, (_, index) => {
    const at = index * bytes;
    const word = (at64: number, at32: number) =>
      is64 ? Number(table.readBigUInt64LE(at + at64)) : table.readUInt32LE(at + at32);
    return {
      type: table.readUInt32LE(at),
      offset: word(8, 4),
      address: word(16, 8),
      fileBytes: word(32, 16),
    };
  });
}

function readDynamic(read: ReadBytes, segment: Segment, is64: boolean): [number, number][] {
  const table = read(segment.offset, Math.min(segment.fileBytes, MOST_DYNAMIC_BYTES));
  const bytes = is64 ? 16 : 8;
  return Array.from({ length: Math.floor(table.length / bytes) }, (_, index): [number, number] =>
    is64
      ? [Number(table.readBigInt64LE(index * 16)), Number(table.readBigUInt64LE(index * 16 + 8))]
      : [table.readInt32LE(index * 8), table.readUInt32LE(index * 8 + 4)],
  );
}

function stringsOf(
  read: ReadBytes,
  segments: readonly Segment[],
  tags: readonly (readonly [number, number])[],
): (at: number) => string {
  const value = (wanted: number) => tags.find(([tag]) => tag === wanted)?.[1] ?? 0;
  const address = value(DT_STRTAB);
  const load = segments.find(
    (segment) =>
      segment.type === PT_LOAD &&
      address >= segment.address &&
      address < segment.address + segment.fileBytes,
  );
  const strings = load
    ? read(load.offset + address - load.address, Math.min(value(DT_STRSZ), MOST_STRINGS_BYTES))
    : Buffer.alloc(0);
  return (at) => cString(strings, at);
}

function cString(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString("utf8", at, end < 0 ? bytes.length : end);
}
