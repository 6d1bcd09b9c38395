/*
 * A report on the stick: its protection lifted for this one device, mounted, written and flushed, unmounted,
 * mounted read-only and read back, protected again. Owns: that order, and the words for what fails.
 * Which stick and what a report holds is said by the caller.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { CommandError, Failure, messageOf } from "../errors.ts";
import { say } from "../model/messages.ts";
import { AT } from "../model/places.ts";
import { KIB, MIB } from "../model/size.ts";
import type { Message, Words } from "../words.ts";
import { query, run, tellFailure } from "./command.ts";
import { flushDirectory } from "./durable.ts";
import { mount, unmount } from "./mounts.ts";

export interface ReportFile {
  /** Plain: no directories. */
  readonly name: string;
  readonly text: string;
}

/** Where a report goes; plan/stick.ts chooses. */
export interface StickDevice {
  readonly disk: { readonly path: string };
  readonly device: string;
  readonly fileSystem: string;
}

/** Longer files lose their middle: how it began and how it ended is what counts. */
const MOST_BYTES = 4 * MIB;
const OPTIONS = "nodev,nosuid,noexec";
const LIMIT = { timeoutMs: 60_000 };

/** Returns what the person is told. `nameOf`: the report's name among those that are taken. @throws Failure */
export async function saveToStick(
  stick: StickDevice,
  nameOf: (taken: readonly string[]) => string,
  files: readonly ReportFile[],
): Promise<Message> {
  const devices = [...new Set([stick.disk.path, stick.device])];
  try {
    return await whileWritable(devices, async () => {
      const written = await whileMounted(stick, "rw", () => writeReport(AT.stick, nameOf, files));
      await run(["blockdev", "--flushbufs", stick.disk.path], { timeoutMs: 60_000 });
      await whileMounted(stick, "ro", () => checkReport(written));
      const name = basename(written.directory);
      return say("report-saved", name, files.length, written.bytes);
    });
  } catch (error) {
    throw new Failure(
      say("report-not-saved", stick.device, whyNotSaved(error)),
      say("stick-not-whole"),
      error,
    );
  }
}

export interface Written {
  readonly directory: string;
  readonly bytes: number;
  /** SHA-256 by name. */
  readonly digests: ReadonlyMap<string, string>;
}

/** Writes into the root of a mounted file system; what was begun is removed again where it does not fit. */
export async function writeReport(
  root: string,
  nameOf: (taken: readonly string[]) => string,
  files: readonly ReportFile[],
): Promise<Written> {
  const directory = join(root, nameOf(await readdir(root)));
  await mkdir(directory);
  const digests = new Map<string, string>();
  let bytes = 0;
  try {
    for (const { name, text } of files) {
      const content = Buffer.from(shorten(text));
      const file = await open(join(directory, name), "wx");
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      bytes += content.length;
      digests.set(name, digestOf(content));
    }
    await flushDirectory(directory);
    await flushDirectory(root);
    return { directory, bytes, digests };
  } catch (error) {
    await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

/** @throws Error if a file does not hold what was written. */
export async function checkReport({ directory, digests }: Written): Promise<void> {
  for (const [name, digest] of digests) {
    if (digestOf(await readFile(join(directory, name))) !== digest) {
      throw new Error(`${name} reads back with another content than was written`);
    }
  }
}

/** `most`: bytes of UTF-8. */
export function shorten(text: string, most = MOST_BYTES): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  const half = Math.floor(most / 2) - KIB;
  const decoder = new TextDecoder();
  const left = `\n[… ${bytes.length - 2 * half} bytes are left out here …]\n`;
  return decoder.decode(bytes.subarray(0, half)) + left + decoder.decode(bytes.subarray(-half));
}

/** The kernel's own log, or why it is not to be had. */
export async function readKernelLog(): Promise<string> {
  return query(["dmesg"]).catch((error: unknown) => `dmesg: ${tellFailure(error)}\n`);
}

function digestOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

async function whileMounted<T>(
  { device, fileSystem }: StickDevice,
  access: "rw" | "ro",
  work: () => Promise<T>,
): Promise<T> {
  await mount(device, AT.stick, fileSystem, `${access},${OPTIONS}`, LIMIT);
  try {
    return await work();
  } finally {
    await unmount(AT.stick, LIMIT);
  }
}

/** A recovery sets every other disk read-only; these are so again afterwards if they were before. */
async function whileWritable<T>(devices: readonly string[], work: () => Promise<T>): Promise<T> {
  const shut: string[] = [];
  try {
    for (const device of devices) {
      if ((await query(["blockdev", "--getro", device])).trim() !== "1") continue;
      shut.push(device);
      await run(["blockdev", "--setrw", device]);
    }
    return await work();
  } finally {
    for (const device of shut) await run(["blockdev", "--setro", device]).catch(() => undefined);
  }
}

function whyNotSaved(error: unknown): Words {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOSPC") return say("stick-full");
  if (code === "EROFS") return say("stick-protected");
  if (error instanceof CommandError && /write-protected|read-only/i.test(error.stderrTail)) {
    return say("stick-protected");
  }
  // mount's last line is advice; the first says what happened.
  const first = error instanceof CommandError ? error.stderrTail.trim().split("\n")[0] : "";
  return first === undefined || first === "" ? messageOf(error) : `${messageOf(error)} (${first})`;
}
