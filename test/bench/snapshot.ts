/*
 * What the nightly snapshot costs a running system: fio's loads in the guest with no snapshot, with a
 * classic one of each chunk size, and with a thin one; the space that it takes; the time to merge it.
 * Two disks: one that takes the time of a hard disk, where each further request is dear, and a bare one
 * that is as fast as the emulated processor lets it be.
 * Owns: what is measured and in which order. snapshot-report.ts prints it, guest/ does it.
 */
import { join } from "node:path";
import { GIB } from "../../src/model/size.ts";
import { HARD_DISK } from "../lab/disk-mechanics.ts";
import type { Drive } from "../lab/hardware.ts";
import { makeRaw, type Image } from "../lab/images.ts";
import type { Context } from "../lab/scenario.ts";
import { makeSocketFolder, PROJECT } from "../lab/scratch.ts";
import { serveSlowDisk } from "../lab/slow-disk.ts";
import { rotate } from "./figures.ts";
import { startGuest, TOOLS } from "./guest.ts";
import type { BenchOptions, Part } from "./part.ts";
import { JOBS, JOBS_AGAIN, parseFill, parseMerge, parseTimes } from "./snapshot-output.ts";
import { reportSnapshot, type Measured, type Round } from "./snapshot-report.ts";
import { makeToolsImage } from "./tools-image.ts";

export const CHUNKS_KIB = [4, 8, 16, 32, 64, 128, 256, 512];
const KINDS = ["none", ...CHUNKS_KIB.map(String), "thin"];
const DISK_BYTES = 5 * GIB;
const DISK_SERIAL = "BENCH-DISK";
const GUEST_FILES = join(PROJECT, "test/bench/guest");

/** The disk of a run: what the machine gets, and how it is told that measuring begins and ends. */
interface DiskUnderTest {
  readonly drive: Drive;
  setSlow(isSlow: boolean): void;
  close(): Promise<void>;
}

export const snapshot: Part = {
  name: "snapshot",
  title: "what does the nightly snapshot cost a running system?",
  minutes: 15,
  needs: ["small"],
  async run(context, options) {
    const files = ["snapshot.sh", "snapshot.fio"].map((name) => join(GUEST_FILES, name));
    const tools = await makeToolsImage(context.folder, ["fio"], files);
    const slow = await measure(context, options, "hard-disk", tools, await slowDisk(context));
    const bare = await measure(context, options, "bare", tools, await bareDisk(context));
    return reportSnapshot({ slow, bare });
  },
};

async function slowDisk(context: Context): Promise<DiskUnderTest> {
  const { file } = makeRaw(context.folder, "slow", DISK_BYTES);
  const socket = join(makeSocketFolder(), "nbd");
  const disk = await serveSlowDisk(file, socket, HARD_DISK);
  const source = { nbdSocket: disk.socket };
  return {
    drive: { source, attach: "virtio", serial: DISK_SERIAL },
    setSlow: (isSlow) => disk.setSlow(isSlow),
    close: () => disk.close(),
  };
}

async function bareDisk(context: Context): Promise<DiskUnderTest> {
  const source = makeRaw(context.folder, "bare", DISK_BYTES);
  return {
    drive: { source, attach: "virtio", serial: DISK_SERIAL },
    setSlow: () => {},
    close: async () => {},
  };
}

async function measure(
  context: Context,
  { rounds, tell }: BenchOptions,
  name: string,
  tools: Image,
  disk: DiskUnderTest,
): Promise<Measured> {
  const guest = await startGuest(context, name, { tools, drives: [disk.drive] });
  const script = (words: string, seconds = 300): Promise<string> =>
    guest.console.output(`sh ${TOOLS}/snapshot.sh ${words}`, seconds);
  tell(`${name}: the guest is up, making its volumes`);
  await script(`prepare /dev/disk/by-id/virtio-${DISK_SERIAL}`);

  async function measureKind(kind: string): Promise<Round> {
    disk.setSlow(false);
    await script(`take ${kind}`);
    disk.setSlow(true);
    const first = parseTimes(await script(`load ${JOBS.join(" ")}`), JOBS);
    const filledBytes = kind === "none" ? 0 : parseFill(await script("fill"));
    const again = parseTimes(await script(`load ${JOBS_AGAIN.join(" ")}`), JOBS_AGAIN);
    if (kind !== "none") {
      const mergeMs = parseMerge(await script("merge", 600));
      return { first, again, filledBytes, mergeMs };
    }
    disk.setSlow(false);
    await script("drop");
    return { first, again, filledBytes };
  }

  const measured: Record<string, Round[]> = Object.fromEntries(KINDS.map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round++) {
    for (const kind of rotate(KINDS, round * 4)) {
      const result = await measureKind(kind);
      measured[kind]?.push(result);
      tell(`${name}: round ${round + 1} of ${rounds}, ${kind}: ${JSON.stringify(result)}`);
    }
  }
  await guest.stop();
  await disk.close();
  return { kernel: guest.kernel, kinds: measured };
}
