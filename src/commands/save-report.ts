/*
 * Saving a report to the stick ZS-REPORTS: when a recovery has ended and such a stick is there, or when a
 * person asks. Owns: what a report holds. Never fails: whoever calls has something else to bring to its end.
 */
import { existsSync, readFileSync } from "node:fs";
import { Failure, Refusal, wordsOf } from "../errors.ts";
import type { Log } from "../host/log.ts";
import { readMachine } from "../host/probe.ts";
import { readKernelLog, saveToStick, type ReportFile } from "../host/report-stick.ts";
import type { FactoryReport } from "../model/factory.ts";
import { printFactoryReport } from "../model/factory-file.ts";
import type { DiskIdentity, Machine } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import { RESULT_FILE } from "../model/places.ts";
import { RESULT_MARK } from "../model/result.ts";
import type { Plan } from "../model/step.ts";
import { english, type Words } from "../words.ts";
import { chooseStick, reportName, STICK_LABEL } from "../plan/stick.ts";
import { reportText } from "../ui/factory-lines.ts";

export interface ReportAbout {
  readonly log: Log;
  /** Absent where there was none: nothing was tried, or it was refused before. */
  readonly plan?: Plan;
  /** The disk of that plan; no report goes there. */
  readonly disk?: DiskIdentity;
  /** Of the factory tests that were run. */
  readonly factory?: FactoryReport;
}

type Show = (words: Words) => void;

const LONGEST_MS = 120_000;

/** udev's link to a file system with that label; which one it is, is looked at more closely then. */
const LINK = `/dev/disk/by-label/${STICK_LABEL}`;

/** Tells the person what came of it. */
export async function saveReport(about: ReportAbout, show: Show): Promise<void> {
  const { log } = about;
  const tell = (words: Words) => {
    show(words);
    for (const line of english(words).split("\n")) log.line(line);
  };
  tell(say("looking-for-stick", STICK_LABEL));
  await atMost(LONGEST_MS, save(about, tell), () => tell(say("silent-stick")));
}

/** A stick that hangs must not keep a recovery from its end. `late` is told; the work is left to itself. */
export async function atMost(
  milliseconds: number,
  work: Promise<void>,
  late: () => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    late();
    resolve();
  }, milliseconds);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}

async function save({ log, plan, disk, factory }: ReportAbout, tell: Show): Promise<void> {
  try {
    const machine = await readMachine();
    const stick = chooseStick(machine, disk);
    const files = reportFiles(machine, plan, {
      result: read(RESULT_FILE),
      log: log.text(),
      kernelLog: await readKernelLog(),
      cmdline: read("/proc/cmdline"),
      ...(factory
        ? { factory: printFactoryReport(factory), factoryText: reportText(factory) }
        : {}),
    });
    const nameOf = (taken: readonly string[]) => reportName(machine.serial, new Date(), taken);
    tell(await saveToStick(stick, nameOf, files));
  } catch (error) {
    tell(wordsOf(error));
    const hint = error instanceof Refusal || error instanceof Failure ? error.hintWords : "";
    if (hint !== "") tell(hint);
  }
}

/** After a recovery: without a stick not even a word. */
export async function saveReportIfThere(about: ReportAbout, show: Show): Promise<void> {
  if (existsSync(LINK)) await saveReport(about, show);
}

/** What a report holds; pure. Texts that are "" are left out. */
export function reportFiles(
  machine: Machine,
  plan: Plan | undefined,
  texts: {
    readonly result: string;
    readonly log: string;
    readonly kernelLog: string;
    readonly cmdline: string;
    readonly factory?: string;
    readonly factoryText?: string;
  },
): ReportFile[] {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  return [
    { name: "result.json", text: texts.result.replace(RESULT_MARK, "") },
    { name: "factory.json", text: texts.factory ?? "" },
    { name: "factory.txt", text: texts.factoryText ?? "" },
    { name: "recovery.log", text: texts.log },
    { name: "machine.json", text: json(machine) },
    { name: "plan.json", text: plan === undefined ? "" : json(plan) },
    { name: "kernel.log", text: texts.kernelLog },
    { name: "cmdline.txt", text: texts.cmdline },
  ].filter(({ text }) => text !== "");
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
