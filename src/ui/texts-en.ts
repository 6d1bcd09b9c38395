/*
 * The texts in English; also the words of the plain lines. Pure.
 */
import type { TestOutcome } from "../model/factory.ts";
import type { Keeping, Loss } from "../model/loss.ts";
import { describeDisk, type DiskIdentity, type Machine } from "../model/machine.ts";
import { describeFound } from "../model/messages.ts";
import type { Operation } from "../model/operation.ts";
import { describeWhyNot, type DiskRow, type Holding, type Overview } from "../model/overview.ts";
import type { Result } from "../model/result.ts";
import { printSize } from "../model/size.ts";
import type { BackupStatus } from "../model/status.ts";
import type { Plan, Step } from "../model/step.ts";
import { printTime } from "../model/text.ts";
import { english, type Words } from "../words.ts";
import type { Choice } from "./choice.ts";

const operations: Record<Operation, string> = {
  default: "Recover to factory default",
  latest: "Recover to latest backup",
  repair: "Repair the installed system",
  test: "Run the factory tests",
};

const choices: Record<Choice, string> = {
  ...operations,
  again: "Try again: goes on where it stopped",
  anew: "Start anew, from the beginning",
  "test-again": "Run the factory tests again",
  menu: "Recovery menu",
  golden: "Start the golden system",
  plan: "Look at the plan: the exact commands",
  log: "Look at the log",
  report: "Save a report to a ZS-REPORTS stick",
  look: "Look at the machine again",
  reboot: "Reboot",
  poweroff: "Power off",
  back: "Go back",
};

const outcomes: Record<Result["outcome"], string> = {
  success: "done",
  refused: "refused, nothing was changed",
  failed: "failed",
};

const sized = (bytes: number) => (bytes === 0 ? "" : `, ${printSize(bytes)}`);

export const EN = {
  operations,
  choices,
  outcomes,
  title: "Recovery",
  comma: ", ",
  semicolon: "; ",
  keys: {
    menu: "Up/Down or a number chooses   Enter starts   D: details   Ctrl-L draws again",
    details: "Up/Down move   Esc goes back",
    consent: "Enter starts   Esc goes back",
    read: "Up/Down, PgUp/PgDn move   Esc goes back",
    running: "C cancels",
    runningChanged: "C: why it cannot be cancelled",
    verdict: "Up/Down or a number chooses   Enter starts   Q: QR code",
    finished: "Enter goes on   Q: QR code",
    code: "Esc goes back",
    secret: "Enter",
    wait: "please wait",
  },

  machine({ vendor, model, serial, memoryBytes, firmware }: Machine): string {
    const name = [vendor, model].filter((text) => text !== "").join(" ");
    return (
      `${name === "" ? "unknown machine" : name}${serial === "" ? "" : `, serial ${serial}`}, ` +
      `${printSize(memoryBytes)} of memory, ${firmware.toUpperCase()}`
    );
  },
  card({ card, cardTrouble }: Machine): string {
    if (!card) return `Card: none (${cardTrouble ?? "not found"})`;
    const { product, version, lab } = card.description;
    return `Card: ${product} ${version}${lab ? " (LAB IMAGE, never ship)" : ""}`;
  },
  disk: (disk: DiskIdentity) => describeDisk(disk, printSize),
  holds(holds: Holding): string {
    switch (holds.kind) {
      case "card":
        return `the card, version ${holds.version}`;
      case "blank":
        return "blank";
      case "begun":
        return "an installation was begun and holds nothing yet";
      case "interrupted":
        return `"${operations[holds.operation]}" was interrupted at step ${holds.step} of ${holds.total}`;
      case "ours":
        return `an installed system, version ${holds.version}`;
      case "torn":
        return `an installed system, version ${holds.version}, whose volumes cannot be read: repair it`;
      case "foreign":
        return describeFound(holds.what);
    }
  },
  use: ({ use }: DiskRow) =>
    use.kind === "used" ? "this disk would be used" : `not used: ${describeWhyNot(use)}`,
  noDisk: "No disk was found.",
  groupsTrouble: (trouble: string) => trouble,
  /** A message, or what comes from outside as it is. */
  say: (words: Words) => english(words),
  backup(backup: BackupStatus | undefined): string {
    if (!backup) return "Last backup: none";
    const { timeSeconds, version, sizeBytes, percent, valid } = backup;
    return (
      `Last backup: ${printTime(timeSeconds)}, version ${version || "not noted"}, ` +
      `${percent} % of ${printSize(sizeBytes)} full, ${valid ? "valid" : "NOT VALID"}`
    );
  },
  lastRecovery: (last: Overview["lastRecovery"]) =>
    last
      ? `Last recovery: ${operations[last.operation as Operation] ?? last.operation}, version ${last.version}, ` +
        `${printTime(last.timeSeconds ?? 0)}: ${outcomes[last.outcome]}`
      : "Last recovery: none recorded",
  noChinese: "zshield.lang=zh: this console cannot show Chinese",
  more: (count: number) => `… ${count} more lines (D: details)`,
  moreInLog: (count: number) => `… ${count} more lines in the log`,
  choose: "What is to be done? Nothing is started before you choose.",
  whichPlan: "The plan of which recovery?",
  waiting: "One moment …",

  plan: ({ operation, version }: Plan) => `${operations[operation]}, version ${version}`,
  onDisk: (disk: DiskIdentity) => `on ${describeDisk(disk, printSize)}`,
  willBeLost: "WILL BE LOST:",
  nothingLost: "Nothing will be lost.",
  /** The same in a list of steps. */
  losesNothing: ({ operation }: Plan) =>
    `will be lost: nothing${operation === "default" ? ", the disk is empty" : ""}`,
  asksFirst: "a person is asked first",
  asksNobody: "nobody is asked",
  wouldGoOn: (step: number) => `an interrupted recovery would go on at step ${step}`,
  willBeKept: "will be kept:",
  loss(loss: Loss): string {
    switch (loss.kind) {
      case "content":
        return `everything on this disk (${printSize(loss.sizeBytes)}): ${describeFound(loss.what)}`;
      case "everything": {
        const volumes = loss.volumes.map(
          ({ name, sizeBytes }) => `${name} (${printSize(sizeBytes)})`,
        );
        return `everything on the disk, user and audit data too: ${volumes.join(", ")}`;
      }
      case "system":
        return `the installed system with its settings (the root volume${sized(loss.sizeBytes)})`;
      case "backup":
        return `the last backup (${printTime(loss.timeSeconds)}${sized(loss.sizeBytes)})`;
      case "snapshot":
        return `${loss.name}, a snapshot of the root volume that is not ours (${printSize(loss.sizeBytes)})`;
      case "changes":
        return (
          `everything that was changed in the system (the root volume) since ` +
          `${printTime(loss.sinceSeconds)}${loss.sizeBytes === 0 ? "" : ` (${printSize(loss.sizeBytes)})`}`
        );
      case "words":
        return loss.text;
    }
  },
  keeping(kept: Keeping): string {
    switch (kept.kind) {
      case "user":
        return `user data (${kept.mount}${sized(kept.sizeBytes)})`;
      case "audit":
        return `audit data (${kept.mount}${sized(kept.sizeBytes)})`;
      case "backed-up":
        return `the system as it was backed up at ${printTime(kept.sinceSeconds)} (${kept.reason || "no reason noted"}${sized(kept.sizeBytes)})`;
      case "all":
        return "the installed system, its backup, user and audit data: only what is broken is written";
    }
  },
  question: (serial: string, answer: string) =>
    serial === ""
      ? `Type the word ${answer} and press Enter to start, or Esc to go back.`
      : `Type the last ${answer.length} characters of the disk's serial number (${serial}) and press Enter to start, or Esc to go back.`,
  wrong: "That is not what was asked for. Nothing has changed.",

  step: (step: Step) => step.title,
  stepOf: (index: number, total: number) => `Step ${index + 1} of ${total}`,
  whole: "Whole",
  left: (seconds: number) => `${printSpan(seconds)} left`,
  resumed: (step: number) => `An interrupted recovery goes on at step ${step}.`,
  log: "Log",
  cancelling: "It is being cancelled …",
  tooLate:
    "It cannot be cancelled any more: the disk has been changed and holds no complete system until this ends. Should the power fail, it goes on by itself.",

  verdicts: { success: "RECOVERED", refused: "REFUSED", failed: "FAILED" },
  done: ({ operation, version }: Result) =>
    `${operations[operation as Operation] ?? operation}: done. The disk holds version ${version}.`,
  tests: {
    box: (serial: string, version: string) =>
      `Serial number ${serial === "" ? "unknown" : serial}, version ${version}`,
    counts: (passed: number, failed: number, skipped: number) =>
      `${passed} tests passed, ${failed} failed, ${skipped} skipped`,
    failure: ({ name, reason }: Pick<TestOutcome, "name" | "origin" | "reason">): string =>
      `${name}: ${reason}`,
    /** Of a FAIL, as it is recorded. */
    recorded: (reason: string): string => reason,
    others: "What failed beside it:",
    tooLate:
      "It cannot be cancelled any more. What is installed stays as it is; should the power fail, the tests go on by themselves.",
    ended: "The factory tests have not ended. What is installed is as it was.",
  },
  testsFollow: "the factory tests follow",
  testsFailed: (reason: string) => `THIS BOX FAILED ITS FACTORY TESTS: ${reason}`,
  unchanged: "Nothing was changed on any disk.",
  changed: "The disk has been changed and does not hold a complete system of this recovery yet.",
  why: "Why:",
  next: "What to do:",
  ending: (ending: string, seconds: number) =>
    `${{ reboot: "Reboots", poweroff: "Switches the power off" }[ending] ?? "Halts"} in ${seconds} s, or at once with Enter.`,
  goesOnInstalled: "The machine can be used now. Leave the card in or take it out.",
  leftOut: (count: number) => `… ${count} earlier lines are left out`,
  codeTooLarge: "This console has no room for the QR code.",
  elsewhere: (console: string) => `the recovery is shown on ${console}; answer there or here`,
};

/** `1:05:09`, `4:03`, `12 s`. */
export function printSpan(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const two = (number: number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
