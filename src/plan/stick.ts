/*
 * Which stick a report goes to, and how it is called there. Pure. The only disk that is written to besides
 * the planned one (design, section 5, law 1), so whatever is not plainly meant for it is left alone.
 */
import { Refusal } from "../errors.ts";
import type { Disk, DiskIdentity, Machine } from "../model/machine.ts";
import { whyNotSameDisk } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import type { Message } from "../words.ts";

export const STICK_LABEL = "ZS-REPORTS";
const FILE_SYSTEMS = ["vfat", "ext4"] as const;

export interface Stick {
  /** The whole disk, and what to mount: one of its partitions, or itself. */
  readonly disk: DiskIdentity;
  readonly device: string;
  readonly fileSystem: (typeof FILE_SYSTEMS)[number];
}

/**
 * `planned`: the disk of the recovery that was tried, if one was chosen.
 * @throws Refusal that says what was found instead of exactly one stick.
 */
export function chooseStick(machine: Machine, planned: DiskIdentity | undefined): Stick {
  const labelled = machine.disks.flatMap((disk) =>
    [disk, ...disk.partitions].flatMap(({ path, signatures }) =>
      signatures
        .filter(({ label }) => label === STICK_LABEL)
        .map(({ type }) => ({
          disk,
          device: path,
          type,
          why: whyNot(disk, machine, planned, type),
        })),
    ),
  );
  const usable = labelled.flatMap(({ disk, device, type, why }) => {
    const fileSystem = FILE_SYSTEMS.find((known) => known === type);
    return fileSystem === undefined || why !== undefined ? [] : [{ disk, device, fileSystem }];
  });
  const [only, ...more] = usable;
  if (only && more.length === 0) return only;
  const rows = labelled.map(({ disk, device, why }) => ({
    disk,
    device,
    words: why ?? say("could-be-used"),
  }));
  if (only) {
    throw new Refusal(
      say("several-sticks", usable.length, STICK_LABEL, rows),
      say("pull-others-out"),
    );
  }
  throw new Refusal(say("no-stick", STICK_LABEL, rows), say("put-stick-in", STICK_LABEL));
}

function whyNot(
  disk: Disk,
  machine: Machine,
  planned: DiskIdentity | undefined,
  type: string,
): Message | undefined {
  if (machine.card?.disk === disk.path) return say("on-card");
  if (planned !== undefined && (disk.path === planned.path || isSame(disk, planned))) {
    return say("on-planned-disk");
  }
  if (holdsOurs(disk, machine)) return say("on-installed-disk");
  if (disk.inUse.length > 0) return say("on-used-disk", disk.inUse);
  if (!FILE_SYSTEMS.some((known) => known === type)) return say("other-file-system", type);
  return undefined;
}

/** Names may have changed since the plan; two disks that tell nothing of themselves are not the same. */
function isSame(disk: Disk, planned: DiskIdentity): boolean {
  return disk.serial + disk.wwn !== "" && whyNotSameDisk(disk, planned) === undefined;
}

/** Whole, begun or damaged: all of it may still be wanted. */
function holdsOurs(disk: Disk, machine: Machine): boolean {
  if (disk.state ?? disk.stateTrouble ?? disk.claim) return true;
  const own = [disk.path, ...disk.partitions.map(({ path }) => path)];
  return machine.groups.some(({ physicalVolumes }) =>
    physicalVolumes.some((path) => own.includes(path)),
  );
}

/**
 * `zshield-report-BOX-1-20260727T101500Z`, safe on FAT and in any shell, whatever the serial number holds.
 * `taken`: names that are there already; the clock of a box without a battery stands still.
 */
export function reportName(serial: string, now: Date, taken: readonly string[]): string {
  return freeName(`zshield-report-${boxName(serial, now)}`, taken);
}

/** `BOX-1-20260727T101500Z`, as safe. */
export function boxName(serial: string, now: Date): string {
  const safe = serial.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  return `${safe.slice(0, 40).replace(/-$/, "") || "unknown"}-${time}`;
}

/** With a number behind it where there is such a name already, in small letters or capitals. */
export function freeName(name: string, taken: readonly string[]): string {
  const isTaken = (wanted: string) =>
    taken.some((other) => other.toLowerCase() === wanted.toLowerCase());
  for (let count = 1; ; count++) {
    const wanted = count === 1 ? name : `${name}-${count}`;
    if (!isTaken(wanted)) return wanted;
  }
}
