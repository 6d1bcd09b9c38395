/*
 * The machine that benchmarks run in: the golden system as it lies on the card, its root in RAM, so that
 * the disk under test belongs to the test alone; with the tools image mounted.
 * Owns: starting it. Measures nothing.
 */
import { cardDrive } from "../lab/card.ts";
import type { Console } from "../lab/console.ts";
import type { Drive } from "../lab/hardware.ts";
import type { Image } from "../lab/images.ts";
import { awaitBoot } from "../lab/recovery.ts";
import type { Context } from "../lab/scenario.ts";

/** Where the tools image is mounted in the guest. */
export const TOOLS = "/run/bench/tools";
const TOOLS_SERIAL = "BENCH-TOOLS";

/** As GRUB's entry "Start the golden system" does (grub/golden.cfg), without its wait. */
const GOLDEN_ARGUMENTS = [
  ...["ro", "rootfstype=ext4", "rootflags=noload", "rd.live.overlay.overlayfs=1"],
  ...["rd.auto=0", "rd.md=0", "rd.lvm=0", "rd.luks=0", "fsck.mode=skip"],
  ...["rd.shell=0", "rd.emergency=halt", "rd.timeout=60", "rd.retry=60", "quiet", "loglevel=3"],
  ...["console=tty0", "console=ttyS0,115200", "no_timer_check"],
];

export interface Guest {
  readonly console: Console;
  readonly kernel: string;
  stop(): Promise<void>;
}

export async function startGuest(
  context: Context,
  name: string,
  options: { readonly tools: Image; readonly drives: readonly Drive[] },
): Promise<Guest> {
  const card = await context.card("small");
  const { vmlinuz, initramfs, description } = card.card;
  const root = `root=PARTUUID=${description.golden.partitionUuid}`;
  const tools: Drive = { source: options.tools, attach: "virtio", serial: TOOLS_SERIAL };
  const machine = await context.start({
    name,
    drives: [cardDrive(card), tools, ...options.drives],
    memoryMiB: 1024,
    kernel: { vmlinuz, initramfs, commandLine: [root, ...GOLDEN_ARGUMENTS].join(" ") },
  });
  const { console, kernel } = await awaitBoot(machine);
  await console.output(`mkdir -p ${TOOLS}`);
  await console.output(`mount -o ro,noload /dev/disk/by-id/virtio-${TOOLS_SERIAL} ${TOOLS}`);
  return { console, kernel, stop: () => machine.kill() };
}
