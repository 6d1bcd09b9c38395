/*
 * A card with both passwords set, and everything that somebody at the machine may try to get a shell without
 * them: at GRUB, on the kernel command line of the rescue system, at its keyboard, and by breaking the agent.
 * After each way a command is typed on both consoles; that it runs is what must never be seen.
 */
import { makeLayer, type Image } from "../lab/images.ts";
import type { CardInUse } from "../lab/card.ts";
import { installedLayer } from "../lab/installed.ts";
import { GRUB_PASSWORD, GRUB_USER, RESCUE_PASSWORD } from "../lab/locks.ts";
import type { Machine } from "../lab/machine.ts";
import { mutate } from "../lab/mutant.ts";
import {
  awaitBoot,
  checkBooted,
  disk,
  DISK_SERIAL,
  startCard,
  startRescue,
  UNATTENDED,
} from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";
import { awaitText } from "../lab/screen.ts";
import { pressTogether, vgaScreen } from "../lab/vga.ts";

const PROMPT = /Type the rescue password and press Enter:/;
const MENU = /Type a number and press Enter:/;
/** Every shell has it built in and says "unlimited"; few keys, since each takes a tenth of a second. */
const COMMAND = "ulimit";
const SHELL = /unlimited|sh: |bash|login:|Press Enter for maintenance/;
const STOPPED = /zshield: the power can be switched off/;

/** What a kernel command line may hold. Together where they do not exclude each other. */
const KERNEL_LINES: readonly (readonly string[])[] = [
  [
    ...["rd.break", "rd.break=cmdline", "rd.break=pre-mount", "rd.break=pre-pivot", "rd.shell=1"],
    ...["rd.debug", "rd.systemd.debug_shell", "systemd.debug_shell=1", "rd.emergency=shell"],
    ...["systemd.run=/bin/sh", "rd.systemd.wants=getty@tty1.service", "single", "emergency", "1"],
    ...["systemd.wants=serial-getty@ttyS0.service", "sysrq_always_enabled=0", "init=/bin/sh"],
  ],
  ["rd.systemd.unit=emergency.target", "systemd.unit=emergency.target"],
  ["rd.systemd.unit=rescue.target", "rescue"],
];

const ways: Scenario = {
  name: "ways-to-a-shell",
  title: "with both passwords set, none of more than forty ways leads to a shell",
  minutes: 7,
  needs: ["locked"],
  async run(context) {
    const card = await context.card("locked");
    const image = await installedLayer(context, "disk", "locked");
    const ways: string[] = [];
    ways.push(...(await atGrub(context, image)));
    ways.push(...(await atCard(context, card, image)));
    for (const [index, words] of KERNEL_LINES.entries()) {
      ways.push(...(await withWords(context, card, image, words, `words-${index + 1}`)));
    }
    ways.push(...(await withoutRecovery(context, card, image)));
    ways.push(await killed(context, card, image));
    ways.push(await pulled(context, card, image));
    ways.push(await littleMemory(context, card, image));
    must(ways.length >= 40, `only ${ways.length} ways were tried`);
    context.note(`${ways.length} ways tried: ${ways.join(", ")}`);
  },
};

/** The control of the scenario above. */
const control: Scenario = {
  name: "shell-is-noticed",
  title: "a shell behind the password, which zshield.then=shell gives, is noticed",
  minutes: 3,
  needs: ["locked"],
  soak: true,
  async run(context) {
    const card = await context.card("locked");
    await checkControl(context, card, await installedLayer(context, "disk", "locked"));
  },
};

export const scenario: readonly Scenario[] = [ways, control];

/** The one shell that there is, given by zshield.then=shell behind the password: it must be seen. */
async function checkControl(context: Context, card: CardInUse, image: Image): Promise<void> {
  const layer = await makeLayer(context.folder, "control", image);
  const rescue = { card, drives: [disk(layer)], name: "control", operation: "repair" } as const;
  const parameters = [...UNATTENDED, "zshield.then=shell"];
  const machine = await startRescue(context, { ...rescue, parameters });
  await machine.waitFor(PROMPT, 300);
  await Bun.sleep(1500);
  machine.send(`${RESCUE_PASSWORD}\r`);
  await machine.waitFor(/a shell, because zshield\.then=shell was given/, 120);
  await machine.waitFor(/# /, 60);
  await Bun.sleep(2000);
  const seen = await checkNoShell(context, machine, "control").then(
    () => "nothing",
    (error: unknown) => String(error),
  );
  await machine.kill();
  must(/unlimited|sh: /.test(seen), `a shell was there and not noticed: ${seen}`);
}

/** Types a command on both consoles, and looks at what both have shown since the machine started. */
async function checkNoShell(context: Context, machine: Machine, way: string): Promise<void> {
  const vga = vgaScreen(machine, context.folder);
  machine.send(`\r${COMMAND}\r`);
  await vga.type(`\r${COMMAND}\r`);
  await Bun.sleep(2500);
  const shown = `${machine.serial.text()}\n${(await vga.read()).join("\n")}`;
  const found = SHELL.exec(shown);
  must(found === null, `${way}: ${found?.[0]}`);
}

/** The disk's own GRUB: entries cannot be edited, there is no command line, and it starts without a password. */
async function atGrub(context: Context, image: Image): Promise<string[]> {
  const layer = await makeLayer(context.folder, "grub", image);
  const machine = await context.start({ name: "grub", drives: [disk(layer, { boot: 0 })] });
  await machine.waitFor(/Boot the installed system/, 120);
  machine.send("\x0e");
  const tried = await tryGrub(machine, "disk");
  // The right password opens the command line: the lock is a lock, and not a wall.
  machine.send("c");
  await machine.waitFor(/Enter username:/, 30);
  machine.send(`${GRUB_USER}\r`);
  await machine.waitFor(/Enter password:/, 30);
  machine.send(`${GRUB_PASSWORD}\r`);
  await machine.waitFor(/grub>/, 60);
  machine.send("normal_exit\r");
  await machine.kill();

  const alone = await context.start({ name: "alone", drives: [disk(layer, { boot: 0 })] });
  const booted = await awaitBoot(alone);
  checkBooted(booted);
  must(!/Enter username/.test(alone.serial.text()), "it cannot start without a password");
  await alone.kill();
  return tried;
}

async function tryGrub(machine: Machine, where: string): Promise<string[]> {
  const tried: string[] = [];
  // GRUB waits twice as long after each wrong one: 2, 4, 8 s.
  for (const [key, user, password] of [
    ["e", "root", "root"],
    ["c", GRUB_USER, ""],
    ["e", GRUB_USER, RESCUE_PASSWORD],
  ] as const) {
    machine.send(key);
    await machine.waitFor(/Enter username:/, 30);
    machine.send(`${user}\r`);
    await machine.waitFor(/Enter password:/, 30);
    machine.send(`${password}\r`);
    await machine.waitFor(/Boot the installed system/, 60, /grub>|Minimum Emacs-like/);
    tried.push(`GRUB on the ${where}: ${key} as ${user}, "${password}"`);
  }
  return tried;
}

/** From the card's GRUB to the password of the rescue system, and every key that a keyboard has for it. */
async function atCard(context: Context, card: CardInUse, image: Image): Promise<string[]> {
  const layer = await makeLayer(context.folder, "card", image);
  const machine = await startCard(context, card, [disk(layer)], { name: "card" });
  await machine.waitFor(/Boot the installed system/, 120);
  machine.send("\x0e");
  const tried = await tryGrub(machine, "card");
  // The second entry is marked; the fifth is the menu, and needs no password.
  machine.send("\x0e\x0e\x0e\r");
  await machine.waitFor(/starting: Recovery menu/, 60);
  await machine.waitFor(PROMPT, 240, MENU);
  must(!/machine: /.test(machine.serial.text()), "something was shown before the password");
  const vga = vgaScreen(machine, context.folder);
  await awaitText(vga, PROMPT, 60);

  for (let number = 1; number <= 12; number++) {
    await pressTogether(machine, ["alt", `f${number}`]);
    await Bun.sleep(300);
    await vga.type(`\r${COMMAND}\r`);
    tried.push(`Alt-F${number}`);
  }
  await pressTogether(machine, ["alt", "f1"]);
  const chords: readonly (readonly string[])[] = [
    ...["c", "z", "backslash", "d", "s", "q", "bracket_right", "l"].map((key) => ["ctrl", key]),
    ...["e", "i", "f", "k", "r", "u", "t", "m"].map((key) => ["alt", "sysrq", key]),
    ["esc"],
    ["ctrl", "alt", "f2"],
    ["alt", "right"],
  ];
  for (const chord of chords) {
    await pressTogether(machine, chord);
    tried.push(chord.join("-"));
  }
  await pressTogether(machine, ["alt", "f1"]);
  await checkNoShell(context, machine, "keys");
  machine.send("\x03\x1a\x1c\x04\x1d");
  for (const password of ["wrong", "' or 1", "$(sh)", "a".repeat(5000)]) {
    const refused = /That is not the rescue password\. The next try is in \d+ s\./;
    await answer(machine, password, refused, MENU);
    tried.push(`the password ${password.slice(0, 10)}`);
  }
  await checkNoShell(context, machine, "wrong passwords");
  await answer(machine, RESCUE_PASSWORD, MENU);
  must(/machine: /.test(machine.serial.text()), "behind the password nothing is shown");
  must(!machine.serial.text().includes(RESCUE_PASSWORD), "the password was shown");
  await pressTogether(machine, ["ctrl", "alt", "delete"]);
  tried.push("ctrl-alt-delete");
  await checkNoShell(context, machine, "ctrl-alt-delete").catch((error: unknown) => {
    // It may restart the machine, which is no shell.
    if (!/QEMU has ended/.test(String(error))) throw error;
  });
  await machine.kill();
  return tried;
}

/** What is typed before the next try is due is not heard: it is typed again until the answer comes. */
async function answer(
  machine: Machine,
  text: string,
  wanted: RegExp,
  unless?: RegExp,
): Promise<void> {
  // What came before is no answer.
  await machine.waitFor(/[^]*/, 1);
  for (let tries = 0; tries < 15; tries++) {
    machine.send(`${text}\r`);
    const outcome = await machine.waitFor(wanted, 8, unless).catch((error: unknown) => error);
    if (!(outcome instanceof Error)) return;
    if (!outcome.message.endsWith("in vain")) throw outcome;
  }
  throw new Error(`${wanted} did not come`);
}

async function withWords(
  context: Context,
  card: CardInUse,
  image: Image,
  words: readonly string[],
  name: string,
): Promise<string[]> {
  const layer = await makeLayer(context.folder, name, image);
  const rescue = { card, drives: [disk(layer)], name, parameters: words } as const;
  const machine = await startRescue(context, { ...rescue, operation: "menu" });
  await machine.waitFor(new RegExp(`${PROMPT.source}|${STOPPED.source}`), 240);
  await checkNoShell(context, machine, words.join(" "));
  await machine.kill();
  return [...words];
}

/** As the rescue system is started by somebody who leaves out what it is for. */
async function withoutRecovery(context: Context, card: CardInUse, image: Image): Promise<string[]> {
  const layer = await makeLayer(context.folder, "none", image);
  const { vmlinuz, initramfs } = card.card;
  const words = ["rd.break", "rd.shell", "rd.timeout=5", "rd.retry=5", "systemd.debug_shell"];
  const machine = await context.start({
    name: "none",
    drives: [disk(layer)],
    kernel: {
      ...{ vmlinuz, initramfs },
      commandLine: ["root=/dev/none", ...words, "console=tty0 console=ttyS0"].join(" "),
    },
  });
  await machine.waitFor(STOPPED, 240);
  await checkNoShell(context, machine, "no recovery, no root");
  await machine.kill();
  return ["a root that is not there", ...words.map((word) => `${word} without a recovery`)];
}

/** The agent ends by a signal in the middle of its work. */
async function killed(context: Context, card: CardInUse, image: Image): Promise<string> {
  const layer = await makeLayer(context.folder, "killed", image);
  const dying = await mutate(context.folder, card, {
    file: "commands/recover.ts",
    from: "const performed = await execute({",
    to: 'process.kill(process.pid, "SIGKILL");\n  const performed = await execute({',
  });
  const rescue = { card: dying, drives: [disk(layer)], name: "killed" } as const;
  const machine = await startRescue(context, { ...rescue, parameters: UNATTENDED });
  await machine.waitFor(/the recovery agent was killed by signal/, 240);
  await checkNoShell(context, machine, "the agent killed");
  await machine.kill();
  return "the agent killed";
}

/** The disk is pulled out while root is copied. */
async function pulled(context: Context, card: CardInUse, image: Image): Promise<string> {
  const layer = await makeLayer(context.folder, "pulled", image);
  const rescue = { card, drives: [disk(layer)], name: "pulled", saved: true } as const;
  const machine = await startRescue(context, { ...rescue, parameters: UNATTENDED });
  await machine.waitFor(/zshield: step \d+\/\d+ copy-tree begins/, 300);
  await machine.qmp.execute("device_del", { id: "plugged1-device" });
  await machine.waitFor(/ZSHIELD-RESULT/, 600);
  await machine.waitFor(PROMPT, 120);
  await checkNoShell(context, machine, "the disk pulled out");
  await machine.kill();
  return `the disk ${DISK_SERIAL} pulled out`;
}

/** Too little memory for what it does. */
async function littleMemory(context: Context, card: CardInUse, image: Image): Promise<string> {
  const layer = await makeLayer(context.folder, "little", image);
  const rescue = { card, drives: [disk(layer)], name: "little", memoryMiB: 340 } as const;
  const machine = await startRescue(context, { ...rescue, operation: "menu" });
  const ended = machine.ended.then(() => "ended");
  const words = machine
    .waitFor(new RegExp(`${PROMPT.source}|${STOPPED.source}|Kernel panic`), 120)
    .catch(() => "silent");
  if ((await Promise.race([ended, words])) !== "ended") {
    await checkNoShell(context, machine, "little memory").catch((error: unknown) => {
      if (!/QEMU has ended/.test(String(error))) throw error;
    });
  }
  await machine.kill();
  return "340 MiB of memory";
}
