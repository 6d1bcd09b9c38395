/*
 * Names that tell which process makes what lies under them, so that the next run knows what a dead one left.
 * Owns: telling the dead's from the living's. Of another machine's, or another container's, nothing is known here: they count
 * as living.
 */
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** PLACE-BOOT-PID-START, without groups. */
export const OWNER = String.raw`[0-9a-f]{8}-[0-9a-f]{8}-\d{1,10}-\d{1,20}`;

/** Where the number of a process means that process, until the next start of the machine. */
const PLACE = shortDigest(`${hostname()}\n${readlinkSync("/proc/self/ns/pid")}`);
const BOOT = shortDigest(readFileSync("/proc/sys/kernel/random/boot_id", "latin1"));

export function ownerName(): string {
  return `${PLACE}-${BOOT}-${process.pid}-${statOf(process.pid)?.start ?? "0"}`;
}

/** `owner`: as `ownerName` gives it. */
export function isDead(owner: string): boolean {
  const [place, boot, pid, start] = owner.split("-");
  if (place !== PLACE) return false;
  return boot !== BOOT || !isAlive(Number(pid), start);
}

/** With the moment of its start: the numbers of processes come again. */
function isAlive(pid: number, start: string | undefined): boolean {
  const found = statOf(pid);
  // One that ended and that nobody waited for keeps its number.
  if (found) return found.start === start && !/[ZX]/.test(found.state);
  try {
    // /proc may hide the processes of other people.
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function statOf(pid: number): { readonly state: string; readonly start: string } | undefined {
  try {
    // The name in brackets may hold anything, blanks too; behind it the state is field 3, the start field 22.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.replace(/^.*\) /s, "").split(" ");
    return { state: fields[0] ?? "", start: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

function shortDigest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
