/*
 * What the flow of a recovery needs of a face: something to tell, something to ask. The flow decides, the face
 * shows. Owns: the interface.
 */
import type { StepEvent } from "../model/event.ts";
import type { FactoryReport } from "../model/factory.ts";
import type { DiskIdentity } from "../model/machine.ts";
import type { Overview } from "../model/overview.ts";
import type { Result } from "../model/result.ts";
import type { Plan } from "../model/step.ts";
import type { Words } from "../words.ts";
import type { Choice } from "./choice.ts";
import type { Explanation } from "./explain.ts";
import type { Texts } from "./texts.ts";

/** A plan and the disk under its name in this boot. */
export interface Planned {
  readonly plan: Plan;
  readonly disk: DiskIdentity;
  /** The step that an interrupted recovery goes on with, from 1. */
  readonly resumedAt?: number;
}

export interface VerdictMore {
  /** After a failure. */
  readonly explanation?: Explanation;
  /** Where factory tests have ended. */
  readonly report?: FactoryReport;
  /** What was not done beside a success. */
  readonly warnings?: readonly Words[];
}

/** What is told and needs no answer; every console can. */
export interface Teller {
  line(words: Words): void;
  machine(overview: Overview): void;
  planned(planned: Planned): void;
  event(event: StepEvent): void;
  /** A line of the log, as it is written. */
  logged(line: string): void;
  verdict(result: Result, more?: VerdictMore): void;
}

/** A question that has been answered elsewhere is taken back by `signal`, and rejects. */
export interface Asked {
  readonly signal?: AbortSignal;
}

/** Which list of choices is meant: the machine, the verdict that was just given, or the plans to look at. */
export type Question = "menu" | "verdict" | "which-plan";

/** The lines of a text in the language of whoever reads it. */
export type TextIn = (t: Texts) => readonly string[];

export interface Face extends Teller {
  choose<C extends Choice>(question: Question, choices: readonly C[], asked?: Asked): Promise<C>;
  /** Whether the person typed what starts the plan. */
  agree(planned: Planned, asked?: Asked): Promise<boolean>;
  /** From now on a recovery goes on; `cancel` ends it while nothing has been changed. */
  begin(planned: Planned, cancel: () => void): void;
  /** Shows a text until the person has read it. */
  read(title: "plan" | "log", text: TextIn): Promise<void>;
  /** What was typed, without an echo. */
  askSecret(prompt: Words, asked?: Asked): Promise<string>;
  /** The success stays for a while before the machine ends; `attended`: somebody is there to read it. */
  finished(ending: string, attended: boolean): Promise<void>;
  /** Waits until every console has sent what it was given. */
  drain(): Promise<void>;
  /** Gives the terminal back as it was. */
  close(): void;
}
