/*
 * Reads what the guest of the snapshot benchmark prints: fio's JSON, and dmsetup's status lines.
 * Owns: parsing. No I/O.
 */
import * as v from "valibot";
import { KIB } from "../../src/model/size.ts";

const SECTOR = 512;

/** The jobs of snapshot.fio. */
export const JOBS = ["sequential", "random", "synced", "files"] as const;
/** Those that are written a second time, where nothing is left to be copied. */
export const JOBS_AGAIN = ["sequential", "random"] as const;

const FioSchema = v.object({
  jobs: v.array(
    v.object({
      jobname: v.string(),
      error: v.literal(0),
      write: v.object({ runtime: v.pipe(v.number(), v.minValue(1)) }),
    }),
  ),
});

/** Milliseconds of each job, the flush at its end included. @throws Error if one is missing. */
export function parseTimes<Job extends string>(
  text: string,
  names: readonly Job[],
): Record<Job, number> {
  const { jobs } = v.parse(FioSchema, JSON.parse(text.slice(text.indexOf("{"))));
  const times = names.map((name) => {
    const job = jobs.find(({ jobname }) => jobname === name);
    if (!job) throw new Error(`fio tells nothing of the job ${name}`);
    return [name, job.write.runtime] as const;
  });
  return Object.fromEntries(times) as Record<Job, number>;
}

/**
 * What the snapshot took, from two listings of `dmsetup status`: a classic one tells its sectors, its
 * own tables included, a thin pool its blocks. @throws Error if the text does not hold both listings.
 */
export function parseFill(text: string): number {
  const classic = [...text.matchAll(/^bench-snap0: \d+ \d+ snapshot (\d+)\/\d+ \d+$/gm)];
  const thin = [...text.matchAll(/^bench-pool-tpool: \d+ \d+ thin-pool \d+ \d+\/\d+ (\d+)\//gm)];
  const [found, unitBytes] = classic.length > 0 ? [classic, SECTOR] : [thin, THIN_BLOCK_BYTES];
  const [before, after] = found.map(([, used]) => Number(used) * unitBytes);
  if (before === undefined || after === undefined || found.length !== 2) {
    throw new Error(`this is not the status before and after:\n${text}`);
  }
  return after - before;
}

/** Milliseconds, behind what LVM has to say. @throws Error if there are none. */
export function parseMerge(text: string): number {
  const last = text.trim().split("\n").at(-1)?.trim() ?? "";
  if (!/^[1-9]\d*$/.test(last)) throw new Error(`this is not how long the merge took:\n${text}`);
  return Number(last);
}

/** As snapshot.sh makes the pool. */
const THIN_BLOCK_BYTES = 64 * KIB;
