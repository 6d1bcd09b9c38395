/*
 * The moves that scenarios share: start the rescue system, read its verdict, boot a disk and log in.
 * Owns: these moves and the kernel command line of the rescue system. Judges nothing.
 */
import { join } from "node:path";
import { GIB } from "../../src/model/size.ts";
import type { Result } from "../../src/model/result.ts";
import { cardDrive, useCard, type CardInUse } from "./card.ts";
import { logIn, type Console } from "./console.ts";
import type { Attachment, Drive, Firmware, MachineOptions } from "./hardware.ts";
import { bytesWritten, makeLayer, makeQcow2, type Image } from "./images.ts";
import type { Machine } from "./machine.ts";
import { findResult, RESULT_LINE } from "./result.ts";
import { must, openContext, type Context } from "./scenario.ts";

/** Large enough for the default layout, and only as large on the host as what is written. */
export const DISK_BYTES = 20 * GIB;
export const DISK_SERIAL = "LAB-DISK-7431";

/** As GRUB starts it (grub/rescue.cfg). */
const RESCUE_ARGUMENTS = [
  ...["root=zshield", "rd.auto=0", "rd.md=0", "rd.lvm=0", "rd.luks=0", "fsck.mode=skip"],
  ...["rd.shell=0", "rd.emergency=halt", "quiet", "loglevel=3"],
  // As the lab card's GRUB has it: under emulation the kernel's check of its timer fails now and then, and what
  // keeps a processor from guessing costs time and protects from nothing.
  ...["console=tty0", "console=ttyS0,115200", "no_timer_check", "mitigations=off"],
];

/**
 * A disk of ours is recovered with nobody asked; a non-maskable interrupt crashes the kernel, which resets the
 * machine. One list for all, since a saved rescue system has its parameters for good.
 */
export const UNATTENDED = ["zshield.confirm=no", "unknown_nmi_panic", "panic=-1"] as const;

/** The whole way to a verdict without anybody: some minutes where a tree is copied. */
export const RESULT_SECONDS = 1200;
const REFUSAL_SECONDS = 300;
const BOOT_SECONDS = 480;

export interface RescueOptions {
  readonly card: CardInUse;
  readonly drives: readonly Drive[];
  /** Further kernel parameters. */
  readonly parameters?: readonly string[];
  readonly operation?: "default" | "latest" | "repair" | "test" | "menu";
  readonly memoryMiB?: number;
  /** Of the box, in its DMI tables; a saved machine keeps that of the one that was saved. */
  readonly serialNumber?: string;
  readonly cpu?: string;
  readonly firmware?: Firmware;
  readonly name?: string;
  readonly onOutput?: MachineOptions["onOutput"];
  /**
   * Goes on from a rescue system that was started once and waits for its disk, which is then plugged in:
   * all that a start from the kernel on would do, but for finding the disk there. Saves half a minute.
   */
  readonly saved?: boolean;
}

export type StartOptions = Partial<Omit<MachineOptions, "logs" | "drives" | "kernel">>;

/** On a SCSI controller, since only there a saved machine can take it. */
export function disk(source: Drive["source"], more: Partial<Omit<Drive, "source">> = {}): Drive {
  return { source, attach: "scsi", serial: DISK_SERIAL, ...more };
}

export async function blankDisk(
  context: Context,
  name = "disk",
  sizeBytes = DISK_BYTES,
): Promise<Image> {
  return makeQcow2(context.folder, name, sizeBytes);
}

/** Starts kernel and initramfs directly, with the card attached: saves GRUB's time. */
export async function startRescue(context: Context, options: RescueOptions): Promise<Machine> {
  if (options.saved !== true) return context.start(rescueMachine(options, options.drives));
  const machine = await context.start({
    ...rescueMachine(options, []),
    takesDisks: true,
    savedIn: await savedRescue(options),
  });
  await machine.resume();
  for (const drive of options.drives) await machine.plug(drive);
  return machine;
}

/** Goes on from a rescue system that was saved with its disks in; `drives` are layers of those. */
export async function goOn(
  context: Context,
  options: RescueOptions,
  memory: string,
): Promise<Machine> {
  const machine = await context.start({
    ...rescueMachine(options, options.drives),
    savedIn: memory,
  });
  await machine.resume();
  return machine;
}

const saved = new Map<string, Promise<string>>();

/** The memory of a rescue system with this command line that waits for its disk; made once for a run. */
function savedRescue(options: RescueOptions): Promise<string> {
  const { operation = "default", parameters = [], memoryMiB, serialNumber } = options;
  const { file: image } = options.card.card.image;
  const key = JSON.stringify([image, operation, parameters, memoryMiB, serialNumber]);
  let file = saved.get(key);
  if (!file) {
    file = saveRescue(options, saved.size);
    saved.set(key, file);
  }
  return file;
}

async function saveRescue(options: RescueOptions, number: number): Promise<string> {
  // Stays open: the file is in its folder, which goes when the process ends.
  const context = openContext(`prepare-rescue-${number}`, 0);
  const card = await useCard(context.folder, "card", options.card.card);
  const machine = await context.start({
    ...rescueMachine({ ...options, card }, []),
    takesDisks: true,
    name: "rescue-to-save",
  });
  await machine.waitFor("waiting for the card and the disk to appear", 240, RESULT_LINE);
  const file = join(context.folder, "memory");
  await machine.save(file);
  return file;
}

function rescueMachine(
  options: RescueOptions,
  drives: readonly Drive[],
): Omit<MachineOptions, "logs"> {
  const { card } = options.card;
  const operation = `zshield_recovery=${options.operation ?? "default"}`;
  return {
    name: options.name ?? "rescue",
    drives: [cardDrive(options.card), ...drives],
    ...(options.memoryMiB === undefined ? {} : { memoryMiB: options.memoryMiB }),
    ...(options.serialNumber === undefined ? {} : { serialNumber: options.serialNumber }),
    ...(options.cpu === undefined ? {} : { cpu: options.cpu }),
    ...(options.firmware === undefined ? {} : { firmware: options.firmware }),
    ...(options.onOutput === undefined ? {} : { onOutput: options.onOutput }),
    kernel: {
      vmlinuz: card.vmlinuz,
      initramfs: card.initramfs,
      commandLine: [operation, ...RESCUE_ARGUMENTS, ...(options.parameters ?? [])].join(" "),
    },
  };
}

/** Starts through firmware and GRUB, card first in the boot order, no key pressed. */
export async function startCard(
  context: Context,
  card: CardInUse,
  drives: readonly Drive[],
  more: StartOptions & { readonly attach?: Attachment } = {},
): Promise<Machine> {
  const { attach, ...rest } = more;
  return context.start({
    name: "card",
    drives: [
      cardDrive(card, 0, attach),
      ...drives.map((drive, index) => ({ boot: index + 1, ...drive })),
    ],
    ...rest,
  });
}

/** Waits for the verdict, whatever it is. */
export async function readResult(machine: Machine, seconds = RESULT_SECONDS): Promise<Result> {
  await machine.waitFor(RESULT_LINE, seconds);
  return findResult(machine.serial.text());
}

/** Waits for success and for the reset that follows it. @throws Error with the agent's own words. */
export async function finishRecovery(machine: Machine, seconds = RESULT_SECONDS): Promise<Result> {
  const result = await readResult(machine, seconds);
  must(result.outcome === "success", `the recovery ended so: ${JSON.stringify(result)}`);
  must(result.changed, "a success that has changed nothing");
  await machine.waitForEnd(120);
  return result;
}

/** From the start of the rescue system to success and reset. */
export async function recover(context: Context, options: RescueOptions): Promise<Result> {
  return finishRecovery(await startRescue(context, options));
}

/**
 * Runs a recovery that has to be refused: `changed` false, no layer written, the words there, and the
 * machine still on so that a person can read them. Returns all that it said.
 */
export async function refuse(
  context: Context,
  options: RescueOptions & { readonly layers: readonly Image[]; readonly words: readonly RegExp[] },
): Promise<{ readonly result: Result; readonly said: string }> {
  const machine = await startRescue(context, options);
  const result = await readResult(machine, REFUSAL_SECONDS);
  must(result.outcome === "refused", `not refused: ${JSON.stringify(result)}`);
  must(!result.changed, "the refusal says that something was changed");
  const said = machine.serial.text();
  for (const words of options.words) {
    must(words.test(said), `the refusal does not say ${words}: ${result.error?.message}`);
  }
  // It must not reboot away from its message.
  await Bun.sleep(2000);
  const { status } = (await machine.qmp.execute("query-status")) as { readonly status: string };
  must(status === "running", `after the refusal the machine is ${status}`);
  await machine.kill();
  for (const layer of options.layers) {
    const bytes = await bytesWritten(layer);
    must(bytes === 0, `${layer.file}: ${bytes} bytes were written`);
  }
  return { result, said };
}

/** An empty layer over an image that has to stay untouched. */
export async function watch(context: Context, name: string, image: Image): Promise<Image> {
  return makeLayer(context.folder, name, image);
}

export interface Booted {
  readonly machine: Machine;
  readonly console: Console;
  readonly kernel: string;
  /** Device of the root file system, as findmnt prints it. */
  readonly root: string;
  /** Units that failed. */
  readonly failed: readonly string[];
  /** Seconds from the start of the kernel. */
  readonly upSeconds: number;
}

const BOOTED = /ZSHIELD-BOOTED kernel=(\S*) root=(\S*) up=(\S*) failed=(\S*)\n/;

/** Waits until the installed (or the golden) system says that it is up, and logs in. */
export async function awaitBoot(machine: Machine, seconds = BOOT_SECONDS): Promise<Booted> {
  const { groups } = await machine.waitFor(BOOTED, seconds, /zshield: step 1\//);
  const [kernel = "", root = "", up = "", failed = ""] = groups;
  const console = await logIn(machine, 60);
  return {
    machine,
    console,
    kernel,
    root,
    failed: failed.split(",").filter((unit) => unit !== ""),
    upSeconds: Number(up),
  };
}

/** A start with no key pressed: the installed system is up, or the rescue system says how it ended. Both can still be read. */
export async function awaitBootOrResult(
  machine: Machine,
  seconds = RESULT_SECONDS,
): Promise<"boot" | "result"> {
  const { groups } = await machine.waitFor(/(?=ZSHIELD-(BOOTED|RESULT) )/, seconds);
  return groups[0] === "BOOTED" ? "boot" : "result";
}

/** Boots the disk alone, through its own GRUB. */
export async function bootDisk(
  context: Context,
  drive: Drive,
  more: StartOptions = {},
): Promise<Booted> {
  const drives = [{ ...drive, boot: 0 }];
  return awaitBoot(await context.start({ name: "disk-alone", drives, ...more }));
}

/** Orderly, from its own shell: not every golden system listens to the power button. */
export async function shutDown({ machine, console }: Booted): Promise<void> {
  console.send("systemctl poweroff");
  await machine.waitForEnd(240);
}

/** initramfs-tools mounts it under the one name, dracut under the other. */
export const INSTALLED_ROOTS = ["/dev/mapper/vgroup-lv--root", "/dev/vgroup/lv-root"];

/** @throws Error if it is not the installed root that runs, or a unit failed. */
export function checkBooted({ root, failed }: Booted): void {
  must(INSTALLED_ROOTS.includes(root), `the root is ${root}, not ${INSTALLED_ROOTS[0]}`);
  must(failed.length === 0, `failed units: ${failed.join(", ")}`);
}

/** Places in GRUB's menus (grub/card-menu.cfg, grub/disk-menu.cfg), from the top. */
const MENU = ["installed", "default", "latest", "repair", "menu", "test"] as const;

type Entry = (typeof MENU)[number];

/** Chooses an entry as a person does, with the keys of the serial console. `preset`: the one that is marked. */
export async function chooseEntry(
  machine: Machine,
  entry: Entry,
  preset: Entry = "installed",
): Promise<void> {
  await machine.waitFor(/Boot the installed system/, 120);
  const down = MENU.indexOf(entry) - MENU.indexOf(preset);
  // Ctrl-N is the arrow down, Ctrl-P the arrow up.
  machine.send(`${(down > 0 ? "\x0e" : "\x10").repeat(Math.abs(down))}\r`);
  await machine.waitFor(/starting: (Re|Boot|Run)/, 60);
}

/** Answers the question before anything is lost as it asks to be answered. */
export async function agree(machine: Machine): Promise<void> {
  await machine.waitFor(/Type the last 4 characters[^\n]*/, 240, /ZSHIELD-RESULT/);
  // What is typed in the first moments does not count: keys may be held down while a machine boots.
  await Bun.sleep(3000);
  machine.send(`${DISK_SERIAL.slice(-4)}\r`);
}
