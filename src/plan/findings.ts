/*
 * What is wrong with an installation and its backup now, and which of it has to be told as an alarm: each
 * finding once, until it has gone or a new backup was taken. Pure.
 */
import { isAbout, type Alarm, type AlarmMemory } from "../model/alarm.ts";
import type { Machine } from "../model/machine.ts";
import { isRestoreRequested } from "../model/state.ts";
import type { RunningFacts } from "../model/status.ts";
import {
  findInstallation,
  isInstallation,
  newestBackup,
  untoldSnapshots,
  validBackups,
  volumeOf,
} from "./installation.ts";
import { UPGRADE_HOLD } from "./keep.ts";
import { coveringBytes } from "./layout.ts";
import { nameTrouble } from "./preconditions.ts";
import { ROOT } from "./volumes.ts";

export type Finding = Pick<Alarm, "name" | "text">;

export const FILL_THRESHOLDS = [50, 70, 80, 90] as const;
/** Told by a run, not by looking: they stay until the next backup, or until the hold ends. */
export const EVENTS = ["kept-backup", "failed-backup", "failed-upgrade"] as const;
export type EventName = (typeof EVENTS)[number];

export function findingsOf(machine: Machine, facts: RunningFacts): Finding[] {
  const found = findInstallation(machine);
  if (!isInstallation(found)) {
    return found.map((text) => ({ name: "no-installation", text }));
  }
  const { disk, group, record } = found;
  const findings: Finding[] = [];
  const add = (name: string, text: string) => void findings.push({ name, text });
  const sameName = nameTrouble(machine, disk, group.name);
  if (sameName !== undefined) add("same-name", sameName.english);
  if (record.phase === "changing") {
    add(
      "changing",
      "a backup run was ended while it changed volumes; the next one puts it in order",
    );
  }
  if (record.phase === "failed") {
    const reason = record.document.factory?.reason ?? "";
    add("failed-tests", `this box failed its factory tests: ${reason}`);
  }
  const untold = isRestoreRequested(record) ? untoldSnapshots(group, record) : [];
  if (untold.length > 0) {
    add(
      "untold-snapshot",
      `a snapshot of root was taken since \`zshield restore latest\` (${untold.map(({ name }) => name).join(", ")}), ` +
        "and would be lost: the next start asks at the console before it puts the backup back",
    );
  }
  const root = volumeOf(group, ROOT);
  if (!root) add("no-root", `there is no volume ${ROOT}`);
  for (const { path, verdict } of facts.disks) {
    if (verdict === "failing") add("failing-disk", `the disk ${path} says that it is failing`);
  }
  for (const { tags } of validBackups(group)) {
    const isOpen = tags.hold?.startsWith(UPGRADE_HOLD) === true && tags.boot !== facts.boot;
    if (isOpen) {
      add(
        "open-upgrade",
        `an upgrade (${tags.reason}) was not ended before this start; the backup taken before it is kept. ` +
          "Look after the packages and `zshield backup release`, or go back with `zshield restore latest`",
      );
    }
  }
  const backup = newestBackup(group);
  if (!backup) return [...findings, { name: "no-backup", text: "there is no backup" }];
  if (backup.why !== undefined) {
    return [
      ...findings,
      { name: "invalid-backup", text: `the backup is not valid: ${backup.why}` },
    ];
  }
  const age = facts.nowSeconds - backup.tags.timeSeconds;
  if (age > facts.alarmAfterSeconds) {
    add("old-backup", `the backup is ${printAge(age)} old; ${alarmAge(facts)} is the limit`);
  }
  const { snapshot } = facts;
  const isCovering =
    snapshot !== undefined &&
    root !== undefined &&
    backup.volume.sizeBytes >= coveringBytes(root.sizeBytes, snapshot.chunkBytes);
  if (isCovering) return findings;
  if (snapshot !== undefined && !["", "monitored", "pending"].includes(snapshot.monitor)) {
    add(
      "unwatched-backup",
      `dmeventd does not watch ${backup.volume.name}: it will overflow and not grow`,
    );
  }
  const percent = backup.volume.dataPercent ?? 0;
  for (const threshold of FILL_THRESHOLDS) {
    if (percent >= threshold) {
      add(`fill-${threshold}`, `the backup is ${percent} % full; at 100 % it is lost`);
    }
  }
  return findings;
}

/** `backup`: LVM's UUID of the one that is there, or "". */
export function planAlarms(
  findings: readonly Finding[],
  memory: AlarmMemory,
  { backup, nowSeconds }: { backup: string; nowSeconds: number },
): { readonly alarms: readonly Alarm[]; readonly memory: AlarmMemory } {
  const old = isAbout(memory, backup) ? memory.alarms : [];
  const kept = old.filter(
    ({ name }) =>
      isEvent(name) || isFill(name) || findings.some((finding) => finding.name === name),
  );
  const fresh: Alarm[] = findings
    .filter(({ name, text }) => !kept.some((alarm) => alarm.name === name && same(alarm, text)))
    .map(({ name, text }) => ({ name, text, timeSeconds: nowSeconds }));
  // Of several thresholds that were passed since the last look, the highest is told.
  const highest = fresh.findLast(({ name }) => isFill(name));
  return {
    alarms: fresh.filter((alarm) => !isFill(alarm.name) || alarm === highest),
    memory: { backup, alarms: [...kept, ...fresh] },
  };
}

/** An event of a run is told each time that it happens, and remembered once. `backup` undefined: not known. */
export function withEvent(
  memory: AlarmMemory,
  alarm: Alarm,
  backup: string | undefined,
): AlarmMemory {
  const key = backup ?? memory.backup;
  const old = isAbout(memory, key) ? memory.alarms : [];
  return { backup: key, alarms: [...old.filter(({ name }) => name !== alarm.name), alarm] };
}

/** A look that failed: told once, and forgotten by the next one that does not. */
export function planBlindAlarm(
  text: string,
  memory: AlarmMemory,
  nowSeconds: number,
): { readonly alarms: readonly Alarm[]; readonly memory: AlarmMemory } {
  const alarm = { name: "failed-check", text, timeSeconds: nowSeconds };
  if (memory.alarms.some(({ name }) => name === alarm.name)) return { alarms: [], memory };
  return { alarms: [alarm], memory: { ...memory, alarms: [...memory.alarms, alarm] } };
}

export function withoutEvents(memory: AlarmMemory): AlarmMemory {
  return { ...memory, alarms: memory.alarms.filter(({ name }) => !isEvent(name)) };
}

/** Two disks that fail are two alarms; an age or a fill level that went on is not a new one. */
function same(alarm: Alarm, text: string): boolean {
  return alarm.name === "failing-disk" || alarm.name === "no-installation"
    ? alarm.text === text
    : true;
}

function isEvent(name: string): boolean {
  return EVENTS.some((event) => event === name);
}

function isFill(name: string): boolean {
  return name.startsWith("fill-");
}

function alarmAge({ alarmAfterSeconds }: RunningFacts): string {
  return `${Math.round(alarmAfterSeconds / 3600)} h`;
}

/** `36 h`, `12 min`; `9 d` from three days on. */
export function printAge(seconds: number): string {
  if (seconds >= 3 * 86_400) return `${Math.floor(seconds / 86_400)} d`;
  if (seconds >= 2 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.max(0, Math.floor(seconds / 60))} min`;
}
