/*
 * The console over a serial line, with a terminal at its end that answers: the screen is there, and the machine's
 * own screen has the lines. Hostile names, a terminal that is switched off and on, the bytes that a line of 9600
 * baud has to carry, and the QR code.
 */
import { open } from "node:fs/promises";
import { MIB } from "../../src/model/size.ts";
import { command } from "../lab/command.ts";
import { makeRaw } from "../lab/images.ts";
import { installedLayer } from "../lab/installed.ts";
import { decodePoints, halfBlockPoints } from "../lab/qr.ts";
import { disk, DISK_SERIAL, readResult, startRescue } from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { awaitText, type Screen } from "../lab/screen.ts";
import { serialTerminal } from "../lab/terminal.ts";
import { vgaScreen } from "../lab/vga.ts";

const MENU = /What is to be done\?[^]*10 {2}Power off/;
const DEAF_MS = 1500;
/** Clears the screen, rings, writes elsewhere; a line end; a byte that is no UTF-8. */
const HOSTILE_SERIAL = "\x1b[2J\x07\nX";
const HOSTILE_LABEL = Buffer.from("\x1b[2J\x1b[HOWNED\n\xff", "latin1");
/** s_volume_name of ext4's superblock. */
const LABEL_AT = 1024 + 0x78;
const MOST_BYTES_PER_SECOND = 400;
/** The last drawing in a time may be paid for behind its end; a whole screen has twice as many. */
const ONE_DRAWING = 1000;

export const scenario: Scenario = {
  name: "screen-serial",
  title:
    "the console over a serial line: hostile names, a terminal that is reset, few bytes, a QR code",
  minutes: 3,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const image = await installedLayer(context);
    const terminal = serialTerminal(80, 24);
    const started = Date.now();
    const machine = await startRescue(context, {
      ...{ card, drives: [disk(image)], operation: "menu", name: "menu" },
      onOutput: terminal.onOutput,
    });
    const screen = terminal.screen(machine);
    await awaitText(screen, MENU, 240);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    context.note(`${seconds} s from the start of the machine to a menu that can be used`);
    const vga = vgaScreen(machine, context.folder);
    await awaitText(vga, /the recovery is shown on ttyS0; answer there or here/, 30);
    await awaitText(vga, /Type a number and press Enter:/, 30);

    // A terminal that was switched off and on again is drawn anew when it is asked for.
    await Bun.sleep(DEAF_MS);
    await screen.type("\x0c");
    const before = await settled(screen);
    terminal.reset();
    await screen.type("\x0c");
    await awaitText(screen, MENU, 30);
    const after = await settled(screen);
    must(after === before, `after a reset of the terminal:\n${after}`);

    const foreign = makeRaw(context.folder, "hostile", 64 * MIB);
    await command(["mkfs.ext4", "-q", "-F", "-O", "^metadata_csum", foreign.file]);
    await writeLabel(foreign.file);
    await machine.plug(disk(foreign, { serial: HOSTILE_SERIAL }));
    await Bun.sleep(5000);
    await choose(screen, 8);
    await awaitText(screen, /64 MiB/, 60);
    await awaitText(screen, MENU, 30);
    const shown = await settled(screen);
    must(/^ zshield /.test(shown), `a name from outside has moved the screen:\n${shown}`);
    must(/OWNED/.test(shown), `the label is not shown:\n${shown}`);
    must(!/^OWNED/m.test(shown), `a name from outside was obeyed:\n${shown}`);
    context.note(
      `hostile names are shown as: ${shown
        .split("\n")
        .filter((line) => /OWNED|64 MiB/.test(line))
        .join(" / ")
        .trim()}`,
    );

    const stick = makeRaw(context.folder, "stick", 64 * MIB);
    await command(["mkfs.vfat", "-n", "ZS-REPORTS", stick.file]);
    await machine.plug(disk(stick, { serial: "STICK" }));
    await Bun.sleep(5000);
    await choose(screen, 7);
    const [, report = ""] = await awaitText(screen, /the report is on the stick: (\S+)/, 90);
    const { stdout } = await command(["mtype", "-i", stick.file, `::/${report}/machine.json`]);
    must(stdout.includes(DISK_SERIAL), `the report tells of no disk ${DISK_SERIAL}:\n${stdout}`);
    context.note(`a report on the stick: ${report}`);

    // Three disks now, of which two are foreign: the installed one is still the one that is repaired.
    await choose(screen, 3);
    const [found] = await awaitText(screen, /Type the last 4 characters|Step \d+ of/, 60);
    if (found.startsWith("Type")) {
      await Bun.sleep(DEAF_MS);
      await screen.type(`${DISK_SERIAL.slice(-4)}\r`);
      await awaitText(screen, /Step \d+ of/, 60);
    }
    const sent = await sentWhileRunning(screen, terminal.bytes);
    const words = `${sent.bytes} bytes over the line in ${sent.seconds.toFixed(1)} s while a bar moved`;
    context.note(words);
    must(sent.seconds > 2, `too short to tell: ${words}`);
    must(sent.bytes <= MOST_BYTES_PER_SECOND * sent.seconds + ONE_DRAWING, words);
    const result = await readResult(machine, 30);
    must(result.outcome === "success", `it ended so: ${JSON.stringify(result)}`);

    await Bun.sleep(DEAF_MS);
    await screen.type("q");
    await Bun.sleep(4000);
    const code = await decodePoints(halfBlockPoints((await screen.read()).slice(0, -1)), 6);
    must(code.startsWith("ZS1 OK REPAIR E0"), `the QR code says "${code}"`);
    context.note(`QR code: ${code}`);
    await screen.press("escape");
    await awaitText(screen, /at once with Enter/, 30);
    await screen.press("enter");
    await machine.waitForEnd(60);
  },
};

async function choose(screen: Screen, number: number): Promise<void> {
  await Bun.sleep(DEAF_MS);
  await screen.type(`${number % 10}\r`);
}

/** From soon after the first step is shown to the last moment in which one is. */
async function sentWhileRunning(
  screen: Screen,
  bytes: () => number,
): Promise<{ readonly bytes: number; readonly seconds: number }> {
  // The whole drawing that a key has asked for is no bar that moves.
  await Bun.sleep(3000);
  const begun = { bytes: bytes(), at: Date.now() };
  let last = begun;
  for (;;) {
    const now = { bytes: bytes(), at: Date.now() };
    const [shown = ""] = await awaitText(screen, /Step \d+ of|Reboots in \d+ s, or at once/, 300);
    if (shown.startsWith("Reboots")) break;
    last = now;
    await Bun.sleep(200);
  }
  return { bytes: last.bytes - begun.bytes, seconds: (last.at - begun.at) / 1000 };
}

/** The screen when nothing more comes. */
async function settled(screen: Screen): Promise<string> {
  for (let last = ""; ;) {
    await Bun.sleep(2000);
    const now = (await screen.read()).join("\n");
    if (now === last) return now;
    last = now;
  }
}

/** Into the superblock, past e2label, which would not take it. */
async function writeLabel(file: string): Promise<void> {
  const label = Buffer.alloc(16);
  HOSTILE_LABEL.copy(label);
  const image = await open(file, "r+");
  try {
    await image.write(label, 0, label.length, LABEL_AT);
  } finally {
    await image.close();
  }
}
