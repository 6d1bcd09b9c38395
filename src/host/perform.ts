/*
 * Performs one action. The only place where an action's data becomes a change of the machine.
 * Knows no steps and no order: execute.ts does.
 */
import { createHash } from "node:crypto";
import { chmod, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Action, CardReference } from "../model/action.ts";
import {
  digestOfCard,
  filesOfCard,
  parseCard,
  type CardDescription,
  type CardPart,
} from "../model/card.ts";
import { CommandError, Fault, Refusal } from "../errors.ts";
import { CLAIM_OFFSET_BYTES, claimFor, printClaim } from "../model/claim.ts";
import type { DiskIdentity } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import type { StateRecord } from "../model/state.ts";
import type { Plan } from "../model/step.ts";
import { query, run } from "./command.ts";
import { writeBootImages } from "./boot-images.ts";
import { checkSnapshot, checkValid } from "./snapshot.ts";
import { runBuiltIn, runVendorTests, type FactoryWorld } from "./factory-run.ts";
import { forgetCache, readThrough, writeAt, zero } from "./device.ts";
import { checkFiles, copyFiles, replaceFile, sumBytes, type DigestFiles } from "./digest-files.ts";
import { makeEsp, openEsp, reopenEsp } from "./esp.ts";
import { openGolden } from "./golden.ts";
import { checkBootable } from "./bootable.ts";
import { checkFileSystem, mountRepaired } from "./file-system.ts";
import { lvmField, whyNotRoot } from "./lvm.ts";
import { restoreMetadata, saveMetadata } from "./lvm-metadata.ts";
import { merge } from "./merge.ts";
import { mount, runInRoot, succeeds, unmount } from "./mounts.ts";
import { PROTECTION } from "./protection.ts";
import { parseRsyncProgress } from "./rsync.ts";
import { checkTable } from "./table.ts";
import { verifyTree } from "./verify.ts";

/** What an action may use and change besides the machine itself. */
export interface World {
  readonly plan: Plan;
  /** The disk of the plan as it was found in this boot. */
  readonly disk: DiskIdentity;
  /** How often a recovery was begun here without a journal, this time included. */
  readonly claimAttempts: number;
  readonly at: {
    readonly golden: string;
    readonly card: string;
    readonly esp: string;
    readonly root: string;
  };
  /** For commands whose action has no limit of its own; absent: none, a disk of any size is read through. */
  readonly commandTimeoutMs?: number;
  log(line: string): void;
  /** Bytes done of `total` in the current step; `total` 0: not known. */
  progress(bytes: number, total: number): void;
  /** The record as it will stand when the current step is done. */
  recordAfterStep(): StateRecord;
  /** Of a plan with factory tests; others have no step for it. */
  readonly factory?: FactoryWorld;
  updateRecord(
    patch: Partial<Omit<StateRecord, "document" | "sequence">> & { groupUuid?: string },
  ): void;
}

const REREAD_ATTEMPTS = 20;

type Table = {
  [K in Action["do"]]: (action: Extract<Action, { do: K }>, world: World) => Promise<void>;
};

export async function perform(action: Action, world: World): Promise<void> {
  const act = TABLE[action.do] as (action: Action, world: World) => Promise<void>;
  await act(action, world);
}

const TABLE: Table = {
  async run(action, world) {
    if (action.onlyIf && !(await succeeds(action.onlyIf))) return;
    if (action.unless && (await succeeds(action.unless))) return;
    const total = bytesOf(world);
    const timeoutMs = action.timeoutMs ?? world.commandTimeoutMs;
    await run(action.argv, {
      ...(action.stdin === undefined ? {} : { stdin: action.stdin }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      log: world.log,
      onLine(line) {
        if (action.progress !== "rsync") return;
        const bytes = parseRsyncProgress(line);
        if (bytes !== undefined) world.progress(bytes, total);
      },
    });
  },

  async protect({ devices }, { log }) {
    await PROTECTION.protect(devices, log);
  },

  async "reread-table"({ disk }, { log }) {
    for (let attempt = 1; ; attempt++) {
      await run(["udevadm", "settle", "--timeout=30"], { log });
      try {
        await run(["blockdev", "--rereadpt", disk], { log });
        break;
      } catch (error) {
        if (attempt === REREAD_ATTEMPTS) throw error;
        await Bun.sleep(500);
      }
    }
    await run(["udevadm", "settle", "--timeout=30"], { log });
  },

  async "wait-for"({ path, seconds }) {
    const end = Date.now() + seconds * 1000;
    while (!existsSync(path)) {
      if (Date.now() > end) throw new Fault(say("not-appeared", path, seconds));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  },

  async "open-golden"({ device, espDevice, golden }, { at }) {
    await openGolden(device, espDevice, golden, at);
  },

  async "open-card"({ espDevice }, { at }) {
    await mount(espDevice, at.card, "vfat", "ro");
  },

  async "read-through"({ path, bytes }, { progress }) {
    await readThrough(path, bytes, (done) => progress(done, bytes));
  },

  async "check-files"({ root, card, part }, { progress }) {
    const files = await readCardFiles(card, part);
    const total = sumBytes(files);
    await checkFiles(root, files, (done) => progress(done, total));
  },

  async "write-claim"({ disk, consent }, world) {
    const claim = claimFor(world.disk, consent, world.claimAttempts);
    await writeAt(disk, CLAIM_OFFSET_BYTES, printClaim(claim));
  },

  async zero({ device, offsetBytes, sizeBytes }) {
    await zero(device, offsetBytes, sizeBytes);
  },

  async "make-esp"(action, world) {
    await makeEsp(action, world.recordAfterStep(), world.at.esp);
  },

  async "open-esp"({ device }, { at }) {
    await openEsp(device, at.esp);
  },

  async "reopen-esp"({ device }, { at }) {
    await reopenEsp(device, at.esp);
  },

  async mount({ device, at, fileSystem, options, repair }, { log }) {
    const once = () => mount(device, at, fileSystem, options);
    await (repair ? mountRepaired(once, repair, log) : once());
  },

  async unmount({ at }) {
    await unmount(at);
  },

  async "write-files"({ root, files, directories, remove }) {
    for (const pattern of remove) await removeMatching(root, pattern);
    for (const directory of directories) await mkdir(join(root, directory), { recursive: true });
    for (const { path, mode, text } of files) {
      const target = join(root, path);
      await mkdir(dirname(target), { recursive: true });
      // Golden's file may be read-only, or a link to somewhere else.
      await rm(target, { force: true });
      const file = await open(target, "wx", mode);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await chmod(target, mode);
    }
  },

  async chroot({ root, argv, ifThere }, { log }) {
    await runInRoot(root, argv, ifThere, log);
  },

  async "forget-cache"({ devices }) {
    await forgetCache(devices);
  },

  async "verify-tree"(action, world) {
    const compared = await verifyTree(
      {
        root: action.root,
        manifestPath: join(world.at.card, action.manifest.path),
        manifestSha256: action.manifest.sha256,
        files: action.files,
        mayDiffer: action.mayDiffer,
      },
      (bytes) => world.progress(bytes, action.bytes),
    );
    world.log(`${compared} entries are as golden has them`);
  },

  async "copy-directory"({ from, to, card, part }, { progress }) {
    const files = await readCardFiles(card, part);
    const total = sumBytes(files);
    await copyFiles(from, to, files, (done) => progress(done, total));
  },

  async "copy-description"({ card, to }) {
    const text = await readFile(card.path);
    await readDescription(card);
    const sha256 = createHash("sha256").update(text).digest("hex");
    await copyFiles(
      dirname(card.path),
      dirname(to),
      { [basename(to)]: { sha256, sizeBytes: text.length } },
      () => undefined,
    );
  },

  async "replace-file"({ from, to, card, part }) {
    for (const digest of Object.values(await readCardFiles(card, part))) {
      await replaceFile(from, to, digest);
    }
  },

  async "write-boot-images"({ disk, bootImage, coreImage, sectorBytes }, { log }) {
    if (sectorBytes !== 512) {
      log("this disk has sectors of 4096 bytes: only UEFI can start from it");
      return;
    }
    await writeBootImages(disk, bootImage, coreImage);
  },

  async "save-group"({ device, file }) {
    await saveMetadata(device, file);
  },

  async "restore-group"({ device, file, readable }, { log }) {
    if (await succeeds(readable)) return;
    await restoreMetadata(device, file);
    log("LVM's metadata could not be read and was put back as it was before the power failed");
    await query(readable);
  },

  async "grow-volume"({ group, name, sizeBytes }, { plan, log, commandTimeoutMs }) {
    const volume = `${group}/${name}`;
    const size = await lvmField(plan.physicalVolume, "lvs", "lv_size", volume, [
      "--units=b",
      "--nosuffix",
    ]);
    if (Number(size) >= sizeBytes) return;
    const devices = ["--devices", plan.physicalVolume, "--autobackup", "n"];
    await run(["lvm", "lvextend", ...devices, `--size=${sizeBytes}b`, volume], {
      ...(commandTimeoutMs === undefined ? {} : { timeoutMs: commandTimeoutMs }),
      log,
    });
  },

  async "check-snapshot"(action, { progress }) {
    await checkSnapshot(action, progress);
  },

  async "check-valid"({ group, name }) {
    await checkValid(group, name);
  },

  async merge(action, { log, progress }) {
    await merge(action, log, progress);
  },

  async "check-filesystem"({ look, repair }, { log }) {
    await checkFileSystem(look, repair, log);
  },

  async "check-root-volume"({ volume }, { plan, recordAfterStep }) {
    const text = await lvmField(plan.physicalVolume, "lvs", "lv_uuid,lv_attr", volume).catch(
      (error: unknown) => {
        // What LVM says to a name that it does not know.
        if (error instanceof CommandError && error.outcome.kind === "exit") return "";
        throw error;
      },
    );
    const why = whyNotRoot(volume, text, recordAfterStep().root);
    if (why) throw new Fault(why, undefined, say("choose-default"));
  },

  async "check-bootable"({ root }, { log }) {
    log(`it starts with kernel ${await checkBootable(root)}`);
  },

  async "learn-group"({ group }, world) {
    const uuid = await lvmField(world.plan.physicalVolume, "vgs", "vg_uuid", group);
    world.updateRecord({ groupUuid: uuid });
  },

  async "factory-test"({ test, proof, boot }, world) {
    await runBuiltIn(test, { ...(proof && { proof }), ...(boot && { boot }) }, factoryOf(world));
  },

  async "vendor-tests"({ seconds }, world) {
    await runVendorTests(seconds, factoryOf(world));
  },

  async "use-boot"({ grub, rescue }, world) {
    world.updateRecord({ grub, rescue });
  },

  async "switch-root"({ group, name }, world) {
    const groupUuid = await lvmField(world.plan.physicalVolume, "vgs", "vg_uuid", group);
    const volumeUuid = await lvmField(
      world.plan.physicalVolume,
      "lvs",
      "lv_uuid",
      `${group}/${name}`,
    );
    world.updateRecord({ root: `lvmid/${groupUuid}/${volumeUuid}` });
  },

  async "remove-directories"({ root, prefixes, keep }) {
    for (const name of await readdir(root)) {
      if (keep.includes(name) || !prefixes.some((prefix) => name.startsWith(prefix))) continue;
      await rm(join(root, name), { recursive: true });
    }
  },

  async "check-table"({ disk }, { plan }) {
    await checkTable(disk, plan);
  },
};

function factoryOf({ factory }: World): FactoryWorld {
  if (!factory) throw new Error("this plan has no factory tests");
  return factory;
}

function bytesOf({ plan }: World): number {
  const step = plan.steps.find(({ kind }) => kind === "copy-tree");
  return step?.kind === "copy-tree" ? step.bytes : 0;
}

/** The list of files comes with the card, or lies beside what it brought; the plan knows its digest. */
async function readCardFiles(card: CardReference, part: CardPart): Promise<DigestFiles> {
  return filesOfCard(await readDescription(card), part);
}

async function readDescription({ path, digest }: CardReference): Promise<CardDescription> {
  const description = parseCard(await readFile(path, "utf8"));
  if (digestOfCard(description) === digest) return description;
  throw new Refusal(say("other-card"), say("put-that-card-in"));
}

async function removeMatching(root: string, pattern: string): Promise<void> {
  if (!pattern.endsWith("*")) {
    await rm(join(root, pattern), { force: true, recursive: true });
    return;
  }
  const directory = join(root, dirname(pattern));
  const prefix = basename(pattern).slice(0, -1);
  for (const name of await readdir(directory).catch(() => [])) {
    if (name.startsWith(prefix)) await rm(join(directory, name), { force: true, recursive: true });
  }
}
