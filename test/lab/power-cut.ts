/*
 * Cutting the power inside a step that is meant: the agent prints when each step begins, the machine is
 * killed a random time later, and the log tells which step was really hit. A miss is repeated from the
 * same disk with a shorter time; every attempt works on a layer of its own.
 * Owns: the cut. The scenarios say which steps, and judge what follows.
 */
import type { Result } from "../../src/model/result.ts";
import { join } from "node:path";
import { command } from "./command.ts";
import type { Drive } from "./hardware.ts";
import { makeLayer, type Image } from "./images.ts";
import type { Machine } from "./machine.ts";
import { disk, RESULT_SECONDS, startRescue, type RescueOptions } from "./recovery.ts";
import { findSteps, RESULT_LINE } from "./result.ts";
import { must, type Context } from "./scenario.ts";
import { dropFolder, makeSocketFolder } from "./scratch.ts";
import { serveVolatileDisk } from "./volatile-disk.ts";

export interface Cut {
  /** The kind of the step that is to be hit. */
  readonly kind: string;
  /** Of several steps of that kind, this one; 0 is the first. */
  readonly index?: number;
  /** When in the step, 0 its start, 1 its end; by chance if absent. */
  readonly share?: number;
  /** When so many sectors or more are in the cache of a disk that forgets, and nothing is being added. */
  readonly unflushed?: number;
}

const ATTEMPTS = 4;
/** No write for so long: what a step had to write before its flush has been written. */
const QUIET_MS = 300;

/** How long a step of this kind took in the recovery that made `result`. */
export function secondsOf(result: Result, kind: string): number {
  return Math.max(...result.steps.filter((step) => step.kind === kind).map((s) => s.seconds), 0.1);
}

/** A disk that can be tried on: each attempt works on a branch of its own. */
export interface Medium {
  branch(context: Context, name: string): Promise<Branch>;
}

export interface Branch {
  readonly drive: Drive;
  /** Sectors that a power cut could lose now. */
  unflushed(): number;
  /** After the machine was killed: what the disk holds then, and a remark for the report. */
  cut(random: () => number): Promise<{ readonly medium: Medium; readonly remark: string }>;
}

/** A disk that keeps whatever was written to it: only the machine's memory is lost. */
export function keepingMedium(image: Image): Medium & { readonly image: Image } {
  return {
    image,
    async branch(context, name) {
      const layer = await makeLayer(context.folder, `${name}-${context.random()}`, image);
      return {
        drive: disk(layer),
        unflushed: () => 0,
        cut: async () => ({ medium: keepingMedium(layer), remark: "" }),
      };
    },
  };
}

/** A disk with a write cache: of what was not flushed, each sector is there or not, by chance. */
export function forgettingMedium(image: Image): Medium & { readonly image: Image } {
  return {
    image,
    async branch(context, name) {
      const file = join(context.folder, `${name}-${context.random()}.raw`);
      await command(["cp", "--sparse=always", image.file, file]);
      const sockets = makeSocketFolder();
      const server = await serveVolatileDisk(file, join(sockets, "nbd"));
      return {
        drive: disk({ nbdSocket: server.socket }),
        unflushed: server.unflushed,
        async cut(random) {
          const { forgotten, unflushed } = server.cutPower(random);
          await server.close();
          dropFolder(sockets);
          return {
            medium: forgettingMedium({ file, format: "raw" }),
            remark: `, ${forgotten} of ${unflushed} sectors forgotten`,
          };
        },
      };
    },
  };
}

/**
 * Starts the recovery on a branch of the medium, and kills the machine inside the step. Returns the
 * medium as it was at that moment.
 * @throws Error if the step never began, or could not be hit.
 */
export async function cutPower<M extends Medium>(
  context: Context,
  medium: M,
  options: Omit<RescueOptions, "drives">,
  cut: Cut,
  usualSeconds: number,
): Promise<M> {
  const wanted = new RegExp(`zshield: step \\d+/\\d+ ${cut.kind} begins`);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const branch = await medium.branch(context, `cut-${cut.kind}`);
    const machine = await startRescue(context, {
      ...options,
      saved: true,
      name: `cut-${cut.kind}`,
      drives: [branch.drive],
    });
    for (let seen = 0; seen <= (cut.index ?? 0); seen++) {
      await machine.waitFor(wanted, RESULT_SECONDS, RESULT_LINE);
    }
    const begun = Date.now();
    if (cut.unflushed === undefined) {
      await Bun.sleep(((cut.share ?? context.random()) / attempt) * usualSeconds * 900);
    } else {
      await awaitUnflushed(branch, cut.unflushed, machine);
    }
    await machine.kill();
    const delay = (Date.now() - begun) / 1000;
    const after = await branch.cut(context.random);
    const hit = findSteps(machine.serial.text()).at(-1);
    must(hit !== undefined, "no step had begun");
    const words = `${delay.toFixed(2)} s into ${cut.kind}: hit step ${hit.number}/${hit.total} ${hit.kind}`;
    context.note(`power cut ${words}${after.remark}`);
    if (hit.kind === cut.kind) return after.medium as M;
  }
  throw new Error(`${cut.kind} could not be hit in ${ATTEMPTS} attempts`);
}

/** @throws Error if the verdict comes first. */
async function awaitUnflushed(branch: Branch, sectors: number, machine: Machine): Promise<void> {
  let [seen, since] = [0, Date.now()];
  while (seen < sectors || Date.now() - since < QUIET_MS) {
    must(!RESULT_LINE.test(machine.serial.text()), `there were never ${sectors} unflushed sectors`);
    await Bun.sleep(5);
    if (branch.unflushed() !== seen) [seen, since] = [branch.unflushed(), Date.now()];
  }
}
