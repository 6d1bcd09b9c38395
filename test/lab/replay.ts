/*
 * Makes crash states out of a recording, one after the other in one working file: it walks forward through
 * the log, adds what a state has beyond its flush, shows it to a judge, and takes that back. No state costs
 * more than its own writes.
 * Owns: the working file. crash-states.ts says what a state consists of.
 */
import { closeSync, openSync } from "node:fs";
import { command } from "./command.ts";
import type { CrashState, Piece } from "./crash-states.ts";
import { copyBytes, dataStretches, makeHole, readBytes, writeBytes } from "./sparse.ts";
import type { LoggedWrite, WriteLog } from "./write-log.ts";

/** A disk as a power cut left it, in a raw file. */
export interface CrashedDisk {
  readonly file: string;
  read(startBytes: number, sizeBytes: number): Buffer;
  /** Taken back after the state, as the state itself is. Nobody else may write to the file. */
  write(startBytes: number, bytes: Uint8Array): void;
}

export interface Replay {
  /** @throws Error if the state lies before one that was shown already. */
  show<T>(state: CrashState, judge: (disk: CrashedDisk) => Promise<T>): Promise<T>;
  /** Everything that was logged. */
  finish(): void;
  close(): void;
}

interface Undo extends Pick<LoggedWrite, "startBytes" | "sizeBytes"> {
  readonly held: readonly { readonly startBytes: number; readonly bytes: Buffer }[];
}

/** `base`: the raw image as it was when the recording began; it is copied to `working`. */
export async function openReplay(base: string, log: WriteLog, working: string): Promise<Replay> {
  await command(["cp", "--sparse=always", base, working]);
  const source = openSync(log.file, "r");
  const disk = openSync(working, "r+");
  let done = 0;

  const apply = ({ write, skipBytes, sizeBytes }: Piece): void => {
    const startBytes = write.startBytes + skipBytes;
    if (write.kind === "discard") return makeHole(disk, startBytes, sizeBytes);
    const from = { file: source, startBytes: write.dataAt + skipBytes };
    copyBytes(from, { file: disk, startBytes }, sizeBytes);
  };
  const walk = (end: number): void => {
    if (end < done) throw new Error("the states must come in the order of the log");
    for (; done < end; done++) {
      const write = log.entries[done];
      if (!write || write.kind === "flush") continue;
      apply({ write, skipBytes: 0, sizeBytes: write.sizeBytes });
    }
  };

  return {
    async show(state, judge) {
      walk(state.epoch.begin);
      const undo: Undo[] = [];
      const remember = (startBytes: number, sizeBytes: number) =>
        undo.push(rememberBytes(disk, startBytes, sizeBytes));
      try {
        for (const piece of state.pieces) {
          remember(piece.write.startBytes + piece.skipBytes, piece.sizeBytes);
          apply(piece);
        }
        return await judge({
          file: working,
          read: (startBytes, sizeBytes) => readBytes(disk, startBytes, sizeBytes),
          write(startBytes, bytes) {
            remember(startBytes, bytes.length);
            writeBytes(disk, startBytes, bytes);
          },
        });
      } finally {
        for (const one of undo.reverse()) putBack(disk, one);
      }
    },
    finish: () => walk(log.entries.length),
    close() {
      closeSync(source);
      closeSync(disk);
    },
  };
}

function rememberBytes(disk: number, startBytes: number, sizeBytes: number): Undo {
  const stretches = [...dataStretches(disk, startBytes, startBytes + sizeBytes)];
  return {
    startBytes,
    sizeBytes,
    held: stretches.map((stretch) => ({
      startBytes: stretch.startBytes,
      bytes: readBytes(disk, stretch.startBytes, stretch.sizeBytes),
    })),
  };
}

function putBack(disk: number, { startBytes, sizeBytes, held }: Undo): void {
  makeHole(disk, startBytes, sizeBytes);
  for (const one of held) writeBytes(disk, one.startBytes, one.bytes);
}
