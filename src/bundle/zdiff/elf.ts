/*
 * Which ranges of an ELF file hold addresses. Owns: reading headers and sections of the old and the new file; a file that
 * is damaged or of another kind has none. Only the encoder asks: a difference says the ranges itself.
 */
import type { Program } from "./format.ts";
import {
  ABSOLUTE,
  CODE,
  type Load,
  type Range,
  RENAMED,
  SHIFTED,
  TO_BASE,
  TO_SELF,
  WITH_HEAD,
  WORD,
} from "./references.ts";

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly info: number;
}

interface Elf {
  readonly kind: number;
  readonly machine: number;
  readonly sections: readonly Section[];
  readonly loads: readonly Load[];
}

const RELOCATABLE = 1;
/** Loaded at the one place that it was linked for. */
const FIXED = 2;
const X86_64 = 62;
const EXECUTED = 4;
const LOADED = 1;

/** A file, of which `sizeBytes` lie together in the image from `at` on. */
export interface Whole {
  readonly bytes: Buffer;
  readonly sizeBytes: number;
  readonly at: number;
}

export function programOf(old: Whole, fresh: Whole): Program | undefined {
  const one = readElf(old.bytes);
  const two = readElf(fresh.bytes);
  if (one === undefined || two === undefined || one.machine !== two.machine) return undefined;
  const ranges = one.sections.flatMap((section) => rangesOf(section, one, two, old));
  ranges.sort((a, b) => a.start - b.start);
  if (ranges.length === 0 || ranges.length > 1000) return undefined;
  return {
    old: { start: old.at, loads: one.loads },
    fresh: { start: fresh.at, loads: two.loads },
    ranges,
  };
}

function rangesOf(
  section: Section,
  old: Elf,
  fresh: Elf,
  { at: oldAt, sizeBytes: inPlace }: Whole,
): Range[] {
  const { name, offset, type } = section;
  const sizeBytes = Math.min(section.sizeBytes, inPlace - offset);
  if (sizeBytes <= 0 || type === 8) return [];
  const start = oldAt + offset;
  const base = { start, end: start + sizeBytes, stride: 4, place: 0, oldBase: 0, newBase: 0 };
  const record = (kind: number, stride: number, place: number, bases = {}): Range => ({
    ...base,
    ...bases,
    kind,
    stride,
    place,
  });
  const addressIn = (elf: Elf, wanted: string): number =>
    elf.sections.find((other) => other.name === wanted)?.address ?? 0;
  if (old.kind === RELOCATABLE) {
    if (type === 4) {
      const target = old.sections[section.info];
      const after = fresh.sections.find((other) => other.name === target?.name);
      const bases = { oldBase: target?.offset ?? 0, newBase: after?.offset ?? target?.offset ?? 0 };
      return [record(TO_BASE, 24, 0, bases), record(RENAMED, 24, 12), record(SHIFTED, 24, 16)];
    }
    if (type === 2) return [record(SHIFTED, 24, 0)];
    return [];
  }
  const isCode = (section.flags & EXECUTED) !== 0 && old.machine === X86_64;
  if (isCode) {
    const code = { ...base, kind: CODE };
    return old.kind === FIXED ? [code, { ...base, kind: WORD }] : [code];
  }
  if (type === 4) {
    return [record(ABSOLUTE, 24, 0), record(ABSOLUTE, 24, 16), record(RENAMED, 24, 12)];
  }
  if (type === 11 || type === 2) return [record(SHIFTED, 24, 0), record(ABSOLUTE, 24, 8)];
  if (name === ".eh_frame_hdr") {
    const bases = { oldBase: section.address, newBase: addressIn(fresh, name) };
    return [
      { ...record(TO_BASE, 8, 0, bases), start: start + 12 },
      { ...record(TO_BASE, 8, 4, bases), start: start + 12 },
    ];
  }
  if (name === ".eh_frame") return [{ ...base, kind: TO_SELF, stride: WITH_HEAD }];
  if (name === ".rodata") return [{ ...base, kind: TO_SELF }];
  if (/^\.(data|got|init_array|fini_array|dynamic|ctors|tm_clone)/.test(name)) {
    return [{ ...base, kind: ABSOLUTE, stride: 8 }];
  }
  return [];
}

function readElf(bytes: Buffer): Elf | undefined {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46) return undefined;
  // 64 bits, little-endian.
  if (bytes[4] !== 2 || bytes[5] !== 1) return undefined;
  try {
    const sections = readSections(bytes);
    const kind = bytes.readUInt16LE(16);
    const loads = kind === RELOCATABLE ? [] : readLoads(bytes);
    if (loads.length > 15) return undefined;
    if (loads.length === 0) loads.push({ offset: 0, sizeBytes: bytes.length, address: 0 });
    return { kind, machine: bytes.readUInt16LE(18), sections, loads };
  } catch {
    return undefined;
  }
}

function readLoads(bytes: Buffer): Load[] {
  const start = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54);
  const loads: Load[] = [];
  for (let index = 0; index < bytes.readUInt16LE(56); index += 1) {
    const at = start + index * size;
    if (bytes.readUInt32LE(at) !== LOADED) continue;
    const [offset, address, sizeBytes] = [8, 16, 32].map((place) =>
      Number(bytes.readBigUInt64LE(at + place)),
    );
    if (address! > 2 ** 40) return [];
    loads.push({ offset: offset!, address: address!, sizeBytes: sizeBytes! });
  }
  return loads.sort((a, b) => a.offset - b.offset);
}

function readSections(bytes: Buffer): Section[] {
  const start = Number(bytes.readBigUInt64LE(40));
  const size = bytes.readUInt16LE(58);
  const count = bytes.readUInt16LE(60);
  const number = (at: number): number => Number(bytes.readBigUInt64LE(at));
  const heads = Array.from({ length: count }, (_, index) => start + index * size);
  const names = heads[bytes.readUInt16LE(62)];
  if (names === undefined) return [];
  const namesAt = number(names + 24);
  return heads.map((at) => {
    const nameAt = namesAt + bytes.readUInt32LE(at);
    const end = bytes.indexOf(0, nameAt);
    return {
      name: bytes.toString("latin1", nameAt, Math.min(end, nameAt + 100)),
      type: bytes.readUInt32LE(at + 4),
      flags: Number(bytes.readBigUInt64LE(at + 8) & 0xffn),
      address: number(at + 16),
      offset: number(at + 24),
      sizeBytes: Math.max(0, Math.min(number(at + 32), bytes.length - number(at + 24))),
      info: bytes.readUInt32LE(at + 44),
    };
  });
}
