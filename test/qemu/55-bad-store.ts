/*
 * A backup with a block that cannot be read: the recovery finds that before it touches the root, and says
 * what to do instead. The control begins without having looked, and loses the root.
 */
import { changedDisk } from "../lab/changed-disk.ts";
import { storeOf } from "../lab/cow-store.ts";
import { flatten, makeLayer } from "../lab/images.ts";
import { readVolumes } from "../lab/inspect.ts";
import { mutate } from "../lab/mutant.ts";
import { disk, readResult, refuse, startRescue, UNATTENDED, watch } from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";

export const scenario: Scenario = {
  name: "bad-store",
  title: "a backup with a block that cannot be read is refused before anything is written",
  minutes: 3,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const { image } = await changedDisk();
    const badAtBytes = await someBlockOfStore(context, image);
    const layer = await watch(context, "watched", image);
    const rescue = { operation: "latest", parameters: UNATTENDED, saved: true } as const;
    await refuse(context, {
      ...rescue,
      card,
      drives: [disk({ ...layer, badAtBytes })],
      layers: [layer],
      words: [
        /the backup snap0 cannot be read: .*EIO/,
        /choose "Recover to factory default": user and audit data stay/,
      ],
    });

    const blind = await mutate(context.folder, card, {
      file: "host/snapshot.ts",
      from: "await readThrough(store, total, (done) => onProgress(done, total));",
      to: "",
    });
    const lost = await makeLayer(context.folder, "lost", image);
    const machine = await startRescue(context, {
      ...{ ...rescue, saved: false, card: blind, name: "control" },
      drives: [disk({ ...lost, badAtBytes })],
    });
    const { outcome, changed, error } = await readResult(machine);
    must(
      outcome === "failed" && changed,
      `without looking it ended so: ${outcome}, which proves nothing`,
    );
    context.note(`control, without looking: ${error?.message}`);
    must(/only "Recover to factory default"/.test(error?.message ?? ""), "no way out is told");
  },
};

/** From the start of the disk: in the middle of what the backup keeps. */
async function someBlockOfStore(
  context: Context,
  image: Parameters<typeof flatten>[2],
): Promise<number> {
  const raw = await flatten(context.folder, "looked-at", image);
  const volumes = await readVolumes(context.folder, raw.file);
  const place = volumes.find(({ name }) => name === "snap0");
  must(place !== undefined, "the disk has no backup");
  const { chunkBytes, exceptions } = storeOf(raw.file, place);
  const chunks = [...exceptions.values()].toSorted((a, b) => a - b);
  const chunk = chunks[Math.floor(context.random() * chunks.length)];
  must(chunk !== undefined, "the backup keeps nothing");
  return place.startBytes + chunk * chunkBytes;
}
