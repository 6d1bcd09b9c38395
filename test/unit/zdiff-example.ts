/*
 * Small images for the tests of zdiff1: an EROFS image of a few files in one folder, and a program. Owns: bytes that are
 * the same every time. test/unit/bundle-zdiff.test.ts uses it.
 */
const BLOCK = 4096;

/** The same numbers for the same seed, 0 to 2^32 - 1. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state ^ (state >>> 13)) >>> 0;
  };
}

export function noise(seed: number, sizeBytes: number): Buffer {
  const next = numbersFrom(seed);
  return Buffer.from(Uint8Array.from({ length: sizeBytes }, () => next() >>> 9));
}

const WORDS =
  "the a volume slot package image of to and is boots writes reads checks kernel signed".split(" ");

export function prose(seed: number, sizeBytes: number): Buffer {
  const next = numbersFrom(seed);
  let text = "";
  while (text.length < sizeBytes) {
    text += `${WORDS[next() % WORDS.length]}${next() % 9 === 0 ? `.\n${next() % 1000} ` : " "}`;
  }
  return Buffer.from(text.slice(0, sizeBytes));
}

/** An uncompressed EROFS image: the last part of each file lies behind its inode, as mkfs.erofs does it. */
export function imageOf(files: Readonly<Record<string, Buffer>>): Buffer {
  const names = Object.keys(files).sort();
  let used = 0;
  // An inode and what follows it do not cross a block.
  const place = (sizeBytes: number): number => {
    const room = BLOCK - (used % BLOCK);
    if (room < sizeBytes) used += room;
    const at = used;
    used += Math.ceil(sizeBytes / 32) * 32;
    return at;
  };
  const inode = (mode: number, sizeBytes: number, block: number, number: number): Buffer => {
    const bytes = Buffer.alloc(32);
    bytes.writeUInt16LE(2 << 1, 0);
    bytes.writeUInt16LE(mode, 4);
    bytes.writeUInt16LE(1, 6);
    bytes.writeUInt32LE(sizeBytes, 8);
    bytes.writeUInt32LE(block, 16);
    bytes.writeUInt32LE(number, 20);
    return bytes;
  };
  const directoryBytes = names.reduce((sum, name) => sum + 12 + name.length, 0);
  const root = place(32 + directoryBytes);
  const inline = names.map((name) => {
    const content = files[name]!;
    return content.subarray(content.length - (content.length % BLOCK));
  });
  const places = inline.map((tail) => place(32 + tail.length));
  const metaBytes = Math.ceil(used / BLOCK) * BLOCK;
  const bytes = Buffer.alloc(BLOCK + metaBytes);
  const data: Buffer[] = [];
  let block = bytes.length / BLOCK;
  names.forEach((name, index) => {
    const content = files[name]!;
    const whole = content.subarray(0, content.length - inline[index]!.length);
    const at = BLOCK + places[index]!;
    inode(0o100644, content.length, block, index + 2).copy(bytes, at);
    inline[index]!.copy(bytes, at + 32);
    data.push(whole);
    block += whole.length / BLOCK;
  });
  const directory = Buffer.alloc(directoryBytes);
  let nameAt = names.length * 12;
  names.forEach((name, index) => {
    directory.writeBigUInt64LE(BigInt(places[index]! / 32), index * 12);
    directory.writeUInt16LE(nameAt, index * 12 + 8);
    directory.writeUInt8(1, index * 12 + 10);
    directory.write(name, nameAt);
    nameAt += name.length;
  });
  inode(0o40755, directoryBytes, 0, 1).copy(bytes, BLOCK + root);
  directory.copy(bytes, BLOCK + root + 32);
  const whole = Buffer.concat([bytes, ...data]);
  whole.writeUInt32LE(0xe0f5e1e2, 1024);
  whole.writeUInt8(12, 1024 + 12);
  whole.writeUInt16LE(root / 32, 1024 + 14);
  whole.writeUInt32LE(whole.length / BLOCK, 1024 + 36);
  whole.writeUInt32LE(1, 1024 + 40);
  return whole;
}

/**
 * An x86-64 program of functions that call each other and read variables, with a table of their addresses. Each function's
 * body comes from its seed, so the same list with one more entry is the same program, moved.
 */
export function programOfFunctions(seeds: readonly number[]): Buffer {
  const bodies = seeds.map((seed) => noise(seed, 80 + (seed % 200)).map((byte) => byte | 0x40));
  const CALL = 5;
  const textAt = 4096;
  const starts: number[] = [];
  let at = textAt;
  const callsOf = (seed: number): number[] =>
    [seed * 7, seed * 13, seed * 31].map((value) => value % 97);
  for (const [index, body] of bodies.entries()) {
    starts.push(at);
    at += body.length + callsOf(seeds[index]!).length * CALL;
  }
  const byName = new Map(seeds.map((seed, index) => [seed % 97, starts[index]!]));
  const text = Buffer.alloc(at - textAt);
  for (const [index, body] of bodies.entries()) {
    let place = starts[index]! - textAt;
    text.set(body, place);
    place += body.length;
    for (const name of callsOf(seeds[index]!)) {
      text[place] = 0xe8;
      text.writeInt32LE((byName.get(name) ?? textAt) - (textAt + place + CALL), place + 1);
      place += CALL;
    }
  }
  const dataAt = Math.ceil(at / 4096) * 4096;
  const data = Buffer.alloc(seeds.length * 8);
  starts.forEach((start, index) => data.writeBigUInt64LE(BigInt(start), index * 8));
  const names = Buffer.from("\0.text\0.data\0.shstrtab\0");
  const sections = [
    { name: 0, type: 0, flags: 0, offset: 0, sizeBytes: 0 },
    { name: 1, type: 1, flags: 6, offset: textAt, sizeBytes: text.length },
    { name: 7, type: 1, flags: 3, offset: dataAt, sizeBytes: data.length },
    { name: 13, type: 3, flags: 0, offset: dataAt + data.length, sizeBytes: names.length },
  ];
  const sectionsAt = dataAt + data.length + names.length;
  const file = Buffer.alloc(sectionsAt + sections.length * 64);
  file.write("7f454c46020101", 0, "hex");
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(62, 18);
  file.writeBigUInt64LE(64n, 32);
  file.writeBigUInt64LE(BigInt(sectionsAt), 40);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt16LE(64, 58);
  file.writeUInt16LE(sections.length, 60);
  file.writeUInt16LE(3, 62);
  file.writeUInt32LE(1, 64);
  file.writeBigUInt64LE(BigInt(file.length), 64 + 32);
  text.copy(file, textAt);
  data.copy(file, dataAt);
  names.copy(file, dataAt + data.length);
  sections.forEach(({ name, type, flags, offset, sizeBytes }, index) => {
    const head = sectionsAt + index * 64;
    file.writeUInt32LE(name, head);
    file.writeUInt32LE(type, head + 4);
    file.writeBigUInt64LE(BigInt(flags), head + 8);
    file.writeBigUInt64LE(BigInt(offset), head + 16);
    file.writeBigUInt64LE(BigInt(offset), head + 24);
    file.writeBigUInt64LE(BigInt(sizeBytes), head + 32);
  });
  return file;
}
