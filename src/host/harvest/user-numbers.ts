/*
 * The file with the numbers of a vendor's users and groups (model/accounts.ts), which grows with the harvests.
 * Owns: that two harvests at once give no number twice and lose none.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { Refusal, messageOf } from "../../errors.ts";
import { assignNumbers, type Numbers, parseNumbers, printNumbers } from "../../model/accounts.ts";
import { keepOwner, replaceable } from "../new-file.ts";

const WAIT_MS = 10_000;

/** All numbers of the file, with those of `names` added to it that were missing. @throws Refusal */
export async function keepNumbers(file: string, names: readonly string[]): Promise<Numbers> {
  const known = parseNumbers(readNumbers(file), file);
  if (names.every((name) => known.has(name))) return known;
  const path = replaceable(file);
  // Whoever makes it is the only one that writes; what it holds becomes the file.
  const making = `${path}.part`;
  const handle = await openOnly(making);
  let isDone = false;
  try {
    const text = readNumbers(path);
    const before = parseNumbers(text, file);
    const numbers = assignNumbers(names, before);
    const added = [...numbers].filter(([name]) => !before.has(name));
    const lines = added.map(([name, number]) => `${name} ${number}\n`).join("");
    // What people wrote there stays.
    writeSync(
      handle,
      text === "" ? printNumbers(numbers) : `${text.replace(/\n?$/, "\n")}${lines}`,
    );
    const replaced = statSync(path, { throwIfNoEntry: false });
    if (replaced && keepOwner(handle, replaced)) fchmodSync(handle, replaced.mode & 0o777);
    fsyncSync(handle);
    renameSync(making, path);
    isDone = true;
    return numbers;
  } finally {
    closeSync(handle);
    if (!isDone) rmSync(making, { force: true });
  }
}

async function openOnly(path: string): Promise<number> {
  for (const start = Date.now(); ; await Bun.sleep(20)) {
    try {
      return openSync(path, "wx", 0o644);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (Date.now() - start < WAIT_MS) continue;
      throw new Refusal(
        `${path} is there: another harvest writes it, or was killed`,
        "remove it if no other one is at work",
      );
    }
  }
}

function readNumbers(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw new Refusal(`${file} cannot be read: ${messageOf(error)}`);
  }
}
