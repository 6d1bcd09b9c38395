/*
 * What is known → what the screen shows, without a size: blocks in the order in which they stand below each
 * other. Pure. Strings from outside are made visible here, once, for every scene.
 */
import type { FactoryReport } from "../../model/factory.ts";
import type { Result } from "../../model/result.ts";
import { printSize } from "../../model/size.ts";
import { visible } from "../../model/text.ts";
import type { Words } from "../../words.ts";
import { VERSION } from "../../version.ts";
import { countOf, failuresOf } from "../factory-lines.ts";
import type { Texts } from "../texts.ts";
import type { Known, Run, Scene, Verdict } from "./known.ts";
import { stepProgress, wholeProgress, type Progress } from "./progress.ts";
import { codeText } from "./qr.ts";

export type Ground = "pass" | "fail";
export type Style = "plain" | "strong" | "bar" | "good" | "bad" | "code" | "light" | Ground;

export type Block =
  | {
      readonly kind: "text";
      readonly text: string;
      readonly style?: Style;
      readonly indent?: number;
      /** Where there are too few rows, what stands above it makes way. */
      readonly stays?: boolean;
    }
  | { readonly kind: "gap" }
  /** Lines of which the last ones are left out, with a word, where there is no room. */
  | { readonly kind: "facts"; readonly lines: readonly string[]; more(count: number): string }
  | {
      readonly kind: "choices";
      readonly items: readonly string[];
      readonly selected: number | undefined;
    }
  /** A window around `at`. */
  | { readonly kind: "steps"; readonly rows: readonly StepRow[]; readonly at: number }
  | { readonly kind: "bar"; readonly label: string; readonly share: number; readonly text: string }
  /** The last lines, as many as there is room for. */
  | { readonly kind: "tail"; readonly lines: readonly string[] }
  /** The lines from `top` on. */
  | { readonly kind: "pages"; readonly lines: readonly string[]; readonly top: number }
  | { readonly kind: "big"; readonly word: string; readonly style: Style };

type BlockOf<K extends Block["kind"]> = Extract<Block, { kind: K }>;

export interface StepRow {
  readonly mark: "done" | "now" | "ahead";
  readonly text: string;
}

export interface View {
  readonly title: string;
  readonly body: readonly Block[];
  readonly notes: readonly string[];
  readonly keys: string;
  /** The whole screen has this colour: it is read from the other end of the line. */
  readonly ground?: Ground;
  /** The result for a QR code, long and short; `alone`: nothing else is shown. */
  readonly code?: { readonly long: string; readonly short: string; readonly alone: boolean };
}

export function view(known: Known, t: Texts): View {
  const { scene, notes } = known;
  const rest = {
    title: `zshield ${VERSION}  ${t.title}`,
    notes: notes.map(visible),
    keys: keysOf(known, t),
    ...groundOf(known),
  };
  const body = bodyOf(known, scene, t).map(shown);
  if (scene.kind === "code" || showsVerdict(scene)) {
    const { verdict, overview } = known;
    if (verdict) {
      const serial = overview?.machine.serial ?? "";
      const [long, short] = ([2, 1] as const).map((size) => codeText(verdict.result, serial, size));
      const code = { long: long ?? "", short: short ?? "", alone: scene.kind === "code" };
      return { ...rest, body, code };
    }
  }
  return { ...rest, body };
}

function bodyOf(known: Known, scene: Scene, t: Texts): Block[] {
  const gap: Block = { kind: "gap" };
  const choices = (of: Extract<Scene, { choices: unknown }>): Block => ({
    kind: "choices",
    items: of.choices.map((choice) => t.choices[choice]),
    selected: of.selected,
  });
  switch (scene.kind) {
    case "wait":
      if (known.verdict && showsVerdict(scene)) return verdict(known.verdict, t);
      return [{ kind: "text", text: t.waiting }, gap, machineFacts(known, t)];
    case "details":
      return [{ kind: "pages", lines: machineFacts(known, t).lines, top: scene.top }];
    case "menu":
      return [
        ...failedTests(known, t),
        machineFacts(known, t),
        gap,
        { kind: "text", text: t.choose, style: "strong" },
        choices(scene),
      ];
    case "which-plan":
      return [{ kind: "text", text: t.whichPlan, style: "strong" }, gap, choices(scene)];
    case "consent":
      return known.run ? consent(known.run, scene, t) : [];
    case "running":
      return known.run ? running(known.run, known.log, scene, t) : [];
    case "verdict":
      return known.verdict ? [...verdict(known.verdict, t), gap, choices(scene)] : [];
    case "finished":
      return known.verdict
        ? [
            ...verdict(known.verdict, t),
            gap,
            ...(scene.seconds > 0
              ? [
                  {
                    kind: "text",
                    text: t.ending(scene.ending, scene.seconds),
                    style: "strong",
                  } as const,
                ]
              : []),
          ]
        : [];
    case "code":
      return [{ kind: "text", text: t.codeTooLarge }];
    case "read":
      return [
        { kind: "text", text: scene.title, style: "strong" },
        gap,
        { kind: "pages", lines: scene.lines, top: scene.top },
      ];
    case "secret":
      // The password is for what can be chosen: how it went is read by whoever passes by.
      return [
        ...(known.verdict ? [...verdict(known.verdict, t), gap] : []),
        { kind: "text", text: scene.prompt, style: "strong", stays: true },
        { kind: "text", text: `> ${"*".repeat(scene.typed.length)}`, stays: true },
      ];
  }
}

function machineFacts({ overview, notice }: Known, t: Texts): BlockOf<"facts"> {
  const first = notice === "" ? [] : [notice];
  if (!overview) return { kind: "facts", lines: first, more: t.more };
  const { machine, disks, backup, lastRecovery } = overview;
  const { groupsTrouble } = machine;
  const rows = disks.filter(({ holds }) => holds.kind !== "card");
  const lines = [
    ...first,
    t.machine(machine),
    t.card(machine),
    ...(rows.length === 0 ? [t.noDisk] : []),
    ...rows.flatMap((row) => [
      `${row.use.kind === "used" ? ">" : "-"} ${t.disk(row.disk)}`,
      `    ${t.holds(row.holds)}${t.semicolon}${t.use(row)}`,
    ]),
    ...(groupsTrouble === undefined ? [] : [t.groupsTrouble(groupsTrouble)]),
    t.backup(backup),
    t.lastRecovery(lastRecovery),
  ];
  return { kind: "facts", lines, more: t.more };
}

function consent(
  { plan, disk }: Run,
  { answer, typed, wrong }: Extract<Scene, { kind: "consent" }>,
  t: Texts,
): Block[] {
  const gap: Block = { kind: "gap" };
  const isWord = answer === "ERASE";
  const list = (texts: readonly string[]): Block => ({
    kind: "facts",
    lines: texts.map((text) => `    - ${text}`),
    more: t.more,
  });
  return [
    { kind: "text", text: t.plan(plan), style: "strong" },
    { kind: "text", text: t.onDisk(disk) },
    gap,
    plan.loses.length > 0
      ? { kind: "text", text: t.willBeLost, style: "bad" }
      : { kind: "text", text: t.nothingLost, style: "good" },
    list(plan.loses.map(t.loss)),
    ...(plan.keeps.length === 0
      ? []
      : [gap, { kind: "text", text: t.willBeKept, style: "good" } as const]),
    list(plan.keeps.map(t.keeping)),
    gap,
    { kind: "text", text: t.question(isWord ? "" : visible(disk.serial), answer), style: "strong" },
    { kind: "text", text: `> ${typed}${"_".repeat(Math.max(0, answer.length - typed.length))}` },
    ...(wrong ? [{ kind: "text", text: t.wrong, style: "bad" } as const] : []),
  ];
}

function running(
  { plan, disk, resumedAt, event, seconds }: Run,
  log: readonly string[],
  { told }: Extract<Scene, { kind: "running" }>,
  t: Texts,
): Block[] {
  const at = event?.index ?? (resumedAt ?? 1) - 1;
  const isDone = (index: number) =>
    index === at ? event?.kind === "done" : index < Math.max(at, (resumedAt ?? 1) - 1);
  const gap: Block = { kind: "gap" };
  const whole = wholeProgress(plan, event, { begunAt: (resumedAt ?? 1) - 1, seconds });
  const current = event && stepProgress(event);
  return [
    { kind: "text", text: t.plan(plan) + t.comma + t.onDisk(disk), style: "strong" },
    ...(resumedAt === undefined ? [] : [{ kind: "text", text: t.resumed(resumedAt) } as const]),
    {
      kind: "steps",
      at,
      rows: plan.steps.map((step, index) => ({
        mark: isDone(index) ? "done" : index === at ? "now" : "ahead",
        text: t.step(step),
      })),
    },
    gap,
    {
      kind: "bar",
      label: t.stepOf(at, plan.steps.length),
      share: current?.share ?? (event?.kind === "done" ? 1 : 0),
      text: event && event.bytes > 0 && current ? bytesText(event, current, t) : "",
    },
    { kind: "bar", label: t.whole, share: whole.share, text: leftText(whole, t) },
    ...(told === undefined
      ? []
      : [
          {
            kind: "text",
            text:
              told === "cancelling"
                ? t.cancelling
                : plan.operation === "test"
                  ? t.tests.tooLate
                  : t.tooLate,
            style: "strong",
          } as const,
        ]),
    gap,
    { kind: "tail", lines: log },
  ];
}

function bytesText(event: NonNullable<Run["event"]>, progress: Progress, t: Texts): string {
  const { bytes, totalBytes, seconds } = event;
  const rate = seconds > 0 ? `${printSize(Math.round(bytes / seconds))}/s` : "";
  const done = `${printSize(bytes)} / ${printSize(totalBytes)}`;
  return [done, rate, leftText(progress, t)].filter((text) => text !== "").join(t.comma);
}

function leftText({ secondsLeft }: Progress, t: Texts): string {
  return secondsLeft === undefined ? "" : t.left(secondsLeft);
}

/** How it went, as long as nobody has chosen anything. */
function showsVerdict(scene: Scene): boolean {
  if (scene.kind === "wait") return scene.keepsVerdict === true;
  return scene.kind === "verdict" || scene.kind === "finished" || scene.kind === "secret";
}

function groundOf({ scene, verdict }: Known): { readonly ground?: Ground } {
  const report = verdict?.report;
  if (!report || !showsVerdict(scene)) return {};
  return { ground: report.verdict === "PASS" ? "pass" : "fail" };
}

/** Above the machine: a box that failed is not to be taken for a good one. */
function failedTests({ overview }: Known, t: Texts): Block[] {
  const factory = overview?.factory;
  if (factory?.verdict !== "FAIL") return [];
  return [{ kind: "text", text: t.testsFailed(factory.reason ?? ""), style: "bad" }];
}

function testVerdict(report: FactoryReport, t: Texts): Block[] {
  const { verdict, serial, version, reason } = report;
  const counts = (["pass", "fail", "skip"] as const).map((outcome) => countOf(report, outcome));
  const [passed = 0, failed = 0, skipped = 0] = counts;
  const lines = (texts: readonly string[]): Block => ({
    kind: "facts",
    lines: texts.map((text) => `  ${text}`),
    more: t.moreInLog,
  });
  const [first, ...others] = failuresOf(report);
  const why = first ? t.tests.failure(first) : reason && t.tests.recorded(reason);
  return [
    { kind: "big", word: verdict, style: "strong" },
    { kind: "text", text: t.tests.box(serial, version), style: "strong" },
    { kind: "text", text: t.tests.counts(passed, failed, skipped) },
    ...(why === undefined ? [] : [{ kind: "text", text: t.why } as const, lines([why])]),
    ...(others.length === 0
      ? []
      : [{ kind: "text", text: t.tests.others } as const, lines(others.map(t.tests.failure))]),
  ];
}

function verdict({ result, explanation, report, warnings = [] }: Verdict, t: Texts): Block[] {
  const beside = warnings.map((words): Block => ({
    kind: "text",
    text: t.say(words),
    style: "bad",
  }));
  if (report) return [...testVerdict(report, t), ...beside];
  const { outcome } = result;
  const gap: Block = { kind: "gap" };
  const big: Block = {
    kind: "big",
    word: t.verdicts[outcome],
    style: outcome === "success" ? "good" : "bad",
  };
  if (!explanation) {
    const words = [t.done(result), t.goesOnInstalled];
    return [big, gap, ...words.map((text): Block => ({ kind: "text", text })), ...beside];
  }
  const { message, hint } = explanation.said;
  const lines = (words: Words): Block => ({
    kind: "facts",
    lines: t
      .say(words)
      .split("\n")
      .map((line) => `  ${line}`),
    more: t.moreInLog,
  });
  return [
    big,
    { kind: "text", text: stateOf(result, t), style: "strong" },
    { kind: "text", text: t.why },
    lines(message),
    ...(hint === "" ? [] : [{ kind: "text", text: t.next } as const, lines(hint)]),
  ];
}

function stateOf({ changed, operation }: Result, t: Texts): string {
  if (!changed) return t.unchanged;
  return operation === "test" ? t.tests.ended : t.changed;
}

function keysOf({ scene, run }: Known, { keys }: Texts): string {
  switch (scene.kind) {
    case "which-plan":
      return keys.menu;
    case "running":
      return run?.event?.changed === true || run?.resumedAt !== undefined
        ? keys.runningChanged
        : keys.running;
    default:
      return keys[scene.kind];
  }
}

function shown(block: Block): Block {
  switch (block.kind) {
    case "text":
      return { ...block, text: visible(block.text) };
    case "facts":
    case "tail":
    case "pages":
      return { ...block, lines: block.lines.map(visible) };
    case "steps":
      return { ...block, rows: block.rows.map((row) => ({ ...row, text: visible(row.text) })) };
    default:
      return block;
  }
}
