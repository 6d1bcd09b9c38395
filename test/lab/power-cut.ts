/*
 * Cutting the power inside a step that is meant: the agent prints when each step begins, the machine is
 * killed a random time later, and the log tells which step was really hit. A miss is repeated from the
 * same disk with a shorter time; every attempt works on a layer of its own.
 * Owns: the cut. The scenarios say which steps, and judge what follows.
 */
import type { Result } from "../../src/model/result.ts";
import { makeLayer, type Image } from "./images.ts";
import { disk, RESULT_SECONDS, startRescue, type RescueOptions } from "./recovery.ts";
import { findSteps, RESULT_LINE } from "./result.ts";
import { must, type Context } from "./scenario.ts";

export interface Cut {
  /** The kind of the step that is to be hit. */
  readonly kind: string;
  /** Of several steps of that kind, this one; 0 is the first. */
  readonly index?: number;
  /** When in the step, 0 its start, 1 its end; by chance if absent. */
  readonly share?: number;
}

const ATTEMPTS = 4;

/** How long a step of this kind took in the recovery that made `result`. */
export function secondsOf(result: Result, kind: string): number {
  return Math.max(...result.steps.filter((step) => step.kind === kind).map((s) => s.seconds), 0.1);
}

/**
 * Starts the recovery on a layer over `image`, and kills the machine inside the step. Returns the layer,
 * which holds what the disk held at that moment.
 * @throws Error if the step never began, or could not be hit.
 */
export async function cutPower(
  context: Context,
  image: Image,
  options: Omit<RescueOptions, "drives">,
  cut: Cut,
  usualSeconds: number,
): Promise<Image> {
  const wanted = new RegExp(`zshield: step \\d+/\\d+ ${cut.kind} begins`);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const layer = await makeLayer(context.folder, `cut-${cut.kind}-${context.random()}`, image);
    const machine = await startRescue(context, {
      ...options,
      name: `cut-${cut.kind}`,
      drives: [disk(layer)],
    });
    for (let begun = 0; begun <= (cut.index ?? 0); begun++) {
      await machine.waitFor(wanted, RESULT_SECONDS, RESULT_LINE);
    }
    const share = (cut.share ?? context.random()) / attempt;
    const delay = share * usualSeconds * 0.9;
    await Bun.sleep(delay * 1000);
    await machine.kill();
    const hit = findSteps(machine.serial.text()).at(-1);
    must(hit !== undefined, "no step had begun");
    const words = `${delay.toFixed(2)} s into ${cut.kind}: hit step ${hit.number}/${hit.total} ${hit.kind}`;
    context.note(`power cut ${words}`);
    if (hit.kind === cut.kind) return layer;
  }
  throw new Error(`${cut.kind} could not be hit in ${ATTEMPTS} attempts`);
}
