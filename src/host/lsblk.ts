/*
 * lsblk: which disks there are and who they say they are. Asks for no column that makes lsblk open a
 * device, so that a disk that does not answer cannot stop it.
 * Owns: parsing and reading. `parseLsblk` is pure.
 */
import { readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import * as v from "valibot";
import { parseDocument } from "../model/document.ts";
import { query } from "./command.ts";

export interface FoundDisk {
  readonly path: string;
  /** Directory below /sys/block. */
  readonly kernelName: string;
  readonly sizeBytes: number;
  readonly model: string;
  readonly serial: string;
  readonly wwn: string;
  readonly transport: string;
  readonly removable: boolean;
  readonly readOnly: boolean;
  readonly logicalSectorBytes: number;
}

const COLUMNS = "NAME,PATH,KNAME,TYPE,SIZE,MODEL,SERIAL,WWN,TRAN,RM,RO,LOG-SEC";

/** Of RAM, floppies, CDs, mapped and assembled devices: none is a disk that a system is installed on. */
const NO_DISK = /^(loop|ram|zram|fd|sr|md|dm-|nbd|mtdblock|mmcblk\d+(boot|rpmb))/;

// Older versions print numbers and truth values as strings.
const Text = v.pipe(
  v.nullable(v.string()),
  v.transform((text) => trim(text ?? "")),
);
const Count = v.pipe(v.union([v.number(), v.string()]), v.transform(Number), v.safeInteger());
const Flag = v.pipe(
  v.union([v.boolean(), v.picklist(["0", "1"])]),
  v.transform((flag) => flag === true || flag === "1"),
);
const Report = v.object({
  blockdevices: v.array(
    v.object({
      path: v.string(),
      kname: v.string(),
      type: v.string(),
      size: Count,
      model: Text,
      serial: Text,
      wwn: Text,
      tran: Text,
      rm: Flag,
      ro: Flag,
      "log-sec": Count,
    }),
  ),
});

/**
 * The disks in a report, by path. `loops`: paths of loop devices that count as disks (for tests).
 * @throws Refusal where the report is not as expected.
 */
export function parseLsblk(text: string, loops: readonly string[] = []): FoundDisk[] {
  const report = parseDocument(Report, JSON.parse(text), "lsblk");
  return report.blockdevices
    .filter(({ path, kname, type, size }) =>
      loops.includes(path) ? size > 0 : type === "disk" && size > 0 && !NO_DISK.test(kname),
    )
    .map((device) => ({
      path: device.path,
      kernelName: device.kname.replaceAll("/", "!"),
      sizeBytes: device.size,
      model: device.model,
      serial: device.serial,
      wwn: device.wwn,
      transport: device.tran,
      // USB disks say of themselves that they are not removable. People see that differently.
      removable: device.rm || device.tran === "usb",
      readOnly: device.ro,
      logicalSectorBytes: device["log-sec"],
    }))
    .sort((one, other) => (one.path < other.path ? -1 : 1));
}

export async function readLsblk(loops: readonly string[] = []): Promise<FoundDisk[]> {
  const text = await query(["lsblk", "--json", "--bytes", "--nodeps", "--output", COLUMNS]);
  return Promise.all(
    parseLsblk(text, loops)
      .map(addTransport)
      .map(async (disk) => addSerial(await disk)),
  );
}

/** lsblk names no transport for virtio and RAID controllers; the kernel's subsystem says what it is. */
async function addTransport(disk: FoundDisk): Promise<FoundDisk> {
  if (disk.transport !== "") return disk;
  const subsystem = await readlink(`/sys/block/${disk.kernelName}/device/subsystem`).catch(
    () => "",
  );
  return { ...disk, transport: basename(subsystem) };
}

/** virtio and NVMe tell their serial number in sysfs too, also where udev knows nothing of the disk. */
async function addSerial(disk: FoundDisk): Promise<FoundDisk> {
  if (disk.serial !== "") return disk;
  for (const name of ["serial", "device/serial"]) {
    const text = await readFile(`/sys/block/${disk.kernelName}/${name}`, "utf8").catch(() => "");
    if (trim(text) !== "") return { ...disk, serial: trim(text) };
  }
  return disk;
}

/** Without surrounding blanks; firmware fills fields with blanks or zeros. */
function trim(text: string): string {
  return text.replace(/^[\s\0]+|[\s\0]+$/g, "");
}
