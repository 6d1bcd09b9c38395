/*
 * Records what a machine writes to a disk, and shows a judge what a power cut could have left of it:
 * `record` → start a machine with the drive → `judgeStates` with what is expected.
 * Owns: this way, the figures of it, and the names of the places that writes go to. Judges nothing itself.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MIB } from "../../src/model/size.ts";
import { ESP_BYTES, ESP_START_BYTES } from "../../src/plan/layout.ts";
import { epochsOf, planStates, type CrashState, type Selection } from "./crash-states.ts";
import { flatten, isSame, makeLayer, type Image } from "./images.ts";
import { openReplay, type CrashedDisk } from "./replay.ts";
import { disk } from "./recovery.ts";
import type { Drive } from "./hardware.ts";
import { readWriteLog, type LoggedWrite, type WriteLog } from "./write-log.ts";

export interface Recording {
  /** For the machine whose writes are recorded. */
  readonly drive: Drive;
  /** The disk as it is before the machine starts, raw. */
  readonly base: Image;
  /** The disk with what the machine has written to it. */
  readonly image: Image;
  readonly logFile: string;
}

/** The image is only read from now on. */
export async function record(folder: string, name: string, image: Image): Promise<Recording> {
  const base = image.format === "raw" ? image : await flatten(folder, `${name}-base`, image);
  const layer = await makeLayer(folder, `${name}-recorded`, base);
  const logFile = join(folder, `${name}.writes`);
  writeFileSync(logFile, "");
  return { drive: disk({ ...layer, writeLog: logFile }), base, image: layer, logFile };
}

export interface JudgedState {
  readonly state: CrashState;
  /** In words; none is the good case. */
  readonly faults: readonly string[];
  readonly seconds: number;
}

export interface JudgeOptions extends Selection {
  readonly folder: string;
  /** Leaves flushes out, as if the guest had not sent them (crash-states.ts): the control. */
  readonly heeds?: (flush: number) => boolean;
  readonly judge: (disk: CrashedDisk, state: CrashState) => Promise<readonly string[]>;
  /** Sees each verdict as it comes; `false` ends the walk. */
  readonly tell?: (judged: JudgedState) => boolean | void;
}

/** Every chosen state of the recording, in its order. */
export async function judgeStates(
  { base, logFile }: Pick<Recording, "base" | "logFile">,
  options: JudgeOptions,
): Promise<JudgedState[]> {
  const log = readWriteLog(logFile);
  const states = planStates(log, options, epochsOf(log.entries, options.heeds));
  const working = join(options.folder, "crashed.raw");
  const replay = await openReplay(base.file, log, working);
  const judged: JudgedState[] = [];
  try {
    for (const state of states) {
      const started = performance.now();
      const faults = await replay.show(state, (crashed) => options.judge(crashed, state));
      const one = { state, faults, seconds: (performance.now() - started) / 1000 };
      judged.push(one);
      if (options.tell?.(one) === false) break;
    }
    return judged;
  } finally {
    replay.close();
    rmSync(working, { force: true });
  }
}

/** The disk as the machine left it, as often as `use` wants to see it; what is written to it is taken back. */
export async function withEnd<T>(
  { base, logFile }: Pick<Recording, "base" | "logFile">,
  folder: string,
  use: (show: <S>(look: (disk: CrashedDisk) => Promise<S>) => Promise<S>) => Promise<T>,
): Promise<T> {
  const log = readWriteLog(logFile);
  const working = join(folder, "ended.raw");
  const replay = await openReplay(base.file, log, working);
  const { length } = log.entries;
  const end: CrashState = {
    ...{ epoch: { flush: 0, begin: length, end: length }, phase: "end", kind: "flushed" },
    ...{ pieces: [], name: "the end" },
  };
  try {
    return await use((look) => replay.show(end, look));
  } finally {
    replay.close();
    rmSync(working, { force: true });
  }
}

/** Whether the whole log gives the disk that the machine left: else no state can be trusted. */
export async function isFaithful(folder: string, recording: Recording): Promise<boolean> {
  const working = join(folder, "replayed.raw");
  const replay = await openReplay(recording.base.file, readWriteLog(recording.logFile), working);
  try {
    replay.finish();
    return await isSame({ file: working, format: "raw" }, recording.image);
  } finally {
    replay.close();
    rmSync(working, { force: true });
  }
}

/** A few numbers on a recording, for the report. */
export function describeLog({ entries }: WriteLog): string {
  const writes = entries.filter((entry): entry is LoggedWrite => entry.kind !== "flush");
  const bytes = writes.reduce(
    (sum, { kind, sizeBytes }) => sum + (kind === "write" ? sizeBytes : 0),
    0,
  );
  return (
    `${writes.length} writes (${Math.round(bytes / MIB)} MiB), ${entries.length - writes.length} flushes, ` +
    `${epochsOf(entries).length - 1} times something was written between two flushes`
  );
}

const GROUP_START_BYTES = ESP_START_BYTES + ESP_BYTES;
/** More than this between two flushes is bulk, wherever it goes. */
const BULK_BYTES = 8 * MIB;

/**
 * `table` (both ends of the disk, the boot sector, GRUB's core, the claim), `lvm` (its metadata area),
 * `esp` (state, journal, directories), else `data`; `bulk` where much is written at once. Of several
 * places the first one counts.
 */
export function phaseByPlace(diskBytes: number): Selection["phaseOf"] {
  return (writes) => {
    const touches = (startBytes: number, endBytes: number) =>
      writes.some(
        (write) => write.startBytes < endBytes && write.startBytes + write.sizeBytes > startBytes,
      );
    const written = writes.reduce(
      (sum, { kind, sizeBytes }) => sum + (kind === "write" ? sizeBytes : 0),
      0,
    );
    if (touches(0, ESP_START_BYTES) || touches(diskBytes - MIB, diskBytes)) return "table";
    if (touches(GROUP_START_BYTES, GROUP_START_BYTES + MIB)) return "lvm";
    if (written > BULK_BYTES) return "bulk";
    return touches(ESP_START_BYTES, GROUP_START_BYTES) ? "esp" : "data";
  };
}
