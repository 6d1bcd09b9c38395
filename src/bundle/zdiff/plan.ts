/*
 * What each byte of the new image is made of. Owns: pairing files, finding copies, cutting the image into segments.
 * Writes nothing.
 */
import { zstdCompressSync } from "node:zlib";
import { programOf } from "./elf.ts";
import { type ImageFile, type ReadAt, readImageFiles } from "./erofs.ts";
import {
  AGAIN,
  COPY,
  type Extent,
  type Job,
  JOB_ROOM,
  LITERAL,
  type Operation,
  PATCH,
  PRESSED,
  type Program,
  type Segment,
  STORED,
} from "./format.ts";
import { findMatches, type Match } from "./match.ts";
import { inflated, unpressed, WAITING_MOST } from "./pressed.ts";
import { int32, putInt32, type References } from "./references.ts";
import { referencesOf } from "./transfer.ts";

/** A job, and what it makes. */
export interface Work {
  readonly job: Job;
  readonly resultBytes: number;
  readonly load: () => { readonly head: Buffer; readonly raw: Buffer };
}

export interface Planned {
  readonly segment: Segment;
  readonly works: readonly Work[];
}

interface Piece {
  readonly operations: readonly Operation[];
  readonly program?: Program;
  readonly work?: Work;
}

/** A part of the new image that belongs together, and how to find out what it is made of. */
interface Place {
  readonly at: number;
  readonly make: () => Piece;
}

export interface Images {
  readonly readOld: ReadAt;
  readonly oldBytes: number;
  readonly readNew: ReadAt;
  /** Of the new image, what is carried: all but its hash tree. */
  readonly newBytes: number;
}

/** Old bytes that are searched at once. */
const WINDOW = 128 * 1024 * 1024;
const OPERATIONS = 4096;
/** A copy of fewer bytes costs more than it saves; in programs, where fields are foretold, it saves more. */
const MATCH_LEAST = 32;
const MATCH_LEAST_IN_PROGRAM = 18;
const PATCH_MOST = 64 * 1024 * 1024;
const STORED_LEAST = 4096;
/** Of compressed files that wait for their second part, and that wait in one segment: half of WAITING_MOST each. */
const SPLIT_MOST = WAITING_MOST / 2;
const TOGETHER_MOST = WAITING_MOST / 2 - JOB_ROOM;

/** Segments in the order of the new image. */
export async function* planSegments(
  images: Images,
  tell: (doneBytes: number) => void,
): AsyncGenerator<Planned> {
  const oldFiles = readImageFiles(images.readOld, images.oldBytes) ?? [];
  const newFiles = readImageFiles(images.readNew, images.newBytes) ?? [];
  const pairs = pairFiles(oldFiles, newFiles);
  const twins = new Twins(images, oldFiles);
  const places: Place[] = [];
  const taken: Extent[] = [];
  let jobs = 0;
  let splitBytes = 0;
  for (const file of extentsOf(newFiles)) {
    const pair = pairs.get(file);
    const isSplit = file.sizeBytes > 0 && file.tailBytes > 0;
    const mayWait = !isSplit || splitBytes + file.fileBytes <= SPLIT_MOST;
    const work = mayWait ? workOf(images, file, pair) : undefined;
    if (isSplit && work !== undefined) splitBytes += file.fileBytes;
    if (work !== undefined) await turn();
    if (work === undefined) {
      if (file.sizeBytes === 0) continue;
      taken.push(file);
      places.push({ at: file.at, make: () => planFile(images, file, pair, twins) });
      continue;
    }
    // Jobs are numbered in the order in which they are performed.
    let number = -1;
    const parts = extentsOfFile(file);
    for (const [index, { at, sizeBytes }] of parts.entries()) {
      taken.push({ at, sizeBytes });
      const offset = index === 0 ? 0 : parts[0]!.sizeBytes;
      const inFile = Math.min(sizeBytes, file.fileBytes - offset);
      const rest = sizeBytes - inFile;
      places.push({
        at,
        make: () => {
          const isFirst = number < 0;
          if (isFirst) number = jobs++;
          const from = number * JOB_ROOM + offset;
          const operations = [{ kind: PRESSED, sizeBytes: inFile, from }];
          // What fills the last block.
          if (rest > 0) operations.push({ kind: LITERAL, sizeBytes: rest, from: 0 });
          return isFirst ? { operations, work } : { operations };
        },
      });
    }
  }
  taken.sort((a, b) => a.at - b.at);
  places.push(
    ...planGaps(
      images,
      gapsOf(extentsOf(oldFiles), images.oldBytes),
      gapsOf(taken, images.newBytes),
    ),
  );
  places.sort((a, b) => a.at - b.at);
  yield* gathered(places, tell);
}

/** Pieces put together to segments; a program has its own. */
async function* gathered(
  places: readonly Place[],
  tell: (doneBytes: number) => void,
): AsyncGenerator<Planned> {
  let operations: Operation[] = [];
  let works: Work[] = [];
  const gather = (): Planned => {
    const planned = { segment: { jobs: works.length, operations }, works };
    operations = [];
    works = [];
    return planned;
  };
  for (const { at, make } of places) {
    const { operations: more, program, work } = make();
    if (program !== undefined) {
      if (operations.length > 0) yield gather();
      yield { segment: { jobs: 0, operations: more, program }, works: [] };
    } else {
      if (work !== undefined) works.push(work);
      for (const operation of more) {
        const last = operations.at(-1);
        if (last !== undefined && isContinued(last, operation)) {
          const sizeBytes = last.sizeBytes + operation.sizeBytes;
          operations[operations.length - 1] = { ...last, sizeBytes };
        } else operations.push(operation);
        if (operations.length >= OPERATIONS) yield gather();
      }
      const waiting = works.reduce((sum, { resultBytes }) => sum + resultBytes, 0);
      if (operations.length > 0 && waiting > TOGETHER_MOST) yield gather();
    }
    tell(at);
    await turn();
  }
  if (operations.length > 0) yield gather();
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

const isContinued = (last: Operation, next: Operation): boolean =>
  last.kind === COPY && next.kind === COPY && last.from + last.sizeBytes === next.from;

function extentsOfFile({ at, sizeBytes, tailAt, tailBytes }: ImageFile): Extent[] {
  const extents = [
    { at, sizeBytes },
    { at: tailAt, sizeBytes: tailBytes },
  ];
  return extents.filter((extent) => extent.sizeBytes > 0);
}

/** The extents of what is in the file, without what fills its last block. */
function contentOf(file: ImageFile): Extent[] {
  let left = file.fileBytes;
  return extentsOfFile(file).map(({ at, sizeBytes }) => {
    const inFile = Math.min(sizeBytes, left);
    left -= inFile;
    return { at, sizeBytes: inFile };
  });
}

function readAll(read: ReadAt, extents: readonly Extent[]): Buffer {
  return Buffer.concat(extents.map(({ at, sizeBytes }) => read(at, sizeBytes)));
}

/** The job that makes a compressed file which is another than before. */
function workOf(images: Images, file: ImageFile, pair: ImageFile | undefined): Work | undefined {
  if (!file.path.endsWith(".gz") || file.fileBytes >= JOB_ROOM) return undefined;
  const load = (): Buffer => readAll(images.readNew, contentOf(file));
  const bytes = load();
  const sources = pair === undefined ? [] : contentOf(pair);
  if (pair !== undefined && readAll(images.readOld, sources).equals(bytes)) return undefined;
  const found = unpressed(bytes);
  if (found === undefined) return undefined;
  let old = Buffer.alloc(0);
  try {
    old = inflated(sources, (into, at) => into.set(images.readOld(at, into.length))) as typeof old;
  } catch {
    sources.length = 0;
  }
  const { head, raw, manner } = found;
  const matches = findMatches(old, raw);
  const operations = operationsOf(matches, raw, old, [{ at: 0, sizeBytes: old.length }]).map(
    (operation) => (operation.kind === STORED ? { ...operation, kind: LITERAL } : operation),
  );
  const job = { sources, manner, headBytes: head.length, rawBytes: raw.length, operations };
  return {
    job,
    resultBytes: bytes.length,
    load: () => {
      const again = unpressed(load());
      if (again === undefined) throw new Error("an image changes while it is read");
      return again;
    },
  };
}

/** Files in the order of their blocks, none of which overlap, those without blocks first. */
function extentsOf(files: readonly ImageFile[]): ImageFile[] {
  const result: ImageFile[] = [];
  let end = 0;
  for (const file of [...files].sort((a, b) => a.at - b.at)) {
    if (file.sizeBytes > 0 && file.at < end) continue;
    if (file.sizeBytes > 0) end = file.at + file.sizeBytes;
    result.push(file);
  }
  return result;
}

function gapsOf(extents: readonly Extent[], endAt: number): Extent[] {
  const gaps: Extent[] = [];
  let at = 0;
  for (const extent of [...extents, { at: endAt, sizeBytes: 0 }]) {
    if (extent.at > at) gaps.push({ at, sizeBytes: extent.at - at });
    at = Math.max(at, extent.at + extent.sizeBytes);
  }
  return gaps;
}

const likeness = (path: string): string => path.replace(/\d+/g, "#");
const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** For each new file the old one that it came from: the same path, the same but for numbers, or the same name. */
function pairFiles(
  oldFiles: readonly ImageFile[],
  newFiles: readonly ImageFile[],
): Map<ImageFile, ImageFile> {
  const rules: ((path: string) => string)[] = [
    (path) => path,
    likeness,
    baseOf,
    (path) => likeness(baseOf(path)),
  ];
  const indices = rules.map((rule) => Map.groupBy(oldFiles, ({ path }) => rule(path)));
  const pairs = new Map<ImageFile, ImageFile>();
  for (const file of newFiles) {
    for (const [index, rule] of rules.entries()) {
      const found = indices[index]?.get(rule(file.path));
      if (found === undefined || found.length === 0) continue;
      const distance = (other: ImageFile): number => Math.abs(other.sizeBytes - file.sizeBytes);
      pairs.set(
        file,
        found.reduce((best, other) => (distance(other) < distance(best) ? other : best)),
      );
      break;
    }
  }
  return pairs;
}

/** Whole files that are there already, in the old image or further ahead in the new one. */
class Twins {
  private readonly images: Images;
  private readonly old = new Map<string, number>();
  private readonly fresh = new Map<string, number>();

  constructor(images: Images, oldFiles: readonly ImageFile[]) {
    this.images = images;
    for (const { at, sizeBytes } of extentsOf(oldFiles)) {
      if (sizeBytes > 0) this.old.set(this.keyOf(images.readOld, at, sizeBytes), at);
    }
  }

  find({ at, sizeBytes }: Extent): Operation | undefined {
    const key = this.keyOf(this.images.readNew, at, sizeBytes);
    const inOld = this.old.get(key);
    if (inOld !== undefined) return { kind: COPY, sizeBytes, from: inOld };
    const inNew = this.fresh.get(key);
    if (inNew !== undefined) return { kind: AGAIN, sizeBytes, from: inNew };
    this.fresh.set(key, at);
    return undefined;
  }

  private keyOf(read: ReadAt, at: number, sizeBytes: number): string {
    const hasher = new Bun.CryptoHasher("sha256");
    for (let done = 0; done < sizeBytes; done += 1 << 22) {
      hasher.update(read(at + done, Math.min(1 << 22, sizeBytes - done)));
    }
    return `${sizeBytes} ${hasher.digest("base64")}`;
  }
}

function planFile(
  images: Images,
  file: ImageFile,
  pair: ImageFile | undefined,
  twins: Twins,
): Piece {
  const twin = twins.find(file);
  if (twin !== undefined) return { operations: [twin] };
  const { readOld, readNew } = images;
  const sources = pair === undefined ? [] : extentsOfFile(pair);
  if (pair === undefined || pair.sizeBytes > WINDOW || file.sizeBytes > WINDOW) {
    const pieces = planGaps(images, sources, [file]).map(({ make }) => make());
    return { operations: pieces.flatMap(({ operations }) => operations) };
  }
  const old = readAll(readOld, sources);
  const fresh = readNew(file.at, file.sizeBytes);
  const raw = operationsOf(findMatches(old, fresh), fresh, old, sources);
  const before = { ...pair, bytes: old };
  const after = { ...file, bytes: readAll(readNew, extentsOfFile(file)) };
  const program = programOf(before, after);
  const back = programOf(after, before);
  if (program === undefined || back === undefined) return { operations: raw };
  const matches = findMatches(
    withTargets(old, pair.at, referencesOf(program, raw, file.at, old.length), true),
    withTargets(fresh, file.at, referencesOf(back, [], pair.at, fresh.length), false),
  );
  return {
    operations: operationsOf(matches, fresh, old, sources, MATCH_LEAST_IN_PROGRAM),
    program,
  };
}

/** What belongs to no file, and files too large to be looked at in one go. */
function planGaps(images: Images, oldGaps: readonly Extent[], gaps: readonly Extent[]): Place[] {
  const windows = (extents: readonly Extent[], most: number): Extent[][] => {
    const result: Extent[][] = [];
    let size = most;
    for (const { at, sizeBytes } of extents) {
      for (let done = 0; done < sizeBytes;) {
        if (size >= most) {
          result.push([]);
          size = 0;
        }
        const part = Math.min(sizeBytes - done, most - size);
        result.at(-1)?.push({ at: at + done, sizeBytes: part });
        size += part;
        done += part;
      }
    }
    return result;
  };
  const oldWindows = windows(oldGaps, WINDOW);
  const places: Place[] = [];
  for (const [index, extents] of windows(gaps, WINDOW).entries()) {
    const near = oldWindows[Math.min(index, oldWindows.length - 1)] ?? [];
    const old = readAll(images.readOld, near);
    const fresh = readAll(images.readNew, extents);
    const operations = operationsOf(findMatches(old, fresh), fresh, old, near);
    places.push(...cut(operations, extents));
  }
  return places;
}

/** Operations over extents that lie apart, cut at their ends. */
function cut(operations: readonly Operation[], extents: readonly Extent[]): Place[] {
  const places: Place[] = [];
  let index = 0;
  let rest = operations[0];
  for (const { at, sizeBytes } of extents) {
    const inside: Operation[] = [];
    for (let left = sizeBytes; left > 0 && rest !== undefined;) {
      const size = Math.min(left, rest.sizeBytes);
      inside.push({ ...rest, sizeBytes: size });
      left -= size;
      if (size === rest.sizeBytes) {
        index += 1;
        rest = operations[index];
      } else {
        const from = rest.kind <= PATCH ? rest.from + size : 0;
        rest = { ...rest, from, sizeBytes: rest.sizeBytes - size };
      }
    }
    places.push({ at, make: () => ({ operations: inside }) });
  }
  return places;
}

function operationsOf(
  matches: readonly Match[],
  fresh: Buffer,
  old: Buffer,
  from: readonly Extent[],
  least = MATCH_LEAST,
): Operation[] {
  const operations: Operation[] = [];
  let at = 0;
  const carry = (end: number): void => {
    if (end > at) operations.push(carried(fresh.subarray(at, end)));
    at = end;
  };
  for (const match of matches) {
    if (match.sizeBytes < least) continue;
    carry(match.to);
    for (const part of placesOf(match, from)) {
      for (let done = 0; done < part.sizeBytes; done += PATCH_MOST) {
        const sizeBytes = Math.min(PATCH_MOST, part.sizeBytes - done);
        const now = part.inOld + done;
        const isEqual = old
          .subarray(now, now + sizeBytes)
          .equals(fresh.subarray(at, at + sizeBytes));
        operations.push({ kind: isEqual ? COPY : PATCH, sizeBytes, from: part.at + done });
        at += sizeBytes;
      }
    }
  }
  carry(fresh.length);
  return operations;
}

/** The extents of the image in which a match lies. */
function placesOf(
  match: Match,
  extents: readonly Extent[],
): { at: number; inOld: number; sizeBytes: number }[] {
  const places = [];
  let start = 0;
  for (const { at, sizeBytes } of extents) {
    const low = Math.max(match.from, start);
    const high = Math.min(match.from + match.sizeBytes, start + sizeBytes);
    if (high > low) places.push({ at: at + low - start, inOld: low, sizeBytes: high - low });
    start += sizeBytes;
  }
  return places;
}

function carried(bytes: Buffer): Operation {
  const sizeBytes = bytes.length;
  if (sizeBytes < STORED_LEAST) return { kind: LITERAL, sizeBytes, from: 0 };
  const pressed = zstdCompressSync(bytes.subarray(0, 1 << 20)).length;
  const isStored = pressed > Math.min(sizeBytes, 1 << 20) * 0.985;
  return { kind: isStored ? STORED : LITERAL, sizeBytes, from: 0 };
}

/**
 * A program in which each field holds the address that it means, in the new program's numbers: so code that only moved is
 * equal, and a row of a table is equal to what became of it.
 */
function withTargets(bytes: Buffer, at: number, references: References, isOld: boolean): Buffer {
  const result = Buffer.from(bytes);
  references.find(bytes, 0, bytes.length, at);
  for (let index = 0; index < references.count; index += 1) {
    const place = references.places[index]!;
    const target = references.targetOf(references.ranges[index]!, int32(bytes, place), at + place);
    if (target === undefined) continue;
    putInt32(result, place, isOld ? references.map(target) : target);
  }
  return result;
}
