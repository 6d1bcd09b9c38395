/*
 * Judges the volume group of a crashed disk with LVM's own tools, and does what the agent does where LVM
 * cannot read its metadata: puts back the copy that lies on the ESP. Nothing is activated.
 * Owns: the physical volume. Needs root (a loop device).
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { MIB } from "../../src/model/size.ts";
import { command } from "./command.ts";
import { parseVolumes, type VolumePlace } from "./inspect.ts";
import type { CrashedDisk } from "./replay.ts";

/** LVM's label and metadata; the extents begin behind it. */
const AREA_BYTES = MIB;
const DIGEST_BYTES = 32;

export interface Group {
  readonly uuid: string;
  /** Offsets from the start of the disk. */
  readonly volumes: readonly VolumePlace[];
  /** LVM could read it only after the copy on the ESP was put back. */
  readonly isRestored: boolean;
}

interface Place {
  readonly startBytes: number;
  readonly sizeBytes: number;
}

/**
 * The group, or why it is lost. `copies`: path of the copies on the ESP without their ending; undefined
 * where none may be needed. What is put back is put back on the crashed disk.
 */
export async function readGroup(
  disk: CrashedDisk,
  place: Place,
  name: string,
  copies: string | undefined,
): Promise<Group | string> {
  const found = await lookAt(disk, place, name);
  if (typeof found !== "string") return { ...found, isRestored: false };
  if (copies === undefined) return found;
  const area = readCopy(copies);
  if (typeof area === "string") return `${found}; ${area}`;
  disk.write(place.startBytes, area);
  const restored = await lookAt(disk, place, name);
  return typeof restored === "string"
    ? `${restored}, also after the copy on the ESP was put back`
    : { ...restored, isRestored: true };
}

async function lookAt(
  disk: CrashedDisk,
  { startBytes, sizeBytes }: Place,
  name: string,
): Promise<Omit<Group, "isRestored"> | string> {
  const how = ["--read-only", `--offset=${startBytes}`, `--sizelimit=${sizeBytes}`];
  const loop = (await command(["losetup", "--find", "--show", ...how, disk.file])).stdout.trim();
  try {
    const check = await command(
      [
        ...["lvm", "vgck", "--driverloaded", "n", "--devices", loop],
        ...["--config", 'devices { use_devicesfile=0 hints="none" }', name],
      ],
      { accept: [0, 1, 2, 3, 4, 5] },
    );
    if (check.code !== 0) return `LVM cannot read the group ${name}: ${wordsOf(check.stderr)}`;
    const { stdout } = await command(["pvck", "--dump", "metadata", loop]);
    const volumes = parseVolumes(stdout).map((volume) => ({
      ...volume,
      startBytes: volume.startBytes + startBytes,
    }));
    const uuid = /^\s*id = "([^"]+)"/m.exec(stdout)?.[1] ?? "";
    return { uuid, volumes };
  } finally {
    await command(["losetup", "--detach", loop]);
  }
}

/** The newest whole copy: digest, sequence number, the area (src/host/lvm-metadata.ts writes them). */
function readCopy(base: string): Uint8Array | string {
  const whole = ["a", "b"].flatMap((ending) => {
    const file = `${base}.${ending}`;
    if (!existsSync(file)) return [];
    const bytes = readFileSync(file);
    const body = bytes.subarray(DIGEST_BYTES);
    const digest = createHash("sha256").update(body).digest();
    if (body.length !== 8 + AREA_BYTES || !digest.equals(bytes.subarray(0, DIGEST_BYTES)))
      return [];
    return [{ sequence: body.readBigUInt64LE(), area: body.subarray(8) }];
  });
  const [first, second] = whole;
  if (!first) return "no whole copy of it is on the ESP";
  return second && second.sequence > first.sequence ? second.area : first.area;
}

function wordsOf(stderr: string): string {
  return stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/leaked on|Activation disabled/.test(line))
    .slice(-2)
    .join("; ");
}
