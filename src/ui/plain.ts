/*
 * The plain face: lines for any terminal, also the slowest serial one. Pure texts; who calls decides
 * where they go. Every text says what will be lost before it is lost.
 */
import type { StepEvent } from "../model/event.ts";
import { describeDisk, type Disk, type DiskIdentity, type Machine } from "../model/machine.ts";
import type { Overview } from "../model/overview.ts";
import { printResult, type Result } from "../model/result.ts";
import { printSize } from "../model/size.ts";
import type { BackupStatus, Status } from "../model/status.ts";
import type { Plan } from "../model/step.ts";
import { printTime, visible } from "../model/text.ts";
import { english } from "../words.ts";
import type { VerdictMore } from "./face.ts";
import { verdictLines } from "./factory-lines.ts";
import { EN } from "./texts-en.ts";
import type { Texts } from "./texts.ts";

export function machineLines(machine: Machine): string[] {
  const name = [machine.vendor, machine.model].filter((text) => text !== "").join(" ");
  const serial = machine.serial === "" ? "" : `, serial ${machine.serial}`;
  return [
    `machine: ${name === "" ? "unknown" : name}${serial}, ${printSize(machine.memoryBytes)} of memory, ${machine.firmware.toUpperCase()}`,
    machine.card
      ? `card: ${machine.card.description.product} ${machine.card.description.version}${machine.card.description.lab ? " (LAB IMAGE, never ship)" : ""}`
      : `card: none (${machine.cardTrouble ?? "not found"})`,
    ...machine.disks
      .filter(({ path }) => path !== machine.card?.disk)
      .map((disk) => `disk: ${describeDisk(disk, printSize)}`),
  ];
}

export function planLines(plan: Plan, t: Texts = EN): string[] {
  return [
    t.plan(plan) + t.comma + t.onDisk(plan.disk),
    plan.loses.length > 0 ? t.willBeLost : t.losesNothing(plan),
    ...plan.loses.map((loss) => `  - ${t.loss(loss)}`),
    ...(plan.keeps.length === 0 ? [] : [t.willBeKept]),
    ...plan.keeps.map((kept) => `  - ${t.keeping(kept)}`),
  ];
}

/** What has to be typed so that the plan may start: the end of the serial number as it is shown. */
export function answerFor(disk: DiskIdentity): string {
  const end = visible(disk.serial).slice(-4);
  // What no keyboard has, or what a line is trimmed of, cannot be asked for.
  return /^[!-~]([ -~]*[!-~])?$/.test(end) ? end : "ERASE";
}

export function question(disk: DiskIdentity): string {
  const answer = answerFor(disk);
  const what =
    answer === "ERASE"
      ? "the word ERASE"
      : `the last ${answer.length} characters of the disk's serial number (${visible(disk.serial)})`;
  return `Type ${what} and press Enter to start, or anything else to go back:`;
}

const SHOW_EVERY_SECONDS = 5;

/** Lines for a step as it goes on; progress at most every five seconds. */
export function makeProgressPrinter(print: (line: string) => void): (event: StepEvent) => void {
  let shownAt = 0;
  return (event) => {
    const place = `${event.index + 1}/${event.total} ${event.step.kind}`;
    switch (event.kind) {
      case "begins":
        shownAt = 0;
        print(`zshield: step ${place} begins: ${event.step.title}`);
        return;
      case "done":
        print(`zshield: step ${place} done in ${event.seconds.toFixed(1)} s`);
        return;
      case "progress":
        if (event.seconds - shownAt < SHOW_EVERY_SECONDS) return;
        shownAt = event.seconds;
        print(`zshield: step ${place} ${progressText(event)}`);
    }
  };
}

function progressText({ bytes, totalBytes, seconds }: StepEvent): string {
  const rate = bytes / seconds;
  const speed = `${printSize(Math.round(rate))}/s`;
  if (totalBytes === 0) return `${printSize(bytes)}, ${speed}`;
  const share = Math.min(1, bytes / totalBytes);
  const done = `${Math.floor(share * 100)} % (${printSize(bytes)} of ${printSize(totalBytes)}, ${speed}`;
  // The first moments tell nothing of the rest.
  return share < 0.05 ? `${done})` : `${done}, ${Math.ceil((totalBytes - bytes) / rate)} s left)`;
}

/** What lies on one disk, for `zshield probe`. */
export function diskLines(disk: Disk, machine: Machine): string[] {
  const own = new Set([disk.path, ...disk.partitions.map(({ path }) => path)]);
  const names = (signatures: Disk["signatures"]) =>
    signatures.map(({ type, label }) => (label === "" ? type : `${type} "${label}"`)).join(", ");
  return [
    `${disk.path}: ${disk.transport === "" ? "unknown bus" : disk.transport}, ` +
      (disk.blank === true ? "blank" : `not blank: ${disk.blank}`),
    ...disk.inUse.map((use) => `  in use: ${use}`),
    ...disk.partitions.map(
      ({ path, sizeBytes, signatures }) =>
        `  ${path}  ${printSize(sizeBytes)}  ${names(signatures)}`,
    ),
    ...machine.groups
      .filter(({ physicalVolumes }) => physicalVolumes.some((path) => own.has(path)))
      .flatMap(({ name, volumes }) =>
        volumes.map((volume) => `  ${name}/${volume.name}  ${printSize(volume.sizeBytes)}`),
      ),
    ...(disk.state
      ? [`  zshield: ${disk.state.phase}, version ${disk.state.document.version || "none yet"}`]
      : []),
  ];
}

export function statusLines(status: Status): string[] {
  const { backup, lastRecovery, alarms, disks } = status;
  const phase = nextStart(status);
  return [
    `installed version: ${status.version === "" ? "none" : status.version}`,
    `disk: ${status.disk === "" ? "none" : status.disk}`,
    ...disks.map(({ path, verdict }) => `health of ${path}: ${verdict}`),
    ...(phase === undefined ? [] : [`next start: ${phase}`]),
    ...backupLines(backup),
    lastRecovery
      ? `last recovery: ${lastRecovery.operation}, ${lastRecovery.outcome}, version ${lastRecovery.version}, ` +
        printTime(lastRecovery.timeSeconds ?? 0)
      : "last recovery: none recorded",
    ...alarms.map(({ text, timeSeconds }) => `alarm of ${printTime(timeSeconds)}: ${text}`),
    ...status.trouble.map((text) => `TROUBLE: ${text}`),
  ];
}

function nextStart({ phase, operation }: Status): string | undefined {
  if (phase === "requested" && operation === "test") return "the factory tests";
  return phase === "" ? undefined : PHASES[phase];
}

const PHASES = {
  installed: undefined,
  requested: "the backup is put back",
  failed: "the recovery menu, because the factory tests failed",
  changing: "repairs what an interrupted run left",
  recovering: "a recovery goes on",
} as const;

/** For `status` and `backup list`. */
export function backupLines(backup: BackupStatus | undefined): string[] {
  if (!backup) return ["backup: none"];
  const { timeSeconds, reason, version, hold, ageSeconds, sizeBytes, percent } = backup;
  const lasts =
    backup.covering === undefined
      ? ""
      : backup.covering
        ? ", can never overflow"
        : ", grows while it fills";
  return [
    `backup: ${printTime(timeSeconds)} (${reason || "no reason noted"}), ${hoursOf(ageSeconds)} h old, version ${version || "not noted"}`,
    `  ${printSize(sizeBytes)}, ${percent} % full${lasts}${backup.valid ? "" : ", NOT VALID"}`,
    ...(hold === undefined ? [] : [`  on hold: ${hold}`]),
  ];
}

function hoursOf(seconds: number): string {
  return (Math.max(0, seconds) / 3600).toFixed(1);
}

/** The verdict in words, and the line that scripts read. */
export function resultLines(
  result: Result,
  { explanation, report, warnings = [] }: VerdictMore = {},
): string[] {
  const words = report ? verdictLines(report) : (explanation?.lines ?? [EN.done(result)]);
  return [...words, ...warnings.map(english), printResult(result)];
}

/** Above the machine: a box that failed is not to be taken for a good one. */
export function failedTestLines({ factory }: Overview): string[] {
  return factory?.verdict === "FAIL" ? [EN.testsFailed(factory.reason ?? "")] : [];
}
