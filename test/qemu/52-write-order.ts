/*
 * The write order, not only the process: every write and flush of an installation, of a backup, and of its
 * way back is recorded, and disks are made of it as a power cut could have left them; each is judged on the
 * host. What was flushed is there, of what was written after it any part may be: a flush that is missing in
 * the agent, in LVM or in a file system shows as a promise that is not kept.
 */
import { rmSync } from "node:fs";
import { onlyBackup, zshield } from "../lab/backups.ts";
import { changedDisk } from "../lab/changed-disk.ts";
import type { Content } from "../lab/crash-judge.ts";
import { flatten, makeRaw, type Image } from "../lab/images.ts";
import { readVolumes, type VolumePlace } from "../lab/inspect.ts";
import { installedLayer } from "../lab/installed.ts";
import { fingerprintOfBackup, fingerprintOfVolume } from "../lab/judge-volumes.ts";
import { INSTALLED, promisesOf, type Promises } from "../lab/promises.ts";
import { phaseByPlace, record } from "../lab/recording.ts";
import {
  awaitBootOrResult,
  bootDisk,
  checkBooted,
  disk,
  DISK_BYTES,
  finishRecovery,
  shutDown,
  startCard,
  startRescue,
  UNATTENDED,
} from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";
import { readWriteLog } from "../lab/write-log.ts";
import { runCampaign, type Campaign } from "../lab/write-order.ts";

type Make = (context: Context, isSoak: boolean) => Promise<Campaign>;

const byPlace = phaseByPlace(DISK_BYTES);
/** What holds while the system runs, whatever its backup is. */
const RUNNING: Promises = {
  ...INSTALLED,
  volumes: INSTALLED.volumes.filter((name) => name !== "snap0"),
};

const installation: Make = async (context, isSoak) => {
  const card = await context.card("small");
  const blank = makeRaw(context.folder, "blank", DISK_BYTES);
  const recording = await record(context.folder, "blank", blank);
  const machine = await startRescue(context, { card, drives: [recording.drive] });
  const result = await finishRecovery(machine);
  must(result.disk !== undefined, "the result names no disk");
  return {
    recording,
    expected: {
      folder: `${context.folder}/judge`,
      diskBytes: DISK_BYTES,
      group: "vgroup",
      card: card.card.description,
      blank: result.disk,
      phases: ["recovering", "installed"],
    },
    phaseOf: byPlace,
    // The soak takes table, LVM and ESP whole.
    most: isSoak ? { data: 200, bulk: 200 } : { table: 4, lvm: 4, esp: 4, data: 1, bulk: 1 },
    sees: ["installed"],
    control: { table: 2, lvm: 4, esp: 4, data: 5, bulk: 5 },
    async start(crashed, name) {
      const again = await context.card("small");
      const machine = await startCard(context, again, [disk(crashed)], { name });
      // A state of the last moments is an installed disk already, which GRUB starts.
      if ((await awaitBootOrResult(machine)) === "result") await finishRecovery(machine);
      else await machine.kill();
    },
  };
};

/** A backup of the running system, new before old. */
const rotation: Make = async (context, isSoak) => {
  const recording = await record(
    context.folder,
    "installed",
    await installedLayer(context, "installed", "golden"),
  );
  const booted = await bootDisk(context, recording.drive, { name: "backup" });
  checkBooted(booted);
  const { console } = booted;
  const count = async (): Promise<number> => {
    await console.output("sync");
    return readWriteLog(recording.logFile).entries.length;
  };
  await onlyBackup(console);
  const begin = await count();
  await zshield(console, "backup --reason recorded", { says: /backup taken/ });
  const end = await count();
  await onlyBackup(console);
  // What is killed has writes that its log does not count.
  await shutDown(booted);

  const { description } = (await context.card("golden")).card;
  const old = await backupsOf(context, recording.base);
  const anew = await backupsOf(context, recording.image);
  must(old.size === 1 && anew.size === 1, "not one backup before and one after");
  const allowed = new Map([...old, ...anew]);
  return {
    recording,
    expected: {
      ...{ folder: `${context.folder}/judge`, diskBytes: DISK_BYTES, group: "vgroup" },
      card: description,
      phases: ["installed", "changing"],
      promises: () => RUNNING,
      contents: (_record, volumes) => everyBackup(volumes, (tags) => allowed.get(nameOf(tags))),
    },
    phaseOf(writes, epoch) {
      if (epoch.begin < begin) return "before";
      return epoch.begin > end ? "after" : byPlace(writes, epoch);
    },
    most: isSoak ? { before: 0, after: 0 } : { before: 0, after: 0, lvm: 5, esp: 2, data: 1 },
    sees: ["changing"],
    control: { before: 0, after: 0, lvm: 20, esp: 10, data: 5 },
    async start(crashed, name) {
      const drive = disk(crashed);
      const first = await context.start({ name, drives: [{ ...drive, boot: 0 }] });
      if ((await awaitBootOrResult(first)) === "result") {
        const { operation } = await finishRecovery(first);
        must(operation === "repair", `it did ${operation}`);
      } else {
        await first.kill();
      }
      const after = await bootDisk(context, drive, { name: `${name}-after` });
      checkBooted(after);
      await zshield(after.console, "backup");
      await onlyBackup(after.console);
      await after.machine.kill();
    },
  };
};

/** The way back to a backup from which the root differs a good deal. */
const merging: Make = async (context, isSoak) => {
  const changed = await changedDisk();
  const recording = await record(context.folder, "changed", changed.image);
  const card = await context.card("small");
  const machine = await startRescue(context, {
    ...{ card, drives: [recording.drive], operation: "latest", parameters: UNATTENDED },
    ...{ saved: true, name: "merge" },
  });
  await finishRecovery(machine);

  const [wanted] = (await backupsOf(context, recording.base)).values();
  must(wanted !== undefined, "the changed disk has no backup");
  const volumes = await readVolumes(context.folder, recording.base.file);
  const damaged = fingerprintOfVolume(recording.base.file, volumes, "lv-root");
  return {
    recording,
    expected: {
      ...{ folder: `${context.folder}/judge`, diskBytes: DISK_BYTES, group: "vgroup" },
      card: card.card.description,
      phases: ["installed", "recovering"],
      promises: (found) => promisesOf(found, INSTALLED),
      contents(_record, now) {
        // As long as the whole backup is there the root may still be the damaged one.
        const isKept = now.some(({ snapshot }) => snapshot !== undefined && !snapshot.isMerging);
        const allowed = isKept ? [wanted, damaged] : [wanted];
        const root: Content = {
          ...{ volume: "lv-root", as: "volume", allowed },
          words: `what the backup held${isKept ? ", nor what it was" : ""}`,
        };
        return [root, ...(isKept ? everyBackup(now, () => wanted) : [])];
      },
    },
    phaseOf: byPlace,
    most: isSoak ? { data: 100, bulk: 100 } : { table: 1, lvm: 4, esp: 1, data: 1, bulk: 1 },
    sees: ["recovering"],
    control: { table: 2, lvm: 20, esp: 10, data: 10, bulk: 10 },
    async start(crashed, name) {
      const drives = [{ ...disk(crashed), boot: 0 }];
      const machine = await context.start({ name, drives });
      if ((await awaitBootOrResult(machine)) === "result") await finishRecovery(machine);
      else await machine.kill();
    },
  };
};

/** The name of a backup by its tags → what it holds. */
async function backupsOf(context: Context, image: Image): Promise<Map<string, string>> {
  const raw = image.format === "raw" ? image : await flatten(context.folder, "looked-at", image);
  try {
    const volumes = await readVolumes(context.folder, raw.file);
    return new Map(
      volumes.filter(isFinished).map(({ name, tags }) => {
        const held = fingerprintOfBackup(raw.file, volumes, name);
        if ("trouble" in held) throw new Error(held.trouble);
        return [nameOf(tags), held.fingerprint];
      }),
    );
  } finally {
    if (raw !== image) rmSync(raw.file);
  }
}

/** What counts as a backup: a snapshot with our mark; and there is always one. */
function everyBackup(
  volumes: readonly VolumePlace[],
  holds: (tags: readonly string[]) => string | undefined,
): Content[] {
  const finished = volumes.filter(isFinished);
  const names = finished.length > 0 ? finished.map(({ name }) => name) : ["snap0"];
  return names.map((volume): Content => {
    const tags = finished.find(({ name }) => name === volume)?.tags ?? [];
    const wanted = holds(tags);
    return {
      ...{ volume, as: "backup", allowed: wanted === undefined ? [] : [wanted] },
      words: `the backup that its tags name (${tags.join(" ")})`,
    };
  });
}

const isFinished = ({ snapshot, tags }: VolumePlace): boolean =>
  snapshot !== undefined && !snapshot.isMerging && tags.includes("zshield");

const nameOf = (tags: readonly string[]): string =>
  tags.find((tag) => tag.startsWith("zshield.reason=")) ?? "";

interface Kind extends Pick<Scenario, "name" | "title" | "minutes" | "needs"> {
  readonly make: Make;
  readonly soakMinutes: number;
}

const KINDS: readonly Kind[] = [
  {
    ...{ name: "install", make: installation, needs: ["small"], minutes: 4, soakMinutes: 40 },
    title: "an installation's writes, cut off anywhere, leave a disk that is found for what it is",
  },
  {
    ...{ name: "backup", make: rotation, needs: ["golden"], minutes: 5, soakMinutes: 30 },
    title: "a backup's writes, cut off anywhere, leave a sound system with a whole backup",
  },
  {
    ...{ name: "latest", make: merging, needs: ["small"], minutes: 4, soakMinutes: 30 },
    title: "the writes of going back, cut off anywhere, never lose both root and backup",
  },
];

export const scenario: readonly Scenario[] = KINDS.flatMap(
  ({ name, make, needs, minutes, soakMinutes, title }) =>
    [false, true].map((isWhole) => ({
      name: `${isWhole ? "soak-" : ""}write-order-${name}`,
      title,
      minutes: isWhole ? soakMinutes : minutes,
      needs,
      soak: isWhole,
      async run(context: Context) {
        await runCampaign(context, await make(context, isWhole));
      },
    })),
);
