/*
 * What the running system tells of itself: which boot, how that went, packages, disks, the last report of a
 * recovery, and of the backup's volume what only it knows. Looks, and changes nothing.
 */
import { readFileSync, statSync } from "node:fs";
import type { RunningRoot } from "../model/machine.ts";
import type { DiskHealth, SnapshotFacts } from "../model/status.ts";
import { findTool, query, tellFailure } from "./command.ts";

/** It reads the whole database of rpm. */
const DNF_MS = 300_000;

export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/**
 * The volume that is mounted as `/`, by its UUIDs: two disks may hold volumes of one name. Undefined where
 * it is none. `sys`: for tests.
 */
export function readRunningRoot(device = statSync("/").dev, sys = "/sys"): RunningRoot | undefined {
  // glibc's makedev: twelve bits of the major number and eight of the minor, the rest above.
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  try {
    return parseMappingUuid(readFileSync(`${sys}/dev/block/${major}:${minor}/dm/uuid`, "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * `LVM-` with the UUIDs of group and volume. A volume that has a snapshot is the origin, and keeps this
 * UUID; LVM's layers below it (`-real`, `-cow`) are mounted by nobody.
 */
export function parseMappingUuid(text: string): RunningRoot | undefined {
  const [, groupUuid, volumeUuid] =
    /^LVM-([A-Za-z0-9]{32})([A-Za-z0-9]{32})$/.exec(text.trim()) ?? [];
  return groupUuid !== undefined && volumeUuid !== undefined
    ? { groupUuid, volumeUuid }
    : undefined;
}

/**
 * Whether the present boot reached its default target. While it is still starting it is waited for; a unit
 * that failed beside it is somebody else's trouble.
 */
export async function hasReachedTarget(waitSeconds = 300): Promise<boolean> {
  const end = Date.now() + waitSeconds * 1000;
  for (;;) {
    const state = await ask(["systemctl", "is-active", "default.target"]);
    if (state === "active") return true;
    const system = await ask(["systemctl", "is-system-running"]);
    const isStarting = ["initializing", "starting"].includes(system);
    if (!isStarting || Date.now() >= end) return false;
    await Bun.sleep(2000);
  }
}

/** What `dpkg --audit` complains about; "" where there is no dpkg. */
export async function readHalfInstalled(): Promise<string> {
  if (findTool("dpkg") === undefined) return "";
  const anyCode = [0, 1, 2];
  return (await query(["dpkg", "--audit"], { okCodes: anyCode })).trim();
}

/** After an upgrade: what dpkg complains about or, where there is no dpkg, dnf; "" where all is well. */
export async function readPackageTrouble(): Promise<string> {
  if (findTool("dpkg") !== undefined || findTool("dnf") === undefined) return readHalfInstalled();
  return query(["dnf", "--quiet", "check"], { timeoutMs: DNF_MS }).then(
    () => "",
    (error: unknown) => `dnf check: ${tellFailure(error)}`,
  );
}

/** Undefined where LVM knows no such snapshot. */
export async function readSnapshotFacts(
  group: string,
  name: string,
): Promise<SnapshotFacts | undefined> {
  const format = ["--noheadings", "--separator=|", "--units=b", "--nosuffix"];
  const options = ["--options", "chunk_size,seg_monitor"];
  const text = await query(["lvm", "lvs", ...format, ...options, `${group}/${name}`]).catch(
    () => "",
  );
  return parseSnapshotFacts(text);
}

export function parseSnapshotFacts(text: string): SnapshotFacts | undefined {
  const [chunk = "", monitor = ""] = text.trim().split("|");
  return /^[1-9]\d*$/.test(chunk)
    ? { chunkBytes: Number(chunk), monitor: monitor.trim() }
    : undefined;
}

/** smartctl's own verdict, where it is installed and the disk has one. */
export async function readHealth(path: string): Promise<DiskHealth> {
  if (path === "" || findTool("smartctl") === undefined) return { path, verdict: "not told" };
  // Its exit code is a set of bits; the JSON says the same and more.
  const everyCode = Array.from({ length: 256 }, (_, code) => code);
  const argv = ["smartctl", "--json", "--health", path];
  return { path, verdict: parseHealth(await query(argv, { okCodes: everyCode }).catch(() => "")) };
}

export function parseHealth(text: string): DiskHealth["verdict"] {
  try {
    const { smart_status } = JSON.parse(text) as { smart_status?: { passed?: unknown } };
    if (smart_status?.passed === true) return "good";
    return smart_status?.passed === false ? "failing" : "not told";
  } catch {
    return "not told";
  }
}

/** systemctl ends with an exit code for each state; the word is what counts. */
async function ask(argv: readonly string[]): Promise<string> {
  const codes = Array.from({ length: 16 }, (_, code) => code);
  return (await query(argv, { okCodes: codes }).catch(() => "")).trim();
}
