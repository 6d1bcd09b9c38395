/*
 * The console on the machine's own screen: what is drawn is read from video memory, keys come from the keyboard.
 * Everything that can be chosen is taken to its end (the factory default by 20-reinstall.ts); nobody is at the serial
 * line, which can answer all the same. One start; each choice goes on from the menu, saved with its disk.
 */
import { join } from "node:path";
import { makeLayer, type Image } from "../lab/images.ts";
import { installedLayer } from "../lab/installed.ts";
import { agreeIfAsked, ANSWER, awaitEnd, choose, DEAF_MS, goBack, MENU } from "../lab/menu.ts";
import type { Machine } from "../lab/machine.ts";
import {
  awaitBoot,
  disk,
  DISK_SERIAL,
  goOn,
  readResult,
  startRescue,
  type RescueOptions,
} from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";
import { awaitText, type Screen } from "../lab/screen.ts";
import { vgaScreen } from "../lab/vga.ts";

export const scenario: Scenario = {
  name: "screen-vga",
  title: "the console on the machine's own screen: each choice to its end, by keyboard",
  minutes: 5,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const base = await installedLayer(context);
    const options: Omit<RescueOptions, "drives"> = {
      ...{ card, operation: "menu", name: "menu" },
      parameters: ["zshield.lang=zh"],
    };
    const memory = join(context.folder, "menu.memory");
    await saveMenu(context, { ...options, drives: [disk(base)] }, memory);

    /** From the menu on, with a disk of its own. */
    const from = async (
      name: string,
      use: (screen: Screen, machine: Machine, image: Image) => Promise<void>,
    ): Promise<void> => {
      const image = await makeLayer(context.folder, name, base);
      const machine = await goOn(context, { ...options, name, drives: [disk(image)] }, memory);
      const started = Date.now();
      await use(vgaScreen(machine, context.folder), machine, image);
      await machine.kill();
      context.note(`${name}: ${((Date.now() - started) / 1000).toFixed(0)} s`);
    };

    await from("looking", look);
    await from("power-off", async (screen, machine) => {
      await choose(screen, 10);
      await machine.waitForEnd(60);
    });
    await from("reboot", async (screen, machine) => {
      await choose(screen, 9);
      await machine.waitForEnd(60);
    });
    await from("golden", async (screen, machine) => {
      await choose(screen, 4);
      const { root } = await awaitBoot(machine);
      must(root === "golden" || root === "overlay", `the root is ${root}`);
    });
    await from("repair", async (screen, machine) => {
      await choose(screen, 3);
      await agreeIfAsked(screen);
      await awaitEnd(context, screen, machine, "repair");
    });
    await from("latest", async (screen, machine) => {
      // From the other console, in lines.
      machine.send("2\r");
      await machine.waitFor(/since [^\n]*\n/, 60);
      await awaitText(screen, /WILL BE LOST/, 60);
      await Bun.sleep(DEAF_MS);
      machine.send(`${ANSWER}\r`);
      await machine.waitFor(/zshield: step \d+\/\d+ merge-backup done/, 240);
      const { outcome, operation } = await readResult(machine);
      must(outcome === "success" && operation === "latest", `it ended so: ${outcome}`);
      await machine.waitForEnd(90);
    });
  },
};

/** Starts, with Enter pressed ten times meanwhile, up to the menu. */
async function saveMenu(context: Context, options: RescueOptions, memory: string): Promise<void> {
  const started = Date.now();
  const machine = await startRescue(context, options);
  const screen = vgaScreen(machine, context.folder);
  const pressing = (async () => {
    for (let time = 0; time < 10; time++) {
      await Bun.sleep(1500);
      await screen.press("enter").catch(() => undefined);
    }
  })();
  await awaitText(screen, MENU, 240);
  const seconds = (Date.now() - started) / 1000;
  await pressing;
  await Bun.sleep(1000);
  const [shown = ""] = await awaitText(screen, /[^]*/, 10);
  must(MENU.test(shown), `Enter, pressed while it started, has done something:\n${shown}`);
  for (const words of [
    /zshield lab, serial 1, [^]*BIOS/,
    new RegExp(`> .*serial ${DISK_SERIAL}, 20 GiB`),
    /an installed system, version [^]*this disk would be used/,
    /Last backup: 20\d\d-[^]*valid/,
    /zshield\.lang=zh: this console cannot show Chinese/,
  ]) {
    must(words.test(shown), `the menu does not say ${words}:\n${shown}`);
  }
  must(
    machine.serial.text().includes("the recovery is shown on tty1; answer there or here"),
    "the other console is not told where the screen is",
  );
  await machine.screendump(join(context.folder, "menu.ppm"));
  context.note(`${seconds.toFixed(1)} s from the start of the machine to a menu that can be used`);
  await machine.save(memory);
}

/** What only looks; and the list comes back each time. */
async function look(screen: Screen, machine: Machine): Promise<void> {
  await choose(screen, 5);
  await awaitText(screen, /The plan of which recovery\?/, 30);
  await choose(screen, 1);
  await awaitText(screen, /protect-disks[^]*blockdev --setro/, 60);
  await goBack(screen);
  await choose(screen, 6);
  await awaitText(screen, /Look at the log\n[^]*Esc goes back/, 30);
  await goBack(screen);
  await choose(screen, 7);
  await awaitText(screen, /there is no stick labelled ZS-REPORTS/, 60);
  const said = machine.serial.text().length;
  await choose(screen, 8);
  // It looks the same afterwards; the other console tells when it has looked.
  while (!machine.serial.text().slice(said).includes("Power off")) await Bun.sleep(200);
  await awaitText(screen, MENU, 60);
  await Bun.sleep(DEAF_MS);
  await screen.type("d");
  await awaitText(screen, /Esc goes back/, 30);
  await goBack(screen);
  // No control key does anything.
  await screen.type("\x03\x1a\x04\x13\x11");
  await awaitText(screen, MENU, 10);
}
