/*
 * The independent judge of a restored root: no line of zshield takes part, and no guest. LVM's own pvck says
 * where the volumes lie; the root that they give is read on the host.
 */
import { rmSync } from "node:fs";
import { readCowStore } from "./cow-store.ts";
import { flatten, type Image } from "./images.ts";
import { readVolumes } from "./inspect.ts";
import { fingerprintOfBackup, fingerprintOfVolume } from "./judge-volumes.ts";

export interface RootState {
  /** Fingerprint of what the root counts as: of the origin, and while it merges, of what the merge will give. */
  readonly root: string;
  /** Of what the backup holds; undefined where there is none, or none that could be put back. */
  readonly backup: string | undefined;
  /** The snapshot is being merged into the root. */
  readonly isMerging: boolean;
  /** Chunks that the snapshot keeps; 0 without one. */
  readonly exceptions: number;
  readonly backupTags: readonly string[];
}

/** @throws Error if the disk has no volume lv-root, or the store of a merging backup cannot be read. */
export async function readRootState(folder: string, image: Image): Promise<RootState> {
  const raw = await flatten(folder, `judged-${Bun.randomUUIDv7()}`, image);
  try {
    const volumes = await readVolumes(folder, raw.file);
    const place = volumes.find(({ name }) => name === "snap0");
    const isMerging = place?.snapshot?.isMerging ?? false;
    const held = fingerprintOfBackup(raw.file, volumes, "snap0");
    const store = place && readCowStore(raw.file, place);
    return {
      root: fingerprintOfVolume(raw.file, volumes, "lv-root"),
      backup: "fingerprint" in held ? held.fingerprint : undefined,
      isMerging,
      exceptions: typeof store === "object" ? store.exceptions.size : 0,
      backupTags: place?.tags ?? [],
    };
  } finally {
    rmSync(raw.file, { force: true });
  }
}

/** What is wrong with a disk on which the backup was put back; none is the good case. */
export function faultsOfRestored(state: RootState, wanted: string): string[] {
  const faults: string[] = [];
  if (state.isMerging) faults.push("snap0 is still being merged into lv-root");
  if (state.root !== wanted) faults.push("lv-root is not what it was when the backup was taken");
  if (state.backup === undefined) faults.push("there is no backup");
  else if (state.backup !== wanted) faults.push("the new backup is not the restored root");
  if (!state.backupTags.includes("zshield.reason=restored")) {
    faults.push("the backup is not the one that the recovery took");
  }
  return faults;
}
