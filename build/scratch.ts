/*
 * A folder for what is only needed while something is made, and mounts inside it. All of it is gone
 * afterwards, also when the work fails or a person interrupts it.
 * Owns: making, mounting, taking away. Mounts are loop mounts of whole images, read-only.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { Refusal } from "../src/errors.ts";
import { cacheDirectory } from "./cache.ts";
import { run } from "./command.ts";

export interface Scratch {
  readonly directory: string;
  /** Mounts an image for the time of `work`. */
  mounted<T>(
    image: string,
    fileSystem: "erofs" | "ext4",
    work: (root: string) => Promise<T>,
  ): Promise<T>;
}

/** Folders in use, each with its mounts, the latest first. */
const inUse = new Map<string, string[]>();

export async function withScratch<T>(work: (scratch: Scratch) => Promise<T>): Promise<T> {
  const parent = cacheDirectory("scratch");
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(path.join(parent, "work-"));
  const mounts: string[] = [];
  inUse.set(directory, mounts);
  listen();
  let count = 0;
  const scratch: Scratch = {
    directory,
    async mounted(image, fileSystem, inside) {
      const target = path.join(directory, `mount-${count++}`);
      mkdirSync(target);
      // Nothing replays a journal or writes an access time into the image.
      const options = fileSystem === "ext4" ? "loop,ro,noload" : "loop,ro";
      await run(["mount", "-t", fileSystem, "-o", options, image, target]).catch(
        (error: unknown) => {
          throw new Refusal(
            `cannot mount an image of type ${fileSystem}: ${String(error)}`,
            `needed: root's rights, loop devices, and a kernel that knows ${fileSystem}`,
          );
        },
      );
      mounts.unshift(target);
      try {
        return await inside(target);
      } finally {
        await run(["umount", target]);
        mounts.splice(mounts.indexOf(target), 1);
      }
    },
  };
  try {
    return await work(scratch);
  } finally {
    discard(directory);
  }
}

/** Must work in a signal handler: nothing here waits for a promise. */
function discard(directory: string): void {
  const mounts = inUse.get(directory) ?? [];
  inUse.delete(directory);
  for (const mount of mounts) Bun.spawnSync(["umount", "--lazy", mount]);
  rmSync(directory, { recursive: true, force: true });
}

let listening = false;

function listen(): void {
  if (listening) return;
  listening = true;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.on(signal, () => {
      for (const directory of inUse.keys()) discard(directory);
      process.exit(code);
    });
  }
}
