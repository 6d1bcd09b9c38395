/*
 * Judges the ESP of a crashed disk: the state as GRUB reads it before any repair, the repair that the agent
 * makes, the state and the boot files after it. On a copy, so that nothing has to be taken back.
 * Owns: FAT and the files in it. Needs dosfstools and mtools, no mount.
 */
import { createHash } from "node:crypto";
import { existsSync, ftruncateSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readState, type StateReading } from "../../src/host/state-files.ts";
import { coreLbaOf, patchBootImage, patchCoreImage } from "../../src/model/boot-sector.ts";
import {
  bootDirectoryOf,
  filesOfCard,
  type CardDescription,
  type FileDigest,
} from "../../src/model/card.ts";
import { ESP_BYTES, ESP_START_BYTES } from "../../src/plan/layout.ts";
import { command } from "./command.ts";
import type { CrashedDisk } from "./replay.ts";
import { copyBytes, readBytes, withOpen } from "./sparse.ts";

const SECTOR = 512;

export interface Esp {
  /** As GRUB sees it. */
  readonly state: StateReading;
  /** A folder with `state/`, `zshield/`, `EFI/` as they are after the repair. */
  readonly files: string;
  /** What is wrong with the file system itself. */
  readonly faults: readonly string[];
}

/** `folder` is emptied. @throws Error if mtools or dosfstools are missing. */
export async function readEsp(disk: CrashedDisk, folder: string): Promise<Esp> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const image = join(folder, "esp.img");
  withOpen(disk.file, "r", (from) =>
    withOpen(image, "w+", (to) => {
      ftruncateSync(to, ESP_BYTES);
      const place = { file: from, startBytes: ESP_START_BYTES };
      copyBytes(place, { file: to, startBytes: 0 }, ESP_BYTES);
    }),
  );
  const before = await unpack(image, join(folder, "before"), ["state"]);
  const state = readState(join(before, "state"));
  const faults: string[] = [];
  // 1: errors were found and corrected, which is what a power cut leaves.
  const repair = await command(["fsck.fat", "-a", "-w", image], { accept: [0, 1, 2] });
  if (repair.code > 1) faults.push(`fsck.fat cannot repair the ESP: ${lastLine(repair.stdout)}`);
  const again = await command(["fsck.fat", "-n", image], { accept: [0, 1, 2] });
  if (again.code > 0) faults.push(`the repaired ESP is not clean: ${lastLine(again.stdout)}`);
  const files = await unpack(image, join(folder, "after"), ["state", "zshield", "EFI"]);
  rmSync(image);
  const repaired = readState(join(files, "state"));
  if (JSON.stringify(repaired) !== JSON.stringify(state)) {
    faults.push("the repair of the ESP changes what its state says");
  }
  return { state, files, faults };
}

/**
 * What an installed disk (a raw image) lacks to start, as mtools finds its files: a directory ends for it where it ends for
 * GRUB and for UEFI firmware. `folder` is emptied.
 */
export async function faultsOfInstalledEsp(
  file: string,
  folder: string,
  card: CardDescription,
): Promise<string[]> {
  const disk: CrashedDisk = {
    file,
    read: (startBytes, sizeBytes) =>
      withOpen(file, "r", (handle) => readBytes(handle, startBytes, sizeBytes)),
    write: () => {
      throw new Error("an installed disk is only looked at");
    },
  };
  const esp = await readEsp(disk, folder);
  return [...esp.faults, ...faultsOfBoot(disk, esp, card)];
}

/** What is missing of GRUB and the rescue system, on the ESP and in front of it. */
export function faultsOfBoot(disk: CrashedDisk, esp: Esp, card: CardDescription): string[] {
  const faults: string[] = [];
  const boot = join("zshield", bootDirectoryOf(card));
  for (const [directory, files] of [
    [join("zshield", card.grub.directory), filesOfCard(card, "grub")],
    [join("zshield", card.rescue.directory), filesOfCard(card, "rescue")],
    [boot, filesOfCard(card, "boot")],
    ["EFI/BOOT", filesOfCard(card, "efi")],
  ] as const) {
    for (const [name, digest] of Object.entries(files)) {
      const why = whyNotWhole(findFile(esp, directory, name), digest);
      if (why !== undefined) faults.push(`${directory}/${name} ${why}`);
    }
  }
  if (faults.length > 0) return faults;
  const sector0 = disk.read(0, SECTOR);
  const lba = coreLbaOf(sector0);
  const wanted = patchBootImage(readFileSync(findFile(esp, boot, "boot.img")), sector0, lba);
  if (Buffer.compare(wanted, sector0) !== 0) faults.push("sector 0 is not GRUB's boot sector");
  const core = patchCoreImage(readFileSync(findFile(esp, boot, "core.img")), lba);
  if (Buffer.compare(core, disk.read(lba * SECTOR, core.length)) !== 0) {
    faults.push(`GRUB's core is not whole at sector ${lba}, which sector 0 names`);
  }
  return faults;
}

/**
 * FAT, GRUB and firmware do not look at the case of a name; and where a power cut took the long form of one, its short form
 * is left, in capitals.
 */
function findFile({ files }: Esp, directory: string, name: string): string {
  let path = files;
  for (const part of join(directory, name).split("/")) {
    const there = existsSync(path) ? readdirSync(path) : [];
    path = join(path, there.find((one) => one.toLowerCase() === part.toLowerCase()) ?? part);
  }
  return path;
}

function whyNotWhole(file: string, { sha256, sizeBytes }: FileDigest): string | undefined {
  if (!existsSync(file)) return "is missing";
  const bytes = readFileSync(file);
  if (bytes.length !== sizeBytes) return `has ${bytes.length} bytes, not ${sizeBytes}`;
  const found = createHash("sha256").update(bytes).digest("hex");
  return found === sha256 ? undefined : "does not match its digest";
}

/** What is not there is left out: the state tells whether it had to be. */
async function unpack(image: string, target: string, names: readonly string[]): Promise<string> {
  mkdirSync(target, { recursive: true });
  for (const name of names) {
    await command(["mcopy", "-s", "-n", "-m", "-i", image, `::/${name}`, target], {
      accept: [0, 1],
      environment: { MTOOLS_SKIP_CHECK: "1" },
    });
  }
  return target;
}

function lastLine(text: string): string {
  return text.trim().split("\n").slice(-2).join("; ");
}
