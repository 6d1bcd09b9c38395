/*
 * `zshield card write`: one image to one or many cards at once. For a developer's machine or a line's writing
 * station, not for the rescue system; a card that fails does not stop the others.
 */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { EXIT, Refusal, messageOf } from "../errors.ts";
import { readCardDisks, readContents } from "../host/card-disks.ts";
import { checkImage, type CardImage } from "../host/card-image.ts";
import { writeCard, type CardProgress } from "../host/card-write.ts";
import { findTool, run } from "../host/command.ts";
import { ENDING } from "../host/signals.ts";
import { whyNotSameCard, type CardDisk } from "../model/card-disk.ts";
import { describeDisk } from "../model/machine.ts";
import { printSize } from "../model/size.ts";
import { cardTargets, type CardWish } from "../plan/card-targets.ts";
import {
  imageLine,
  lossLines,
  progressLine,
  redraw,
  summaryLines,
  type CardState,
} from "../ui/card-lines.ts";
import { mustAgree, say } from "./facts.ts";

export interface WriteOptions {
  readonly image: string;
  readonly devices: readonly string[];
  readonly serials: readonly string[];
  readonly yes: boolean;
}

export async function writeCards(options: WriteOptions): Promise<void> {
  checkMeans();
  const wish = {
    devices: options.devices.map((name) => ({ name, path: resolveDevice(name) })),
    serials: options.serials,
  };
  // What is wrong with a device is told before a large image is read.
  cardTargets(await readCardDisks(), wish, 0);
  const image = await checkImage(resolve(options.image), () => undefined);
  const targets = cardTargets(await readCardDisks(), wish, image.sizeBytes);
  say(imageLine(image.path, image.sizeBytes, image.digestFile));
  await tellLoss(targets);
  await mustAgree(options.yes, targets.length === 1 ? "Write it?" : `Write all ${targets.length}?`);
  await lookAgain(targets, wish, image);
  if (ENDING.includes("SIGINT")) process.once("SIGINT", stop);
  const cards = await writeAll(image, targets, makeDisplay());
  for (const line of summaryLines(cards)) say(line);
  if (cards.some(({ phase }) => phase !== "good")) process.exitCode = EXIT.failed;
}

function stop(): never {
  say("stopped: a card that was not checked to its end does not start; write it again");
  process.exit(EXIT.failed);
}

function checkMeans(): void {
  if (process.geteuid?.() !== 0) {
    throw new Refusal("only root can write a card", "run it again as root (sudo)");
  }
  const missing = ["blockdev", "dd", "lsblk", "sfdisk", "umount"].filter(
    (name) => findTool(name) === undefined,
  );
  if (missing.length > 0) throw new Refusal(`programs are missing: ${missing.join(", ")}`);
}

/** Where a link such as those in /dev/disk/by-id leads. */
function resolveDevice(name: string): string {
  try {
    return realpathSync(name);
  } catch (error) {
    throw new Refusal(`${name}: ${messageOf(error)}`, "nothing was written");
  }
}

async function tellLoss(targets: readonly CardDisk[]): Promise<void> {
  say("everything on these will be lost:");
  for (const disk of targets) {
    const contents = await readContents(disk.path).catch(() => ["it cannot be looked at"]);
    const mounted = disk.mounts.map((at) => `mounted at ${at}: will be unmounted`);
    for (const line of lossLines(describeDisk(disk, printSize), [...contents, ...mounted])) {
      say(`  ${line}`);
    }
  }
}

/** While a person thought, a card may have been swapped, and what is named `/dev/sdb` now is another one. */
async function lookAgain(
  targets: readonly CardDisk[],
  wish: CardWish,
  image: CardImage,
): Promise<void> {
  const now = cardTargets(await readCardDisks(), wish, image.sizeBytes);
  for (const [index, disk] of targets.entries()) {
    const why = whyNotSameCard(now[index], disk);
    if (why !== undefined) {
      throw new Refusal(`${disk.path} is another disk than a moment ago: ${why}`, "try again");
    }
  }
}

export interface Display {
  update(cards: readonly CardState[]): void;
  /** When a card goes on to its next phase. */
  changed(card: CardState): void;
  end(cards: readonly CardState[]): void;
}

const REDRAW_MS = 250;

/** All at once, each as fast as it can. Never throws for a card. */
export async function writeAll(
  image: CardImage,
  disks: readonly CardDisk[],
  display: Display,
  write: typeof writeCard = writeCard,
): Promise<CardState[]> {
  const cards: CardState[] = disks.map((disk) => ({
    ...{ disk, phase: "waits", bytes: 0, totalBytes: image.sizeBytes, seconds: 0 },
  }));
  const timer = setInterval(() => display.update(cards), REDRAW_MS);
  const work = disks.map(async (disk, index) => {
    let since = performance.now();
    const set = (changes: Partial<CardState>) => {
      const before = cards[index];
      if (!before) return;
      const seconds = (performance.now() - since) / 1000;
      const card = { ...before, seconds, ...changes };
      cards[index] = card;
      if (card.phase === before.phase) return;
      since = performance.now();
      display.changed(card);
    };
    const onProgress = ({ phase, bytes }: CardProgress) => {
      const seconds = (performance.now() - since) / 1000;
      const before = cards[index]?.phase;
      set({
        ...{ phase, bytes },
        ...(before === "write" && phase === "check" ? { writeSeconds: seconds } : {}),
        ...(before === "check" && phase === "table" ? { checkSeconds: seconds } : {}),
      });
    };
    try {
      for (const at of disk.mounts) await run(["umount", at], { timeoutMs: 60_000 });
      await write(image, disk, onProgress);
      set({ phase: "good" });
    } catch (error) {
      set({ phase: "bad", trouble: messageOf(error) });
    }
  });
  await Promise.all(work);
  clearInterval(timer);
  display.end(cards);
  return cards;
}

/** On a terminal one part of the screen, where all have room; else lines. */
function makeDisplay(): Display {
  const { stdout } = process;
  if (!stdout.isTTY) return makeLineDisplay(say);
  let drawn = 0;
  const draw = (cards: readonly CardState[]) => {
    const next = redraw(cards, stdout, drawn);
    drawn = next.drawn;
    stdout.write(next.text);
  };
  return { update: draw, changed: () => undefined, end: draw };
}

const LINE_MS = 10_000;

/** A line when a card goes on, and one for each every ten seconds. */
export function makeLineDisplay(print: (line: string) => void): Display {
  let shownAt = performance.now();
  const line = (card: CardState) => print(progressLine(card, card.disk.path.length, Infinity));
  return {
    update(cards) {
      if (performance.now() - shownAt < LINE_MS) return;
      shownAt = performance.now();
      for (const card of cards) {
        if (card.phase === "write" || card.phase === "check") line(card);
      }
    },
    changed: (card) => line(card),
    end: () => undefined,
  };
}
