/*
 * The disk's ESP: made at its place before the partition table shows it, opened, closed.
 * The first state record, journal included, is on the disk before the table is written.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { STATE_DIRECTORY, type StateRecord } from "../model/state.ts";
import { query, run } from "./command.ts";
import { forgetCache } from "./device.ts";
import { makeDirectory } from "./durable.ts";
import { closeGaps } from "./fat-gaps.ts";
import { mount, unmount } from "./mounts.ts";
import { createStateFiles, writeState } from "./state-files.ts";

const OPTIONS = "rw,noatime,umask=0077,codepage=437,iocharset=ascii";

export interface EspPlace {
  readonly disk: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly label: string;
  readonly volumeId: string;
}

export async function makeEsp(place: EspPlace, first: StateRecord, at: string): Promise<void> {
  const loop = (
    await query([
      "losetup",
      "--find",
      "--show",
      `--offset=${place.offsetBytes}`,
      `--sizelimit=${place.sizeBytes}`,
      place.disk,
    ])
  ).trim();
  try {
    await run(["mkfs.vfat", "-F", "32", "-n", place.label, "-i", place.volumeId, loop]);
    await mount(loop, at, "vfat", OPTIONS);
    try {
      const state = join(at, STATE_DIRECTORY);
      await makeDirectory(state);
      createStateFiles(state);
      writeState(state, first);
    } finally {
      await unmount(at);
    }
  } finally {
    await run(["losetup", "--detach", loop]);
  }
  await forgetCache([place.disk]);
}

export async function openEsp(device: string, at: string): Promise<void> {
  // 1: errors were found and corrected, which is what a power cut leaves.
  await run(["fsck.fat", "-a", "-w", device], { okCodes: [0, 1] });
  // fsck.fat is blind to gaps, and so is Linux; before anything is put behind one, where GRUB would not find it.
  await closeGaps(device);
  await mount(device, at, "vfat", OPTIONS);
  // What fsck.fat salvages, it keeps in files; after enough power cuts they would fill the ESP.
  for (const name of await readdir(at)) {
    if (/^fsck\d+\.rec$/i.test(name)) await rm(join(at, name));
  }
}

export async function reopenEsp(device: string, at: string): Promise<void> {
  await unmount(at);
  await forgetCache([device]);
  await openEsp(device, at);
}
