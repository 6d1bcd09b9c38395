/*
 * What a virtual machine is made of, as QEMU's command line.
 * Owns: the types of drives and machines, and their arguments. Starts nothing.
 */
import { accessSync, constants, copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const ATTACHMENTS = ["virtio", "nvme", "sata", "scsi", "megasas", "usb"] as const;
export type Attachment = (typeof ATTACHMENTS)[number];
export type Firmware = "bios" | "uefi";

/**
 * Without ERMS: the kernel would clear and copy memory by `rep movsb`, which QEMU emulates a byte at a time;
 * golden's start takes twice as long with it.
 */
const CPU = "max,erms=off";

const SECTOR = 512;
const EIO = 5;

export interface Drive {
  /**
   * An image file, or a server of ours (test/lab/dropping-disk.ts). `writeLog`: a file that is there
   * already, in which QEMU records every write, discard and flush (test/lab/write-log.ts reads it).
   * `badAtBytes`: where the disk has a sector that cannot be read.
   */
  readonly source:
    | {
        readonly file: string;
        readonly format: "raw" | "qcow2";
        readonly writeLog?: string;
        readonly badAtBytes?: number;
      }
    | { readonly nbdSocket: string };
  readonly attach: Attachment;
  /** At most 20 characters: an ATA disk has no more. */
  readonly serial: string;
  /** What a SCSI disk says of its firmware; four characters. */
  readonly revision?: string;
  /** Place in the firmware's order, 0 first. SeaBIOS tries no disk without one but the first. */
  readonly boot?: number;
}

export interface MachineOptions {
  readonly name: string;
  /** Where the serial log goes: `<logs>/<name>.log`. */
  readonly logs: string;
  readonly drives: readonly Drive[];
  readonly firmware?: Firmware;
  readonly memoryMiB?: number;
  /** QEMU's -cpu; the agent needs SSE4.2, so at least Nehalem. */
  readonly cpu?: string;
  readonly serialNumber?: string;
  /** Boots this kernel without firmware's choice and without GRUB. */
  readonly kernel?: {
    readonly vmlinuz: string;
    readonly initramfs: string;
    readonly commandLine: string;
  };
  /** The machine is killed after this time, whatever it does. */
  readonly limitSeconds?: number;
  /** Sees the serial line as it comes. */
  readonly onOutput?: (chunk: Uint8Array) => void;
  /** Goes on from what `Machine.save` wrote, instead of starting. Everything else must be the same. */
  readonly savedIn?: string;
  /** Has a SCSI controller for disks that are plugged in later. */
  readonly takesDisks?: boolean;
}

/** QEMU's command line. `folder` holds the monitor socket and the machine's own UEFI variables. */
export function machineArguments(
  options: MachineOptions,
  places: { readonly folder: string; readonly logPath: string },
): string[] {
  const accelerator = hasKvm() ? "kvm" : "tcg,thread=multi";
  const attachments = new Set(options.drives.map((drive) => drive.attach));
  const argv = [
    "qemu-system-x86_64",
    ...["-name", options.name, "-nodefaults", "-no-user-config", "-no-reboot"],
    ...["-machine", "q35", "-accel", accelerator, "-cpu", options.cpu ?? CPU, "-smp", "1"],
    ...["-m", `${options.memoryMiB ?? 1024}M`],
    ...["-display", "none", "-vga", "std", "-nic", "none"],
    ...["-smbios", `type=1,manufacturer=zshield,product=lab,serial=${options.serialNumber ?? "1"}`],
    ...["-chardev", `stdio,id=console,signal=off,logfile=${places.logPath.replaceAll(",", ",,")}`],
    ...["-serial", "chardev:console"],
    ...["-qmp", `unix:${join(places.folder, "qmp")},server=on,wait=off`],
    ...(options.firmware === "uefi" ? uefiArguments(places.folder) : []),
    ...(attachments.has("scsi") || options.takesDisks === true
      ? ["-device", "virtio-scsi-pci,id=scsi"]
      : []),
    ...(attachments.has("megasas") ? ["-device", "megasas,id=megasas"] : []),
    ...(attachments.has("usb") ? ["-device", "qemu-xhci,id=usb"] : []),
    ...options.drives.flatMap(driveArguments),
  ];
  if (options.kernel) {
    const { vmlinuz, initramfs, commandLine } = options.kernel;
    argv.push("-kernel", vmlinuz, "-initrd", initramfs, "-append", commandLine);
  }
  if (options.savedIn !== undefined) argv.push("-incoming", `exec:cat '${options.savedIn}'`);
  return argv;
}

/**
 * The host's flushes are skipped (`no-flush`): a power cut here is the end of QEMU, not of the host. What
 * the guest has not flushed still lies in QEMU where the image is a qcow2 one, and is lost by the cut.
 */
export function blockNode(source: Drive["source"], node: string): Record<string, unknown> {
  const cache = { direct: false, "no-flush": true };
  if ("nbdSocket" in source) {
    return {
      driver: "raw",
      "node-name": node,
      file: { driver: "nbd", server: { type: "unix", path: source.nbdSocket }, export: "" },
    };
  }
  const image = {
    driver: source.format,
    cache,
    discard: "unmap",
    file: { driver: "file", filename: source.file, cache, discard: "unmap" },
  };
  if (source.badAtBytes !== undefined) {
    const always = { event: "none", immediately: true, once: false };
    const bad = { iotype: "read", sector: source.badAtBytes / SECTOR, errno: EIO };
    const how = { "inject-error": [{ ...always, ...bad }] };
    return { driver: "blkdebug", "node-name": node, discard: "unmap", image, ...how };
  }
  if (source.writeLog === undefined) return { ...image, "node-name": node };
  return {
    driver: "blklogwrites",
    "node-name": node,
    "log-sector-size": 512,
    // A node with `no-flush` is not told of flushes: it would log none.
    cache: { ...cache, "no-flush": false },
    discard: "unmap",
    file: image,
    log: { driver: "file", filename: source.writeLog, cache },
  };
}

function driveArguments(drive: Drive, index: number): string[] {
  const node = `disk${index}`;
  const block = blockNode(drive.source, node);
  const boot = drive.boot === undefined ? "" : `,bootindex=${drive.boot}`;
  const revision = drive.revision === undefined ? "" : `,ver=${drive.revision}`;
  const device = `${deviceOf(drive.attach, index)},drive=${node},serial=${drive.serial}${revision}${boot}`;
  return ["-blockdev", JSON.stringify(block), "-device", device];
}

function deviceOf(attach: Attachment, index: number): string {
  switch (attach) {
    case "virtio":
      return "virtio-blk-pci";
    case "nvme":
      return "nvme";
    case "sata":
      return `ide-hd,bus=ide.${index}`;
    case "scsi":
      return `scsi-hd,bus=scsi.0,scsi-id=${index}`;
    case "megasas":
      return `scsi-hd,bus=megasas.0,scsi-id=${index}`;
    case "usb":
      return "usb-storage,bus=usb.0,removable=on";
  }
}

function uefiArguments(folder: string): string[] {
  const directory = "/usr/share/OVMF";
  const suffix = existsSync(join(directory, "OVMF_CODE_4M.fd")) ? "_4M" : "";
  const variables = join(folder, "OVMF_VARS.fd");
  copyFileSync(join(directory, `OVMF_VARS${suffix}.fd`), variables);
  return [
    ...["-drive", `if=pflash,format=raw,readonly=on,file=${directory}/OVMF_CODE${suffix}.fd`],
    ...["-drive", `if=pflash,format=raw,file=${variables}`],
  ];
}

/** The device file can be there and guests still hang, so the processor has to say so too. */
export function hasKvm(): boolean {
  if (!/^flags\b.*\b(vmx|svm)\b/m.test(readFileSync("/proc/cpuinfo", "utf8"))) return false;
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
