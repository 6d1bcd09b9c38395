/*
 * An installed disk whose root has changed a good deal since its backup, so that a merge takes a while:
 * made once for a run, then only read; each scenario works on a layer of its own.
 * Owns: making it once, and what its root has to be when the backup is put back.
 */
import { readRootState } from "./backup-judge.ts";
import type { Image } from "./images.ts";
import { installedLayer } from "./installed.ts";
import { bootDisk, checkBooted, disk, shutDown } from "./recovery.ts";
import { must, openContext } from "./scenario.ts";

export interface ChangedDisk {
  readonly image: Image;
  /** Fingerprint of the root as the backup holds it. */
  readonly wanted: string;
  /** Chunks that the backup keeps. */
  readonly exceptions: number;
}

const CHANGES = [
  "echo stays > /user/mark && echo stays > /audit/mark",
  "cp -a /usr/lib /var/lib/more && cp -a /usr/bin /var/lib/again",
  "echo changed >> /etc/hosts && rm /usr/bin/tac && rm -r /boot/*",
  "sync",
];

let made: Promise<ChangedDisk> | undefined;

export function changedDisk(): Promise<ChangedDisk> {
  made ??= change();
  return made;
}

/** The context stays open: the image is in its folder, which goes when the process ends. */
async function change(): Promise<ChangedDisk> {
  const context = openContext("prepare-changed", 0);
  const image = await installedLayer(context, "changed");
  const booted = await bootDisk(context, disk(image), { name: "change" });
  checkBooted(booted);
  await booted.console.output(CHANGES.join(" && "), 300);
  await shutDown(booted);
  const state = await readRootState(context.folder, image);
  must(state.backup !== undefined, "the changed disk has no backup");
  must(state.backup !== state.root, "nothing was changed");
  return { image, wanted: state.backup, exceptions: state.exceptions };
}
