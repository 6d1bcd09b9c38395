/*
 * `npm run lab`: the whole way in front of your eyes. A card boots beside a blank disk, with no key
 * pressed; the machine reboots; the disk boots alone; the disk boots with the card still first.
 * Owns: the command line, the order, and the table at the end.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/errors.ts";
import { MIB, printSize } from "../../src/model/size.ts";
import { labCard, type RootName } from "./card.ts";
import { ATTACHMENTS, hasKvm, type Attachment, type Firmware } from "./hardware.ts";
import { interact, showOutput } from "./interact.ts";
import {
  awaitBoot,
  blankDisk,
  bootDisk,
  checkBooted,
  disk,
  finishRecovery,
  shutDown,
  startCard,
} from "./recovery.ts";
import { STEP_LINE } from "./result.ts";
import { openContext, type OpenContext } from "./scenario.ts";
import { keepFolder, LAB_DIRECTORY } from "./scratch.ts";

const USAGE = `npm run lab -- [OPTIONS]
  --disk nvme|sata|virtio|scsi|megasas   how the system disk is attached (virtio)
  --firmware bios|uefi                   (bios)
  --root golden|small                    which golden system is on the card (golden)
  --interactive                          gives you the machine's console; nothing is judged
  --keep                                 keeps the disk image and says where it is`;

interface Options {
  readonly attach: Attachment;
  readonly firmware: Firmware;
  readonly root: RootName;
  readonly isInteractive: boolean;
  readonly keep: boolean;
}

interface Row {
  readonly phase: string;
  readonly seconds: number;
  readonly what: string;
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  const rows: Row[] = [];
  const context = openContext("lab", 0);
  try {
    if (options.isInteractive) {
      await playAround(context, options);
    } else {
      await runAll(context, options, rows);
    }
  } catch (error) {
    printTable(rows);
    console.error(`\nlab: FAILED: ${messageOf(error)}`);
    const log = context.lastMachine()?.logPath;
    if (log !== undefined) console.error(`lab: the serial line is in ${log}`);
    if (options.keep) keepFolder(context.folder);
    return 1;
  }
  if (!options.isInteractive) {
    printTable(rows);
    console.log("\nlab: PASSED");
  }
  return 0;
}

function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      disk: { type: "string", default: "virtio" },
      firmware: { type: "string", default: "bios" },
      root: { type: "string", default: "golden" },
      interactive: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
    },
  });
  return {
    attach: oneOf("--disk", values.disk, ATTACHMENTS),
    firmware: oneOf("--firmware", values.firmware, ["bios", "uefi"]),
    root: oneOf("--root", values.root, ["golden", "small"]),
    isInteractive: values.interactive,
    keep: values.keep,
  };
}

function oneOf<T extends string>(name: string, value: string, values: readonly T[]): T {
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) throw new Error(`${name} must be ${values.join(" or ")}, not ${value}`);
  return found;
}

async function runAll(context: OpenContext, options: Options, rows: Row[]): Promise<void> {
  const { firmware } = options;
  const more = { firmware, memoryMiB: 1024, onOutput: showOutput };
  const timed = async <T>(phase: string, work: () => Promise<T>, say: (value: T) => string) => {
    const started = Date.now();
    const value = await work();
    rows.push({ phase, seconds: (Date.now() - started) / 1000, what: say(value) });
    return value;
  };

  tell(`acceleration: ${hasKvm() ? "KVM" : "none (TCG): a boot takes half a minute"}`);
  tell("making the card, if it is not there yet");
  const made = await timed(
    "make the card",
    () => labCard(options.root),
    (card) => card.image.file,
  );
  const card = await context.card(options.root);
  const image = await blankDisk(context);
  const drive = disk(image, { attach: options.attach });

  tell("starting from the card, beside a blank disk");
  const machine = await timed(
    "start the card",
    async () => {
      const started = await startCard(context, card, [drive], more);
      await started.waitFor(STEP_LINE, 240);
      return started;
    },
    () => `${firmware}, disk on ${options.attach}, golden ${made.description.version}`,
  );
  await timed(
    "recover",
    () => finishRecovery(machine, 1200),
    (result) => {
      const copied = result.steps.find(({ kind }) => kind === "copy-tree");
      const peak = Math.ceil(result.peakMemoryBytes / MIB);
      const bytes = printSize(copied?.bytes ?? 0);
      return `${result.outcome}: ${result.steps.length} steps, ${bytes} cloned, agent at most ${peak} MiB`;
    },
  );

  tell("the machine has restarted; now the disk alone");
  await timed(
    "boot the disk alone",
    async () => {
      const booted = await bootDisk(context, drive, more);
      checkBooted(booted);
      await shutDown(booted);
      return booted;
    },
    (booted) => `kernel ${booted.kernel}, root ${booted.root}, up after ${booted.upSeconds} s`,
  );

  tell("and with the card still first in the boot order");
  await timed(
    "boot with the card",
    async () => {
      const booted = await awaitBoot(await startCard(context, card, [drive], more));
      checkBooted(booted);
      await shutDown(booted);
      return booted;
    },
    (booted) => `the card handed over to the disk, up after ${booted.upSeconds} s`,
  );

  if (options.keep) keepFolder(context.folder);
  else await context.close();
  if (options.keep) tell(`the disk is kept: ${image.file}`);
}

async function playAround(context: OpenContext, options: Options): Promise<void> {
  tell("making the card, if it is not there yet");
  const card = await context.card(options.root);
  const image = await blankDisk(context);
  const drive = disk(image, { attach: options.attach });
  for (let boot = 1; ; boot++) {
    tell(`boot ${boot}. Ctrl-] cuts the power and ends. A reset starts the machine again.`);
    const machine = await startCard(context, card, [drive], {
      firmware: options.firmware,
      limitSeconds: 24 * 3600,
      onOutput: showOutput,
    });
    if ((await interact(machine)) === "left") break;
  }
  if (options.keep) keepFolder(context.folder);
  if (options.keep) tell(`the disk is kept: ${image.file}`);
}

function tell(text: string): void {
  console.log(`\r\nlab: ${text}\r`);
}

function printTable(rows: readonly Row[]): void {
  const sum = rows.reduce((total, { seconds }) => total + seconds, 0);
  const all = [
    ...rows,
    { phase: "all", seconds: sum, what: `logs in ${join(LAB_DIRECTORY, "logs/lab")}` },
  ];
  console.log("\n");
  for (const { phase, seconds, what } of all) {
    console.log(`${phase.padEnd(20)} ${seconds.toFixed(1).padStart(7)} s  ${what}`);
  }
}

process.exit(await main());
